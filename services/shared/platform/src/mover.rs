//! The write side: moves a protected system to its other side, step by step. Used by the executor alone.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use jiff::Timestamp;
use muster_domain::pb::{
    common::v1::Marker,
    execution::v1::{Check, Step},
    inventory::v1::resource_spec::Platform as PlatformSpec,
};

use crate::{HostAgent, Login, Now, ServiceAgent, postgresql::KeptSessions};

/// Merged outputs of the steps that succeeded so far. All a successor process has to go on.
/// The names are constants in the platform's `fact` module.
pub type Facts = BTreeMap<String, String>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MoveKind {
    /// Planned: the old primary is stopped cleanly and comes back as the standby.
    Switchover,
    /// The primary is lost.
    Failover,
}

impl MoveKind {
    /// From a request's type. `None`: not a move.
    pub fn parse(request_type: &str) -> Option<Self> {
        match request_type {
            "switchover" | "failback" | "rotation" | "live-drill" | "rollback" => Some(Self::Switchover),
            "failover" => Some(Self::Failover),
            _ => None,
        }
    }
}

/// Everything one move needs. Built anew by each process that works on the request.
#[derive(Clone)]
pub struct MoveJob {
    pub tenant: String,
    pub resource: String,
    pub kind: MoveKind,
    /// The primary as the request names it.
    pub from_node: String,
    /// The standby that is to become the primary.
    pub target_node: String,
    pub spec: PlatformSpec,
    /// The execution account. The executor alone can resolve it.
    pub execute: Login,
    /// The account a returning node streams with. Needed by a switchover.
    pub replication: Option<Login>,
    /// By node name. What can stop and start a server comes from the installation's own
    /// configuration: a tenant's manifest only names an agent.
    pub agents: BTreeMap<String, Arc<dyn HostAgent>>,
    /// The same for platforms whose servers are plain services.
    pub services: BTreeMap<String, Arc<dyn ServiceAgent>>,
    pub timeouts: Timeouts,
    pub limits: Limits,
    /// The newest primary position the monitor recorded; what a failover's loss is measured against.
    pub last_known_primary: Option<LastKnownPrimary>,
    pub now: Now,
    /// Empty in a new job. Nothing is known by them: they only spare logins.
    pub sessions: KeptSessions,
}

/// How long each thing may take before it counts as failed or unknown.
#[derive(Debug, Clone)]
pub struct Timeouts {
    pub connect: Duration,
    /// One ordinary statement.
    pub statement: Duration,
    /// An immediate checkpoint of a busy server writes all its dirty buffers.
    pub checkpoint: Duration,
    /// A clean stop waits for the standby to receive the shutdown checkpoint.
    pub stop: Duration,
    pub start: Duration,
    /// Until the target has replayed what it must.
    pub replay: Duration,
    pub promote: Duration,
    /// Until the returned node streams and has caught up.
    pub protected: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(3),
            statement: Duration::from_secs(5),
            checkpoint: Duration::from_secs(120),
            stop: Duration::from_secs(120),
            start: Duration::from_secs(120),
            replay: Duration::from_secs(120),
            promote: Duration::from_secs(60),
            protected: Duration::from_secs(300),
        }
    }
}

#[derive(Debug, Clone)]
pub struct Limits {
    /// More than this received and not applied makes a switchover's outage too long to begin it.
    pub unapplied_bytes: u64,
    /// Room the target needs for the log it keeps until the old primary is back.
    pub free_disk_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { unapplied_bytes: 64 << 20, free_disk_bytes: 256 << 20 }
    }
}

/// A primary's position as the monitor saw it last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastKnownPrimary {
    pub timeline: Option<u32>,
    /// The number behind "X/Y".
    pub lsn: u64,
    /// When it was read.
    pub at: Timestamp,
}

/// What a look at the real state says about one step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probe {
    /// The effect is there. `outputs` are those the step would have given.
    Done { note: String, outputs: Facts },
    /// The effect is not there, and the step may be run.
    NotDone,
    /// It cannot be told. The step is not run on a guess.
    Unknown(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepDone {
    /// What was seen, for people.
    pub note: String,
    pub outputs: Facts,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepErrorKind {
    /// A condition was not met; nothing was changed.
    Refused,
    /// It was tried, and the state is known.
    Failed,
    /// It was tried, and it may still take effect.
    OutcomeUnknown,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepError {
    pub kind: StepErrorKind,
    /// What happened and why, without secrets.
    pub text: String,
}

impl StepError {
    pub fn refused(text: impl Into<String>) -> Self {
        Self { kind: StepErrorKind::Refused, text: text.into() }
    }

    pub fn failed(text: impl Into<String>) -> Self {
        Self { kind: StepErrorKind::Failed, text: text.into() }
    }

    pub fn unknown(text: impl Into<String>) -> Self {
        Self { kind: StepErrorKind::OutcomeUnknown, text: text.into() }
    }
}

impl fmt::Display for StepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for StepError {}

/// Moves one kind of platform.
///
/// Idempotency is by state, not by return code: the caller asks [`Mover::probe`] before every step, and
/// a successor after a crash asks it about the step that was claimed and not finished.
#[async_trait]
pub trait Mover: Send + Sync {
    /// The whole plan, fixed before the first effect.
    fn plan(&self, job: &MoveJob) -> Vec<Step>;

    /// Whether the target follows the primary, so that it can be moved to. Asked before a failback alone. A platform that
    /// brings its nodes back by itself says yes.
    async fn follows(&self, _job: &MoveJob) -> bool {
        true
    }

    /// What makes a `target_node` that does not follow (the old primary after a failover) a standby of `from_node` again.
    /// None: the platform cannot. The present primary is never stopped by it.
    fn way_home(&self, _job: &MoveJob) -> Vec<Step> {
        Vec::new()
    }

    /// Whether the way home is safe and possible. Made instead of [`Mover::prechecks`], which come after it.
    async fn way_home_checks(&self, _job: &MoveJob) -> Vec<Check> {
        Vec::new()
    }

    /// Never fails: what cannot be found out is a check with that outcome.
    async fn prechecks(&self, job: &MoveJob) -> Vec<Check>;

    /// Positions of all nodes, and for those that gave none the reason.
    async fn markers(&self, job: &MoveJob) -> (Vec<Marker>, Vec<String>);

    /// Looks whether the step's effect is there. Changes nothing.
    async fn probe(&self, job: &MoveJob, step_id: &str, facts: &Facts) -> Probe;

    async fn run(&self, job: &MoveJob, step_id: &str, facts: &Facts) -> Result<StepDone, StepError>;

    async fn postchecks(&self, job: &MoveJob, facts: &Facts) -> Vec<Check>;

    /// Takes a failed move back where that is provably safe, and refuses everywhere else. The text is
    /// what was done. Never leads to two nodes that accept writes. Only the holder of the claim calls it.
    async fn rollback(&self, job: &MoveJob, facts: &Facts) -> Result<String, StepError>;

    /// A true account, in words, of both nodes as they are now.
    async fn known_state(&self, job: &MoveJob, facts: &Facts) -> String;
}
