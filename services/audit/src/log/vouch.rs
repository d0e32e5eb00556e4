//! Where the writer of a log meets those who vouch for it: witnesses cosign, anchors keep copies.

use async_trait::async_trait;
use muster_domain::pb::audit::v1::{CheckpointRef, SplitDetected, WitnessState};

/// A checkpoint that the log has signed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Signed {
    /// Origin, size, root in hex.
    pub(crate) checkpoint: CheckpointRef,
    /// The signed note; with the cosignatures once a quorum has vouched for it.
    pub(crate) note: String,
}

/// Consistency proofs out of the log's own tiles.
#[async_trait]
pub(crate) trait Consistency: Send + Sync {
    /// That the tree of `old` leaves is the beginning of the tree of `new` leaves. Neither is larger than what was signed.
    async fn consistency(&self, old: u64, new: u64) -> Result<Vec<[u8; 32]>, String>;
}

/// What the witnesses answered about one checkpoint.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Cosigned {
    /// Verified signature lines (`— name base64`, without line end) for the end of the note.
    pub(crate) lines: Vec<String>,
    /// Whether they fulfil the policy.
    pub(crate) quorum: bool,
    /// The names of those who did not cosign.
    pub(crate) missing: Vec<String>,
    /// Somebody has seen another tree under our name: nothing may be signed any more.
    pub(crate) split: Option<SplitDetected>,
}

/// All witnesses of this installation.
#[async_trait]
pub(crate) trait Witnesses: Send + Sync {
    /// Asks all at once. Returns when the quorum is reached and the others had a short moment, or when all have answered
    /// or their time is over: never later than some seconds. An error of one is its state, and not an error here.
    async fn cosign(&self, checkpoint: &Signed, proofs: &dyn Consistency) -> Cosigned;

    /// What each last answered about this log, in the order of the configuration.
    fn states(&self, origin: &str) -> Vec<WitnessState>;

    /// The `witness`, `group` and `quorum` lines of the tlog-policy, each with its line end.
    fn policy(&self) -> String;
}

/// Further places that keep published checkpoints.
#[async_trait]
pub(crate) trait Copies: Send + Sync {
    /// The largest checkpoint of this log that any of them holds, as a signed note, and which of them ("anchor:worm").
    async fn largest(&self, origin: &str) -> Option<(String, String)>;
}
