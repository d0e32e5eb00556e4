//! Verification by somebody who trusts nothing but a key: of a log folder or an evidence package ([`package`]), or piece by
//! piece, for whoever fetches the pieces himself ([`LeafWalk`], [`Trust`], [`StoredEvent`]).
//!
//! Every fault is a [`Finding`] that names the event, the file and the two values that should be equal.

mod event;
mod files;
mod finding;
mod leaves;
pub mod package;
mod trust;

pub use event::{StoredEvent, difference, name_of};
pub use files::{Files, MemoryFiles};
pub use finding::{Finding, Findings, MAX_FINDINGS, Severity};
pub use leaves::{KnownCheckpoint, LeafWalk, Tolerance, Walked};
pub use package::{Asked, EachLeaf, Progress, Report, Stage};
pub use trust::Trust;
