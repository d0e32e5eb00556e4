//! The runtime over real sockets, and with a real nats-server and PostgreSQL.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test panics to fail")]

mod common;
mod local_issuer;
mod one_port;
mod telemetry;
mod whole;
