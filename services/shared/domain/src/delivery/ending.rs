//! What ends what was told before, and in which order the two go out.
//!
//! An end goes after what it ends, to the same recipient: "resolved" before its "breached" is confusing in a mailbox,
//! and in a pager it leaves an incident that nobody ends any more. An end that comes after nothing is not sent.

use jiff::Timestamp;
use uuid::Uuid;

use crate::ids::derived_id;

use super::message::{Message, Severity, kind};
use super::routing::PAGERDUTY;
use super::state::Phase;

/// Kinds that end, or take care of, what was told before about the same alert or request.
pub const ENDS: [&str; 7] = [
    kind::ALERT_ACKNOWLEDGED,
    kind::ALERT_RESOLVED,
    kind::REQUEST_REJECTED,
    kind::REQUEST_WITHDRAWN,
    kind::REQUEST_EXPIRED,
    kind::REQUEST_CONFIRMED,
    kind::APPROVAL_OUTCOME,
];
/// Of them those after which nothing of it is open at a pager.
pub const OVER: [&str; 5] = [
    kind::ALERT_RESOLVED,
    kind::REQUEST_REJECTED,
    kind::REQUEST_WITHDRAWN,
    kind::REQUEST_EXPIRED,
    kind::REQUEST_CONFIRMED,
];

/// Kinds that wait at a pager for one of those.
pub const QUESTIONS: [&str; 2] = [kind::REQUEST_CREATED, kind::REQUEST_ESCALATED];

/// Whether the message ends something that was told before.
pub fn ends(message: &Message) -> bool {
    ENDS.contains(&message.kind.as_str())
}

/// Whether what the channel was told stays open over there until its end is told.
pub fn keeps_incidents(channel: &str) -> bool {
    channel == PAGERDUTY
}

/// Whether the message closes something at the far side and tells nobody anything: no window holds it back and no other
/// message tells it, since then what it closes would stay open.
pub fn closes_incident(message: &Message, channel: &str) -> bool {
    keeps_incidents(channel) && ends(message)
}

/// One delivery that went before an end, to the same recipient and about the same thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Before {
    pub phase: Phase,
    /// It, or what tells it, failed and may have arrived all the same.
    pub outcome_unknown: bool,
    /// When it is tried next, where that is known.
    pub due: Option<Timestamp>,
    /// The delivery that tells it, and how that one stands; of one that is told with others.
    pub told_by: Option<(Uuid, Phase)>,
}

/// What an end finds before it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// Something is still on its way; when to look again, where that is known.
    pub pending: Option<Option<Timestamp>>,
    /// It was told by a message of its own.
    pub by_itself: bool,
    /// Messages that told it among others.
    pub among_others: Vec<Uuid>,
}

impl Told {
    pub fn of(before: &[Before]) -> Self {
        let mut told = Self::default();
        for one in before {
            match (one.phase, one.told_by) {
                (Phase::Grouped, Some((group, phase))) if arrived(phase, one.outcome_unknown) => {
                    told.among_others.push(group)
                }
                (Phase::Grouped, Some((_, phase))) if !phase.is_final() => told.wait_for(one.due),
                (Phase::Queued | Phase::Attempting | Phase::Waiting | Phase::Held, _) => told.wait_for(one.due),
                (phase, _) => told.by_itself |= arrived(phase, one.outcome_unknown),
            }
        }
        told.among_others.sort_unstable();
        told.among_others.dedup();
        told
    }

    pub fn is_told(&self) -> bool {
        self.by_itself || !self.among_others.is_empty()
    }

    fn wait_for(&mut self, due: Option<Timestamp>) {
        self.pending = Some(match self.pending {
            Some(earlier) => earlier.max(due),
            None => due,
        });
    }
}

/// The far side has it, or may have it: what it may have opened must not stay.
fn arrived(phase: Phase, outcome_unknown: bool) -> bool {
    phase == Phase::Accepted || (phase == Phase::GaveUp && outcome_unknown)
}

/// The end of everything that one message told together, for whom that message told it. `last` is the end that came last.
pub fn of_group(group: Uuid, route: &str, last: &Message) -> Message {
    let mut message = last.clone();
    message.event_id = derived_id(&["delivery.group.over", &last.tenant, &group.to_string()]);
    message.group_id = group.to_string();
    message.kind = kind::ALERT_RESOLVED.into();
    message.severity = Severity::Info;
    message.resource.clear();
    message.request_id.clear();
    message.alert_id.clear();
    message.runbook_url.clear();
    message.reasons.clear();
    message.facts.clear();
    message.loss.clear();
    message.only_routes = vec![route.to_owned()];
    message.set_subject("RESOLVED: everything that was told together is over");
    message.set_summary("Every alert and request that one message told together is over.");
    message.next_step = "Nothing has to be done now.".into();
    message
}

#[cfg(test)]
#[path = "ending_tests.rs"]
mod tests;
