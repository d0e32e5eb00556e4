//! One job with its two nodes found, and the ways to reach them.

use muster_domain::{
    inventory::platform::{NodeRef, nodes},
    pb::{
        inventory::v1::{RedisTarget, resource_spec::Platform as PlatformSpec},
        observation::v1::RedisFacts,
    },
};

use super::{
    errors::CommandError,
    info::{self, Look},
    session::{Address, Session},
};
use crate::{Login, MoveJob, ServiceAgent, StepError};

pub(super) struct Work<'a> {
    pub job: &'a MoveJob,
    pub spec: &'a RedisTarget,
    /// The primary as the request names it.
    pub from: NodeRef<'a>,
    pub target: NodeRef<'a>,
}

impl<'a> Work<'a> {
    pub(super) fn of(job: &'a MoveJob) -> Result<Self, StepError> {
        let PlatformSpec::Redis(spec) = &job.spec else {
            return Err(StepError::refused(format!("{} is no Redis resource; nothing was done", job.resource)));
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

    pub(super) async fn session_as(&self, node: &NodeRef<'_>, login: &Login) -> Result<Session, CommandError> {
        let timeouts = &self.job.timeouts;
        let address = Address::of(node, self.spec.tls())?;
        Session::open(&address, login, timeouts.connect, timeouts.statement).await
    }

    /// A session with the execution account.
    pub(super) async fn session(&self, node: &NodeRef<'_>) -> Result<Session, CommandError> {
        self.session_as(node, &self.job.execute).await
    }

    /// What a node says about itself now.
    pub(super) async fn look(&self, node: &NodeRef<'_>) -> Result<Look, CommandError> {
        let mut session = self.session(node).await?;
        info::look(&mut session).await
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

    /// Whether a replica follows this node. Names are compared as declared: an alias of the same host is told by the
    /// prechecks, which need the exact pair for FAILOVER.
    pub(super) fn follows(&self, replica: &RedisFacts, source: &NodeRef<'_>) -> bool {
        let same_host = replica.source_host.eq_ignore_ascii_case(source.host)
            || (super::session::is_loopback(&replica.source_host) && super::session::is_loopback(source.host));
        is_replica(replica) && replica.source_port == source.port && same_host
    }

    pub(super) fn time(&self) -> String {
        super::fact::time((self.job.now)())
    }
}

pub(super) fn is_primary(facts: &RedisFacts) -> bool {
    facts.role == "master"
}

pub(super) fn is_replica(facts: &RedisFacts) -> bool {
    facts.role == "slave"
}

/// A primary that is not just handing over.
pub(super) fn is_settled(facts: &RedisFacts) -> bool {
    // Before 6.2 there is no such line, and no FAILOVER either.
    matches!(facts.failover_state.as_str(), "no-failover" | "")
}

/// Where its history forked from the one before, as the last position both share. `None`: it never did.
pub(super) fn fork_offset(facts: &RedisFacts) -> Option<u64> {
    facts.second_offset.and_then(|second| u64::try_from(second).ok())?.checked_sub(1)
}

pub(super) fn up_or_down(link_up: Option<bool>) -> &'static str {
    match link_up {
        Some(true) => "link up",
        Some(false) => "link down",
        None => "link unknown",
    }
}

/// A number that a server may not tell.
pub(super) fn number(value: Option<impl std::fmt::Display>) -> String {
    value.map_or_else(|| "unknown".to_owned(), |value| value.to_string())
}

/// Something to show in place of a position that is not known.
pub(super) fn shown(offset: Option<u64>) -> String {
    offset.map_or_else(|| "an unknown position".to_owned(), |offset| offset.to_string())
}

/// A step that could not even look.
pub(super) fn unreachable(node: &NodeRef<'_>, error: &CommandError) -> StepError {
    StepError::failed(format!("{} could not be asked: {error}", node.name))
}

pub(super) fn on_host(error: crate::AgentError) -> StepError {
    StepError::failed(error.to_string())
}
