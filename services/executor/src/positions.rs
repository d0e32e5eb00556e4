//! Where each primary was last seen, and when: what a failover's loss is measured against.
//!
//! Read from the stream of measurements, an hour back at each start, so that a restart forgets nothing that matters.
//! Bounded: when a node's samples are many, every second one of the older half goes, so that old times stay
//! covered, more and more thinly.

use std::{
    collections::{HashMap, VecDeque},
    pin::pin,
    sync::{Arc, PoisonError, RwLock},
};

use futures::StreamExt;
use jiff::{SignedDuration, Timestamp};
use muster_domain::{
    pb::observation::v1::{NodeObservation, Observation, PostgresqlFacts, node_observation::Result as Seen},
    readiness::{mariadb, redis},
    time::{duration_from_pb, from_pb},
};
use muster_eventlog::{EventLog, ObservationStart};

/// How far back a starting executor reads.
const HISTORY: SignedDuration = SignedDuration::from_hours(1);
/// Samples kept of one node: 17 minutes at one in two seconds before thinning begins, 12 KiB.
const MAX_SAMPLES: usize = 512;
/// Nodes kept in all; resources are declared, so this is far beyond any installation.
const MAX_NODES: usize = 20_000;

/// A primary's position. Whatever was committed before `since` lies at or before `lsn`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sample {
    /// When the look began, by the collector's clock: a commit acknowledged later may lie behind `lsn`.
    pub since: Timestamp,
    pub timeline: u32,
    pub lsn: u64,
}

#[derive(Debug, Default, Clone)]
pub(crate) struct History {
    pub system_identifier: String,
    pub samples: VecDeque<Sample>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Node {
    tenant: String,
    resource: String,
    node: String,
}

/// A cheap handle.
#[derive(Clone, Default)]
pub(crate) struct Positions(Arc<RwLock<HashMap<Node, History>>>);

impl Positions {
    /// Follows all measurements. Never ends.
    pub(crate) async fn follow(&self, log: &EventLog, now: Timestamp) {
        let start = ObservationStart::Since(now.checked_sub(HISTORY).unwrap_or(Timestamp::MIN));
        let mut batches = pin!(log.follow_observations(start));
        while let Some(stored) = batches.next().await {
            for observation in &stored.batch.observations {
                self.take_in(observation);
            }
        }
    }

    fn take_in(&self, observation: &Observation) {
        for node in &observation.nodes {
            let Some((system, sample)) = sample_of(node) else { continue };
            let key = Node {
                tenant: observation.tenant.clone(),
                resource: observation.resource.clone(),
                node: node.node.clone(),
            };
            let mut histories = self.0.write().unwrap_or_else(PoisonError::into_inner);
            if histories.len() < MAX_NODES || histories.contains_key(&key) {
                histories.entry(key).or_default().add(&system, sample);
            }
        }
    }

    /// What is known of one node, oldest first.
    pub(crate) fn of(&self, tenant: &str, resource: &str, node: &str) -> History {
        let key = Node { tenant: tenant.to_owned(), resource: resource.to_owned(), node: node.to_owned() };
        let histories = self.0.read().unwrap_or_else(PoisonError::into_inner);
        histories.get(&key).cloned().unwrap_or_default()
    }
}

impl History {
    pub(crate) fn newest(&self) -> Option<Sample> {
        self.samples.back().copied()
    }

