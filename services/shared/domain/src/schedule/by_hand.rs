//! A drill that somebody asked for by hand proves as much as one that was due: the proof is fresh whoever asked for it.

use jiff::Timestamp;

use super::{Declaration, Schedule, What, what_of};
use crate::pb::inventory::v1::ScheduleSpec;
use crate::pb::request::v1::{RequestOpened, RequestType};
use crate::pb::schedule::v1::{ScheduleEvent, ScheduleSucceeded, schedule_event::Event};
use crate::time::to_pb;

/// The drills. A rotation by hand is a move that somebody wanted, and no turn of the sites.
const DRILLS: [RequestType; 4] =
    [RequestType::ReadinessDrill, RequestType::IsolatedDrill, RequestType::TabletopDrill, RequestType::LiveDrill];

/// Whether a run of this request can end a schedule's wait at all.
pub fn is_drill(opened: &RequestOpened) -> bool {
    DRILLS.contains(&opened.r#type())
}

/// Whether the request is what the schedule would have opened: the same drill of the same scope, to the same site where
/// the schedule names one. Its own requests are followed by their due times.
pub fn is_of_schedule(spec: &ScheduleSpec, name: &str, opened: &RequestOpened) -> bool {
    let same_drill = is_drill(opened) && what_of(&spec.what) == Some(What::Run(opened.r#type()));
    let same_site = spec.target_site.is_empty() || spec.target_site == opened.target_site;
    same_drill && same_site && same_scope(spec, opened) && opened.schedule != name
}

fn same_scope(spec: &ScheduleSpec, opened: &RequestOpened) -> bool {
    if !spec.plan.is_empty() {
        return opened.plan.as_ref().is_some_and(|plan| plan.name == spec.plan);
    }
    match spec.group.is_empty() {
        true => opened.group.is_empty() && !spec.resource.is_empty() && opened.resource == spec.resource,
        false => opened.group == spec.group,
    }
}

/// The success of a run that no due time of this schedule asked for. `None`: it is another thing, or the schedule knows
/// of a newer success.
pub fn proved_by_hand(
    schedule: &Schedule,
    declared: &Declaration<'_>,
    opened: &RequestOpened,
    succeeded_at: Timestamp,
) -> Option<ScheduleEvent> {
    // Taken out of use, it waits for nothing.
    declared.calendar?;
    if !is_of_schedule(declared.spec, declared.name, opened) {
        return None;
    }
    if schedule.last_success_at.is_some_and(|last| last >= succeeded_at) {
        return None;
    }
    let succeeded = ScheduleSucceeded {
        due_at: None,
        request_id: opened.request_id.clone(),
        succeeded_at: Some(to_pb(succeeded_at)),
    };
    Some(ScheduleEvent { event: Some(Event::Succeeded(succeeded)) })
}
