//! A tenant's log as its anchors see it.

use async_trait::async_trait;
use muster_domain::{
    TenantId,
    audit::AuditLog,
    pb::audit::v1::{CheckpointAnchored, CheckpointRef, SplitDetected, audit_log_event::Event},
};
use muster_logstore::LogFiles;
use muster_runtime::Context;
use muster_tlog::{Checkpoint, Note, VerifierKey};

use super::Keeper;
use crate::log::{record, vouch::Signed};

const PUBLISHED: &str = "checkpoint";

/// What the anchors need of one log. Made anew for each use: keys come and go.
pub(crate) struct OfLog {
    context: Context,
    tenant: TenantId,
    files: LogFiles,
    keys: Vec<VerifierKey>,
}

impl OfLog {
    /// `log` is the log's life as the events have it: its keys tell whether a checkpoint is the log's own.
    pub(crate) fn new(context: &Context, tenant: &TenantId, files: &LogFiles, log: &AuditLog) -> Self {
        let keys = log.keys.iter().filter_map(|key| key.verifier_key.parse().ok()).collect();
        Self { context: context.clone(), tenant: tenant.clone(), files: files.clone(), keys }
    }
}

#[async_trait]
impl Keeper for OfLog {
    async fn published(&self) -> Result<Option<Signed>, String> {
        let Some(bytes) = self.files.read(PUBLISHED).await.map_err(|error| error.to_string())? else {
            return Ok(None);
        };
        let (found, _, _) = Checkpoint::open(&bytes, &self.keys).map_err(|error| format!("{PUBLISHED}: {error}"))?;
        let note = String::from_utf8(bytes.to_vec()).map_err(|error| error.to_string())?;
        let checkpoint = CheckpointRef { origin: found.origin, size: found.size, root: found.root.to_hex() };
        Ok(Some(Signed { checkpoint, note }))
    }

    fn is_ours(&self, note: &str) -> bool {
        Note::parse(note.as_bytes()).is_ok_and(|note| Checkpoint::open_note(&note, &self.keys).is_ok())
    }

    async fn read(&self, path: &str) -> Result<Option<Vec<u8>>, String> {
        let read = self.files.read(path).await.map_err(|error| error.to_string())?;
        Ok(read.map(|bytes| bytes.to_vec()))
    }

    async fn write(&self, path: &str, content: Vec<u8>) -> Result<(), String> {
        self.files.replace(path, content).await.map_err(|error| error.to_string())
    }

    async fn anchored(&self, anchored: CheckpointAnchored) -> Result<(), String> {
        let checkpoint = anchored.checkpoint.clone().unwrap_or_default();
        let size = checkpoint.size.to_string();
        let key = ["anchored", &checkpoint.origin, &size, &anchored.kind, &anchored.location];
        let event = Event::Anchored(anchored.clone());
        record::note(&self.context, &self.tenant, &key, event).await.map_err(|error| error.to_string())
    }

    async fn split(&self, split: SplitDetected) {
        if let Err(error) = record::split(&self.context, &self.tenant, &split).await {
            tracing::error!(tenant = %self.tenant, %error, "a split cannot be recorded; it is found again");
        }
    }
}
