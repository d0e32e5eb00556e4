//! A tenant's record as the bytes that are stored: what a verifier hashes, and nothing taken from it.

use bytes::Bytes;
use jiff::Timestamp;
use muster_domain::{Aggregate, AggregateId, TenantId};

use crate::{
    EventLog,
    error::LogError,
    follow::{self, Follower, Position},
    names::Names,
    retry::{PATIENCE, Patience, REQUEST_TIMEOUT},
    wire::Stored,
};

/// One stored message, whatever it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawEntry {
    pub sequence: u64,
    /// When the stream stored it, to the nanosecond.
    pub stored_at: Timestamp,
    /// Without a test's prefix.
    pub subject: String,
    /// As sent; repeated names in the stored order, names in none.
    pub headers: Vec<(String, String)>,
    /// The stored bytes.
    pub payload: Bytes,
}

impl RawEntry {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// "request.approved"; empty for what is not an event.
    pub fn event_type(&self) -> &str {
        self.header("ce-type").unwrap_or_default()
    }

    fn of(names: &Names, stored: Stored) -> Self {
        let mut headers = Vec::new();
        for (name, values) in stored.headers.iter() {
            headers.extend(values.iter().map(|value| (name.to_string(), value.to_string())));
        }
        Self {
            sequence: stored.sequence,
            stored_at: stored.stored_at,
            subject: names.own(&stored.subject).unwrap_or(&stored.subject).to_owned(),
            headers,
            payload: stored.payload,
        }
    }
}

/// Reads a tenant's record onwards from a position, in batches that fit in memory. An entry that the server counts and
/// cannot read, because its file was damaged, is stepped over: its sequence is missing like that of an entry which is not
/// there.
pub struct RawFollower {
    follower: Follower,
}

impl RawFollower {
    /// The next entries, at least one. Waits as long as it takes. Who cancels it has to drop the follower: entries that
    /// were received and not handed out are lost with it.
    pub async fn next(&mut self) -> Vec<RawEntry> {
        let batch = self.follower.next().await;
        self.raw(batch)
    }

    /// The entries there are now; `None` when all were handed out.
    pub async fn next_until_caught_up(&mut self) -> Result<Option<Vec<RawEntry>>, LogError> {
        let batch = self.follower.next_until_caught_up().await?;
        Ok(batch.map(|batch| self.raw(batch)))
    }

    /// Whether everything the server had was handed out.
    pub fn is_caught_up(&self) -> bool {
        self.follower.is_caught_up()
    }

    fn raw(&self, batch: Vec<Stored>) -> Vec<RawEntry> {
        let names = self.follower.log().names();
        batch.into_iter().map(|stored| RawEntry::of(names, stored)).collect()
    }
}

impl EventLog {
    /// The stored messages of a tenant's record after the sequence `after`.
    pub fn raw(&self, tenant: &TenantId, after: u64) -> RawFollower {
        let stream = self.names().record_stream(tenant);
        RawFollower { follower: Follower::new(self.clone(), stream, Vec::new(), Position::After(after)) }
    }

    /// The stored events of one aggregate, in order.
    pub async fn raw_of<A: Aggregate>(&self, tenant: &TenantId, id: &AggregateId) -> Result<Vec<RawEntry>, LogError> {
        let stream = self.names().record_stream(tenant);
        let mut patience = Patience::new(PATIENCE);
        loop {
            match self.read_aggregate(&stream, tenant, A::KIND, id).await {
                Ok(events) => return Ok(events.into_iter().map(|stored| RawEntry::of(self.names(), stored)).collect()),
                Err(failure) => self.wait_out("loading", &stream, failure, &mut patience).await?,
            }
        }
    }

    /// Whether the leader of the stream has a message at this sequence, and can read it.
    pub async fn raw_exists(&self, tenant: &TenantId, sequence: u64) -> Result<bool, LogError> {
        let stream = self.names().record_stream(tenant);
        let found = follow::entry_at(self, &stream, sequence).await;
        let unavailable =
            |last| LogError::Unavailable { doing: "asking for one entry", tried_for: REQUEST_TIMEOUT, last };
        found.map(|entry| entry.is_some()).map_err(unavailable)
    }
}
