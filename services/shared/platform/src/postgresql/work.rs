//! One job with its two nodes found, and the ways to reach them.

use std::time::{Duration, Instant};

use muster_domain::pb::{
    inventory::v1::{PostgresqlNode, PostgresqlTarget, resource_spec::Platform as PlatformSpec},
    observation::v1::PostgresqlFacts,
};

use super::{
    errors::SqlError,
    facts,
    lsn::Lsn,
    session::{Address, Session},
};
use crate::{
    HostAgent, MoveJob, StepError,
    agent::{AgentError, ClusterState, ServerProcess, StandbySource},
};

/// PostgreSQL's own limit for names of slots.
const MAX_SLOT_NAME: usize = 63;

pub(super) use crate::step::POLL;

/// How long a server that is starting or stopping may take to say what it is.
const SETTLE: Duration = Duration::from_secs(10);

pub(super) struct Work<'a> {
    pub job: &'a MoveJob,
    pub spec: &'a PostgresqlTarget,
    /// The primary as the request names it.
    pub from: &'a PostgresqlNode,
    pub target: &'a PostgresqlNode,
}

impl<'a> Work<'a> {
    pub(super) fn of(job: &'a MoveJob) -> Result<Self, StepError> {
        let PlatformSpec::Postgresql(spec) = &job.spec else {
            return Err(StepError::refused(format!("{} is no PostgreSQL resource; nothing was done", job.resource)));
        };
        let find = |name: &str| {
            spec.nodes.iter().find(|node| node.name == name).ok_or_else(|| {
                StepError::refused(format!("resource {} has no node '{name}'; nothing was done", job.resource))
            })
        };
        let (from, target) = (find(&job.from_node)?, find(&job.target_node)?);
        if from.name == target.name {
            return Err(StepError::refused(format!("node '{}' is named as both sides of the move", from.name)));
        }
        Ok(Self { job, spec, from, target })
    }

    pub(super) fn address(&self, node: &PostgresqlNode) -> Result<Address, SqlError> {
        Address::of(node, &self.spec.database, self.spec.tls())
    }

    /// A session with the execution account.
    pub(super) async fn session(&self, node: &PostgresqlNode) -> Result<Session, SqlError> {
        let timeouts = &self.job.timeouts;
        Session::open(&self.address(node)?, &self.job.execute, timeouts.connect, timeouts.statement).await
    }

    /// The session that this run keeps to the node, for statements that change nothing. To be given back with
    /// [`Self::keep`]; one that failed is not.
    pub(super) async fn looking(&self, node: &PostgresqlNode) -> Result<Session, SqlError> {
        let (job, name) = (self.job, self.session_name(node));
        match job.sessions.take(&name, &job.execute, job.timeouts.connect).await {
            Some(session) => Ok(session),
            None => self.session(node).await,
        }
    }

    pub(super) fn keep(&self, node: &PostgresqlNode, session: Session) {
        self.job.sessions.keep(self.session_name(node), session);
    }

    fn session_name(&self, node: &PostgresqlNode) -> String {
        format!("{}@{}:{}/{}", self.job.execute.user, node.host, node.port, self.spec.database)
    }

    /// What a node says about itself now.
    pub(super) async fn look(&self, node: &PostgresqlNode) -> Result<PostgresqlFacts, SqlError> {
        let mut session = self.looking(node).await?;
        let facts = facts::collect(&mut session, false).await?;
        self.keep(node, session);
        Ok(facts)
    }

    pub(super) fn agent(&self, node: &PostgresqlNode) -> Result<&dyn HostAgent, StepError> {
        self.job.agents.get(&node.name).map(AsRef::as_ref).ok_or_else(|| {
            StepError::refused(format!(
                "node {} has no host agent: configure '{}' in the executor's configuration and name it in the manifest",
                node.name,
                if node.agent.is_empty() { "an agent" } else { &node.agent }
            ))
        })
    }

    /// How the old primary streams from the target once it is back.
    pub(super) fn return_path(&self) -> Result<StandbySource, StepError> {
        let login = self.job.replication.clone().ok_or_else(|| {
            StepError::refused(
                "the resource names no replication account, so a node cannot be pointed at the new primary",
            )
        })?;
        let address = self.address(self.target).map_err(|error| StepError::refused(error.message))?;
        Ok(StandbySource {
            tls: address.uses_tls(),
            host: address.host,
            port: address.port,
            login,
            slot: self.slot(),
            application_name: self.from.name.clone(),
        })
    }

    /// The slot on the target for the returning node. The same for every attempt.
    pub(super) fn slot(&self) -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
        format!("muster_{}", self.from.name).chars().map(plain).take(MAX_SLOT_NAME).collect()
    }

    /// Proof that the old primary cannot accept writes: whatever starts on its data directory is a
    /// standby, and nothing that runs there now is anything else.
    pub(super) async fn prove_fence(&self) -> Result<(), StepError> {
        let deadline = Instant::now() + SETTLE;
        loop {
            match self.fence().await? {
                Fence::Proven => return Ok(()),
                Fence::Settling(_) if Instant::now() < deadline => tokio::time::sleep(POLL).await,
                Fence::Settling(why) | Fence::Open(why) => {
                    return Err(StepError::refused(format!("the fence of {} is not proven: {why}", self.from.name)));
                }
            }
        }
    }

    async fn fence(&self) -> Result<Fence, StepError> {
        let agent = self.agent(self.from)?;
        let looked: Result<Fence, AgentError> = async {
            if !agent.is_fenced().await? {
                return Ok(Fence::Open("its standby.signal is missing, so a start would make it a primary".into()));
            }
            let ServerProcess::Running(server) = agent.process().await? else { return Ok(Fence::Proven) };
            let state = agent.control_data().await?.state;
            let why = format!("its processes {:?} are running ({state})", server.pids);
            // Somebody started it behind the fence: as a standby it accepts no writes.
            Ok(match state {
                ClusterState::InArchiveRecovery if server.port.is_some() => Fence::Proven,
                ClusterState::InProduction => Fence::Open(why),
                // It is just starting or stopping.
                _ => Fence::Settling(why),
            })
        }
        .await;
        // What cannot be looked at is not proven.
        Ok(looked.unwrap_or_else(|error| Fence::Open(error.to_string())))
    }

    pub(super) fn time(&self) -> String {
        super::fact::time((self.job.now)())
    }
}

enum Fence {
    Proven,
    /// What runs has not said yet what it will be.
    Settling(String),
    Open(String),
}

/// What is safely on a standby's disk. After a restart the receive position begins anew at a segment's
/// start and can lie behind what is already applied.
pub(crate) fn received(facts: &PostgresqlFacts) -> Option<Lsn> {
    facts.receive_lsn.max(facts.replay_lsn).map(Lsn)
}

pub(crate) fn replayed(facts: &PostgresqlFacts) -> Option<Lsn> {
    facts.replay_lsn.map(Lsn)
}

pub(crate) fn is_standby(facts: &PostgresqlFacts) -> bool {
    facts.in_recovery == Some(true)
}

pub(crate) fn is_primary(facts: &PostgresqlFacts) -> bool {
    facts.in_recovery == Some(false)
}

/// Something to show in place of a position that is not known.
pub(crate) fn shown(lsn: Option<Lsn>) -> String {
    lsn.map_or_else(|| "an unknown position".to_owned(), |lsn| lsn.to_string())
}

/// A step that could not even look.
pub(super) fn unreachable(node: &str, error: &SqlError) -> StepError {
    StepError::failed(format!("{node} could not be asked: {error}"))
}
