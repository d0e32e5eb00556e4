//! One job with its two members found, and the ways to reach them.

use std::sync::LazyLock;

use muster_domain::{
    inventory::platform::patroni_databases,
    pb::inventory::v1::{PatroniNode, PatroniTarget, resource_spec::Platform as PlatformSpec},
};
use reqwest::Client;

use super::{
    answers::{Cluster, Config, Fork},
    api::{Api, ApiError, client},
};
use crate::{MoveJob, StepError};

/// Built once: it keeps the operating system's certificates.
static CLIENT: LazyLock<Result<Client, ApiError>> = LazyLock::new(client);

pub(super) struct Work<'a> {
    pub job: &'a MoveJob,
    /// The leader as the request names it.
    pub from: &'a PatroniNode,
    pub target: &'a PatroniNode,
    /// The same job on the databases alone, with their own account and without any agent.
    pub databases: MoveJob,
}

impl<'a> Work<'a> {
    pub(super) fn of(job: &'a MoveJob) -> Result<Self, StepError> {
        let PlatformSpec::Patroni(spec) = &job.spec else {
            return Err(StepError::refused(format!("{} is no Patroni resource; nothing was done", job.resource)));
        };
        let (from, target) = (find(job, spec, &job.from_node)?, find(job, spec, &job.target_node)?);
        if from.name == target.name {
            return Err(StepError::refused(format!("member '{}' is named as both sides of the move", from.name)));
        }
        let execute = job.replication.clone().ok_or_else(|| {
            StepError::refused(
                "the resource names no account of the database: add `databaseExecute` to its manifest; without it nothing is proven",
            )
        })?;
        let databases = MoveJob {
            spec: PlatformSpec::Postgresql(patroni_databases(spec)),
            execute,
            replication: None,
            agents: Default::default(),
            services: Default::default(),
            ..job.clone()
        };
        Ok(Self { job, from, target, databases })
    }

    pub(super) fn api(&self, node: &PatroniNode) -> Result<Api, ApiError> {
        Api::of(CLIENT.as_ref().map_err(Clone::clone)?, node, Some(&self.job.execute))
    }

    /// What the members agree on, from the one that answers. The target first: it is there in a failover, too.
    pub(super) async fn cluster(&self) -> Result<Cluster, ApiError> {
        self.ask(|api| async move { api.cluster().await }).await
    }

    pub(super) async fn config(&self) -> Result<Config, ApiError> {
        self.ask(|api| async move { api.config().await }).await
    }

    /// Where the given timeline was left, when Patroni has written it down already.
    pub(super) async fn fork_of(&self, timeline: u32) -> Option<Fork> {
        let forks = self.ask(|api| async move { api.history().await }).await.ok()?;
        forks.into_iter().rfind(|fork| fork.timeline == timeline)
    }

    async fn ask<T, F>(&self, question: impl Fn(Api) -> F) -> Result<T, ApiError>
    where
        F: Future<Output = Result<T, ApiError>>,
    {
        match question(self.api(self.target)?).await {
            Ok(answer) => Ok(answer),
            Err(of_target) => match question(self.api(self.from)?).await {
                Ok(answer) => Ok(answer),
                Err(_) => Err(of_target),
            },
        }
    }

    pub(super) fn time(&self) -> String {
        crate::fact::time((self.job.now)())
    }
}

fn find<'a>(job: &MoveJob, spec: &'a PatroniTarget, name: &str) -> Result<&'a PatroniNode, StepError> {
    spec.nodes.iter().find(|node| node.name == name).ok_or_else(|| {
        StepError::refused(format!("resource {} has no member '{name}'; nothing was done", job.resource))
    })
}

/// The client for looks without a job.
pub(super) fn shared_client() -> Result<&'static Client, ApiError> {
    CLIENT.as_ref().map_err(Clone::clone)
}
