//! Messages of the calendar: what will be due, is due, came to nothing, or is overdue.

use jiff::{SignedDuration, Timestamp};

use super::message::{Message, Severity, Source, kind};
use crate::pb::common::v1::Tier;
use crate::pb::schedule::v1::{
    ScheduleEvent, ScheduleFired, ScheduleLapsed, ScheduleNoticed, ScheduleOpenFailed, ScheduleOverdue,
    schedule_event::Event,
};
use crate::refusal::describe;
use crate::time::{PbTimestamp, from_pb, humane};

/// The message of a schedule's event. `fired`: what the due time was about, where the event does not say it.
pub fn schedule_message(
    source: &Source,
    name: &str,
    event: &ScheduleEvent,
    fired: Option<&ScheduleFired>,
) -> Option<Message> {
    let told = Told { source, name };
    Some(match event.event.as_ref()? {
        Event::Noticed(noticed) => told.upcoming(noticed),
        Event::Fired(fired) => told.due(fired),
        Event::Lapsed(lapsed) => told.lapsed(lapsed, fired),
        Event::Overdue(overdue) => told.overdue(overdue),
        Event::OpenFailed(failed) => told.open_failed(failed, fired),
        Event::Skipped(_) | Event::Succeeded(_) | Event::Reviewed(_) => return None,
    })
}

/// The due time of an event that does not say what it was about.
pub fn due_time(event: &ScheduleEvent) -> Option<Timestamp> {
    match event.event.as_ref()? {
        Event::Lapsed(lapsed) => from_pb(lapsed.due_at.as_ref()),
        Event::OpenFailed(failed) => from_pb(failed.due_at.as_ref()),
        _ => None,
    }
}

struct Told<'a> {
    source: &'a Source,
    name: &'a str,
}

