//! What a log does for its anchors.

use async_trait::async_trait;
use muster_domain::{
    TenantId,
    pb::audit::v1::{CheckpointAnchored, SplitDetected, audit_log_event::Event},
};
use muster_logstore::LogFiles;
use muster_tlog::{Checkpoint, VerifierKey};

use super::{anchor::Keeper, parts::Parts, publish::CHECKPOINT, record, vouch::Signed, witnessing::reference};

pub(crate) struct LogKeeper {
    pub(crate) parts: Parts,
    pub(crate) tenant: TenantId,
    pub(crate) files: LogFiles,
    /// Of the present epoch.
    pub(crate) keys: Vec<VerifierKey>,
}

#[async_trait]
impl Keeper for LogKeeper {
    async fn published(&self) -> Result<Option<Signed>, String> {
        let note = self.files.read(CHECKPOINT).await.map_err(|error| error.to_string())?;
        Ok(note.and_then(|note| {
            Some(Signed { checkpoint: reference(&note)?, note: String::from_utf8(note.to_vec()).ok()? })
        }))
    }

    async fn read(&self, path: &str) -> Result<Option<Vec<u8>>, String> {
        let read = self.files.read(path).await.map_err(|error| error.to_string())?;
        Ok(read.map(|content| content.to_vec()))
    }

    async fn write(&self, path: &str, content: Vec<u8>) -> Result<(), String> {
        self.files.replace(path, content).await.map_err(|error| error.to_string())
    }

    fn is_ours(&self, note: &str) -> bool {
        Checkpoint::open(note.as_bytes(), &self.keys).is_ok()
    }

    async fn anchored(&self, anchored: CheckpointAnchored) -> Result<(), String> {
        let checkpoint = anchored.checkpoint.clone().unwrap_or_default();
        let size = checkpoint.size.to_string();
        let key = ["anchored", &checkpoint.origin, &size, &anchored.kind, &anchored.location];
        let noted = record::note(&self.parts.context, &self.tenant, &key, Event::Anchored(anchored.clone())).await;
        noted.map_err(|fault| fault.to_string())
    }

    /// The signer reads of it in the record, and stops.
    async fn split(&self, split: SplitDetected) {
        if let Err(fault) = record::split(&self.parts.context, &self.tenant, &split).await {
            tracing::error!(tenant = %self.tenant, %fault, "a split cannot be recorded yet");
        }
    }
}
