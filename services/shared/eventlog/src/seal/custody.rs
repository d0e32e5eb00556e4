//! Which key a tenant's payloads are under: the keyring has it, the record says since when, and until when.
//!
//! Both are asked. A keyring that was lost must not be replaced by a new key in silence, and a key that the record says is
//! destroyed is not used again because somebody restored it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use muster_domain::{
    Aggregate, AggregateId, TenantId,
    audit::PayloadKey,
    ids::derived_id,
    pb::{
        audit::v1::{PayloadKeyCreated, PayloadKeyEvent, payload_key_event::Event},
        common::v1::{Actor, ActorKind},
    },
};
use prost::Message as _;

use crate::{
    EventLog,
    append::Draft,
    error::{AppendError, LogError},
    keyring::{KeyId, Keyring, TenantKey},
    record::Meta,
    retry::{PATIENCE, Patience},
    wire,
};

const ACTOR: &str = "service:payload-key";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Usable {
    Key(KeyId),
    Destroyed(KeyId),
}

impl Usable {
    pub(crate) fn key_id(self) -> KeyId {
        match self {
            Self::Key(key_id) | Self::Destroyed(key_id) => key_id,
        }
    }
}

pub(crate) struct Custody {
    keyring: Arc<dyn Keyring>,
    /// What the keyring and the record agreed on.
    agreed: Mutex<BTreeMap<TenantId, Agreed>>,
    /// A tenant's first events do not all look at once.
    looking: tokio::sync::Mutex<()>,
}

#[derive(Clone, Copy)]
struct Agreed {
    usable: Usable,
    /// The record says that there is this key.
    recorded: bool,
}

impl Custody {
    pub(crate) fn new(keyring: Arc<dyn Keyring>) -> Self {
        Self { keyring, agreed: Mutex::default(), looking: tokio::sync::Mutex::default() }
    }

    pub(crate) fn keyring(&self) -> &Arc<dyn Keyring> {
        &self.keyring
    }

    /// The key that a tenant's payloads are or were under; `None`: it has none yet.
    pub(crate) async fn readable(&self, log: &EventLog, tenant: &TenantId) -> Result<Option<Usable>, LogError> {
        Ok(self.agree(log, tenant).await?.map(|agreed| agreed.usable))
    }

    /// The key for new events, made and recorded at the tenant's first one.
    pub(crate) async fn writable(&self, log: &EventLog, tenant: &TenantId) -> Result<KeyId, AppendError> {
        let mut agreed = self.agree(log, tenant).await?;
        if agreed.is_none_or(|agreed| !agreed.recorded) {
            let _one_by_one = self.looking.lock().await;
            agreed = self.known(tenant);
            if agreed.is_none_or(|agreed| !agreed.recorded) {
                agreed = Some(self.begin(log, tenant).await?);
            }
        }
        match agreed.map(|agreed| agreed.usable) {
            Some(Usable::Key(key_id)) => Ok(key_id),
            Some(Usable::Destroyed(key_id)) => Err(LogError::KeyDestroyed { tenant: tenant.clone(), key_id }.into()),
            None => Err(unavailable(tenant, "the keyring made no key".to_owned()).into()),
        }
    }

    async fn agree(&self, log: &EventLog, tenant: &TenantId) -> Result<Option<Agreed>, LogError> {
        let known = self.known(tenant);
        if let Some(Agreed { usable: Usable::Destroyed(_), .. }) = known {
            return Ok(known);
        }
        let found = self.keyring.find(tenant).await.map_err(|error| unavailable(tenant, error.to_string()))?;
        match (known, &found) {
            (Some(Agreed { usable: Usable::Key(known_id), .. }), TenantKey::Present(id)) if known_id == *id => {
                return Ok(known);
            }
            (_, TenantKey::Destroyed(gone)) => {
                let agreed = Agreed { usable: Usable::Destroyed(gone.key_id), recorded: true };
                return Ok(Some(self.remember(tenant, agreed)));
            }
            _ => {}
        }
        let agreed = compare(tenant, &found, &recorded_keys(log, tenant).await?)?;
        Ok(agreed.map(|agreed| self.remember(tenant, agreed)))
    }

    /// Makes the key, unless another process was faster, and says so in the record before anything is sealed under it.
    async fn begin(&self, log: &EventLog, tenant: &TenantId) -> Result<Agreed, AppendError> {
        let stream = log.names().record_stream(tenant);
        if !log.stream_exists(&stream).await? {
            // No key for a tenant that does not exist.
            return Err(LogError::StreamMissing { stream }.into());
        }
        let made = self.keyring.create(tenant).await.map_err(|error| unavailable(tenant, error.to_string()))?;
        let recorded = recorded_keys(log, tenant).await?;
        if let Some(agreed @ Agreed { recorded: true, .. }) = compare(tenant, &made, &recorded)? {
            return Ok(self.remember(tenant, agreed));
        }
        let TenantKey::Present(key_id) = made else {
            return Err(unavailable(tenant, "the keyring made no key".to_owned()).into());
        };
        match Box::pin(log.append_draft(tenant, created(tenant, key_id, self.keyring.name()), 0)).await {
            Ok(_) | Err(AppendError::Conflict { .. }) => {}
            Err(error) => return Err(error),
        }
        // Two keyrings that are not shared may each have made a key: the record shows whose came first.
        compare(tenant, &TenantKey::Present(key_id), &recorded_keys(log, tenant).await?)?;
        Ok(self.remember(tenant, Agreed { usable: Usable::Key(key_id), recorded: true }))
    }

