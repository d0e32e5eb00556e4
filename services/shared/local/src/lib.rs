//! Real nats-server, PostgreSQL, MariaDB, Redis and Patroni processes on this machine, for `muster up` and for tests.
//!
//! Linux only: processes are looked at through `/proc`. Every server listens on 127.0.0.1 alone.
//!
//! Architecture Invariant: nothing here knows what Muster stores in these servers.

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod account;
mod daemon;
mod debian;
mod error;
pub mod etcd;
mod eventually;
mod guardian;
pub mod mariadb;
pub mod nats;
pub mod patroni;
mod port;
pub mod postgres;
mod process;
pub mod redis;
mod temporary;
pub mod tools;

pub use error::LocalError;
pub use eventually::eventually;
pub use port::free_port;

pub type Result<T, E = LocalError> = std::result::Result<T, E>;
