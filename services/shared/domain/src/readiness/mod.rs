//! Could this system be recovered right now? From what was seen to a status with reasons.
//!
//! ```text
//! Observation ──interpret──> Replication ──assess──> Assessment ──decide──> ReadinessEvent
//!              (postgresql)   (neutral facts)  (rules)        (state: hysteresis, alerts)
//! ```
//! [`Watch`] is the working memory of one resource between observations. It is rebuilt from recent
//! observations after a restart; what has been decided lives in [`Readiness`], folded from the log.
//!
//! Architecture Invariant: green needs a fresh look at both sides, a live link and a known RPO
//! indicator. Blindness never improves a status and never resolves an alert. The rules, with their
//! codes and default numbers, are in docs/readiness-rules.md; a test keeps the two together.

pub mod code;
pub mod knowledge;
mod look;
mod loss;
pub mod mariadb;
pub mod patroni;
pub mod postgresql;
pub mod redis;
pub mod replication;
pub mod rules;
pub mod state;
pub mod thresholds;
pub mod watch;

pub use code::Code;
pub use replication::{Replication, lsn_text, parse_lsn};
pub use state::{Inputs, Readiness, decide};
pub use thresholds::Limits;
pub use watch::Watch;

#[cfg(test)]
mod tests;

use crate::pb::readiness::v1::Status;

/// Orders statuses from best to worst: green, yellow, unknown, red. What cannot be judged is worse
/// than a warning, and never hides something known to be broken.
pub fn severity(status: Status) -> u8 {
    match status {
        Status::Green => 0,
        Status::Yellow => 1,
        Status::Unknown | Status::Unspecified => 2,
        Status::Red => 3,
    }
}

/// The worse of two.
pub fn worse(a: Status, b: Status) -> Status {
    if severity(b) > severity(a) { b } else { a }
}