    /// What the keyring did to the key is looked up anew.
    pub(crate) fn forget(&self, tenant: &TenantId) {
        self.agreed.lock().unwrap_or_else(PoisonError::into_inner).remove(tenant);
    }

    fn known(&self, tenant: &TenantId) -> Option<Agreed> {
        self.agreed.lock().unwrap_or_else(PoisonError::into_inner).get(tenant).copied()
    }

    fn remember(&self, tenant: &TenantId, agreed: Agreed) -> Agreed {
        self.agreed.lock().unwrap_or_else(PoisonError::into_inner).insert(tenant.clone(), agreed);
        agreed
    }
}

/// One key of the record, in the order of their first events.
struct Recorded {
    key_id: KeyId,
    state: PayloadKey,
}

/// What both say. An error is a disagreement that a person has to look at; nothing is written or guessed meanwhile.
fn compare(tenant: &TenantId, found: &TenantKey, recorded: &[Recorded]) -> Result<Option<Agreed>, LogError> {
    let first = recorded.first();
    let agreed = |usable| Some(Agreed { usable, recorded: first.is_some() });
    match (found, first) {
        (TenantKey::Destroyed(gone), _) => Ok(agreed(Usable::Destroyed(gone.key_id))),
        (found, Some(first)) if first.state.is_ending() => {
            if first.state.is_destroyed() && *found == TenantKey::Present(first.key_id) {
                tracing::error!(%tenant, key = %first.key_id, "the keyring holds a payload key that the record says is destroyed; it is not used");
            }
            Ok(agreed(Usable::Destroyed(first.key_id)))
        }
        (TenantKey::Present(id), Some(first)) if first.key_id == *id => Ok(agreed(Usable::Key(*id))),
        (TenantKey::Present(id), Some(first)) => Err(unavailable(
            tenant,
            format!(
                "its payloads are under {}, and the keyring holds {id}; restore the keyring that had it",
                first.key_id
            ),
        )),
        (TenantKey::Present(id), None) => Ok(agreed(Usable::Key(*id))),
        (TenantKey::None, Some(first)) => Err(unavailable(
            tenant,
            format!("the keyring does not hold {}; restore the keyring that had it", first.key_id),
        )),
        (TenantKey::None, None) => Ok(None),
    }
}

/// The tenant's payload keys as the record has them, oldest first.
async fn recorded_keys(log: &EventLog, tenant: &TenantId) -> Result<Vec<Recorded>, LogError> {
    let stream = log.names().record_stream(tenant);
    let filter = [log.names().kind(tenant, PayloadKey::KIND)];
    let mut patience = Patience::new(PATIENCE);
    let events = loop {
        match wire::multi_last(log, &stream, &filter).await {
            Ok(events) => break events,
            Err(failure) => log.wait_out("looking for payload keys", &stream, failure, &mut patience).await?,
        }
    };
    let mut keys: Vec<Recorded> = Vec::new();
    for stored in events {
        let id = log.names().parse_event(&stored.subject).and_then(|address| address.id.as_str().parse().ok());
        let (Some(id), Ok(event)) = (id, PayloadKeyEvent::decode(stored.payload.clone())) else {
            let why = "it is not an event of a payload key".to_owned();
            return Err(LogError::Unreadable { stream, sequence: stored.sequence, why });
        };
        let key_id = KeyId(id);
        let index = keys.iter().position(|key| key.key_id == key_id).unwrap_or_else(|| {
            keys.push(Recorded { key_id, state: PayloadKey::default() });
            keys.len() - 1
        });
        keys[index].state.evolve(&event);
    }
    Ok(keys)
}

fn created(tenant: &TenantId, key_id: KeyId, keyring: &str) -> Draft {
    let event_id = derived_id(&["payload-key.created", tenant.as_str(), &key_id.to_string()]);
    let created = PayloadKeyCreated { key_id: key_id.to_string(), keyring: keyring.to_owned() };
    let event = PayloadKeyEvent { event: Some(Event::Created(created)) };
    Draft::new::<PayloadKey>(&AggregateId::from(key_id.0), 1, &own_meta(ACTOR, event_id), &event)
}

/// For what the log writes about itself.
pub(crate) fn own_meta(actor: &str, event_id: uuid::Uuid) -> Meta {
    #[expect(clippy::disallowed_methods, reason = "nothing is decided by it; the event is idempotent by its id")]
    let time = jiff::Timestamp::now();
    let name = actor.strip_prefix("service:").unwrap_or(actor).to_owned();
    Meta {
        event_id,
        actor: Actor { id: actor.to_owned(), name, kind: ActorKind::Service.into(), roles: Vec::new() },
        time,
        correlation: event_id,
        causation: None,
    }
}

fn unavailable(tenant: &TenantId, why: String) -> LogError {
    LogError::KeyUnavailable { tenant: tenant.clone(), why }
}
