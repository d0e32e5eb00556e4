//! Whether an event is under a checkpoint that witnesses have cosigned: waited for a moment by the answers to commands
//! that people rely on as proof (approvals, reviews, gaps, key changes), and by nothing that moves a system.
//!
//! Read from the log's published file: services do not call each other, and what is read is what an auditor reads.

use std::time::Duration;

use muster_domain::{AggregateId, TenantId, audit::AuditLog};
use muster_logstore::LogStore;
use muster_tlog::{Checkpoint, Note};
use tokio::time::Instant;
use tonic::{Response, metadata::MetadataValue};

use crate::Context;

/// The longest that an answer waits.
const WAIT: Duration = Duration::from_secs(2);
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// What is known about an event's place in the transparency log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Witnessed {
    /// A quorum of witnesses has cosigned a checkpoint that covers it.
    Yes,
    /// Not yet. It will be, as soon as the witnesses answer.
    Pending,
    /// This installation keeps no transparency log.
    NotKept,
}

impl Witnessed {
    /// As the API says it: "yes", "pending", "not kept".
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::Pending => "pending",
            Self::NotKept => "not kept",
        }
    }
}

/// In the metadata of answers: "yes", "pending" or "not kept".
pub const HEADER: &str = "muster-witnessed";

impl Context {
    /// The answer to a command whose event people rely on as proof: after its cosigned checkpoint, or after 2 s without.
    pub async fn sealed<T>(&self, tenant: &TenantId, sequence: u64, message: T) -> Response<T> {
        let mut answer = Response::new(message);
        let witnessed = self.witnessed(tenant, sequence).await.as_str();
        answer.metadata_mut().insert(HEADER, MetadataValue::from_static(witnessed));
        answer
    }

    /// Waits up to 2 s for the cosigned checkpoint over the event at `sequence`.
    pub async fn witnessed(&self, tenant: &TenantId, sequence: u64) -> Witnessed {
        let Some(store) = &self.log_store else { return Witnessed::NotKept };
        let (until, mut pause) = (Instant::now() + WAIT, FIRST_PAUSE);
        loop {
            // A log that cannot be read now is not evidence now.
            if let Ok(true) = tokio::time::timeout_at(until, self.covers(store, tenant, sequence)).await {
                return Witnessed::Yes;
            }
            if Instant::now() + pause >= until {
                return Witnessed::Pending;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn covers(&self, store: &LogStore, tenant: &TenantId, sequence: u64) -> bool {
        let Ok(id) = AuditLog::ID.parse::<AggregateId>() else { return false };
        let Ok(loaded) = self.log.load::<AuditLog>(tenant, &id).await else { return false };
        let Some(epoch) = loaded.state.epoch() else { return false };
        let Ok(Some(note)) = store.log(tenant, epoch.epoch).read("checkpoint").await else { return false };
        let checkpoint = Note::parse(&note).ok().and_then(|note| note.text().parse::<Checkpoint>().ok());
        checkpoint.is_some_and(|checkpoint| {
            // Index 0 is the genesis leaf.
            let covered = (epoch.first_sequence + checkpoint.size).saturating_sub(1);
            checkpoint.origin == epoch.origin && sequence < covered
        })
    }
}
