//! Aggregate "delivery": one message on one route to one recipient.
//!
//! queued -> attempted (recorded before the attempt) -> accepted | attempt_failed -> attempted … -> gave_up.
//! An attempt without a recorded outcome may have reached the far side: the next one is marked so.
//!
//! queued -> held -> attempted, or suppressed (the alert ended meanwhile), or grouped; queued -> grouped (told by another
//! delivery); queued -> suppressed (what it ends was never told). What was given up can be queued again by a person.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::aggregate::{Aggregate, EventKind};
use crate::ids::derived_id;
use crate::pb::common::v1::Actor;
use crate::pb::notification::v1::{
    DeliveryAccepted, DeliveryAttemptFailed, DeliveryAttempted, DeliveryEvent, DeliveryGaveUp, DeliveryGrouped,
    DeliveryHeld, DeliveryQueued, DeliveryRequeued, DeliverySuppressed, delivery_event::Event,
};
use crate::refusal::{Refusal, refusal};
use crate::time::{from_pb, to_pb};

use super::failure::{Failure, FailureCode};
use super::message::{Asker, Message, clip};
use super::routing::Decision;
use super::schedule::{MAX_RETRY_AFTER, retry_delay};

/// The far side's answer, kept as evidence.
const MAX_RECEIPT_BYTES: usize = 300;

/// The same event, route and recipient always give the same delivery: nothing is queued twice.
pub fn delivery_id(tenant: &str, source_event: Uuid, route: &str, recipient: &str) -> Uuid {
    derived_id(&["delivery", tenant, &source_event.to_string(), route, recipient])
}

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Phase {
    /// Nothing recorded yet.
    #[default]
    None,
    Queued,
    /// Claimed; until `attempted_at` plus the channel's limit the outcome may still come.
    Attempting,
    /// Failed, to be tried again.
    Waiting,
    /// To be told later: see `Delivery::held_rule`.
    Held,
    Accepted,
    GaveUp,
    Suppressed,
    /// Told by the delivery in `Delivery::grouped_into`.
    Grouped,
}

impl Phase {
    /// Nothing more is attempted by itself.
    pub fn is_final(self) -> bool {
        matches!(self, Phase::Accepted | Phase::GaveUp | Phase::Suppressed | Phase::Grouped)
    }

    fn name(self) -> &'static str {
        match self {
            Phase::None => "unknown",
            Phase::Queued => "queued",
            Phase::Attempting => "under way",
            Phase::Waiting => "waiting for its next attempt",
            Phase::Held => "held",
            Phase::Accepted => "accepted",
            Phase::GaveUp => "given up",
            Phase::Suppressed => "suppressed",
            Phase::Grouped => "told with others",
        }
    }
}

/// The state of one delivery, folded from its events.
#[derive(Debug, Clone, Default)]
pub struct Delivery {
    pub phase: Phase,
    pub queued: Option<DeliveryQueued>,
    /// Attempts begun.
    pub attempts: u32,
    /// Of them, those before a person sent it again: the schedule began anew.
    pub attempts_before: u32,
    pub attempted_at: Option<Timestamp>,
    pub retry_at: Option<Timestamp>,
    /// The newest finished attempt may have reached the far side all the same.
    pub outcome_unknown: bool,
    pub last_error: String,
    /// While it is held. Absent: until what holds it is over.
    pub held_until: Option<Timestamp>,
    pub held_rule: String,
    pub grouped_into: String,
    pub gave_up_at: Option<Timestamp>,
}

/// Not now: somebody else is at it, or it is not due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not before {until}")]
pub struct NotYet {
    pub until: Timestamp,
}

impl EventKind for DeliveryEvent {
    fn kind(&self) -> &'static str {
        match self.event {
            Some(Event::Queued(_)) => "delivery.queued",
            Some(Event::Attempted(_)) => "delivery.attempted",
            Some(Event::Accepted(_)) => "delivery.accepted",
            Some(Event::AttemptFailed(_)) => "delivery.attempt_failed",
            Some(Event::GaveUp(_)) => "delivery.gave_up",
            Some(Event::Suppressed(_)) => "delivery.suppressed",
            Some(Event::Held(_)) => "delivery.held",
            Some(Event::Grouped(_)) => "delivery.grouped",
            Some(Event::Requeued(_)) => "delivery.requeued",
            None => "unset",
        }
    }
}

impl Aggregate for Delivery {
    const KIND: &'static str = "delivery";
    type Event = DeliveryEvent;

