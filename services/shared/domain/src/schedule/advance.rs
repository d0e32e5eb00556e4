//! What there is to record about a schedule at this moment, one event at a time, and when to look again.
//!
//! Nothing here depends on how often or how late it is asked: what was recorded is not recorded again, and what was
//! missed while nobody asked is found by the calendar.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::{Calendar, Due, Fate, Pending, Progress, Schedule, What, notices, overdue_after, what_of, window};
use crate::ids::{TenantId, derived_id};
use crate::pb::common::v1::{Environment, Tier};
use crate::pb::inventory::v1::ScheduleSpec;
use crate::pb::schedule::v1::{
    ScheduleEvent, ScheduleFired, ScheduleLapsed, ScheduleNoticed, ScheduleOverdue, ScheduleSkipped, ScheduleSucceeded,
    schedule_event::Event,
};
use crate::time::{humane, to_pb};

/// Later than this after it was due is told as late.
pub const LATE: SignedDuration = SignedDuration::from_mins(1);
/// Missed due times that are listed; of more, the newest.
pub const MAX_LISTED: usize = 100;
/// Due times that one look takes in: more than ten years of daily ones.
const MAX_MISSED: usize = 4_000;

/// A schedule as it is declared now.
#[derive(Debug, Clone)]
pub struct Declaration<'a> {
    pub tenant: &'a TenantId,
    pub name: &'a str,
    pub version: u64,
    pub spec: &'a ScheduleSpec,
    /// `None`: taken out of use, or not readable. What was opened is still followed.
    pub calendar: Option<&'a Calendar>,
    /// Due times before this were not declared.
    pub declared_at: Timestamp,
    pub tier: Tier,
    pub environment: Environment,
}

/// The request that a due time opens: the same however often it is asked for.
pub fn request_id(tenant: &TenantId, schedule: &str, due: Timestamp) -> Uuid {
    derived_id(&["schedule-request", tenant.as_str(), schedule, &due.to_string()])
}

/// The next event, if there is one to record now. `progress` holds what became of the pending due times.
pub fn advance(
    schedule: &Schedule,
    declared: &Declaration<'_>,
    progress: &BTreeMap<Timestamp, Progress>,
    now: Timestamp,
) -> Option<ScheduleEvent> {
    let event = outcome(schedule, progress, now)
        .or_else(|| due(schedule, declared, now))
        .or_else(|| skipped(schedule, declared, now))
        .or_else(|| overdue(schedule, declared, now))
        .or_else(|| notice(schedule, declared, now))?;
    Some(ScheduleEvent { event: Some(event) })
}

/// When there may be something to record that no event announces.
pub fn wakes_at(
    schedule: &Schedule,
    declared: &Declaration<'_>,
    progress: &BTreeMap<Timestamp, Progress>,
    now: Timestamp,
) -> Option<Timestamp> {
    let lapses =
        open(schedule).filter(|(due, _)| by_the_clock(progress.get(due))).filter_map(|(_, open)| open.lapses_at);
    let alarms = alarms(schedule, declared).map(|(_, alarm)| alarm);
    let calendar = declared.calendar;
    let next = calendar.and_then(|calendar| calendar.due_after(now.max(fired(schedule, declared))).next());
    let noticed = next
        .filter(|_| !declared.spec.suspended)
        .into_iter()
        .flat_map(|due| notices(declared.spec).into_iter().filter_map(move |before| due.checked_sub(before).ok()));
    let left_out = calendar.and_then(|calendar| {
        let after = now.max(skipped_until(schedule, declared));
        // One that is left out matters only before the next one that counts.
        let before = calendar.after(after).take_while(|due| next.is_none_or(|next| moment(due) < next));
        before.take(MAX_MISSED).filter_map(|due| raw(&due)).find(|raw| *raw > after)
    });
    lapses.chain(alarms).chain(noticed).chain(next).chain(left_out).filter(|at| *at > now).min()
}

