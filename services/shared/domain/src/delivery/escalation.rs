//! An open alert that somebody has to answer for: told again, escalated, acknowledged, silenced.

use crate::aggregate::{Aggregate, EventKind};
use crate::pb::notification::v1::{EscalationEvent, escalation_event::Event};

/// The fold of its events.
#[derive(Debug, Clone, Default)]
pub struct Escalation {
    pub exists: bool,
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
        self.exists |= event.event.is_some();
    }
}
