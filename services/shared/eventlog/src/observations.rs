//! Measurements: many in one message, kept for weeks, spread over a fixed number of streams by tenant.
//!
//! One message costs the server the same whether it holds one measurement or a thousand, so a collector publishes
//! its whole cycle at once. A publish that is repeated after an unknown outcome can store a batch twice: observations
//! carry a rising number of their own, and readers ignore what is not newer.

use std::{collections::BTreeMap, time::Duration};

use async_nats::HeaderMap;
use futures::{Stream, StreamExt, stream::SelectAll};
use jiff::Timestamp;
use muster_domain::{TenantId, pb::observation::v1::ObservationBatch};
use prost::Message;

use crate::{
    EventLog,
    append::{MAX_EVENT_BYTES, refused},
    error::AppendError,
    follow::{Follower, Position},
    names::{OBSERVATION_SHARDS, shard_of},
    record::traceparent,
    retry::Patience,
    wire::{self, Failure, Stored},
};

/// A measurement that cannot be stored for this long is replaced by the next one anyway.
const PATIENCE: Duration = Duration::from_secs(15);

/// Where to begin reading measurements.
#[derive(Debug, Clone, PartialEq)]
pub enum ObservationStart {
    /// With what was stored at or after this time.
    Since(Timestamp),
    /// After these sequences, by shard; shards that are missing begin at the oldest measurement kept.
    After(BTreeMap<u16, u64>),
    /// With what comes from now on.
    Now,
}

/// A batch as a stream holds it.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredObservations {
    pub shard: u16,
    /// Its place in the shard's stream.
    pub sequence: u64,
    pub stored_at: Timestamp,
    /// No batch of this shard follows for now.
    pub newest: bool,
    pub batch: ObservationBatch,
}

impl EventLog {
    /// Stores a collector's batch. All of its observations belong to the tenant it names.
    pub async fn publish_observations(&self, batch: &ObservationBatch) -> Result<u64, AppendError> {
        let tenant: TenantId = batch.tenant.parse().map_err(|error: muster_domain::InvalidId| {
            AppendError::Refused { code: 0, description: error.to_string() }
        })?;
        if let Some(foreign) = batch.observations.iter().find(|observation| observation.tenant != batch.tenant) {
            let description =
                format!("the batch of tenant '{tenant}' holds an observation of tenant '{}'", foreign.tenant);
            return Err(AppendError::Refused { code: 0, description });
        }
        let payload = batch.encode_to_vec();
        let limit = MAX_EVENT_BYTES.min(self.client().max_payload() / 2);
        if payload.len() > limit {
            return Err(AppendError::TooLarge { event_type: "observations".to_owned(), bytes: payload.len(), limit });
        }
        let mut headers = HeaderMap::new();
        if let Some(traceparent) = traceparent() {
            headers.insert("traceparent", traceparent);
        }
        let (subject, stream) = (self.names().observation(&tenant), self.names().observation_stream(shard_of(&tenant)));
        let mut patience = Patience::new(PATIENCE);
        loop {
            match wire::publish(self, subject.clone(), headers.clone(), payload.clone().into()).await {
                Ok(sequence) => return Ok(sequence),
                Err(failure @ Failure::Refused { .. }) => return Err(refused(failure)),
                Err(failure) => self.wait_out_append(&stream, failure, &mut patience).await?,
            }
        }
    }

    /// The measurements of all shards, each shard's in order; see [`follow_observation_shards`](Self::follow_observation_shards).
    pub fn follow_observations(
        &self,
        start: ObservationStart,
    ) -> impl Stream<Item = StoredObservations> + Send + 'static {
        self.follow_observation_shards((0..OBSERVATION_SHARDS).collect(), start)
    }

    /// The measurements of some shards, for monitors that share the work. Never ends. The position is the reader's:
    /// keep the sequence with what was made of a batch, and begin [`After`](ObservationStart::After) it. What cannot
    /// be decoded is logged and left out: the next measurement replaces it, and its absence makes the resource stale.
    pub fn follow_observation_shards(
        &self,
        shards: Vec<u16>,
        start: ObservationStart,
    ) -> impl Stream<Item = StoredObservations> + Send + 'static {
        shards.into_iter().map(|shard| self.follow_shard(shard, &start)).collect::<SelectAll<_>>()
    }

    fn follow_shard(
        &self,
        shard: u16,
        start: &ObservationStart,
    ) -> futures::stream::BoxStream<'static, StoredObservations> {
        let position = match start {
            ObservationStart::Since(at) => Position::Since(*at),
            ObservationStart::After(sequences) => Position::After(sequences.get(&shard).copied().unwrap_or(0)),
            ObservationStart::Now => Position::Now,
        };
        let follower = Follower::new(self.clone(), self.names().observation_stream(shard), Vec::new(), position);
        futures::stream::unfold(follower, move |mut follower| async move {
            let batch = follower.next().await;
            let last = batch.last().filter(|_| follower.is_caught_up()).map(|entry| entry.sequence);
            let decoded: Vec<_> = batch.into_iter().filter_map(|entry| decode(shard, entry, last)).collect();
            Some((futures::stream::iter(decoded), follower))
        })
        .flatten()
        .boxed()
    }
}

fn decode(shard: u16, entry: Stored, last: Option<u64>) -> Option<StoredObservations> {
    match ObservationBatch::decode(entry.payload) {
        Ok(batch) => Some(StoredObservations {
            shard,
            sequence: entry.sequence,
            stored_at: entry.stored_at,
            newest: last == Some(entry.sequence),
            batch,
        }),
        Err(error) => {
            metrics::counter!("muster_observations_unreadable_total").increment(1);
            tracing::error!(subject = entry.subject, sequence = entry.sequence, %error, "measurements cannot be decoded");
            None
        }
    }
}
