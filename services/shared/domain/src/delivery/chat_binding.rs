//! A chat account that a person has shown to be theirs.

use crate::aggregate::{Aggregate, EventKind};
use crate::pb::notification::v1::{ChatBindingEvent, chat_binding_event::Event};

/// The fold of its events.
#[derive(Debug, Clone, Default)]
pub struct ChatBinding {
    pub exists: bool,
}

impl EventKind for ChatBindingEvent {
    fn kind(&self) -> &'static str {
        match &self.event {
            Some(Event::Asked(_)) => "chat_binding.asked",
            Some(Event::Bound(_)) => "chat_binding.bound",
            Some(Event::Unbound(_)) => "chat_binding.unbound",
            None => "unset",
        }
    }
}

impl Aggregate for ChatBinding {
    const KIND: &'static str = "chat-binding";
    type Event = ChatBindingEvent;

    fn evolve(&mut self, event: &ChatBindingEvent) {
        self.exists |= event.event.is_some();
    }
}
