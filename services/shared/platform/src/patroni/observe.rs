//! Watches Patroni clusters: each database is asked itself, and beside it its manager.

use async_trait::async_trait;
use futures::future::join_all;
use muster_domain::{
    inventory::platform::patroni_databases,
    pb::{
        inventory::v1::{PatroniNode, resource_spec::Platform as PlatformSpec},
        observation::v1::{ErrorClass, NodeObservation, PatroniFacts, node_observation::Result as NodeResult},
    },
    time,
};

use super::{
    answers::MemberStatus,
    api::{Api, ApiError},
    work::shared_client,
};
use crate::{Now, ObserveTarget, Observer, postgresql::databases::PostgresqlObserver};

pub(super) struct PatroniObserver {
    databases: PostgresqlObserver,
}

impl PatroniObserver {
    pub(super) fn new(now: Now) -> Self {
        Self { databases: PostgresqlObserver::new(now) }
    }
}

#[async_trait]
impl Observer for PatroniObserver {
    async fn observe(&self, target: &ObserveTarget) -> Vec<NodeObservation> {
        // The registry gives this observer Patroni resources only.
        let PlatformSpec::Patroni(spec) = &target.spec else { return Vec::new() };
        let databases = ObserveTarget { spec: PlatformSpec::Postgresql(patroni_databases(spec)), ..target.clone() };
        let members = join_all(spec.nodes.iter().map(member));
        let (seen, members) = tokio::join!(self.databases.observe(&databases), members);
        seen.into_iter().zip(members).map(|(seen, member)| combined(seen, member)).collect()
    }
}

async fn member(node: &PatroniNode) -> Result<MemberStatus, ApiError> {
    // Reading needs no account, so none is given.
    Api::of(shared_client()?, node, None)?.member().await
}

/// The database's answer counts. Patroni's alone says that it runs, and nothing about data.
fn combined(seen: NodeObservation, member: Result<MemberStatus, ApiError>) -> NodeObservation {
    let mut facts = match &member {
        Ok(status) => of_member(status),
        Err(error) => PatroniFacts { api_error: error.to_string(), ..PatroniFacts::default() },
    };
    let result = match seen.result {
        Some(NodeResult::Postgresql(database)) => {
            facts.database = Some(database);
            NodeResult::Patroni(facts)
        }
        Some(NodeResult::Error(error)) if error.class() == ErrorClass::Unreachable && member.is_ok() => {
            facts.database_error = error.message;
            NodeResult::Patroni(facts)
        }
        Some(other) => other,
        None => return seen,
    };
    NodeObservation { result: Some(result), ..seen }
}

fn of_member(status: &MemberStatus) -> PatroniFacts {
    let last_seen = status.dcs_last_seen.and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    PatroniFacts {
        role: status.role().to_owned(),
        state: status.state.clone(),
        paused: Some(status.pause),
        unlocked: Some(status.cluster_unlocked),
        pending_restart: Some(status.pending_restart),
        dcs_last_seen: last_seen.map(time::to_pb),
        patroni_version: status.patroni.version.clone(),
        scope: status.patroni.scope.clone(),
        ..PatroniFacts::default()
    }
}
