//! Anchors: further places outside the log's own store where checkpoints are kept, so that a store that was rolled back,
//! with its log, can be shown to be one.
//!
//! | kind | what it proves | by |
//! |---|---|---|
//! | [`store`] | this tree had this size and root then | a folder or bucket that is only ever added to |
//! | [`git`] | the same, with the history of all before it | one commit for each checkpoint, on a branch of its own |
//! | [`rfc3161`] | that it existed at a time that a third party names | a time-stamp token |

mod der;
mod git;
mod keep;
mod rfc3161;
mod store;

use std::sync::Arc;

use async_trait::async_trait;
use muster_runtime::{
    Clock,
    config::{AnchorKind, AuditAnchor},
};

pub(crate) use keep::{Anchors, Keeper};

use super::vouch::Signed;

/// The text of a signed note before its signatures.
fn body_of(note: &str) -> &str {
    note.find("\n\n").map_or(note, |end| &note[..=end])
}

/// The size that a checkpoint's text names.
fn size_of(note: &str) -> Option<u64> {
    note.lines().nth(1)?.parse().ok()
}

/// What an anchor gave back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Receipt {
    /// Where it can be found: a path, an object, a commit. Never with a secret.
    pub(crate) location: String,
    /// A token, the id of a commit, the object as it was read back.
    pub(crate) bytes: Vec<u8>,
    /// Kept beside the log, because the anchor does not keep it: file name and content.
    pub(crate) files: Vec<(String, Vec<u8>)>,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum AnchorError {
    /// Another tree than ours, under our name: the finding that anchors are for.
    #[error("it holds another checkpoint of this log, of size {theirs_size}: {theirs}")]
    Different { theirs: String, theirs_size: u64 },
    /// It cannot be asked, or answered in a way that is no proof.
    #[error("{0}")]
    Failed(String),
}

impl AnchorError {
    fn failed(doing: &str, error: impl std::fmt::Display) -> Self {
        Self::Failed(format!("{doing}: {error}"))
    }
}

#[async_trait]
pub(crate) trait Anchor: Send + Sync {
    /// As events name it: "folder", "bucket", "rfc3161", "git".
    fn kind(&self) -> &'static str;

    /// Keeps the checkpoint. Keeping the same one again is no error.
    async fn keep(&self, checkpoint: &Signed) -> Result<Receipt, AnchorError>;

    /// The largest checkpoint of this log that it holds, as it was kept. `None`: it holds none, or cannot show any.
    async fn largest(&self, origin: &str) -> Result<Option<String>, AnchorError>;
}

/// An anchor of the configuration.
pub(crate) fn open(config: &AuditAnchor, clock: Clock) -> Result<Arc<dyn Anchor>, AnchorError> {
    Ok(match config.kind {
        AnchorKind::Store => Arc::new(store::Store::open(&config.location)?),
        AnchorKind::Rfc3161 => Arc::new(rfc3161::TimeStamps::open(&config.location, clock)?),
        AnchorKind::Git => Arc::new(git::Repository::new(&config.location)),
    })
}
