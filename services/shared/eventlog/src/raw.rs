//! A tenant's record as the bytes that are stored: what a verifier hashes, and nothing taken from it.

use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use jiff::Timestamp;
use muster_domain::TenantId;
use serde_json::json;

use crate::{
    EventLog,
    error::LogError,
    follow::{Follower, Position},
    names::Names,
    retry::REQUEST_TIMEOUT,
    wire::Stored,
};

const NO_MESSAGE_FOUND: u64 = 10037;
/// Nothing came for so long: either there is nothing, or the server cannot read what comes next.
const STUCK_AFTER: Duration = Duration::from_secs(5);
/// Asked for one by one; a longer damage is stepped over in several times.
const MAX_STEP: usize = 1_000;

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

/// Reads a tenant's record onwards from a position, in batches that fit in memory. An entry that the server has and cannot
/// read, because its file was damaged, ends the server's delivery for good; it is stepped over, and its sequence is missing
/// like that of an entry which is not there.
pub struct RawFollower {
    follower: Follower,
    tenant: TenantId,
    /// The last sequence that was handed out or stepped over.
    after: u64,
}

impl RawFollower {
    /// The next entries, at least one. Waits as long as it takes. Who cancels it has to drop the follower: entries that
    /// were received and not handed out are lost with it.
    pub async fn next(&mut self) -> Vec<RawEntry> {
        let batch = self.past_damage(|follower| Box::pin(follower.next())).await;
        self.taken(batch)
    }

    /// The entries there are now; `None` when all were handed out.
    pub async fn next_until_caught_up(&mut self) -> Result<Option<Vec<RawEntry>>, LogError> {
        let batch = self.past_damage(|follower| Box::pin(follower.next_until_caught_up())).await?;
        Ok(batch.map(|batch| self.taken(batch)))
    }

    /// Whether everything the server had was handed out.
    pub fn is_caught_up(&self) -> bool {
        self.follower.is_caught_up()
    }

    fn taken(&mut self, batch: Vec<Stored>) -> Vec<RawEntry> {
        self.after = batch.last().map_or(self.after, |last| last.sequence);
        let names = self.follower.log().names();
        batch.into_iter().map(|stored| RawEntry::of(names, stored)).collect()
    }

    async fn past_damage<T>(&mut self, read: impl for<'f> Fn(&'f mut Follower) -> BoxFuture<'f, T>) -> T {
        let log = self.follower.log().clone();
        loop {
            let (tenant, after) = (self.tenant.clone(), self.after);
            let stepped = {
                let mut reading = read(&mut self.follower);
                loop {
                    tokio::select! {
                        done = &mut reading => return done,
                        () = tokio::time::sleep(STUCK_AFTER) => {}
                    }
                    // Only what was not delivered is asked for: the reading itself goes on meanwhile.
                    if let Some(stepped) = log.last_unreadable_after(&tenant, after).await {
                        break stepped;
                    }
                }
            };
            tracing::error!(%tenant, from = after + 1, to = stepped, "the server cannot read entries of the record that it has");
            self.after = stepped;
            self.follower.restart(Position::After(stepped));
        }
    }
}

impl EventLog {
    /// The stored messages of a tenant's record after the sequence `after`.
    pub fn raw(&self, tenant: &TenantId, after: u64) -> RawFollower {
        let stream = self.names().record_stream(tenant);
        RawFollower {
            follower: Follower::new(self.clone(), stream, Vec::new(), Position::After(after)),
            tenant: tenant.clone(),
            after,
        }
    }

    /// The last of the entries right after this one that the stream does not give, although it has later ones.
    async fn last_unreadable_after(&self, tenant: &TenantId, after: u64) -> Option<u64> {
        let last = self.record_stream_state(tenant).await.ok()??.last_sequence;
        let mut unreadable = None;
        for sequence in (after + 1..=last).take(MAX_STEP) {
            if self.raw_exists(tenant, sequence).await.ok()? {
                break;
            }
            unreadable = Some(sequence);
        }
        unreadable
    }

    /// Whether the leader of the stream has a message at this sequence.
    pub async fn raw_exists(&self, tenant: &TenantId, sequence: u64) -> Result<bool, LogError> {
        let unavailable =
            |last: String| LogError::Unavailable { doing: "asking for one entry", tried_for: REQUEST_TIMEOUT, last };
        let subject = format!("STREAM.MSG.GET.{}", self.names().record_stream(tenant));
        let answer: serde_json::Value = self
            .jetstream()
            .request(subject, &json!({ "seq": sequence }))
            .await
            .map_err(|error| unavailable(error.to_string()))?;
        match answer.pointer("/error/err_code").and_then(serde_json::Value::as_u64) {
            Some(NO_MESSAGE_FOUND) => Ok(false),
            Some(_) => Err(unavailable(answer["error"].to_string())),
            None if answer.get("message").is_some() => Ok(true),
            None => Err(unavailable("an answer without a message".to_owned())),
        }
    }
}
