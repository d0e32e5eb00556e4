//! What a protected platform is: how it is watched, and how it is moved to its other side.
//!
//! Architecture Invariant: watching and moving are two traits with two sets of credentials. An
//! [`Observer`] has no operation that changes a protected system, and is never given an account that could.
//!
//! One folder per platform, one line in [`registry`].

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

pub mod agent;
pub mod backup;
mod checks;
pub mod drill;
mod evidence;
pub mod fact;
pub mod integrity;
pub mod mariadb;
pub mod mover;
pub mod observer;
mod parts;
pub mod patroni;
pub mod postgresql;
pub mod redact;
pub mod redis;
pub mod registry;
mod step;
mod tls;
mod way_home;

pub use agent::{
    AgentError, ControlData, CopySource, HostAgent, LocalAgent, LocalAgentConfig, LocalService, LocalServiceConfig,
    Service, ServiceAgent,
};
pub use evidence::{Evidence, evidence};
pub use mover::{
    Facts, LastKnownPrimary, Limits, MoveJob, MoveKind, Mover, Probe, StepDone, StepError, StepErrorKind, Timeouts,
};
pub use observer::{ObserveTarget, Observer};

use std::sync::Arc;

use jiff::Timestamp;
use secrecy::SecretString;

/// The clock, handed in by whoever runs the platform code.
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// An account with its password resolved at the moment of use. Never stored, never logged.
#[derive(Clone)]
pub struct Login {
    pub user: String,
    pub password: SecretString,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login").field("user", &self.user).finish_non_exhaustive()
    }
}
