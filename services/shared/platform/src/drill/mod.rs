//! An isolated drill: a copy of the system is made, started apart from production, questioned, measured and torn down, and
//! the tear-down is checked.
//!
//! # What keeps it apart
//! - Its own directory, named after the request, below `drill_directory` and never in or around a data directory ([`place`]).
//! - A configuration of its own ([`settings`]): a Unix socket in that directory and no TCP, no archive, no source to stream
//!   from, no slots, no subscriptions, no preloaded libraries (a scheduler would run its jobs), no autovacuum. The passwords
//!   that a base backup brings along are deleted before the first start.
//! - The source is a standby, or a repository that is only read. A primary is never asked for a copy.
//!
//! # For the caller
//! Steps in this order, each looked at with [`probe`], claimed, and done with [`run`]; all may be done again:
//!
//! | step | does | done when |
//! |---|---|---|
//! | [`COPY`] | [`prepare`]: room is checked, leftovers of this request removed, the copy made | its state file says so |
//! | [`START`] | [`start`]: started apart, recovered to its end, promoted in isolation | it answers and is no standby |
//! | [`INSPECT`] | [`inspect`]: newest data, size, integrity questions | always done again |
//! | [`REMOVE`] | [`remove`]: processes, files, the sessions on the standby | none of it is found |
//!
//! - [`plan`] gives them as steps, [`prechecks`] comes before all.
//! - [`REMOVE`] runs **whatever became of the others**; then [`verify_removed`], whose checks go into `DrillCopy.teardown`.
//! - [`inspect`] gives answers and [`Inspected::outputs`]; [`copy_of`] makes the `DrillCopy` of a run's merged outputs.
//! - A killed executor leaves at most a directory and processes that work in it or name it. A successor finds both by the
//!   request's id: [`COPY`] clears them and begins again, [`REMOVE`] removes them.

mod base_backup;
mod inspect;
mod place;
mod prechecks;
mod prepare;
mod processes;
mod remove;
mod restic;
mod restore;
mod server;
mod settings;
mod steps;
mod verify;

use std::{path::PathBuf, time::Duration};

use jiff::SignedDuration;
use muster_domain::pb::inventory::v1::{IntegrityCheck, PostgresqlTarget};

use crate::{AgentError, Login, Now, StepError, backup::Repository};

pub use inspect::{Inspected, copy_of, inspect};
pub use prechecks::prechecks;
pub use prepare::prepare;
pub use remove::remove;
pub use server::start;
pub use steps::{COPY, INSPECT, REMOVE, START, plan, probe, run};
pub use verify::verify_removed;

/// Everything one drill of one resource needs. Built anew by each process that works on the request.
#[derive(Clone)]
pub struct DrillJob {
    /// The request's id.
    pub request: String,
    pub resource: String,
    pub spec: PostgresqlTarget,
    pub source: CopySource,
    pub host: DrillHost,
    /// Asks the standby what it is, and the copy the integrity questions.
    pub execute: Login,
    /// Makes the base backup. Not needed for a backup's repository.
    pub replication: Option<Login>,
    pub integrity: Vec<IntegrityCheck>,
    pub limits: DrillLimits,
    pub now: Now,
}

#[derive(Debug, Clone)]
pub enum CopySource {
    /// A base backup of whichever node is the standby now.
    Standby,
    /// The newest backup. `None`: of any age.
    Backup { repository: Repository, max_age: Option<SignedDuration> },
}

/// The machine the copy is made on, from the executor's own configuration.
#[derive(Debug, Clone)]
pub struct DrillHost {
    /// Where copies may be. Its owner is who everything runs as.
    pub drill_directory: PathBuf,
    /// Where `pg_ctl`, `pg_basebackup` and `postgres` are.
    pub bin_directory: PathBuf,
    /// The authority that signed the servers' certificates. Default: those that this machine trusts.
    pub root_certificate: Option<PathBuf>,
    /// The data directories of every configured agent: no copy comes near them.
    pub data_directories: Vec<PathBuf>,
}

#[derive(Debug, Clone)]
pub struct DrillLimits {
    pub copy: Duration,
    /// From the start until it answers: the log has to be replayed.
    pub start: Duration,
    pub remove: Duration,
}

impl Default for DrillLimits {
    fn default() -> Self {
        Self { copy: Duration::from_secs(4 * 3600), start: Duration::from_secs(3600), remove: Duration::from_secs(600) }
    }
}

/// Why a drill cannot go on. Messages carry no secrets.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DrillError {
    #[error(transparent)]
    Host(#[from] AgentError),
    #[error("the drill's place is not safe: {0}")]
    Place(String),
    #[error("no standby to copy from: {0}")]
    NoStandby(String),
    #[error(transparent)]
    Backup(#[from] crate::backup::BackupError),
    #[error("{free} bytes are free in {directory}, and the copy needs {needed}")]
    NoRoom { directory: String, free: u64, needed: u64 },
    #[error("{0}")]
    Refused(String),
    #[error("{0}")]
    Copy(String),
}

impl From<DrillError> for StepError {
    fn from(error: DrillError) -> Self {
        match error {
            DrillError::Host(_) | DrillError::Copy(_) => Self::failed(error.to_string()),
            _ => Self::refused(error.to_string()),
        }
    }
}
