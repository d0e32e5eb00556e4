//! PostgreSQL on real servers: watched, moved, broken.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test panics to fail")]

mod agent;
#[expect(dead_code, reason = "the suite of all platforms uses the rest of it")]
#[path = "../compliance/drive.rs"]
mod drive;
mod failover;
mod observe;
mod pair;
mod refusals;
mod rollback;
mod switchover;
mod way_home;
