//! A Patroni cluster: two PostgreSQL databases judged as such, and what their manager says beside it.
//!
//! Positions and roles come from the databases alone. Patroni's own numbers are as old as its last round, and its lag is
//! "unknown" or 0 where nothing was measured (contract sheet): they are not read at all.

mod findings;

use jiff::Timestamp;

use super::knowledge::Knowledge;
use super::postgresql;
use super::replication::Replication;
use crate::inventory::platform::patroni_databases;
use crate::pb::inventory::v1::{PatroniTarget, ResourceSpec};
use crate::pb::observation::v1::{
    ErrorClass, NodeObservation, Observation, ObservationError, node_observation::Result as NodeResult,
};

/// Interprets one observation. `None`: not newer than what is known. `now` is the monitor's clock.
pub fn interpret(
    spec: &ResourceSpec,
    target: &PatroniTarget,
    observation: &Observation,
    now: Timestamp,
    knowledge: &mut Knowledge,
) -> Option<Replication> {
    let databases = Observation { nodes: observation.nodes.iter().map(database).collect(), ..observation.clone() };
    let mut replication = postgresql::interpret(spec, &patroni_databases(target), &databases, now, knowledge)?;
    replication.findings.extend(findings::of(target, observation));
    Some(replication)
}

/// What the database of a member answered, as if there were no manager.
fn database(node: &NodeObservation) -> NodeObservation {
    let result = match &node.result {
        Some(NodeResult::Patroni(facts)) => Some(match &facts.database {
            Some(database) => NodeResult::Postgresql(database.clone()),
            None => NodeResult::Error(ObservationError {
                class: ErrorClass::Unreachable.into(),
                message: facts.database_error.clone(),
            }),
        }),
        // Another platform's answer stays one, and is refused as such.
        other => other.clone(),
    };
    NodeObservation { result, ..node.clone() }
}
