//! Names of the facts that steps hand to later steps, to a successor process and to the loss statement.
//! They are stored in the log: a name never changes its meaning.

use jiff::Timestamp;

use super::lsn::Lsn;
use crate::{Facts, StepError};

/// The cluster all of this is about.
pub const SYSTEM_IDENTIFIER: &str = "system_identifier";
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
/// When the stop or fence of the old primary began: the write outage counts from here…
pub const STOPPED_AT: &str = "stopped_at";
/// …when the promotion was complete…
pub const PROMOTED_AT: &str = "promoted_at";
/// …and when the new primary accepted a write: the write outage ends here.
pub const WRITABLE_AT: &str = "writable_at";
/// The slot on the new primary for the returning node.
pub const SLOT: &str = "slot";
/// The slot on the old primary that the target streamed through; it would hold log for ever.
pub const STALE_SLOT: &str = "stale_slot";
/// When the returned node had caught up.
pub const PROTECTED_AT: &str = "protected_at";

/// A step cannot work without what an earlier one found out.
pub(super) fn required<'a>(facts: &'a Facts, name: &str) -> Result<&'a str, StepError> {
    facts.get(name).map(String::as_str).filter(|value| !value.is_empty()).ok_or_else(|| {
        StepError::refused(format!(
            "the fact '{name}' of an earlier step is missing, so this step is not run on a guess"
        ))
    })
}

pub(super) fn lsn(facts: &Facts, name: &str) -> Result<Lsn, StepError> {
    required(facts, name)?.parse().map_err(|error| StepError::refused(format!("fact '{name}': {error}")))
}

pub(super) fn timeline(facts: &Facts, name: &str) -> Result<u32, StepError> {
    let text = required(facts, name)?;
    text.parse().map_err(|_| StepError::refused(format!("fact '{name}': '{text}' is not a timeline")))
}

pub(super) fn outputs<const N: usize>(pairs: [(&str, String); N]) -> Facts {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// RFC 3339.
pub(super) fn time(at: Timestamp) -> String {
    at.to_string()
}
