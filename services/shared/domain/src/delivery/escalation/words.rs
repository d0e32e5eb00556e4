//! The same alert in the words of a step, a repetition, an acknowledgement.

use jiff::{SignedDuration, Timestamp};

use crate::pb::common::v1::Actor;
use crate::pb::notification::v1::{AlertAcknowledged, EscalationStarted, EscalationStepped};
use crate::time::{from_pb, humane};

use super::super::message::{Message, Severity, Source, kind};
use super::Escalation;

/// The alert as the next in the chain are told of it, and nobody else.
pub fn stepped(alert: &mut Message, step: &EscalationStepped, state: &Escalation) {
    alert.step = step.step;
    alert.opens_thread = false;
    alert.only_routes.clone_from(&step.routes);
    let answered = match state.acknowledged.as_ref() {
        Some(said) => format!("{} looks after this alert.", name(said.by.as_ref())),
        None => unanswered(alert, state.opened_at()),
    };
    let Some(by) = &step.by else {
        alert.set_subject(&format!("ESCALATED (step {}): {}", step.step, alert.subject));
        alert.set_summary(&format!("{answered} {}", alert.summary));
        return;
    };
    let who = name(Some(by));
    alert.set_subject(&format!("ESCALATED by {who} (step {}): {}", step.step, alert.subject));
    alert.set_summary(&format!(
        "{who} asks for help: {}. {answered} {}",
        step.reason.trim_end_matches('.'),
        alert.summary
    ));
    alert.fact("Escalated by", who);
    alert.fact("Reason", step.reason.as_str());
}

fn name(actor: Option<&Actor>) -> &str {
    actor.map_or("somebody", |actor| actor.name.as_str())
}

/// The alert for those who were told of it before.
pub fn renotified(alert: &mut Message, repetition: u32, opened_at: Option<Timestamp>) {
    alert.repetition = repetition;
    alert.opens_thread = false;
    alert.set_subject(&format!("STILL OPEN ({}. message): {}", repetition.saturating_add(1), alert.subject));
    alert.set_summary(&format!("{} {}", unanswered(alert, opened_at), alert.summary));
}

fn unanswered(alert: &Message, opened_at: Option<Timestamp>) -> String {
    let open = opened_at.map(|at| alert.occurred_at.duration_since(at)).filter(|d| *d > SignedDuration::ZERO);
    match open {
        Some(open) => format!("Nobody has acknowledged this alert for {}.", humane(open)),
        None => "Nobody has acknowledged this alert.".to_owned(),
    }
}

/// Somebody looks after it: for those who were told of the alert.
pub fn acknowledged(source: &Source, started: &EscalationStarted, said: &AlertAcknowledged) -> Message {
    let mut message =
        Message::about(source, kind::ALERT_ACKNOWLEDGED, &started.resource, started.tier, started.environment);
    message.severity = Severity::Info;
    message.alert_id.clone_from(&started.alert_id);
    message.alert_kind.clone_from(&started.message_kind);
    let who = name(said.by.as_ref());
    message.set_subject(&format!("ACKNOWLEDGED: {}: {} looks after {}", message.place(), who, started.message_kind));
    message.set_summary(&format!(
        "System {}: {who} looks after the alert {}. It stays open until its cause is gone; nothing was approved.",
        message.place(),
        started.message_kind
    ));
    message.fact("Acknowledged by", who);
    message.fact("By way of", said.via.as_str());
    message.fact("Note", said.note.as_str());
    if let Some(at) = from_pb(said.acknowledged_at.as_ref()) {
        message.fact("Acknowledged at", format!("{at:.0}"));
    }
    message.next_step = "Nothing has to be done by anybody else. Nobody is told again unless it changes.".into();
    message
}