    fn evolve(&mut self, event: &DeliveryEvent) {
        let Some(event) = &event.event else { return };
        // What is final stays: a late event of an older attempt changes nothing.
        let revived = match event {
            Event::Requeued(_) => self.phase == Phase::GaveUp,
            Event::Grouped(_) => self.phase == Phase::Grouped,
            _ => false,
        };
        if self.phase.is_final() && !revived {
            return;
        }
        match event {
            Event::Queued(e) if self.phase == Phase::None => {
                self.phase = Phase::Queued;
                self.queued = Some(e.clone());
            }
            Event::Suppressed(_) if matches!(self.phase, Phase::None | Phase::Held) || self.is_untried() => {
                self.phase = Phase::Suppressed;
            }
            Event::Held(e) if matches!(self.phase, Phase::Queued | Phase::Held) => {
                self.phase = Phase::Held;
                self.held_until = from_pb(e.until.as_ref());
                self.held_rule = e.rule.clone();
            }
            Event::Grouped(e) if matches!(self.phase, Phase::Queued | Phase::Held | Phase::Grouped) => {
                self.phase = Phase::Grouped;
                self.grouped_into = e.into_delivery_id.clone();
            }
            Event::Requeued(_) if self.phase == Phase::GaveUp => {
                self.phase = Phase::Queued;
                self.attempts_before = self.attempts;
                self.retry_at = None;
            }
            Event::Attempted(e) if self.phase != Phase::None && e.attempt > self.attempts => {
                self.phase = Phase::Attempting;
                self.attempts = e.attempt;
                self.attempted_at = from_pb(e.attempted_at.as_ref());
                self.retry_at = None;
            }
            Event::AttemptFailed(e) if self.phase == Phase::Attempting && e.attempt == self.attempts => {
                self.phase = Phase::Waiting;
                self.retry_at = from_pb(e.retry_at.as_ref());
                self.outcome_unknown = FailureCode::of(&e.error) == Some(FailureCode::OutcomeUnknown);
                self.last_error = e.error.clone();
            }
            Event::Accepted(_) if self.phase != Phase::None => self.phase = Phase::Accepted,
            Event::GaveUp(e) if self.phase != Phase::None => {
                let code = FailureCode::of(&e.error);
                let cut_short = self.phase == Phase::Attempting && code == Some(FailureCode::RouteChanged);
                self.outcome_unknown |=
                    cut_short || matches!(code, Some(FailureCode::OutcomeUnknown | FailureCode::NotRepeated));
                self.phase = Phase::GaveUp;
                self.gave_up_at = from_pb(e.gave_up_at.as_ref());
                self.last_error = e.error.clone();
            }
            _ => {}
        }
    }
}

impl Delivery {
    /// Queued, and nothing was attempted: the far side cannot have it.
    fn is_untried(&self) -> bool {
        self.phase == Phase::Queued && self.attempts == 0
    }
}

fn event(event: Event) -> Option<DeliveryEvent> {
    Some(DeliveryEvent { event: Some(event) })
}

/// Takes a message into the queue, once.
pub fn queue(
    state: &Delivery,
    id: Uuid,
    message: &Message,
    decision: &Decision,
    now: Timestamp,
) -> Option<DeliveryEvent> {
    if state.phase != Phase::None {
        return None;
    }
    event(Event::Queued(DeliveryQueued {
        delivery_id: id.to_string(),
        route: decision.route.clone(),
        channel: decision.channel.into(),
        recipient: decision.recipient.shown.clone(),
        message_kind: message.kind.clone(),
        subject: message.subject.clone(),
        source_event_id: message.event_id.to_string(),
        source_sequence: message.sequence,
        resource: message.resource.clone(),
        request_id: message.request_id.clone(),
        severity: message.severity.name().to_owned(),
        tier: message.tier.into(),
        test: message.test,
        repetition: message.repetition,
        alert_id: message.alert_id.clone(),
        queued_at: Some(to_pb(now)),
        person: decision.person.clone(),
        asked_by: message.asked_by.as_ref().map(Asker::actor),
        route_version: decision.route_version,
    }))
}

/// Records that a rule forbade it, once.
pub fn suppress(
    state: &Delivery,
    id: Uuid,
    message: &Message,
    decision: &Decision,
    rule: &str,
) -> Option<DeliveryEvent> {
    if state.phase != Phase::None {
        return None;
    }
    event(Event::Suppressed(DeliverySuppressed {
        delivery_id: id.to_string(),
        route: decision.route.clone(),
        channel: decision.channel.into(),
        message_kind: message.kind.clone(),
        source_event_id: message.event_id.to_string(),
        rule: rule.into(),
        resource: message.resource.clone(),
        request_id: message.request_id.clone(),
    }))
}

/// Claims the next attempt. `None`: there is nothing (more) to do. `NotYet`: it is not due, or another
/// attempt may still be running, which `limit` (the longest an attempt can take) bounds.
pub fn attempt(state: &Delivery, now: Timestamp, limit: SignedDuration) -> Result<Option<DeliveryEvent>, NotYet> {
    let possibly_duplicate = match state.phase {
        Phase::None | Phase::Accepted | Phase::GaveUp | Phase::Suppressed | Phase::Grouped => return Ok(None),
        // Sent again by a person after an attempt that may have arrived, and perhaps held then.
        Phase::Queued => state.outcome_unknown,
        Phase::Held => {
            wait_until(state.held_until, now)?;
            state.outcome_unknown
        }
        Phase::Waiting => {
            wait_until(state.retry_at, now)?;
            state.outcome_unknown
        }
        Phase::Attempting => {
            wait_until(state.attempted_at.and_then(|at| at.checked_add(limit).ok()), now)?;
            true
        }
    };
    Ok(event(Event::Attempted(DeliveryAttempted {
        attempt: state.attempts + 1,
        attempted_at: Some(to_pb(now)),
        possibly_duplicate,
    })))
}

