//! Steps against real servers, and against servers that lie.
#![expect(clippy::unwrap_used, reason = "a test panics to fail")]

mod command;
mod condition;
mod dns;
mod http;
mod name_server;
mod stage;
