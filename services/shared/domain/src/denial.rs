//! One refused attempt, kept for ever: who tried what, and which rule said no.

use crate::aggregate::{Aggregate, EventKind};
use crate::pb::identity::v1::{DenialEvent, denial_event};

#[derive(Debug, Clone, Default)]
pub struct Denial {
    pub recorded: bool,
}

impl EventKind for DenialEvent {
    fn kind(&self) -> &'static str {
        match self.event {
            Some(denial_event::Event::Denied(_)) => "access.denied",
            None => "unset",
        }
    }
}

impl Aggregate for Denial {
    const KIND: &'static str = "denial";
    type Event = DenialEvent;

    fn evolve(&mut self, event: &DenialEvent) {
        self.recorded |= event.event.is_some();
    }
}
