//! Reading one aggregate.
//!
//! One `multi_last` request reads all events of an aggregate in 0.4 ms, but any replica may answer it, and one in
//! ten reads misses an event acknowledged just before. So the leader is asked for the version after the last one
//! seen, until it has none: what `load` returns includes every event acknowledged before it was called.
//! (A leader deposed by a network partition can still answer for a few seconds; an append on such a state is refused.)

use muster_domain::{Aggregate, AggregateId, TenantId};
use prost::Message;
use uuid::Uuid;

use crate::{
    EventLog,
    error::LogError,
    record::{CE_ID, text},
    retry::{PATIENCE, Patience},
    seal::{Opened, open_all},
    wire::{self, Failure, Stored},
};

/// Versions asked for by name in one request when an aggregate has more events than one answer holds. Below the
/// server's 1,024, and its subjects (at most ~220 bytes each) stay below 256 KiB.
const NAMED_PAGE: u64 = 1000;

/// Loading more than this would take seconds: such an aggregate is cut wrongly.
const MAX_EVENTS: u64 = 100_000;

/// An aggregate as of its last event.
#[derive(Debug, Clone)]
pub struct Loaded<A> {
    pub state: A,
    /// 0: it has no events yet.
    pub version: u64,
    /// Position of its last event in the tenant's log; 0 without events.
    pub sequence: u64,
    /// The ids of its events, in order: what makes asking twice visible.
    pub event_ids: Vec<Uuid>,
}

impl<A: Aggregate> Default for Loaded<A> {
    fn default() -> Self {
        Self { state: A::default(), version: 0, sequence: 0, event_ids: Vec::new() }
    }
}

impl EventLog {
    /// Folds all events of an aggregate. An aggregate nobody wrote yet is its default at version 0.
    pub async fn load<A: Aggregate>(&self, tenant: &TenantId, id: &AggregateId) -> Result<Loaded<A>, LogError> {
        let stream = self.names().record_stream(tenant);
        let mut patience = Patience::new(PATIENCE);
        loop {
            let failure = match self.read_aggregate(&stream, tenant, A::KIND, id).await {
                Ok(events) => {
                    let opened = open_all(self, &events).await;
                    return fold(&stream, tenant, id, events.into_iter().zip(opened));
                }
                Err(failure) => failure,
            };
            self.wait_out("loading", &stream, failure, &mut patience).await?;
        }
    }

    /// The newest entry of the tenant's log, by its leader; 0 if it is empty.
    pub async fn last_sequence(&self, tenant: &TenantId) -> Result<u64, LogError> {
        let stream = self.names().record_stream(tenant);
        let mut patience = Patience::new(PATIENCE);
        loop {
            let failure = match self.stream_info(&stream).await {
                Ok(Some(info)) => {
                    return Ok(info.pointer("/state/last_seq").and_then(serde_json::Value::as_u64).unwrap_or(0));
                }
                Ok(None) => Failure::Unknown("stream not found".to_owned()),
                Err(error) => Failure::Unknown(error.to_string()),
            };
            self.wait_out("asking how long the log is", &stream, failure, &mut patience).await?;
        }
    }

    pub(crate) async fn read_aggregate(
        &self,
        stream: &str,
        tenant: &TenantId,
        kind: &'static str,
        id: &AggregateId,
    ) -> Result<Vec<Stored>, Failure> {
        let filter = [self.names().aggregate(tenant, kind, id)];
        let mut events = match wire::multi_last(self, stream, &filter).await {
            Err(Failure::TooMany) => self.read_by_version(stream, tenant, kind, id).await?,
            result => result?,
        };
        // A lost packet must not look like a damaged log: the leader is asked for what is missing in between too.
        events.sort_by_key(version_of);
        let mut complete = Vec::with_capacity(events.len());
        for event in events {
            while version_of(&event) > complete.len() as u64 + 1 {
                let Some(missing) = self.read_version(stream, tenant, kind, id, complete.len() as u64 + 1).await?
                else {
                    break;
                };
                complete.push(missing);
            }
            complete.push(event);
        }
        while let Some(newer) = self.read_version(stream, tenant, kind, id, complete.len() as u64 + 1).await? {
            complete.push(newer);
        }
        Ok(complete)
    }

