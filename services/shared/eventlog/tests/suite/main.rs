//! The log and its followers on real servers. One program, so that it is linked once.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test panics to fail")]

mod background;
mod contract;
mod permissions;
mod projections;
mod reactors;
mod sealed;
mod stream_state;
mod support;
mod tenants;
mod timers;
mod trace;
