//! What the facts of a finished move say about missing data. Each platform reads its own; the words and the arithmetic are
//! the same for all of them.

use jiff::Timestamp;
use muster_domain::pb::common::v1::LossStatement;

use crate::{Facts, registry::PLATFORMS};

/// Absent means: the facts do not say.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Evidence {
    /// The proof that nothing is missing.
    pub complete: Option<LossStatement>,
    /// How far the target had come, as a number that can be compared with the positions that were observed.
    pub received: Option<u64>,
    /// Whether that number counts bytes.
    pub in_bytes: bool,
    /// The history that positions count in; observations of another one say nothing. `None`: it is told by the timeline.
    pub history: Option<String>,
    /// 0 where a platform has none.
    pub timeline: Option<u32>,
    /// Commit time of the last thing the target had, by the lost primary's own clock.
    pub last_commit_at: Option<Timestamp>,
    /// What a bound does not cover.
    pub limits: Vec<&'static str>,
}

pub(crate) const ONE_CLUSTER: &str =
    "Covers commits on this database cluster only, not writes an application held back or sent elsewhere.";

/// By whichever platform the facts are of. `None`: no move came far enough to say anything.
pub fn evidence(facts: &Facts) -> Option<Evidence> {
    PLATFORMS.iter().find_map(|platform| (platform.evidence)(facts))
}