/// Due times before this were taken care of, or were never declared.
fn fired(schedule: &Schedule, declared: &Declaration<'_>) -> Timestamp {
    schedule.fired_until.map_or(declared.declared_at, |until| until.max(declared.declared_at))
}

fn skipped_until(schedule: &Schedule, declared: &Declaration<'_>) -> Timestamp {
    schedule.skipped_until.map_or(declared.declared_at, |until| until.max(declared.declared_at))
}

fn open(schedule: &Schedule) -> impl Iterator<Item = (&Timestamp, &Pending)> {
    schedule.pending.iter().filter(|(_, pending)| !pending.lapsed)
}

/// A request ends by its own deadline; reviews, and what was never opened, by ours.
fn by_the_clock(progress: Option<&Progress>) -> bool {
    matches!(progress, None | Some(Progress::NotOpened))
}

fn outcome(schedule: &Schedule, progress: &BTreeMap<Timestamp, Progress>, now: Timestamp) -> Option<Event> {
    open(schedule).find_map(|(due, pending)| {
        let (due_at, request_id) = (Some(to_pb(*due)), pending.request_id.clone());
        let lapsed = |because: String, at: Timestamp| {
            let request_id = request_id.clone();
            Event::Lapsed(ScheduleLapsed { due_at, request_id, because, lapsed_at: Some(to_pb(at)) })
        };
        match progress.get(due) {
            Some(Progress::Succeeded(at)) => {
                let succeeded_at = Some(to_pb(*at));
                Some(Event::Succeeded(ScheduleSucceeded { due_at, request_id, succeeded_at }))
            }
            Some(Progress::Over { because, at }) => Some(lapsed(because.clone(), at.unwrap_or(now))),
            Some(Progress::Open | Progress::Running) => None,
            None | Some(Progress::NotOpened) => {
                let over = pending.lapses_at.is_none_or(|lapses_at| now >= lapses_at);
                over.then(|| lapsed(never_opened(pending), now))
            }
        }
    })
}

fn never_opened(pending: &Pending) -> String {
    match (pending.request_id.is_empty(), pending.open_failed.as_str()) {
        (true, _) => "nobody recorded the review in its window".to_owned(),
        (false, "") => "no request was opened in its window".to_owned(),
        (false, code) => format!("the request could not be opened: {code}"),
    }
}

fn due(schedule: &Schedule, declared: &Declaration<'_>, now: Timestamp) -> Option<Event> {
    let calendar = declared.calendar?;
    let after = fired(schedule, declared);
    let mut missed: Vec<Timestamp> = calendar.due_after(after).take_while(|at| *at <= now).take(MAX_MISSED).collect();
    if declared.spec.suspended {
        let due_at = missed.first().map(|at| to_pb(*at))?;
        let because = "the schedule is suspended".to_owned();
        return Some(Event::Skipped(ScheduleSkipped { due_at: Some(due_at), because, moved_to: None }));
    }
    let due = missed.pop()?;
    let older = missed.len().saturating_sub(MAX_LISTED);
    let late_by = now.duration_since(due);
    let late = late_by > LATE;
    let because = format!(
        "nothing acted on it when it was due (Muster was down, or cut off from its log): {} late",
        humane(late_by)
    );
    let run = matches!(what_of(&declared.spec.what), Some(What::Run(_)));
    Some(Event::Fired(ScheduleFired {
        due_at: Some(to_pb(due)),
        fired_at: Some(to_pb(now)),
        late,
        late_because: if late { because } else { String::new() },
        request_id: if run { request_id(declared.tenant, declared.name, due).to_string() } else { String::new() },
        schedule_version: declared.version,
        what: declared.spec.what.clone(),
        resource: declared.spec.resource.clone(),
        group: declared.spec.group.clone(),
        plan: declared.spec.plan.clone(),
        missed: missed.into_iter().skip(older).map(to_pb).collect(),
        lapses_at: now.checked_add(window(declared.spec)).ok().map(to_pb),
        tier: declared.tier.into(),
        environment: declared.environment.into(),
    }))
}

