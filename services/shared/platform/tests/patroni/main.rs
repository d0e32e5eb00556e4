//! Patroni on a real cluster: watched, moved, broken.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test panics to fail")]

mod cluster;
mod failover;
mod interrupted;
mod observe;
mod refusals;
mod switchover;
