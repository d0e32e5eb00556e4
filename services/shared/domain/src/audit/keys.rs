//! Keys that the record speaks of: what payloads are encrypted under, and whose signature events carry.

use crate::aggregate::{Aggregate, EventKind};
use crate::pb::audit::v1::{
    PayloadKeyDestroyed, PayloadKeyDestructionBegun, PayloadKeyEvent, ProducerEvent, payload_key_event, producer_event,
};
use crate::refusal::{field_refusal, refusal};
use crate::text::must_be_plain;
use crate::{Refusal, TenantId};

/// A reason is a sentence or two.
const MAX_REASON_CHARS: usize = 1000;

/// The key that a tenant's payloads are encrypted under. Aggregate id: the key's id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PayloadKey {
    pub created: bool,
    /// Why it is to be destroyed, once somebody decided so.
    pub ending: Option<String>,
    /// What the keyring said about its end.
    pub receipt: Option<String>,
}

impl PayloadKey {
    /// Nothing may be encrypted or read under it any more.
    pub fn is_ending(&self) -> bool {
        self.ending.is_some() || self.receipt.is_some()
    }

    pub fn is_destroyed(&self) -> bool {
        self.receipt.is_some()
    }
}

/// What a person asks for when a tenant's content is to become unreadable.
#[derive(Debug, Clone, Copy)]
pub struct DestroyPayloadKey<'a> {
    pub tenant: &'a TenantId,
    pub key_id: &'a str,
    pub reason: &'a str,
    /// The tenant's name, typed again.
    pub confirmation: &'a str,
}

/// First step, before the keyring is touched. `None`: it was begun before, and goes on from there.
pub fn begin_destruction(
    key: &PayloadKey,
    command: &DestroyPayloadKey<'_>,
) -> Result<Option<PayloadKeyEvent>, Refusal> {
    may_be_destroyed(command)?;
    if key.is_ending() {
        return Ok(None);
    }
    let begun = PayloadKeyDestructionBegun { key_id: command.key_id.to_owned(), reason: command.reason.to_owned() };
    Ok(Some(PayloadKeyEvent { event: Some(payload_key_event::Event::DestructionBegun(begun)) }))
}

fn may_be_destroyed(command: &DestroyPayloadKey<'_>) -> Result<(), Refusal> {
    if command.tenant.is_operating() {
        return Err(refusal(
            "PAYLOAD_KEY_OPERATING",
            "the operating organisation's payload key is never destroyed: its record says which tenants there are and who may what",
            command.tenant.as_str(),
            "tenants other than the operating one",
            "name the tenant whose content is to go",
        ));
    }
    if command.confirmation != command.tenant.as_str() {
        return Err(field_refusal(
            "confirmation",
            "CONFIRMATION_WRONG",
            "the tenant's name is typed again, because nobody can undo this",
            command.confirmation.chars().take(64).collect::<String>(),
            command.tenant.as_str(),
            "type the tenant's name",
        ));
    }
    let length = command.reason.trim().chars().count();
    if length == 0 || length > MAX_REASON_CHARS {
        return Err(field_refusal(
            "reason",
            "FIELD_INVALID",
            "the record says why content was made unreadable",
            format!("{length} characters"),
            format!("1 to {MAX_REASON_CHARS} characters"),
            "say why, as an auditor will read it years later",
        ));
    }
    must_be_plain("reason", command.reason)
}

/// Second step, with what the keyring attested. `None`: it is recorded.
pub fn finish_destruction(key: &PayloadKey, key_id: &str, receipt: &str) -> Option<PayloadKeyEvent> {
    let reason = key.ending.clone()?;
    if key.is_destroyed() {
        return None;
    }
    let destroyed = PayloadKeyDestroyed { key_id: key_id.to_owned(), reason, receipt: receipt.to_owned() };
    Some(PayloadKeyEvent { event: Some(payload_key_event::Event::Destroyed(destroyed)) })
}

impl EventKind for PayloadKeyEvent {
    fn kind(&self) -> &'static str {
        match self.event {
            Some(payload_key_event::Event::Created(_)) => "payload-key.created",
            Some(payload_key_event::Event::DestructionBegun(_)) => "payload-key.destruction-begun",
            Some(payload_key_event::Event::Destroyed(_)) => PayloadKey::DESTROYED,
            None => "unset",
        }
    }
}

impl PayloadKey {
    /// The event after which readers forget what they read before.
    pub const DESTROYED: &'static str = "payload-key.destroyed";
}

impl Aggregate for PayloadKey {
    const KIND: &'static str = "payload-key";
    type Event = PayloadKeyEvent;

    fn evolve(&mut self, event: &PayloadKeyEvent) {
        match &event.event {
            Some(payload_key_event::Event::Created(_)) => self.created = true,
            Some(payload_key_event::Event::DestructionBegun(begun)) => {
                self.ending.get_or_insert_with(|| begun.reason.clone());
            }
            Some(payload_key_event::Event::Destroyed(destroyed)) => {
                self.receipt.get_or_insert_with(|| destroyed.receipt.clone());
            }
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

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use super::*;

    fn command<'a>(tenant: &'a TenantId, confirmation: &'a str, reason: &'a str) -> DestroyPayloadKey<'a> {
        DestroyPayloadKey { tenant, key_id: "k", reason, confirmation }
    }

    fn folded(events: &[PayloadKeyEvent]) -> PayloadKey {
        events.iter().fold(PayloadKey::default(), |mut key, event| {
            key.evolve(event);
            key
        })
    }

    #[test]
    fn a_key_is_destroyed_in_two_steps_and_each_happens_once() {
        let acme: TenantId = "acme".parse().unwrap();
        let ask = command(&acme, "acme", "the contract ended");
        let begun = begin_destruction(&PayloadKey::default(), &ask).unwrap().unwrap();
        let key = folded(std::slice::from_ref(&begun));
        assert!(key.is_ending() && !key.is_destroyed());
        assert_eq!(begin_destruction(&key, &ask).unwrap(), None);
        let done = finish_destruction(&key, "k", "gone").unwrap();
        assert_eq!(done.kind(), PayloadKey::DESTROYED);
        let key = folded(&[begun, done]);
        assert_eq!((key.is_destroyed(), key.receipt.as_deref()), (true, Some("gone")));
        assert_eq!(finish_destruction(&key, "k", "gone"), None);
        assert_eq!(begin_destruction(&key, &ask).unwrap(), None);
    }

    #[test]
    fn nothing_is_finished_that_nobody_began() {
        assert_eq!(finish_destruction(&PayloadKey { created: true, ..PayloadKey::default() }, "k", "gone"), None);
    }

    #[test]
    fn a_slip_destroys_nothing() {
        let (acme, operating): (TenantId, _) = ("acme".parse().unwrap(), TenantId::operating());
        for (ask, code) in [
            (command(&operating, "muster", "why"), "PAYLOAD_KEY_OPERATING"),
            (command(&acme, "", "why"), "CONFIRMATION_WRONG"),
            (command(&acme, "globex", "why"), "CONFIRMATION_WRONG"),
            (command(&acme, "ACME", "why"), "CONFIRMATION_WRONG"),
            (command(&acme, "acme", "  "), "FIELD_INVALID"),
            (command(&acme, "acme", "a\u{202e}b"), "FIELD_INVALID"),
        ] {
            assert_eq!(begin_destruction(&PayloadKey::default(), &ask).unwrap_err().code, code, "{ask:?}");
        }
    }
}