/// When one that is moved or left out would have been due.
fn raw(due: &Due) -> Option<Timestamp> {
    match &due.fate {
        Fate::Kept => None,
        Fate::Moved { from, .. } => Some(*from),
        Fate::LeftOut { .. } => Some(due.at),
    }
}

/// By the rule alone.
fn moment(due: &Due) -> Timestamp {
    raw(due).unwrap_or(due.at)
}

fn skipped(schedule: &Schedule, declared: &Declaration<'_>, now: Timestamp) -> Option<Event> {
    let after = skipped_until(schedule, declared);
    let dues = declared.calendar?.after(after).take_while(|due| moment(due) <= now);
    let dues = dues.filter_map(|due| Some((raw(&due)?, due)));
    let mut dues = dues.filter(|(raw, _)| *raw > after);
    let (raw, due) = dues.next()?;
    let (because, moved_to) = match due.fate {
        Fate::Moved { because, .. } => (because, Some(to_pb(due.at))),
        Fate::LeftOut { because } => (because, None),
        Fate::Kept => return None,
    };
    Some(Event::Skipped(ScheduleSkipped { due_at: Some(to_pb(raw)), because, moved_to }))
}

/// Due times without a success since, and when that becomes an alarm.
fn alarms<'a>(
    schedule: &'a Schedule,
    declared: &'a Declaration<'_>,
) -> impl Iterator<Item = (Timestamp, Timestamp)> + 'a {
    let without = schedule
        .pending
        .iter()
        .filter(|(due, pending)| !pending.overdue && schedule.last_success_at.is_none_or(|success| success < **due));
    let in_use = declared.calendar.is_some();
    without
        .filter(move |_| in_use)
        .filter_map(|(due, _)| Some((*due, due.checked_add(overdue_after(declared.spec)).ok()?)))
}

fn overdue(schedule: &Schedule, declared: &Declaration<'_>, now: Timestamp) -> Option<Event> {
    let (due, since) = alarms(schedule, declared).find(|(_, alarm)| *alarm <= now)?;
    Some(Event::Overdue(ScheduleOverdue {
        due_at: Some(to_pb(due)),
        overdue_since: Some(to_pb(since)),
        last_success_at: schedule.last_success_at.map(to_pb),
        what: declared.spec.what.clone(),
        resource: declared.spec.resource.clone(),
        group: declared.spec.group.clone(),
        plan: declared.spec.plan.clone(),
        tier: declared.tier.into(),
        environment: declared.environment.into(),
    }))
}

/// The nearest notice of the next due time that was not given. One whose moment came before that due time was the next
/// one, or before it was declared, is not given: of daily ones nobody is told a week before.
fn notice(schedule: &Schedule, declared: &Declaration<'_>, now: Timestamp) -> Option<Event> {
    if declared.spec.suspended {
        return None;
    }
    let since = fired(schedule, declared);
    let due = declared.calendar?.due_after(now.max(since)).next()?;
    let told = schedule.noticed.filter(|(noticed, _)| *noticed == due).map(|(_, before)| before);
    let passed = notices(declared.spec).into_iter().filter(|before| {
        due.checked_sub(*before).is_ok_and(|at| since < at && at <= now) && told.is_none_or(|told| *before < told)
    });
    let before = passed.min()?;
    Some(Event::Noticed(ScheduleNoticed {
        due_at: Some(to_pb(due)),
        before: format!("{before:#}"),
        noticed_at: Some(to_pb(now)),
        what: declared.spec.what.clone(),
        resource: declared.spec.resource.clone(),
        group: declared.spec.group.clone(),
        plan: declared.spec.plan.clone(),
        tier: declared.tier.into(),
        environment: declared.environment.into(),
    }))
}
