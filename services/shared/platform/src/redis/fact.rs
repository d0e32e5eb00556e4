//! Names of Redis's own facts, beside those that all platforms share. They are stored in the log: a name never changes
//! its meaning.

use crate::{Facts, StepError};

pub use crate::fact::{ORIGINAL_DIVERGED, PROMOTED_AT, PROTECTED_AT, STOPPED_AT, WRITABLE_AT};
pub(super) use crate::fact::{required, time};

/// The replication id under which the old primary's positions count.
pub const OLD_REPLID: &str = "old_replid";
/// The one the target opened when it took over.
pub const NEW_REPLID: &str = "new_replid";
/// The last position of the old primary, by its own account after it became a replica (switchover).
pub const FINAL_OFFSET: &str = "final_offset";
/// The position at which the target took over, by its own account.
pub const TAKEOVER_OFFSET: &str = "takeover_offset";
/// What the target had received when the old primary was fenced (failover).
pub const TARGET_OFFSET: &str = "target_offset";
/// The newest position of the old primary that anybody saw, and when (failover).
pub const LAST_PRIMARY_OFFSET: &str = "last_primary_offset";
pub const LAST_PRIMARY_AT: &str = "last_primary_at";
/// What a node holds that is brought back after a failover, before it is replaced: its position, and its keys.
pub const ORIGINAL_OFFSET: &str = "original_offset";
pub const ORIGINAL_KEYS: &str = "original_keys";

pub(super) fn offset(facts: &Facts, name: &str) -> Result<u64, StepError> {
    let text = required(facts, name)?;
    text.parse().map_err(|_| StepError::refused(format!("fact '{name}': '{text}' is not a position")))
}
