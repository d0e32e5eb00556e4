//! What every Muster process stands on.

pub mod access;
pub mod auth;
pub mod clock;
pub mod config;
pub mod context;
pub mod health;
pub mod idempotency;
pub mod identity;
pub mod issuer;
mod lag;
pub mod page;
pub mod secrets;
pub mod serve;
pub mod status;
pub mod tasks;
pub mod telemetry;

#[cfg(test)]
mod testing;

pub use access::{Access, Call, TenantScoped};
pub use auth::{Authenticator, Caller};
pub use clock::{Clock, ManualTime};
pub use config::Config;
pub use context::{Context, StartError, service_actor};
pub use health::Health;
pub use secrets::{Owner, SecretResolver};
pub use serve::{Service, serve};
pub use status::{IntoStatus, refused, unavailable};
pub use telemetry::Telemetry;
