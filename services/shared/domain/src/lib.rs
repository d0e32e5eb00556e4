//! The rules of Muster, pure: typed ids, aggregates (`decide`, `evolve`), readiness rules, approval
//! policies, data-loss statements.
//!
//! Architecture Invariant: no IO, no clock, no randomness, no async runtime. `now` and ids come in as
//! arguments. The crate cannot name tokio, sqlx, tonic or async-nats; `testing/checks` checks it.

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

pub mod access;
pub mod aggregate;
pub mod audit;
pub mod delivery;
pub mod denial;
pub mod execution;
pub mod gap;
pub mod gate;
pub mod ids;
pub mod inventory;
pub mod plan;
pub mod preflight;
pub mod readiness;
pub mod refusal;
pub mod request;
pub mod schedule;
pub mod statement;
mod text;
pub mod time;
mod window;

pub use aggregate::{Aggregate, EventKind};
pub use ids::{AggregateId, InvalidId, TenantId};
pub use refusal::Refusal;

/// The generated protobuf types, under the name every crate uses.
pub use muster_proto as pb;
