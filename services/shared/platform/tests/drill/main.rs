//! Isolated drills on real servers: made, questioned, killed at every step, and gone afterwards.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test panics to fail")]

mod backups;
#[expect(dead_code, reason = "the suite of all platforms uses the rest of it")]
#[path = "../compliance/drive.rs"]
mod drive;
mod integrity;
mod integrity_elsewhere;
mod killed;
#[path = "../postgresql/pair.rs"]
#[expect(dead_code, reason = "shared with the tests of moves")]
mod pair;
mod refusals;
mod restic;
mod stage;
mod standby;
