//! Names of the facts that only MariaDB's steps hand on. They are stored in the log: a name never changes its meaning.

use muster_domain::readiness::mariadb::Position;

pub use crate::fact::{ORIGINAL_DIVERGED, PROMOTED_AT, PROTECTED_AT, STOPPED_AT, SYSTEM_IDENTIFIER, WRITABLE_AT};
pub(super) use crate::fact::{required, time};
use crate::{Facts, StepError};

/// Where the old primary ended, read twice while it refused writes. A target that covers it misses nothing.
pub const FINAL_POSITION: &str = "final_position";
/// What the target had received of the old primary when that was left.
pub const TARGET_RECEIVED_POSITION: &str = "target_received_position";
/// What the target had applied right before its promotion; what it had only received then is gone.
pub const TARGET_APPLIED_POSITION: &str = "target_applied_position";
/// Where the new primary was when it had committed its first own transaction.
pub const NEW_POSITION: &str = "new_position";
/// Where a node ended that is brought back after a failover…
pub const ORIGINAL_POSITION: &str = "original_position";
/// …and what it has that the present primary has not, in words, before anything of it is discarded.
pub const ORIGINAL_ALONE: &str = "original_alone";
/// The newest position of the lost primary that anybody saw, as a count of transactions, and when.
pub const LAST_PRIMARY_TRANSACTIONS: &str = "last_primary_transactions";
pub const LAST_PRIMARY_AT: &str = "last_primary_at";

pub(super) fn position(facts: &Facts, name: &str) -> Result<Position, StepError> {
    required(facts, name)?.parse().map_err(|error| StepError::refused(format!("fact '{name}': {error}")))
}
