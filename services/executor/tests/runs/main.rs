//! Runs on real servers: NATS, the read models' PostgreSQL, and a primary with its standby to be moved.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test panics to fail")]

mod failover;
mod guards;
mod killed;
mod movers;
mod outage;
mod pair;
mod people;
mod stopping;
mod switchover;
mod trace;
mod traffic;
mod world;
