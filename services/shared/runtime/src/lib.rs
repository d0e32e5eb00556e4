//! What every Muster process stands on.

pub mod clock;
pub mod config;
pub mod idempotency;
pub mod page;
pub mod secrets;
pub mod status;

pub use clock::{Clock, ManualTime};
pub use config::Config;
pub use secrets::{Owner, SecretResolver};
pub use status::{refused, unavailable};
