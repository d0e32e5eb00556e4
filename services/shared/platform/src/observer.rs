//! The read side: asks every node itself and changes nothing.

use async_trait::async_trait;
use jiff::Timestamp;
use muster_domain::{
    inventory::platform::nodes,
    pb::{
        inventory::v1::resource_spec::Platform as PlatformSpec,
        observation::v1::{ErrorClass, NodeObservation, ObservationError, node_observation::Result as NodeResult},
    },
    time,
};

use crate::Login;

/// What is to be looked at, with the read-only account and nothing more.
#[derive(Debug, Clone)]
pub struct ObserveTarget {
    pub tenant: String,
    pub resource: String,
    pub spec: PlatformSpec,
    /// The monitor account.
    pub monitor: Login,
}

/// Watches one kind of platform. Holds what is worth keeping between two looks, such as connections.
#[async_trait]
pub trait Observer: Send + Sync {
    /// One look at all nodes, side by side and in bounded time. It does not fail as a whole: what went
    /// wrong with a node is that node's result.
    async fn observe(&self, target: &ObserveTarget) -> Vec<NodeObservation>;
}

/// The look that could not be made because Muster itself lacks something, a secret that does not
/// resolve for example: every node is unknown, and none is blamed.
pub fn not_observable(spec: &PlatformSpec, reason: &str, now: Timestamp) -> Vec<NodeObservation> {
    nodes(spec)
        .iter()
        .map(|node| NodeObservation {
            node: node.name.to_owned(),
            site: node.site.to_owned(),
            read_at: Some(time::to_pb(now)),
            took: None,
            result: Some(NodeResult::Error(ObservationError {
                class: ErrorClass::Configuration.into(),
                message: reason.to_owned(),
            })),
        })
        .collect()
}