    fn add(&mut self, system: &str, sample: Sample) {
        if self.system_identifier != system {
            // Another cluster at the same address: its positions mean nothing here.
            *self = Self { system_identifier: system.to_owned(), samples: VecDeque::new() };
        }
        if self.newest().is_some_and(|newest| sample.since <= newest.since) {
            return;
        }
        if self.samples.len() >= MAX_SAMPLES {
            let older_half = self.samples.len() / 2;
            let mut index = 0;
            self.samples.retain(|_| {
                index += 1;
                index > older_half || index % 2 == 1
            });
        }
        self.samples.push_back(sample);
    }
}

/// A node that said it is a primary: in which history, where it is, and when it was asked. Anything missing: no sample.
fn sample_of(node: &NodeObservation) -> Option<(String, Sample)> {
    let (history, timeline, lsn) = match node.result.as_ref()? {
        Seen::Postgresql(facts) => postgresql(facts)?,
        Seen::Patroni(facts) => postgresql(facts.database.as_ref()?)?,
        Seen::Mariadb(facts) => unbranched(mariadb::primary_sample(facts)?),
        Seen::Redis(facts) => unbranched(redis::primary_sample(facts)?),
        Seen::Error(_) => return None,
    };
    let since = from_pb(node.read_at.as_ref())?.checked_sub(duration_from_pb(node.took.as_ref())?).ok()?;
    Some((history, Sample { since, timeline, lsn }))
}

fn postgresql(facts: &PostgresqlFacts) -> Option<(String, u32, u64)> {
    if facts.in_recovery != Some(false) || facts.system_identifier.is_empty() {
        return None;
    }
    Some((facts.system_identifier.clone(), facts.timeline?, facts.current_lsn?))
}

/// A history of such a platform has no timelines: another one has another name.
fn unbranched((history, position): (String, u64)) -> (String, u32, u64) {
    (history, 0, position)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::panic, reason = "a test panics to fail")]
    use muster_domain::{
        pb::observation::v1::{PatroniFacts, PostgresqlFacts},
        time::{duration_to_pb, to_pb},
    };

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + second).unwrap()
    }

    fn look(second: i64, took_millis: i64, facts: PostgresqlFacts) -> Observation {
        let node = NodeObservation {
            node: "db-a".into(),
            read_at: Some(to_pb(at(second))),
            took: Some(duration_to_pb(SignedDuration::from_millis(took_millis))),
            result: Some(Seen::Postgresql(facts)),
            ..Default::default()
        };
        Observation { tenant: "acme".into(), resource: "erp".into(), nodes: vec![node], ..Default::default() }
    }

    fn primary(lsn: u64) -> PostgresqlFacts {
        PostgresqlFacts {
            system_identifier: "7".into(),
            in_recovery: Some(false),
            timeline: Some(1),
            current_lsn: Some(lsn),
            ..Default::default()
        }
    }

    #[test]
    fn a_sample_counts_from_when_the_look_began() {
        let positions = Positions::default();
        positions.take_in(&look(10, 400, primary(77)));
        let newest = positions.of("acme", "erp", "db-a").newest().unwrap();
        assert_eq!((newest.since, newest.lsn), (at(10) - SignedDuration::from_millis(400), 77));
        assert_eq!(positions.of("globex", "erp", "db-a").newest(), None);
    }

    #[test]
    fn a_member_of_a_patroni_cluster_counts_by_its_database() {
        let positions = Positions::default();
        let mut observation = look(10, 400, primary(77));
        let Some(Seen::Postgresql(database)) = observation.nodes[0].result.take() else { panic!() };
        observation.nodes[0].result =
            Some(Seen::Patroni(PatroniFacts { database: Some(database), ..Default::default() }));
        positions.take_in(&observation);
        assert_eq!(positions.of("acme", "erp", "db-a").newest().unwrap().lsn, 77);
    }

    #[test]
    fn what_is_not_a_primary_with_a_position_is_no_sample() {
        let positions = Positions::default();
        positions.take_in(&look(1, 1, PostgresqlFacts { in_recovery: Some(true), ..primary(1) }));
        positions.take_in(&look(2, 1, PostgresqlFacts { in_recovery: None, ..primary(1) }));
        positions.take_in(&look(3, 1, PostgresqlFacts { current_lsn: None, ..primary(1) }));
        positions.take_in(&look(4, 1, PostgresqlFacts { timeline: None, ..primary(1) }));
        assert_eq!(positions.of("acme", "erp", "db-a").newest(), None);
    }

    #[test]
    fn memory_is_bounded_and_old_times_stay_covered() {
        let positions = Positions::default();
        for second in 0..20_000 {
            positions.take_in(&look(second, 1, primary(u64::try_from(second).unwrap())));
        }
        let history = positions.of("acme", "erp", "db-a");
        assert!(history.samples.len() <= MAX_SAMPLES);
        assert_eq!(history.samples.front().unwrap().lsn, 0);
        assert_eq!(history.newest().unwrap().lsn, 19_999);
        assert!(history.samples.iter().is_sorted_by_key(|sample| sample.since));
    }

    #[test]
    fn a_repeated_or_older_batch_and_another_cluster_mislead_nobody() {
        let positions = Positions::default();
        for second in [5, 5, 3] {
            positions.take_in(&look(second, 1, primary(u64::try_from(second).unwrap())));
        }
        assert_eq!(positions.of("acme", "erp", "db-a").samples.len(), 1);
        positions.take_in(&look(9, 1, PostgresqlFacts { system_identifier: "8".into(), ..primary(1) }));
        assert_eq!(positions.of("acme", "erp", "db-a").samples.len(), 1);
    }
}
