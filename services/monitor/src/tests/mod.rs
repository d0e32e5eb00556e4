//! The whole service on a real log and real tables, fed with observations as the connector makes them.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test panics to fail and has its own clock and ids"
)]

mod restart;
mod silence;
mod story;
mod throughput;
mod world;
