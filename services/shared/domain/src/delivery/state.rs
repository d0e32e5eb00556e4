//! Aggregate "delivery": one message on one route to one recipient.
//!
//! queued -> attempted (recorded before the attempt) -> accepted | attempt_failed -> attempted … -> gave_up.
//! An attempt without a recorded outcome may have reached the far side: the next one is marked so.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::aggregate::{Aggregate, EventKind};
use crate::ids::derived_id;
use crate::pb::notification::v1::{
    DeliveryAccepted, DeliveryAttemptFailed, DeliveryAttempted, DeliveryEvent, DeliveryGaveUp, DeliveryQueued,
    DeliverySuppressed, delivery_event::Event,
};
use crate::time::{from_pb, to_pb};

use super::failure::{Failure, FailureCode};
use super::message::{Message, clip};
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
    Accepted,
    GaveUp,
    Suppressed,
}

impl Phase {
    pub fn is_final(self) -> bool {
        matches!(self, Phase::Accepted | Phase::GaveUp | Phase::Suppressed)
    }
}

/// The state of one delivery, folded from its events.
#[derive(Debug, Clone, Default)]
pub struct Delivery {
    pub phase: Phase,
    pub queued: Option<DeliveryQueued>,
    /// Attempts begun.
    pub attempts: u32,
    pub attempted_at: Option<Timestamp>,
    pub retry_at: Option<Timestamp>,
    /// The newest finished attempt may have reached the far side all the same.
    pub outcome_unknown: bool,
    pub last_error: String,
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
        if self.phase.is_final() {
            return;
        }
        match event {
            Event::Queued(e) if self.phase == Phase::None => {
                self.phase = Phase::Queued;
                self.queued = Some(e.clone());
            }
            Event::Suppressed(_) if self.phase == Phase::None => self.phase = Phase::Suppressed,
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
                self.phase = Phase::GaveUp;
                self.last_error = e.error.clone();
            }
            _ => {}
        }
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
        queued_at: Some(to_pb(now)),
        ..DeliveryQueued::default()
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
        Phase::None | Phase::Accepted | Phase::GaveUp | Phase::Suppressed => return Ok(None),
        Phase::Queued => false,
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
    let delay = if failure.code.is_permanent() { None } else { retry_delay(channel, page_class, attempt, seed) };
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

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
