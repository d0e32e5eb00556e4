//! Why a log cannot go on.

use muster_domain::{Refusal, pb::audit::v1::SplitDetected, refusal::describe};
use muster_eventlog::{DecideError, LogError};
use muster_logstore::StoreError;
use muster_tlog::{checkpoint::CheckpointError, key::KeyError, leaf::LeafError};

#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// Two trees under one name. Recorded; nothing is signed any more until a person has found out.
    #[error("{}", .0.text)]
    Split(Box<SplitDetected>),

    /// The log goes on under another origin: begin again with that.
    #[error("a new epoch is open")]
    NewEpoch,

    #[error("another process signs this log; this one leaves it alone")]
    OtherSigner,

    #[error("entry {sequence} cannot be a leaf: {error}; nothing after it is logged until somebody has looked at it")]
    NoLeaf { sequence: u64, error: LeafError },

    #[error("the leaf of the log's beginning cannot be made: {0}")]
    Genesis(LeafError),

    #[error("the log has no key: {0}")]
    Key(String),

    #[error("a checkpoint cannot be signed: {0}")]
    Sign(#[from] CheckpointError),

    #[error(transparent)]
    Store(#[from] StoreError),

    /// Damage in the log's own files, which is found again by `muster audit fsck`.
    #[error("the file {file} of the log is damaged: {why}; `muster audit fsck` says more")]
    Damaged { file: String, why: String },

    /// A file that is written once has another content than the stream gives now.
    #[error("the file {file} of the log is there already, with another content than the stream gives now")]
    OtherTile { file: String },

    #[error("{0}")]
    Log(String),

    #[error("{}", describe(.0))]
    Refused(Box<Refusal>),
}

impl Fault {
    /// What passes by itself, or is only a change of hands, is tried again; everything else stops the log.
    pub(crate) fn stops(&self) -> bool {
        !matches!(self, Self::Log(_) | Self::Store(_) | Self::OtherSigner | Self::NewEpoch)
    }
}

impl From<LogError> for Fault {
    fn from(error: LogError) -> Self {
        Self::Log(error.to_string())
    }
}

impl From<KeyError> for Fault {
    fn from(error: KeyError) -> Self {
        Self::Key(error.to_string())
    }
}

impl From<DecideError<Refusal>> for Fault {
    fn from(error: DecideError<Refusal>) -> Self {
        match error {
            DecideError::Refused(refusal) => Self::Refused(Box::new(refusal)),
            error => Self::Log(error.to_string()),
        }
    }
}
