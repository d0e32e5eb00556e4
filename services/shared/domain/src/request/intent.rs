//! The answer that one person may give from one message, once.

use crate::aggregate::{Aggregate, EventKind};
use crate::pb::request::v1::{IntentEvent, intent_event::Event};

/// The fold of its events.
#[derive(Debug, Clone, Default)]
pub struct Intent {
    pub exists: bool,
}

impl EventKind for IntentEvent {
    fn kind(&self) -> &'static str {
        match &self.event {
            Some(Event::Issued(_)) => "intent.issued",
            Some(Event::Used(_)) => "intent.used",
            Some(Event::Refused(_)) => "intent.refused",
            None => "unset",
        }
    }
}

impl Aggregate for Intent {
    const KIND: &'static str = "intent";
    type Event = IntentEvent;

    fn evolve(&mut self, event: &IntentEvent) {
        self.exists |= event.event.is_some();
    }
}
