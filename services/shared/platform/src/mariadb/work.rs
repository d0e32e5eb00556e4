//! One job with its two nodes found, and the ways to reach them.

use std::time::{Duration, Instant};

use muster_domain::{
    inventory::platform::{NodeRef, nodes},
    pb::{
        inventory::v1::{MariadbTarget, resource_spec::Platform as PlatformSpec},
        observation::v1::{ErrorClass, MariadbFacts, MariadbReplica},
    },
    readiness::mariadb::{Position, position, received},
};

use super::{
    errors::SqlError,
    facts,
    replication::Source,
    session::{Address, Session},
};
use crate::{AgentError, Login, MoveJob, ServiceAgent, StepError, agent::ServerProcess, step::POLL};

/// How long a server that is starting or stopping may take to say what it is.
const SETTLE: Duration = Duration::from_secs(10);

/// "muster", the name of a lock on the target.
const MOVE_LOCK: &str = "muster_move";

pub(super) struct Work<'a> {
    pub job: &'a MoveJob,
    pub spec: &'a MariadbTarget,
    /// The primary as the request names it.
    pub from: NodeRef<'a>,
    pub target: NodeRef<'a>,
}

impl<'a> Work<'a> {
    pub(super) fn of(job: &'a MoveJob) -> Result<Self, StepError> {
        let PlatformSpec::Mariadb(spec) = &job.spec else {
            return Err(StepError::refused(format!("{} is no MariaDB resource; nothing was done", job.resource)));
        };
        let find = |name: &str| {
            nodes(&job.spec).into_iter().find(|node| node.name == name).ok_or_else(|| {
                StepError::refused(format!("resource {} has no node '{name}'; nothing was done", job.resource))
            })
        };
        let (from, target) = (find(&job.from_node)?, find(&job.target_node)?);
        if from.name == target.name {
            return Err(StepError::refused(format!("node '{}' is named as both sides of the move", from.name)));
        }
        Ok(Self { job, spec, from, target })
    }

    pub(super) async fn session_as(&self, node: &NodeRef<'_>, login: &Login) -> Result<Session, SqlError> {
        let timeouts = &self.job.timeouts;
        Session::open(&Address::of(node, self.spec.tls())?, login, timeouts.connect, timeouts.statement).await
    }

    /// A session with the execution account.
    pub(super) async fn session(&self, node: &NodeRef<'_>) -> Result<Session, SqlError> {
        self.session_as(node, &self.job.execute).await
    }

    /// What a node says about itself now.
    pub(super) async fn look(&self, node: &NodeRef<'_>) -> Result<MariadbFacts, SqlError> {
        facts::collect(&mut self.session(node).await?).await
    }

    pub(super) fn agent(&self, node: &NodeRef<'_>) -> Result<&dyn ServiceAgent, StepError> {
        self.job.services.get(node.name).map(AsRef::as_ref).ok_or_else(|| {
            StepError::refused(format!(
                "node {} has no host agent: configure '{}' in the executor's configuration and name it in the manifest",
                node.name,
                if node.agent.is_empty() { "an agent" } else { node.agent }
            ))
        })
    }

    /// How a node is followed by the other one.
    pub(super) fn source(&self, node: &NodeRef<'_>) -> Result<Source, StepError> {
        let login = self.job.replication.clone().ok_or_else(|| {
            StepError::refused("the resource names no replication account, so no node can be pointed at another")
        })?;
        let address = Address::of(node, self.spec.tls()).map_err(|error| StepError::refused(error.message))?;
        Ok(Source { address, login })
    }

