//! What people say about an open alert: "I look after it", "not now", or "I need help".

use jiff::{SignedDuration, Timestamp};

use crate::pb::common::v1::Actor;
use crate::pb::notification::v1::{
    AlertAcknowledged, AlertSilenced, EscalationEvent, EscalationStarted, EscalationStepped, escalation_event::Event,
};
use crate::refusal::{Refusal, field_refusal, refusal};
use crate::time::{from_pb, humane, to_pb};

use super::super::message::{MAX_TEXT_BYTES, one_line};
use super::due::next_step;
use super::{Escalation, event, subject};

/// Whoever wants it quiet for longer mends it or plans a maintenance window.
pub const MAX_SILENCE: SignedDuration = SignedDuration::from_hours(24);

/// Somebody looks after the alert. `None`: somebody does already.
///
/// `said_at` is when they said so, which for a tool outside is before we hear of it: what was said before the alert
/// was opened is about another one, or is a message that was recorded and played again.
pub fn acknowledge(
    state: &Escalation,
    by: &Actor,
    via: &str,
    note: &str,
    said_at: Timestamp,
    now: Timestamp,
) -> Result<Option<EscalationEvent>, Refusal> {
    let started = open(state)?;
    let note = text("note", note)?;
    if let Some(opened) = from_pb(started.opened_at.as_ref()).filter(|opened| said_at < *opened) {
        return Err(refusal(
            "ACKNOWLEDGED_BEFORE_ALERT",
            "an alert is acknowledged after it was opened",
            said_at.to_string(),
            format!("{opened} or later"),
            "look at the alert that is open now, and acknowledge that one",
        ));
    }
    if state.acknowledged.is_some() {
        return Ok(None);
    }
    let acknowledged =
        AlertAcknowledged { by: Some(by.clone()), via: via.to_owned(), note, acknowledged_at: Some(to_pb(now)) };
    Ok(event(Event::Acknowledged(acknowledged)))
}

/// Nobody is told again for a while.
pub fn silence(
    state: &Escalation,
    by: &Actor,
    reason: &str,
    duration: Option<SignedDuration>,
    now: Timestamp,
) -> Result<Option<EscalationEvent>, Refusal> {
    let started = open(state)?;
    let reason =
        sentence(reason, "whoever wonders why it is quiet reads why", "say why nobody has to be told for now")?;
    let limit = || format!("above 0 s, at most {}", humane(MAX_SILENCE));
    let invalid = |value: String| {
        field_refusal(
            "duration",
            "FIELD_INVALID",
            "an alert is silenced for a limited time",
            value,
            limit(),
            "for planned work declare a maintenance window in a policy",
        )
    };
    let duration = duration.ok_or_else(|| invalid("absent".to_owned()))?;
    if duration <= SignedDuration::ZERO || duration > MAX_SILENCE {
        return Err(invalid(humane(duration)));
    }
    if subject(started).is_tier_one_breach() {
        return Err(refusal(
            "ALERT_NOT_SILENCEABLE",
            "a breach of a tier 1 system in production is not silenced",
            format!("{} of {}", started.message_kind, started.resource),
            "other alerts",
            "look after it and say so: muster alert ack",
        ));
    }
    let until = now.checked_add(duration).map_err(|_| invalid(humane(duration)))?;
    let silenced =
        AlertSilenced { by: Some(by.clone()), reason, until: Some(to_pb(until)), silenced_at: Some(to_pb(now)) };
    Ok(event(Event::Silenced(silenced)))
}

/// The next step of the chain is called now: before its time, in a silence, or beside somebody who looks after the alert
/// and needs help. It acknowledges nothing, and the steps after it keep their times.
///
/// `step` is the one that the person saw as the next: of two who call at once one is refused, and one step is called.
pub fn escalate(
    state: &Escalation,
    by: &Actor,
    reason: &str,
    step: u32,
    now: Timestamp,
) -> Result<Option<EscalationEvent>, Refusal> {
    let started = open(state)?;
    let reason = sentence(reason, "who is called reads why", "say what help you need")?;
    let next = state.step.saturating_add(1);
    if step != next {
        return Err(field_refusal(
            "step",
            "ALERT_STEP_NOT_NEXT",
            "the steps of a chain are called one after the other",
            step.to_string(),
            format!("{next}; {} were called", state.step),
            "look at the alert again: somebody may have called this step a moment ago",
        ));
    }
    let Some(chain) = next_step(state) else {
        let steps = started.rule.as_ref().map_or(0, |rule| rule.escalate.len());
        return Err(refusal(
            "ALERT_CHAIN_ENDS",
            "an alert is escalated along the chain of its rule",
            format!("step {step}"),
            format!("{steps} steps"),
            "call somebody yourself; for the next alert declare a step under `alerts[].escalate` of a policy",
        ));
    };
    let (routes, stepped_at) = (chain.routes.clone(), Some(to_pb(now)));
    Ok(event(Event::Stepped(EscalationStepped { step, routes, stepped_at, by: Some(by.clone()), reason })))
}

/// The alert, when it is one that somebody can still answer for.
fn open(state: &Escalation) -> Result<&EscalationStarted, Refusal> {
    let Some(started) = &state.started else {
        return Err(refusal(
            "ALERT_NOT_FOUND",
            "there is no such alert in this tenant",
            "",
            "the id of an open alert",
            "list them with `muster alert list`",
        ));
    };
    match &state.ended {
        None => Ok(started),
        Some(ended) => Err(refusal(
            "ALERT_ENDED",
            "an alert is answered for while it is open",
            format!("ended at {}", from_pb(ended.ended_at.as_ref()).map(|at| at.to_string()).unwrap_or_default()),
            "an open alert",
            "nothing has to be done; list the open ones with `muster alert list`",
        )),
    }
}

/// A reason that is there.
fn sentence(reason: &str, rule: &str, next_action: &str) -> Result<String, Refusal> {
    let reason = text("reason", reason)?;
    if reason.is_empty() {
        return Err(field_refusal("reason", "FIELD_INVALID", rule, "empty", "a sentence", next_action));
    }
    Ok(reason)
}

/// One line that fits; too long is refused and not cut, since it is somebody's statement.
fn text(field: &str, value: &str) -> Result<String, Refusal> {
    let line = one_line(value);
    if line.len() > MAX_TEXT_BYTES {
        return Err(field_refusal(
            field,
            "FIELD_INVALID",
            "texts are short",
            format!("{} bytes", line.len()),
            format!("at most {MAX_TEXT_BYTES} bytes"),
            "shorten it",
        ));
    }
    Ok(line)
}
