//! The service behind its gRPC API, with a real log, a real database and real tokens.
//!
//! More than one thread: the servers are stopped while connections to them are still being opened, and a connection
//! that nobody goes on with would hold PostgreSQL's end for a minute.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test panics to fail")]

mod binding;
mod deciding;
mod delegating;
mod emergency;
mod escalating;
mod expiry;
mod groups;
mod intents;
mod issuer;
mod listing;
mod opening;
mod refusals;
mod scheduled;
mod seen_now;
mod starting;
mod step_up;
mod world;