    /// Proof that the old primary accepts no writes of clients: a start makes it read-only, and what runs is read-only.
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
        let agent = self.agent(&self.from)?;
        let looked: Result<Option<Fence>, AgentError> = async {
            if !agent.is_fenced().await? {
                return Ok(Some(Fence::Open("its fence is missing, so a start would make it accept writes".into())));
            }
            Ok(if agent.process().await?.is_running() { None } else { Some(Fence::Proven) })
        }
        .await;
        Ok(match looked {
            Ok(Some(fence)) => fence,
            // What cannot be looked at is not proven.
            Err(error) => Fence::Open(error.to_string()),
            Ok(None) => match self.look(&self.from).await.map(|facts| facts.read_only) {
                Ok(Some(true)) => Fence::Proven,
                Ok(Some(false)) => Fence::Open("it runs, and read_only is off".into()),
                Ok(None) => Fence::Open("it runs, and does not tell read_only".into()),
                // It is just starting or stopping.
                Err(error) => Fence::Settling(format!("it runs and cannot be asked: {error}")),
            },
        })
    }

    /// Keeps promotions and roll-backs of others away from the target. The lock belongs to the server's session: it
    /// outlives a client that dies while its last statement is still to be read, and ends with it.
    pub(super) async fn lock_target(&self, session: &mut Session, limit: Duration) -> Result<(), StepError> {
        let name = self.target.name;
        let deadline = Instant::now() + limit;
        loop {
            let statement = format!("SELECT GET_LOCK('{MOVE_LOCK}', 0) AS locked");
            let row = session.row(&statement).await.map_err(|error| unreachable(name, &error))?;
            if row.text("locked") == Some("1") {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(StepError::refused(format!("another promotion or roll-back is under way on {name}")));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    pub(super) async fn process(&self, node: &NodeRef<'_>) -> Result<ServerProcess, StepError> {
        self.agent(node)?.process().await.map_err(on_host)
    }

    pub(super) fn time(&self) -> String {
        super::fact::time((self.job.now)())
    }
}

enum Fence {
    Proven,
    /// What runs has not said yet what it is.
    Settling(String),
    Open(String),
}

/// Replication is not set up, and it accepts writes.
pub(super) fn is_primary(facts: &MariadbFacts) -> bool {
    !facts.limited_view && facts.replica.is_none() && facts.read_only == Some(false)
}

/// It refuses writes of clients, whether it follows somebody or not.
pub(super) fn is_read_only(facts: &MariadbFacts) -> bool {
    facts.read_only == Some(true)
}

pub(super) fn threads_run(replica: &MariadbReplica) -> bool {
    replica.io_running == "Yes" && replica.sql_running == "Yes"
}

/// "IO Yes, SQL No"
pub(super) fn threads(facts: &MariadbFacts) -> String {
    match &facts.replica {
        Some(replica) => format!("IO {}, SQL {}", replica.io_running, replica.sql_running),
        None => "no replication".to_owned(),
    }
}

/// Whether the replica is set up to read from this node.
pub(super) fn follows(replica: &MariadbReplica, source: &Address) -> bool {
    replica.source_host == source.host && replica.source_port == u32::from(source.port)
}

/// Where a server is: what it wrote and what it applied.
pub(super) fn at(node: &str, facts: &MariadbFacts) -> Result<Position, StepError> {
    position(facts).ok_or_else(|| StepError::failed(format!("{node} tells no position that can be read")))
}

pub(super) fn held(node: &str, facts: &MariadbFacts) -> Result<Position, StepError> {
    received(facts).ok_or_else(|| StepError::failed(format!("{node} tells no position that can be read")))
}

/// Something to show in place of a position that is empty or not known.
pub(super) fn shown(position: Option<&Position>) -> String {
    match position {
        Some(position) if position.is_empty() => "the beginning".to_owned(),
        Some(position) => position.to_string(),
        None => "an unknown position".to_owned(),
    }
}

/// A step that could not even look.
pub(super) fn unreachable(node: &str, error: &SqlError) -> StepError {
    StepError::failed(format!("{node} could not be asked: {error}"))
}

pub(super) fn on_host(error: AgentError) -> StepError {
    StepError::failed(error.to_string())
}

/// No answer at all, as from a server that is gone. With a number it is the server that answered.
pub(super) fn is_silent(error: &SqlError) -> bool {
    error.class == ErrorClass::Unreachable && error.number.is_none()
}
