//! Keys that the record speaks of: what payloads are encrypted under, and whose signature events carry.

use crate::aggregate::{Aggregate, EventKind};
use crate::pb::audit::v1::{PayloadKeyEvent, ProducerEvent, payload_key_event, producer_event};

/// The key that a tenant's payloads are encrypted under. Aggregate id: the key's id.
#[derive(Debug, Clone, Default)]
pub struct PayloadKey {
    pub created: bool,
    pub destroyed: bool,
}

impl EventKind for PayloadKeyEvent {
    fn kind(&self) -> &'static str {
        match self.event {
            Some(payload_key_event::Event::Created(_)) => "payload-key.created",
            Some(payload_key_event::Event::Destroyed(_)) => "payload-key.destroyed",
            None => "unset",
        }
    }
}

impl Aggregate for PayloadKey {
    const KIND: &'static str = "payload-key";
    type Event = PayloadKeyEvent;

    fn evolve(&mut self, event: &PayloadKeyEvent) {
        match event.event {
            Some(payload_key_event::Event::Created(_)) => self.created = true,
            Some(payload_key_event::Event::Destroyed(_)) => self.destroyed = true,
            None => {}
        }
    }
}

/// One process that writes events. Aggregate id: its name.
#[derive(Debug, Clone, Default)]
pub struct Producer {
    /// Ed25519 public keys, base64, oldest first.
    pub public_keys: Vec<String>,
}

impl EventKind for ProducerEvent {
    fn kind(&self) -> &'static str {
        match self.event {
            Some(producer_event::Event::Announced(_)) => "producer.announced",
            None => "unset",
        }
    }
}

impl Aggregate for Producer {
    const KIND: &'static str = "producer";
    type Event = ProducerEvent;

    fn evolve(&mut self, event: &ProducerEvent) {
        if let Some(producer_event::Event::Announced(announced)) = &event.event {
            self.public_keys.push(announced.public_key.clone());
        }
    }
}
