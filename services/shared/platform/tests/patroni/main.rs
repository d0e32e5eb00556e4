//! Patroni on a real cluster: watched, moved, broken.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test panics to fail")]

mod cluster;
#[path = "../compliance/drive.rs"]
mod drive;
mod failover;
mod interrupted;
mod observe;
mod refusals;
mod switchover;