impl Told<'_> {
    fn about(&self, kind: &str, fired: &ScheduleFired) -> Message {
        let scope = if fired.resource.is_empty() { &fired.group } else { &fired.resource };
        let mut message = Message::about(self.source, kind, scope, fired.tier, fired.environment);
        message.request_id = fired.request_id.clone();
        message.fact("Schedule", self.name);
        message.fact("Due at", moment(fired.due_at.as_ref()));
        message.fact("Plan", &fired.plan);
        message
    }

    fn upcoming(&self, noticed: &ScheduleNoticed) -> Message {
        let about = ScheduleFired {
            due_at: noticed.due_at,
            what: noticed.what.clone(),
            resource: noticed.resource.clone(),
            group: noticed.group.clone(),
            plan: noticed.plan.clone(),
            tier: noticed.tier,
            environment: noticed.environment,
            ..ScheduleFired::default()
        };
        let mut m = self.about(kind::SCHEDULE_UPCOMING, &about);
        let left = from_pb(noticed.due_at.as_ref()).zip(from_pb(noticed.noticed_at.as_ref()));
        let left = left.map_or_else(|| noticed.before.clone(), |(due, now)| rounded(due.duration_since(now)));
        let what = subject(&about);
        m.set_subject(&format!("In {left}: {what}"));
        m.set_summary(&format!("{} falls due by the calendar in {left}.", sentence(&what)));
        m.next_step =
            "Keep the time free. When it is due, a request asks the approvers; nothing runs by itself.".into();
        m
    }

    fn due(&self, fired: &ScheduleFired) -> Message {
        let is_review = fired.request_id.is_empty();
        let kind = if is_review { kind::SCHEDULE_REVIEW_DUE } else { kind::SCHEDULE_DUE };
        let mut m = self.about(kind, fired);
        m.severity = Severity::Warning;
        let what = subject(fired);
        m.set_subject(&format!("Due{}: {what}", if fired.late { " (late)" } else { "" }));
        m.set_summary(&format!("{} is due by the calendar.", sentence(&what)));
        m.fact("Lapses at", moment(fired.lapses_at.as_ref()));
        m.fact("Late", &fired.late_because);
        if !fired.missed.is_empty() {
            let missed: Vec<String> = fired.missed.iter().map(|at| moment(Some(at))).collect();
            m.fact("Missed before", format!("{}: {}", missed.len(), missed.join(", ")));
        }
        m.next_step = if is_review {
            format!("Do the review and record it: muster schedule review {} --findings \"…\"", self.name)
        } else {
            "Approvers: decide on the request. Somebody starts it with its phrase before it lapses; nothing runs by itself.".into()
        };
        m
    }

    fn lapsed(&self, lapsed: &ScheduleLapsed, fired: Option<&ScheduleFired>) -> Message {
        let about = self.known(fired, lapsed.due_at);
        let mut m = self.about(kind::SCHEDULE_LAPSED, &about);
        m.request_id = lapsed.request_id.clone();
        m.severity = Severity::Warning;
        let what = subject(&about);
        m.set_subject(&format!("Came to nothing: {what}"));
        m.set_summary(&format!("{} was due and came to nothing: {}.", sentence(&what), lapsed.because));
        m.next_step = "The proof goes on ageing. Open a request by hand, or wait for the next due time.".into();
        m
    }

    fn overdue(&self, overdue: &ScheduleOverdue) -> Message {
        let about = ScheduleFired {
            due_at: overdue.due_at,
            what: overdue.what.clone(),
            resource: overdue.resource.clone(),
            group: overdue.group.clone(),
            plan: overdue.plan.clone(),
            tier: overdue.tier,
            environment: overdue.environment,
            ..ScheduleFired::default()
        };
        let mut m = self.about(kind::SCHEDULE_OVERDUE, &about);
        let is_tier_1 = about.tier() == Tier::Tier1;
        m.severity = if is_tier_1 { Severity::Critical } else { Severity::Warning };
        let what = subject(&about);
        m.set_subject(&format!("OVERDUE: {what}"));
        let last = match from_pb(overdue.last_success_at.as_ref()) {
            Some(at) => format!("The last one succeeded at {at:.0}."),
            None => "None has ever succeeded.".to_owned(),
        };
        m.set_summary(&format!(
            "{} was due at {} and has not succeeded since. {last}",
            sentence(&what),
            moment(overdue.due_at.as_ref())
        ));
        m.next_step = "Nobody knows whether it would work. Have it approved and run, or record why not.".into();
        m
    }

    fn open_failed(&self, failed: &ScheduleOpenFailed, fired: Option<&ScheduleFired>) -> Message {
        let about = self.known(fired, failed.due_at);
        let mut m = self.about(kind::SCHEDULE_OPEN_FAILED, &about);
        // There is no request to look at.
        m.request_id = String::new();
        m.severity = Severity::Warning;
        let what = subject(&about);
        m.set_subject(&format!("Could not be opened: {what}"));
        m.set_summary(&format!(
            "{} is due and its request was refused. It is tried again until its window is over.",
            sentence(&what)
        ));
        m.fact("Tried until", moment(about.lapses_at.as_ref()));
        if let Some(refusal) = &failed.refusal {
            m.fact("Code", &refusal.code);
            m.reasons.push(super::message::clip(&describe(refusal), super::message::MAX_TEXT_BYTES));
            m.next_step = refusal.next_action.clone();
        }
        m
    }

    fn known(&self, fired: Option<&ScheduleFired>, due_at: Option<PbTimestamp>) -> ScheduleFired {
        let unknown = || ScheduleFired { due_at, what: format!("schedule {}", self.name), ..ScheduleFired::default() };
        fired.cloned().unwrap_or_else(unknown)
    }
}

/// "isolated-drill of orders-db"
fn subject(fired: &ScheduleFired) -> String {
    let of = [(&fired.resource, ""), (&fired.group, "group "), (&fired.plan, "plan ")];
    match of.into_iter().find(|(name, _)| !name.is_empty()) {
        Some((name, kind)) => format!("{} of {kind}{name}", fired.what),
        None => fired.what.clone(),
    }
}

fn sentence(what: &str) -> String {
    format!("The {what}")
}

/// What people say: days, hours or minutes.
fn rounded(left: SignedDuration) -> String {
    let minutes = (left.as_secs() + 30) / 60;
    match minutes {
        0 => humane(left),
        1..=119 => format!("{minutes} min"),
        120..=2_879 => format!("{} h", (minutes + 30) / 60),
        _ => format!("{} days", (minutes + 720) / 1_440),
    }
}

fn moment(at: Option<&PbTimestamp>) -> String {
    from_pb(at).map_or_else(|| "an unknown time".to_owned(), |at| format!("{at:.0}"))
}
