//! What one event carries besides its payload: CloudEvents 1.0 attributes in headers (`ce-…`), and who, why and in
//! which trace (`muster-…`, `traceparent`). The stored payload bytes are never re-encoded; where a tenant's payloads are
//! encrypted, readers meet them in clear.

use async_nats::{HeaderMap, HeaderValue};
use bytes::Bytes;
use jiff::Timestamp;
use muster_domain::{TenantId, pb::common::v1::Actor};
use muster_tlog::hash::Hash;
use opentelemetry::trace::TraceContextExt;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use uuid::Uuid;

use crate::{
    error::AppendError,
    names::{EventAddress, Names},
    seal::{Content, Opened},
    wire::Stored,
};

pub(crate) const CE_ID: &str = "ce-id";
const CE_SPECVERSION: &str = "ce-specversion";
const CE_TYPE: &str = "ce-type";
const CE_SOURCE: &str = "ce-source";
const CE_TIME: &str = "ce-time";
const CE_SUBJECT: &str = "ce-subject";
const ACTOR: &str = "muster-actor";
const CORRELATION: &str = "muster-correlation";
const CAUSATION: &str = "muster-causation";
const TRACEPARENT: &str = "traceparent";

/// Who decided, when, and why. The same `event_id` is stored once, however often it is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Meta {
    /// UUIDv7 for something new, [`muster_domain::ids::derived_id`] for a reaction.
    pub event_id: Uuid,
    pub actor: Actor,
    /// When it was decided, by the service's clock.
    pub time: Timestamp,
    /// Shared by everything that began with the same request.
    pub correlation: Uuid,
    /// The event this one is a reaction to.
    pub causation: Option<Uuid>,
}

/// One event as the log holds it.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    pub tenant: TenantId,
    /// Position in the tenant's log.
    pub sequence: u64,
    /// When the log stored it, by the server's clock.
    pub stored_at: Timestamp,
    /// The aggregate's kind, "request".
    pub kind: String,
    /// The aggregate's id.
    pub id: String,
    /// The aggregate's version, from 1.
    pub version: u64,
    /// "request.approved"
    pub event_type: String,
    pub event_id: Uuid,
    pub actor: Actor,
    /// When it was decided, by the deciding service's clock.
    pub time: Timestamp,
    pub correlation: Uuid,
    pub causation: Option<Uuid>,
    pub traceparent: Option<String>,
    /// The event as protobuf.
    pub payload: Bytes,
    /// What the log stores: the payload, or its ciphertext.
    pub stored: Bytes,
}

impl Record {
    pub fn decode<E: prost::Message + Default>(&self) -> Result<E, prost::DecodeError> {
        E::decode(self.payload.clone())
    }

    /// SHA-256 of the stored bytes, as the leaf of the audit's log has it.
    pub fn stored_sha256(&self) -> Hash {
        Hash::of(&self.stored)
    }

    pub(crate) fn parse(names: &Names, stored: Stored, opened: Opened) -> Result<Self, Unreadable> {
        let unreadable = |cause: Cause, why: String, stored: &Stored| Unreadable {
            sequence: stored.sequence,
            subject: stored.subject.clone(),
            event_id: text(&stored.headers, CE_ID).unwrap_or_default().to_owned(),
            event_type: text(&stored.headers, CE_TYPE).unwrap_or_default().to_owned(),
            why,
            cause,
        };
        let malformed = |why: String| unreadable(Cause::Malformed, why, &stored);
        let Some(address) = names.parse_event(&stored.subject) else {
            return Err(malformed("its subject is not one of an event".to_owned()));
        };
        let mut record = Self::from_headers(address, &stored).map_err(malformed)?;
        match opened {
            Opened::Clear(payload) => record.payload = payload,
            Opened::Sealed(Content { payload, actor_name }) => {
                record.payload = payload;
                record.actor.name = actor_name;
            }
            Opened::Destroyed(key_id) => {
                let why = format!("its content is destroyed with the payload key {key_id}");
                return Err(unreadable(Cause::KeyDestroyed(Box::new(record)), why, &stored));
            }
            Opened::Unavailable(why) => return Err(unreadable(Cause::KeyUnavailable, why, &stored)),
            Opened::Broken(why) => return Err(malformed(why)),
        }
        Ok(record)
    }