fn wait_until(due: Option<Timestamp>, now: Timestamp) -> Result<(), NotYet> {
    match due {
        Some(until) if until > now => Err(NotYet { until }),
        _ => Ok(()),
    }
}

/// Records that the far side took it. Also true of an older attempt whose answer came late.
pub fn accepted(state: &Delivery, attempt: u32, now: Timestamp, receipt: &str) -> Option<DeliveryEvent> {
    if state.phase.is_final() || attempt == 0 || attempt > state.attempts {
        return None;
    }
    let receipt = clip(receipt, MAX_RECEIPT_BYTES);
    event(Event::Accepted(DeliveryAccepted { attempt, accepted_at: Some(to_pb(now)), receipt }))
}

/// Records a failed attempt: to be tried again, or given up. A late failure of an older attempt says nothing.
pub fn failed(
    state: &Delivery,
    attempt: u32,
    now: Timestamp,
    failure: &Failure,
    page_class: bool,
    seed: u64,
) -> Option<DeliveryEvent> {
    if state.phase != Phase::Attempting || attempt != state.attempts {
        return None;
    }
    let channel = state.queued.as_ref().map_or("", |q| q.channel.as_str());
    let since_requeued = attempt.saturating_sub(state.attempts_before);
    let delay = if failure.code.is_permanent() { None } else { retry_delay(channel, page_class, since_requeued, seed) };
    let Some(delay) = delay else {
        return give_up(state, failure, now);
    };
    let asked = failure.retry_after.unwrap_or(SignedDuration::ZERO).clamp(SignedDuration::ZERO, MAX_RETRY_AFTER);
    event(Event::AttemptFailed(DeliveryAttemptFailed {
        attempt,
        failed_at: Some(to_pb(now)),
        error: failure.to_string(),
        // Without a representable time it is due at once.
        retry_at: now.checked_add(delay.max(asked)).ok().map(to_pb),
    }))
}

/// Ends it without another attempt.
pub fn give_up(state: &Delivery, failure: &Failure, now: Timestamp) -> Option<DeliveryEvent> {
    if state.phase.is_final() || state.phase == Phase::None {
        return None;
    }
    event(Event::GaveUp(DeliveryGaveUp {
        attempts: state.attempts,
        error: failure.to_string(),
        gave_up_at: Some(to_pb(now)),
    }))
}

/// Not now: `until` says when, or what holds it does. `None`: it is held so already, or it is too late.
pub fn hold(state: &Delivery, rule: &str, until: Option<Timestamp>) -> Option<DeliveryEvent> {
    let same = state.phase == Phase::Held && state.held_rule == rule && state.held_until == until;
    if same || !matches!(state.phase, Phase::Queued | Phase::Held) {
        return None;
    }
    event(Event::Held(DeliveryHeld { rule: rule.into(), until: until.map(to_pb) }))
}

/// Another delivery tells it. Once more with another one, if that one was already on its way.
pub fn group(state: &Delivery, into: Uuid, now: Timestamp) -> Option<DeliveryEvent> {
    let into = into.to_string();
    let same = state.phase == Phase::Grouped && state.grouped_into == into;
    if same || !matches!(state.phase, Phase::Queued | Phase::Held | Phase::Grouped) {
        return None;
    }
    event(Event::Grouped(DeliveryGrouped { into_delivery_id: into, grouped_at: Some(to_pb(now)) }))
}

/// What was held, or waited for what it ends, is never told: its reason is gone, or a rule forbids it now.
pub fn withdraw(state: &Delivery, rule: &str) -> Option<DeliveryEvent> {
    let queued = state.queued.as_ref().filter(|_| state.phase == Phase::Held || state.is_untried())?;
    event(Event::Suppressed(DeliverySuppressed {
        delivery_id: queued.delivery_id.clone(),
        route: queued.route.clone(),
        channel: queued.channel.clone(),
        message_kind: queued.message_kind.clone(),
        source_event_id: queued.source_event_id.clone(),
        rule: rule.into(),
        resource: queued.resource.clone(),
        request_id: queued.request_id.clone(),
    }))
}

/// A person sends a dead letter again: its schedule begins anew.
pub fn requeue(state: &Delivery, by: Actor, now: Timestamp) -> Result<Option<DeliveryEvent>, Refusal> {
    if state.phase != Phase::GaveUp {
        return Err(refusal(
            "DELIVERY_NOT_GIVEN_UP",
            "only what was given up is sent again by hand",
            format!("it is {}", state.phase.name()),
            "a delivery that was given up",
            "list those with `muster notify list --state gave-up`",
        ));
    }
    Ok(event(Event::Requeued(DeliveryRequeued { by: Some(by), requeued_at: Some(to_pb(now)) })))
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
