//! Names of the facts that steps hand to later steps, to a successor process and to the loss statement.
//! They are stored in the log: a name never changes its meaning.

pub use crate::fact::{ORIGINAL_DIVERGED, PROMOTED_AT, PROTECTED_AT, STOPPED_AT, SYSTEM_IDENTIFIER, WRITABLE_AT};
pub(super) use crate::fact::{required, time};

use super::lsn::Lsn;
use crate::{Facts, StepError};

/// The timeline before the promotion.
pub const OLD_TIMELINE: &str = "old_timeline";
/// The timeline the promotion opened.
pub const NEW_TIMELINE: &str = "new_timeline";
/// Where the shutdown checkpoint of a clean stop begins. Reaching beyond it on the target proves zero loss.
pub const SHUTDOWN_LSN: &str = "shutdown_lsn";
/// What the target had on disk when the old primary was stopped or fenced.
pub const TARGET_RECEIVE_LSN: &str = "target_receive_lsn";
/// What the target had applied then.
pub const TARGET_REPLAY_LSN: &str = "target_replay_lsn";
/// Commit time of the last transaction the target had applied then, by the old primary's clock.
pub const TARGET_LAST_COMMIT_AT: &str = "target_last_commit_at";
/// The newest position of the old primary that anybody saw, and when (failover).
pub const LAST_PRIMARY_LSN: &str = "last_primary_lsn";
pub const LAST_PRIMARY_AT: &str = "last_primary_at";
/// Where the new timeline left the old one.
pub const FORK_LSN: &str = "fork_lsn";
/// The slot on the new primary for the returning node.
pub const SLOT: &str = "slot";
/// The slot on the old primary that the target streamed through; it would hold log for ever.
pub const STALE_SLOT: &str = "stale_slot";
/// The end of the log of a node that is brought back after a failover, before anything of it is discarded.
pub const ORIGINAL_END_LSN: &str = "original_end_lsn";

pub(crate) fn lsn(facts: &Facts, name: &str) -> Result<Lsn, StepError> {
    required(facts, name)?.parse().map_err(|error| StepError::refused(format!("fact '{name}': {error}")))
}

pub(crate) fn timeline(facts: &Facts, name: &str) -> Result<u32, StepError> {
    let text = required(facts, name)?;
    text.parse().map_err(|_| StepError::refused(format!("fact '{name}': '{text}' is not a timeline")))
}
