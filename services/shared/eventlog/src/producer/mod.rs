//! Who wrote an event, provable before the audit's log has it: each process signs what it writes with a key of its own, and
//! names in each event what of its own was stored before. Whoever edits or removes an event between its acknowledgement and
//! the next checkpoint leaves a signature that does not fit, or a hole.
//!
//! The key is made when the process starts, stays in its memory, and is announced in each tenant's record before the
//! process' first event there. An administrator of the broker can announce a key, too; what they cannot do is write as a
//! process that is already announced, or take back what such a process has named.

mod chain;
mod statement;
#[cfg(test)]
mod tests;
mod verify;

pub(crate) use chain::Chain;
pub(crate) use statement::{HEADERS, MAX_PREVIOUS, Statement, pairs};
pub use verify::{ProducerCheck, ProducerFinding, ProducerFlaw};

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use async_nats::HeaderMap;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use muster_domain::{
    Aggregate, AggregateId, TenantId, audit,
    ids::derived_id,
    pb::audit::v1::{ProducerAnnounced, ProducerEvent, producer_event::Event},
};
use muster_tlog::hash::Hash;
use tokio::sync::OnceCell;

use crate::{
    EventLog,
    append::Draft,
    error::{AppendError, LogError},
    seal::own_meta,
};
use statement::{PREVIOUS, PRODUCER, SIGNATURE};

/// This process as a writer.
pub(crate) struct Producer {
    id: AggregateId,
    key: Ed25519KeyPair,
    tenants: Mutex<BTreeMap<TenantId, Arc<InTenant>>>,
}

/// A process' events in one tenant.
#[derive(Default)]
pub(crate) struct InTenant {
    announced: OnceCell<()>,
    chain: Mutex<Chain>,
}

impl InTenant {
    pub(crate) fn chain(&self) -> std::sync::MutexGuard<'_, Chain> {
        self.chain.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An event's signature, and what it hangs on.
#[derive(Debug, Clone)]
pub(crate) struct Signed {
    pub(crate) digest: Hash,
    pub(crate) previous: Vec<Hash>,
}

impl Producer {
    /// `name`: unlike that of any other process, now or later.
    pub(crate) fn new(name: &str) -> Result<Self, LogError> {
        let failed = |rule| LogError::InvalidName { what: "producer", value: name.to_owned(), rule };
        let id = token(name).parse().map_err(|_| failed("use letters, digits and '-'"))?;
        let key = Ed25519KeyPair::generate().map_err(|_| failed("the random number generator failed"))?;
        Ok(Self { id, key, tenants: Mutex::default() })
    }

    pub(crate) fn name(&self) -> &str {
        self.id.as_str()
    }

    pub(crate) fn in_tenant(&self, tenant: &TenantId) -> Arc<InTenant> {
        self.tenants.lock().unwrap_or_else(PoisonError::into_inner).entry(tenant.clone()).or_default().clone()
    }

    /// Says in the tenant's record whose signature this is, once.
    pub(crate) async fn announce(&self, log: &EventLog, tenant: &TenantId) -> Result<(), AppendError> {
        let in_tenant = self.in_tenant(tenant);
        in_tenant.announced.get_or_try_init(|| self.append_announcement(log, tenant)).await.copied()
    }

    async fn append_announcement(&self, log: &EventLog, tenant: &TenantId) -> Result<(), AppendError> {
        let public_key = BASE64.encode(self.key.public_key().as_ref());
        let event_id = derived_id(&["producer.announced", tenant.as_str(), self.name(), &public_key]);
        let announced = ProducerAnnounced { producer: self.name().to_owned(), public_key };
        let event = ProducerEvent { event: Some(Event::Announced(announced)) };
        let draft = Draft::new::<audit::Producer>(&self.id, 1, &own_meta("service:producer", event_id), &event);
        Box::pin(log.append_draft(tenant, draft, 0)).await.map(drop)
    }

    /// Adds the three headers. `previous`: what of this process was stored before, newest last.
    pub(crate) fn sign(
        &self,
        subject: &str,
        event_id: &str,
        headers: &mut HeaderMap,
        payload: &[u8],
        previous: Vec<Hash>,
    ) -> Result<Signed, AppendError> {
        headers.insert(PRODUCER, self.name());
        headers.insert(PREVIOUS, statement::write_previous(&previous));
        let statement = Statement::of_message(subject, event_id, headers, payload)
            .map_err(|error| AppendError::Unwritable(error.to_string()))?;
        headers.insert(SIGNATURE, BASE64.encode(self.key.sign(statement.text().as_bytes())));
        Ok(Signed { digest: statement.digest(), previous })
    }
}

/// Announcements are what everything else of a process hangs on.
pub(crate) fn is_announcement(kind: &str) -> bool {
    kind == audit::Producer::KIND
}

/// As an aggregate's id: host names have dots and capitals.
fn token(name: &str) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    name.chars().map(allowed).take(muster_domain::ids::MAX_AGGREGATE_ID).collect()
}