    fn from_headers(address: EventAddress, stored: &Stored) -> Result<Self, String> {
        let headers = &stored.headers;
        let actor = required(headers, ACTOR)?;
        Ok(Self {
            tenant: address.tenant,
            kind: address.kind,
            id: address.id.to_string(),
            version: address.version,
            sequence: stored.sequence,
            stored_at: stored.stored_at,
            event_type: required(headers, CE_TYPE)?.to_owned(),
            event_id: parsed(headers, CE_ID)?,
            actor: serde_json::from_str(actor).map_err(|error| format!("header {ACTOR}: {error}"))?,
            time: parsed(headers, CE_TIME)?,
            correlation: parsed(headers, CORRELATION)?,
            causation: text(headers, CAUSATION).map(|_| parsed(headers, CAUSATION)).transpose()?,
            traceparent: text(headers, TRACEPARENT).map(str::to_owned),
            payload: Bytes::new(),
            stored: stored.payload.clone(),
        })
    }
}

/// Why an entry cannot be read.
#[derive(Debug, Clone, PartialEq)]
pub enum Cause {
    /// It is not an event as we write them, or was changed after it was written. Who meets it parks it.
    Malformed,
    /// Its content is gone for ever, as somebody decided. The record is all that its headers say; its payload is empty and
    /// its actor has no name.
    KeyDestroyed(Box<Record>),
    /// The tenant's key cannot be used now.
    KeyUnavailable,
}

/// An entry of the log that cannot be read. It is never skipped silently.
#[derive(Debug, Clone, PartialEq)]
pub struct Unreadable {
    pub sequence: u64,
    pub subject: String,
    /// Empty when it has none.
    pub event_id: String,
    /// Empty when it has none.
    pub event_type: String,
    pub why: String,
    pub cause: Cause,
}

pub(crate) fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).map(HeaderValue::as_str)
}

fn required<'h>(headers: &'h HeaderMap, name: &str) -> Result<&'h str, String> {
    text(headers, name).ok_or_else(|| format!("header {name} is missing"))
}

fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(headers: &HeaderMap, name: &str) -> Result<T, String> {
    let value = required(headers, name)?;
    value.parse().map_err(|error| format!("header {name} '{value}': {error}"))
}

/// The headers of one event.
pub(crate) fn headers(
    tenant: &TenantId,
    kind: &str,
    id: &str,
    event_type: &str,
    meta: &Meta,
) -> Result<HeaderMap, AppendError> {
    let actor = serde_json::to_string(&meta.actor).map_err(|error| AppendError::Actor(error.to_string()))?;
    // JSON escapes line breaks, so no actor's name can add a header of its own.
    let actor: HeaderValue = actor.parse().map_err(|_| AppendError::Actor("it contains a line break".to_owned()))?;
    let mut headers = HeaderMap::new();
    headers.insert(CE_SPECVERSION, "1.0");
    headers.insert(CE_ID, meta.event_id.to_string());
    headers.insert(CE_TYPE, event_type);
    headers.insert(CE_SOURCE, format!("/muster/{tenant}"));
    headers.insert(CE_TIME, meta.time.to_string());
    headers.insert(CE_SUBJECT, format!("{kind}/{id}"));
    headers.insert(ACTOR, actor);
    headers.insert(CORRELATION, meta.correlation.to_string());
    if let Some(causation) = meta.causation {
        headers.insert(CAUSATION, causation.to_string());
    }
    if let Some(traceparent) = traceparent() {
        headers.insert(TRACEPARENT, traceparent);
    }
    Ok(headers)
}

/// The current span as W3C Trace Context writes it; `None` outside a sampled or exported trace.
pub(crate) fn traceparent() -> Option<String> {
    let context = tracing::Span::current().context();
    let span = context.span();
    let span = span.span_context();
    span.is_valid().then(|| format!("00-{}-{}-{:02x}", span.trace_id(), span.span_id(), span.trace_flags().to_u8()))
}
