//! What must be done on the server's own host: stop, start, read its control file, fence it.
//!
//! Agents are configured by the operator of the installation. A tenant's manifest can name one, and
//! can neither define one nor change what it does.

pub(crate) mod command;
mod control_data;
pub(crate) mod files;
mod local;
mod local_service;
mod process;
mod rebuild;
mod service;
mod service_kind;
mod service_settings;

use std::{path::PathBuf, time::Duration};

use async_trait::async_trait;
use jiff::Timestamp;

pub use control_data::{ClusterState, ControlData};
pub use local::{LocalAgent, LocalAgentConfig};
pub use local_service::{LocalService, LocalServiceConfig};
pub use service::ServiceAgent;
pub use service_kind::Service;

use crate::Login;

/// Why the host could not do it. Messages carry no secrets.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AgentError {
    #[error("{program} could not be run: {why}")]
    CannotRun { program: String, why: String },
    #[error("{program} ended with {status}: {output}")]
    Failed { program: String, status: String, output: String },
    #[error("{program} did not finish within {limit:?}; it may still take effect")]
    TimedOut { program: String, limit: Duration },
    #[error("{path}: {why}")]
    File { path: PathBuf, why: String },
    #[error("{what} gave an answer that cannot be read: {why}")]
    Unreadable { what: String, why: String },
    #[error("the host agent is not configured correctly: {0}")]
    Configuration(String),
    #[error(
        "a rewind of {directory} was begun and not finished: the directory is half of each history and must not be started. \
         Rebuild it as a standby with a base backup, then remove {marker}"
    )]
    HalfRewound { directory: PathBuf, marker: PathBuf },
    #[error("processes of the server are still running ({pids:?}) after they were killed")]
    StillRunning { pids: Vec<i32> },
}

/// Whether a server runs on the data directory, judged by its processes and not by its pid file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerProcess {
    Stopped,
    Running(RunningServer),
}

impl ServerProcess {
    pub fn is_running(&self) -> bool {
        matches!(self, Self::Running(_))
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningServer {
    pub pids: Vec<i32>,
    /// Where it listens; absent when it does not yet, or when only orphans of a killed postmaster are left.
    pub port: Option<u16>,
    pub started_at: Option<Timestamp>,
}

/// Where a standby streams from.
#[derive(Debug, Clone)]
pub struct StandbySource {
    pub host: String,
    pub port: u16,
    pub login: Login,
    /// False only on loopback.
    pub tls: bool,
    /// The slot on the source.
    pub slot: String,
    /// How the standby names itself to the source.
    pub application_name: String,
}

/// What a server's data is built anew from.
#[derive(Debug, Clone)]
pub struct CopySource {
    pub host: String,
    pub port: u16,
    /// May read everything there.
    pub login: Login,
    /// False only on loopback.
    pub tls: bool,
    /// Everything it is known to have, as MariaDB's `gtid_binlog_state`. Read before the copy is begun, so that the copy has
    /// all of it.
    pub history: String,
}

/// One line of a timeline's history: where it left its parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ForkPoint {
    pub parent_timeline: u32,
    pub lsn: crate::postgresql::Lsn,
}

/// The hands on one PostgreSQL host.
#[async_trait]
pub trait HostAgent: Send + Sync {
    /// For people: "local, data directory /srv/pg/a".
    fn describe(&self) -> String;

    /// What makes two agents the same server: an agent given twice must never be taken for two hosts.
    fn identity(&self) -> String;

    async fn process(&self) -> Result<ServerProcess, AgentError>;

    async fn control_data(&self) -> Result<ControlData, AgentError>;

    /// Makes every later start of this data directory a standby, durably. A running server is not
    /// disturbed. Doing it again changes nothing.
    async fn fence(&self) -> Result<(), AgentError>;

    async fn is_fenced(&self) -> Result<bool, AgentError>;

    /// Takes the fence away: the next start is a primary's. The caller has proof that no other is one.
    async fn unfence(&self) -> Result<(), AgentError>;

    /// A clean stop (fast mode): open sessions end, a shutdown checkpoint is written and shipped.
    async fn stop(&self, limit: Duration) -> Result<(), AgentError>;

    /// Ends every process of the server at once. `Ok` is proof that none is left.
    async fn kill(&self) -> Result<(), AgentError>;

    /// Starts the server and waits until it answers.
    async fn start(&self, limit: Duration) -> Result<(), AgentError>;

    /// Points the stopped server at its source, as a fenced standby. Replaces what was set before.
    async fn configure_standby(&self, source: &StandbySource) -> Result<(), AgentError>;

    /// Whether this host can stream from the source: logs in over the replication protocol and reads
    /// its system identifier. Changes nothing.
    async fn try_source(&self, source: &StandbySource) -> Result<String, AgentError>;

    /// Rewinds the stopped server to the source's history. Keeps the node's own configuration.
    /// Not resumable: a run that fails midway leaves a directory that must be rebuilt, see [`Self::half_rewound`].
    async fn rewind(&self, source: &StandbySource, rewind: &Login, limit: Duration) -> Result<String, AgentError>;

    /// An error when a rewind was begun on the directory and not finished. No start comes through either.
    async fn half_rewound(&self) -> Result<(), AgentError>;

    /// Where this timeline left its parent. `None`: no history file (timeline 1, or long archived).
    async fn fork_point(&self, timeline: u32) -> Result<Option<ForkPoint>, AgentError>;

    /// A node's own setting as the stopped server would read it. `None`: not set in its files.
    async fn local_setting(&self, name: &str) -> Result<Option<String>, AgentError>;

    /// Bytes an unprivileged process can still write beside the data.
    async fn free_disk(&self) -> Result<u64, AgentError>;
}
