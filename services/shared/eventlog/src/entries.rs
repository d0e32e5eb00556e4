//! The log as it is stored, entry by entry: for audits and exports, which trust nothing but the bytes.

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use jiff::Timestamp;
use muster_domain::TenantId;

use crate::{
    EventLog,
    error::LogError,
    follow::{Follower, Position},
    names::Names,
    record::{Record, Unreadable},
    seal::{Opened, open_all},
    wire::Stored,
};

/// One entry of a tenant's log, whatever it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub sequence: u64,
    /// When the log stored it, to the nanosecond.
    pub stored_at: Timestamp,
    /// Without a test's prefix.
    pub subject: String,
    /// As sent, sorted by name; repeated names in the stored order.
    pub headers: Vec<(String, String)>,
    /// The stored bytes.
    pub payload: Bytes,
    /// The entry as an event.
    pub record: Result<Record, Unreadable>,
}

impl EventLog {
    /// The entries of a tenant's log after `after`, in order, up to what there is now. Ends with an error that waiting
    /// did not mend.
    pub fn entries(
        &self,
        tenant: &TenantId,
        after: u64,
    ) -> impl Stream<Item = Result<Entry, LogError>> + Send + 'static {
        let follower =
            Follower::new(self.clone(), self.names().record_stream(tenant), Vec::new(), Position::After(after));
        let batches = futures::stream::try_unfold(follower, |mut follower| async move {
            let batch = follower.next_until_caught_up().await?;
            Ok::<_, LogError>(batch.map(|batch| (batch, follower)))
        });
        let log = self.clone();
        let entries = batches.then(move |batch| {
            let log = log.clone();
            async move {
                let entries = opened(&log, batch?).await;
                Ok::<_, LogError>(futures::stream::iter(entries.into_iter().map(Ok)))
            }
        });
        futures::TryStreamExt::try_flatten(entries)
    }
}

/// Entries whose payloads cannot be decrypted keep their place, and say why.
pub(crate) async fn opened(log: &EventLog, batch: Vec<Stored>) -> Vec<Entry> {
    let opened = open_all(log, &batch).await;
    batch.into_iter().zip(opened).map(|(stored, opened)| entry(log.names(), stored, opened)).collect()
}

fn entry(names: &Names, stored: Stored, opened: Opened) -> Entry {
    let mut headers: Vec<(String, String)> = Vec::new();
    for (name, values) in stored.headers.iter() {
        headers.extend(values.iter().map(|value| (name.to_string(), value.to_string())));
    }
    // Stable: repeated names stay in order.
    headers.sort_by(|(a, _), (b, _)| a.as_bytes().cmp(b.as_bytes()));
    Entry {
        sequence: stored.sequence,
        stored_at: stored.stored_at,
        subject: names.own(&stored.subject).unwrap_or(&stored.subject).to_owned(),
        headers,
        payload: stored.payload.clone(),
        record: Record::parse(names, stored, opened),
    }
}
