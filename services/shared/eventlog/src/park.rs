//! An event that a handler fails on again and again is parked: an event of its own says so, in the tenant's log, and
//! the handler goes on. Never skipped in silence, never in the way of the others.

use jiff::Timestamp;
use muster_domain::{
    AggregateId, TenantId,
    ids::derived_id,
    pb::{
        audit::v1::{EventParked, ParkedEvent, parked_event::Event},
        common::v1::{Actor, ActorKind},
    },
};
use prost::Message;
use uuid::Uuid;

use crate::{
    EventLog,
    append::Draft,
    error::{AppendError, LogError},
    record::{Meta, Record, Unreadable},
};

/// The aggregate kind of parked events.
pub const PARKED_KIND: &str = "parked";
/// Their event type.
pub const PARKED_TYPE: &str = "event.parked";
/// An error message is for people; a stack dump of megabytes would be refused by the log.
const MAX_ERROR_CHARS: usize = 2000;

/// What is being parked.
pub(crate) struct Parking<'a> {
    pub(crate) handler: &'a str,
    pub(crate) tenant: &'a TenantId,
    pub(crate) entry: &'a Result<Record, Unreadable>,
    pub(crate) error: String,
    pub(crate) tries: u32,
}

impl EventLog {
    /// Appends the `EventParked` of this (handler, entry), once, however often it is called.
    pub(crate) async fn park(&self, parking: Parking<'_>) -> Result<(), AppendError> {
        let Parking { handler, tenant, entry, error, tries } = parking;
        let (sequence, event_id, event_type) = match entry {
            Ok(record) => (record.sequence, record.event_id.to_string(), record.event_type.clone()),
            Err(unreadable) => (unreadable.sequence, unreadable.event_id.clone(), unreadable.event_type.clone()),
        };
        metrics::counter!("muster_log_parked_total", "handler" => handler.to_owned()).increment(1);
        tracing::error!(handler, %tenant, sequence, event_type, error, tries, "event parked: this handler cannot take it in");
        if is_own_parking(handler, entry) {
            // Parking the notice that something was parked would never end. The log line above is its trace.
            return Ok(());
        }
        let id = derived_id(&["parked", handler, tenant.as_str(), &sequence.to_string()]);
        let event = EventParked {
            handler: handler.to_owned(),
            sequence,
            event_id,
            event_type,
            error: shortened(&error),
            tries,
        };
        let event = ParkedEvent { event: Some(Event::Parked(event)) };
        let draft = Draft {
            kind: PARKED_KIND,
            id: AggregateId::from(id),
            version: 1,
            event_type: PARKED_TYPE,
            meta: meta(handler, entry, id),
            payload: event.encode_to_vec().into(),
        };
        match self.append_draft(tenant, draft, 0).await {
            // Parked before, by another instance with another clock: it is there.
            Ok(_) | Err(AppendError::Conflict { .. }) => Ok(()),
            // Nothing is written in such a tenant any more; the log line above is its trace.
            Err(AppendError::Log(LogError::KeyDestroyed { .. })) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn meta(handler: &str, entry: &Result<Record, Unreadable>, event_id: Uuid) -> Meta {
    let record = entry.as_ref().ok();
    #[expect(clippy::disallowed_methods, reason = "nothing is decided by it; parking is idempotent by its event id")]
    let time = Timestamp::now();
    Meta {
        event_id,
        actor: Actor {
            id: format!("service:{handler}"),
            name: handler.to_owned(),
            kind: ActorKind::Service.into(),
            roles: Vec::new(),
        },
        time,
        correlation: record.map_or(event_id, |record| record.correlation),
        causation: record.map(|record| record.event_id),
    }
}

fn is_own_parking(handler: &str, entry: &Result<Record, Unreadable>) -> bool {
    let Ok(record) = entry else { return false };
    if record.kind != PARKED_KIND {
        return false;
    }
    match record.decode::<ParkedEvent>() {
        Ok(ParkedEvent { event: Some(Event::Parked(parked)) }) => parked.handler == handler,
        Ok(_) | Err(_) => true,
    }
}

fn shortened(error: &str) -> String {
    error.chars().take(MAX_ERROR_CHARS).collect()
}
