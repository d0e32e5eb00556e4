//! Runs on real servers: NATS, the read models' PostgreSQL, and a primary with its standby to be moved.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test panics to fail")]

mod cool_down;
mod failback;
mod failover;
mod group;
mod group_failback;
mod guards;
mod isolated;
mod killed;
mod movers;
mod neighbours;
mod outage;
mod pair;
mod people;
mod plans;
mod stopping;
mod switchover;
mod trace;
mod traffic;
mod world;
