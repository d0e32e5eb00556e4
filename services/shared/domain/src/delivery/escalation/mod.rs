//! An open alert that somebody has to answer for: told again, escalated, acknowledged, silenced.
//!
//! What is due is decided here and recorded first (`due`); telling it is the effect of that record. Answering for an
//! alert (`answer`) is never an approval of anything and never closes it: the alert ends when its cause is gone.

mod answer;
mod due;
mod view;
pub mod words;

pub use answer::{MAX_SILENCE, acknowledge, escalate, silence};
pub use due::{MIN_RENOTIFY, due, next_at};

use jiff::Timestamp;

use crate::aggregate::{Aggregate, EventKind};
use crate::pb::notification::v1::{
    AlertAcknowledged, AlertSilenced, EscalationEnded, EscalationEvent, EscalationStarted, escalation_event::Event,
};
use crate::time::{from_pb, to_pb};

use super::alert_rule::{Subject, severity_named};
use super::message::Severity;

/// The fold of its events.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Escalation {
    /// `None`: nobody has to answer for the alert.
    pub started: Option<EscalationStarted>,
    /// Steps of the chain that were told.
    pub step: u32,
    /// How often it was told again.
    pub repetitions: u32,
    pub renotified_at: Option<Timestamp>,
    pub acknowledged: Option<AlertAcknowledged>,
    /// The newest silence; it may be over.
    pub silenced: Option<AlertSilenced>,
    pub ended: Option<EscalationEnded>,
}

impl Escalation {
    /// Somebody still has to answer for it.
    pub fn is_unanswered(&self) -> bool {
        self.started.is_some() && self.ended.is_none() && self.acknowledged.is_none()
    }

    /// Until when it is silent, if it is.
    pub fn silent_until(&self, now: Timestamp) -> Option<Timestamp> {
        from_pb(self.silenced.as_ref()?.until.as_ref()).filter(|until| *until > now)
    }

    fn opened_at(&self) -> Option<Timestamp> {
        from_pb(self.started.as_ref()?.opened_at.as_ref())
    }
}

/// The alert that an escalation is about. A severity that cannot be read is the worst.
pub fn subject(started: &EscalationStarted) -> Subject<'_> {
    Subject {
        message_kind: &started.message_kind,
        severity: severity_named(&started.severity).unwrap_or(Severity::Critical),
        tier: started.tier(),
        environment: started.environment(),
    }
}

/// Begins to wait for an answer, once.
pub fn start(state: &Escalation, started: &EscalationStarted) -> Option<EscalationEvent> {
    if state.started.is_some() {
        return None;
    }
    event(Event::Started(started.clone()))
}

/// The alert is over.
pub fn end(state: &Escalation, because: &str, now: Timestamp) -> Option<EscalationEvent> {
    if state.started.is_none() || state.ended.is_some() {
        return None;
    }
    event(Event::Ended(EscalationEnded { because: because.to_owned(), ended_at: Some(to_pb(now)) }))
}

fn event(event: Event) -> Option<EscalationEvent> {
    Some(EscalationEvent { event: Some(event) })
}

impl EventKind for EscalationEvent {
    fn kind(&self) -> &'static str {
        match &self.event {
            Some(Event::Started(_)) => "escalation.started",
            Some(Event::Stepped(_)) => "escalation.stepped",
            Some(Event::Renotified(_)) => "alert.renotified",
            Some(Event::Acknowledged(_)) => "alert.acknowledged",
            Some(Event::Silenced(_)) => "alert.silenced",
            Some(Event::Ended(_)) => "escalation.ended",
            None => "unset",
        }
    }
}

impl Aggregate for Escalation {
    const KIND: &'static str = "escalation";
    type Event = EscalationEvent;

    fn evolve(&mut self, event: &EscalationEvent) {
        let Some(event) = &event.event else { return };
        if let Event::Started(e) = event {
            self.started.get_or_insert_with(|| e.clone());
            return;
        }
        // Nothing but a beginning comes first, and nothing comes after the end.
        if self.started.is_none() || self.ended.is_some() {
            return;
        }
        match event {
            Event::Stepped(e) => self.step = self.step.max(e.step),
            Event::Renotified(e) if e.repetition > self.repetitions => {
                self.repetitions = e.repetition;
                self.renotified_at = from_pb(e.renotified_at.as_ref());
            }
            Event::Acknowledged(e) => {
                self.acknowledged.get_or_insert_with(|| e.clone());
            }
            Event::Silenced(e) => self.silenced = Some(e.clone()),
            Event::Ended(e) => self.ended = Some(e.clone()),
            Event::Started(_) | Event::Renotified(_) => {}
        }
    }
}

#[cfg(test)]
mod tests;