    async fn read_version(
        &self,
        stream: &str,
        tenant: &TenantId,
        kind: &'static str,
        id: &AggregateId,
        version: u64,
    ) -> Result<Option<Stored>, Failure> {
        wire::leader_last(self, stream, &self.names().event(tenant, kind, id, version)).await
    }

    /// More than 1,024 events: ask for the versions by name, a page at a time.
    async fn read_by_version(
        &self,
        stream: &str,
        tenant: &TenantId,
        kind: &'static str,
        id: &AggregateId,
    ) -> Result<Vec<Stored>, Failure> {
        let mut events = Vec::new();
        for first in (1..=MAX_EVENTS).step_by(NAMED_PAGE as usize) {
            let subjects: Vec<_> =
                (first..first + NAMED_PAGE).map(|v| self.names().event(tenant, kind, id, v)).collect();
            let page = wire::multi_last(self, stream, &subjects).await?;
            let complete = page.len() as u64 == NAMED_PAGE;
            events.extend(page);
            if !complete {
                return Ok(events);
            }
        }
        Err(Failure::TooMany)
    }

    /// Decides whether a failed read is worth another try, and waits for it.
    pub(crate) async fn wait_out(
        &self,
        doing: &'static str,
        stream: &str,
        failure: Failure,
        patience: &mut Patience,
    ) -> Result<(), LogError> {
        let last = match failure {
            Failure::Unknown(last) => last,
            Failure::Refused { code, description } => return Err(LogError::Refused { doing, code, description }),
            Failure::TooMany => {
                return Err(LogError::Refused {
                    doing,
                    code: 413,
                    description: "more events than one aggregate may have".to_owned(),
                });
            }
        };
        if !self.is_clustered() && self.is_connected() && !self.stream_exists(stream).await? {
            return Err(LogError::StreamMissing { stream: stream.to_owned() });
        }
        if patience.pause().await {
            return Ok(());
        }
        if !self.stream_exists(stream).await.unwrap_or(true) {
            return Err(LogError::StreamMissing { stream: stream.to_owned() });
        }
        Err(LogError::Unavailable { doing, tried_for: patience.waited(), last })
    }
}

/// 0 for what is not an event: no event has it, so it is never taken for one.
fn version_of(stored: &Stored) -> u64 {
    stored.subject.rsplit('.').next().and_then(|version| version.parse().ok()).unwrap_or(0)
}

fn fold<A: Aggregate>(
    stream: &str,
    tenant: &TenantId,
    id: &AggregateId,
    events: impl Iterator<Item = (Stored, Opened)>,
) -> Result<Loaded<A>, LogError> {
    let mut loaded = Loaded::<A>::default();
    for (stored, opened) in events {
        let unreadable =
            |why: String| LogError::Unreadable { stream: stream.to_owned(), sequence: stored.sequence, why };
        if version_of(&stored) != loaded.version + 1 {
            return Err(LogError::VersionMissing { kind: A::KIND, id: id.to_string(), missing: loaded.version + 1 });
        }
        let payload = opened.into_payload(unreadable, tenant)?;
        let event = A::Event::decode(payload).map_err(|error| unreadable(error.to_string()))?;
        let event_id = text(&stored.headers, CE_ID).unwrap_or_default();
        let event_id =
            event_id.parse().map_err(|_| unreadable(format!("header {CE_ID} '{event_id}' is not a UUID")))?;
        loaded.state.evolve(&event);
        loaded.version += 1;
        loaded.sequence = stored.sequence;
        loaded.event_ids.push(event_id);
    }
    Ok(loaded)
}
