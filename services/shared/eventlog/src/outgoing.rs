//! An event as it is sent: sealed and signed once, so that every try sends the same bytes, and remembered when it is stored.

use async_nats::{HeaderMap, header};
use bytes::Bytes;
use muster_domain::TenantId;
use uuid::Uuid;

use crate::{
    EventLog,
    append::Draft,
    error::AppendError,
    keyring::KeyId,
    producer::{Signed, is_announcement},
    record,
    seal::{self, Content, is_sealed_kind},
    selfaudit::Ack,
    wire::{EXPECTED_ON_SUBJECT, Stored},
};

pub(crate) struct Outgoing {
    /// As the server knows it, with a test's prefix.
    pub(crate) subject: String,
    pub(crate) headers: HeaderMap,
    pub(crate) payload: Bytes,
    pub(crate) event_id: Uuid,
    event_type: &'static str,
    signed: Option<Signed>,
}

impl Outgoing {
    /// Whether the stored entry is this one, and not an earlier one of the same command.
    pub(crate) fn is(&self, stored: &Stored) -> bool {
        let lines = |headers| muster_tlog::leaf::canonical_headers(crate::producer::pairs(headers)).ok();
        self.payload == stored.payload && lines(&self.headers) == lines(&stored.headers)
    }
}

impl EventLog {
    /// `after`: the sequence of the version before, 0 for the first, `None` within a batch. `before`: the event of the same
    /// batch that goes before this one.
    pub(crate) async fn outgoing(
        &self,
        tenant: &TenantId,
        draft: &Draft,
        after: Option<u64>,
        before: Option<&Outgoing>,
    ) -> Result<Outgoing, AppendError> {
        let key = self.writer_of(tenant, draft.kind).await?;
        let subject = self.names().event(tenant, draft.kind, &draft.id, draft.version);
        let own = self.names().own(&subject).unwrap_or(&subject).to_owned();
        let (mut headers, payload) = self.sealed(tenant, draft, &own, key).await?;
        let signed = self.signed(tenant, draft, &own, &mut headers, &payload, before)?;
        if let Some(after) = after {
            headers.insert(header::NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, after.to_string());
            headers.insert(EXPECTED_ON_SUBJECT, self.names().aggregate_guard(tenant, draft.kind, &draft.id));
        }
        let (event_id, event_type) = (draft.meta.event_id, draft.event_type);
        Ok(Outgoing { subject, headers, payload, event_id, event_type, signed })
    }

    /// This process is announced in the tenant's record, and the tenant has a key, before the first event that needs them.
    async fn writer_of(&self, tenant: &TenantId, kind: &str) -> Result<Option<KeyId>, AppendError> {
        if let Some(producer) = self.producer()
            && !is_announcement(kind)
        {
            producer.announce(self, tenant).await?;
        }
        match self.custody() {
            Some(custody) if is_sealed_kind(kind) => custody.writable(self, tenant).await.map(Some),
            _ => Ok(None),
        }
    }

    async fn sealed(
        &self,
        tenant: &TenantId,
        draft: &Draft,
        subject: &str,
        key: Option<KeyId>,
    ) -> Result<(HeaderMap, Bytes), AppendError> {
        let mut meta = draft.meta.clone();
        let (Some(custody), Some(key_id)) = (self.custody(), key) else {
            let headers = record::headers(tenant, draft.kind, draft.id.as_str(), draft.event_type, &meta)?;
            return Ok((headers, draft.payload.clone()));
        };
        let actor_name = std::mem::take(&mut meta.actor.name);
        let mut headers = record::headers(tenant, draft.kind, draft.id.as_str(), draft.event_type, &meta)?;
        let unwritable = |error: seal::SealError| AppendError::Unwritable(error.to_string());
        let salt = seal::new_salt().map_err(unwritable)?;
        let derived = custody.keyring().derive(tenant, key_id, &[salt]).await;
        let derived = derived.map_err(|error| crate::error::of_keyring(tenant, error))?;
        let Some(data_key) = derived.first() else {
            return Err(AppendError::Unwritable("the keyring derived nothing".to_owned()));
        };
        let content = Content { payload: draft.payload.clone(), actor_name };
        let payload = seal::seal(subject, &mut headers, key_id, &salt, data_key, &content).map_err(unwritable)?;
        Ok((headers, payload))
    }

    fn signed(
        &self,
        tenant: &TenantId,
        draft: &Draft,
        subject: &str,
        headers: &mut HeaderMap,
        payload: &[u8],
        before: Option<&Outgoing>,
    ) -> Result<Option<Signed>, AppendError> {
        let Some(producer) = self.producer() else { return Ok(None) };
        let previous = match before.and_then(|before| before.signed.as_ref()) {
            Some(before) => vec![before.digest],
            None => producer.in_tenant(tenant).chain().previous(),
        };
        producer.sign(subject, &draft.meta.event_id.to_string(), headers, payload, previous).map(Some)
    }

    /// The stream said that it has stored the event, at this position.
    pub(crate) fn acknowledged(&self, tenant: &TenantId, event: &Outgoing, sequence: u64) {
        if let (Some(producer), Some(signed)) = (self.producer(), &event.signed) {
            producer.in_tenant(tenant).chain().acknowledged(signed);
        }
        self.acks().keep(|| {
            let subject = self.names().own(&event.subject).unwrap_or(&event.subject);
            Ack::of(tenant, sequence, subject, event.event_id, event.event_type, &event.headers, &event.payload)
        });
    }
}
