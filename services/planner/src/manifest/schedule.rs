//! `kind: Schedule`: what is due when.

use muster_domain::pb::inventory::v1::ScheduleSpec;

use super::{alert, fields::Fields};

pub(super) fn read(mut fields: Fields<'_, '_>) -> ScheduleSpec {
    let spec = ScheduleSpec {
        description: fields.text("description"),
        what: fields.text("what"),
        resource: fields.text("resource"),
        group: fields.text("group"),
        plan: fields.text("plan"),
        target_site: fields.text("targetSite"),
        cron: fields.text("cron"),
        rrule: fields.text("rrule"),
        dates: fields.moments("dates"),
        time_zone: fields.text("timeZone"),
        starts: fields.moment("starts"),
        ends: fields.moment("ends"),
        blackouts: fields.list("blackouts", alert::window),
        move_out_of_blackout: fields.flag("moveOutOfBlackout"),
        jitter: fields.duration("jitter"),
        notices: fields.durations("notices"),
        window: fields.duration("window"),
        overdue_after: fields.duration("overdueAfter"),
        reason: fields.text("reason"),
        ticket: fields.text("ticket"),
        suspended: fields.flag("suspended"),
    };
    fields.finish();
    spec
}
