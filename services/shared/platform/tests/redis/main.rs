//! What is Redis's own, on real servers. What every platform must hold is in `tests/compliance`.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test panics to fail")]

mod agent;
#[expect(dead_code, reason = "the suite of all platforms uses the rest of it")]
#[path = "../compliance/drive.rs"]
mod drive;
mod failover;
#[expect(dead_code, reason = "the suite of all platforms uses the rest of it")]
#[path = "../compliance/fixture.rs"]
mod fixture;
mod hand_over;
mod observe;
#[path = "../compliance/redis.rs"]
mod pair;
