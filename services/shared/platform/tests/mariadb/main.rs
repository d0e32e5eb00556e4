//! MariaDB on real servers: watched, moved, broken.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test panics to fail")]

mod failover;
mod interrupted;
mod observe;
mod pair;
mod refusals;
mod rollback;
mod switchover;
mod way_home;
