//! The service behind its gRPC API, with a real log, a real database and real tokens.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test panics to fail")]

mod deciding;
mod expiry;
mod issuer;
mod listing;
mod opening;
mod starting;
mod world;
