//! Watches Redis pairs: every node is asked itself, side by side, with the read-only account.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures::future::join_all;
use muster_domain::{
    inventory::platform::{NodeRef, nodes},
    pb::{
        inventory::v1::{RedisTarget, resource_spec::Platform as PlatformSpec},
        observation::v1::{ErrorClass, NodeObservation, RedisFacts, node_observation::Result as NodeResult},
    },
    time,
};

use super::{
    errors::CommandError,
    info,
    session::{Address, Session},
};
use crate::{Now, ObserveTarget, Observer};

/// The whole look at one node. A node that swallows packets must not hold up what is known of the other.
const LOOK_LIMIT: Duration = Duration::from_secs(3);
const CONNECT_LIMIT: Duration = Duration::from_millis(2_500);
const COMMAND_LIMIT: Duration = Duration::from_secs(2);

/// Keeps no connection: a login costs the server less than the answer, and one that was taken away shows at once.
pub(super) struct RedisObserver {
    now: Now,
}

impl RedisObserver {
    pub(super) fn new(now: Now) -> Self {
        Self { now }
    }

    async fn look(&self, target: &ObserveTarget, spec: &RedisTarget, node: NodeRef<'_>) -> NodeObservation {
        let began = Instant::now();
        let looked = tokio::time::timeout(LOOK_LIMIT, facts(target, spec, &node)).await;
        let result = looked.unwrap_or_else(|_| {
            Err(CommandError::new(ErrorClass::Unreachable, format!("no complete answer within {LOOK_LIMIT:?}")))
        });
        let result = match result {
            Ok(facts) => NodeResult::Redis(facts),
            Err(error) => NodeResult::Error(error.to_observation()),
        };
        NodeObservation {
            node: node.name.to_owned(),
            site: node.site.to_owned(),
            read_at: Some(time::to_pb((self.now)())),
            took: began.elapsed().try_into().ok().map(time::duration_to_pb),
            result: Some(result),
        }
    }
}

async fn facts(target: &ObserveTarget, spec: &RedisTarget, node: &NodeRef<'_>) -> Result<RedisFacts, CommandError> {
    let address = Address::of(node, spec.tls())?;
    let mut session = Session::open(&address, &target.monitor, CONNECT_LIMIT, COMMAND_LIMIT).await?;
    info::look(&mut session).await.map(|look| look.facts)
}

#[async_trait]
impl Observer for RedisObserver {
    async fn observe(&self, target: &ObserveTarget) -> Vec<NodeObservation> {
        // The registry gives this observer Redis resources only.
        let PlatformSpec::Redis(spec) = &target.spec else { return Vec::new() };
        join_all(nodes(&target.spec).into_iter().map(|node| self.look(target, spec, node))).await
    }
}
