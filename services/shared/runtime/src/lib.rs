//! What every Muster process stands on.

pub mod auth;
pub mod clock;
pub mod config;
pub mod health;
pub mod idempotency;
pub mod page;
pub mod secrets;
pub mod serve;
pub mod status;
pub mod tasks;
pub mod telemetry;

pub use clock::{Clock, ManualTime};
pub use config::Config;
pub use health::Health;
pub use secrets::{Owner, SecretResolver};
pub use serve::Service;
pub use status::{refused, unavailable};
