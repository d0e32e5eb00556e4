//! The observer, and what the rules make of what it saw.

use std::sync::Arc;

use jiff::Timestamp;
use muster_domain::{
    pb::{
        common::v1::LossCertainty,
        observation::v1::{ErrorClass, NodeObservation, Observation, node_observation::Result as NodeResult},
        readiness::v1::{Assessment, Status},
    },
    readiness::{Limits, Watch},
    time,
};
use muster_platform::ObserveTarget;

use crate::{drive::eventually, fixture::Fixture};

/// The monitor and its connector, without the log between them.
struct Sight<'a, F> {
    fixture: &'a F,
    observer: Arc<dyn muster_platform::Observer>,
    watch: Watch,
    sequence: u64,
}

impl<'a, F: Fixture> Sight<'a, F> {
    fn new(fixture: &'a F) -> Self {
        Self { fixture, observer: fixture.observer(), watch: Watch::new(Timestamp::now()), sequence: 0 }
    }

    async fn look(&mut self) -> (Vec<NodeObservation>, Assessment) {
        let resource = self.fixture.resource();
        let target = ObserveTarget {
            tenant: "acme".into(),
            resource: "ledger".into(),
            spec: self.fixture.spec(),
            monitor: self.fixture.monitor(),
        };
        let nodes = self.observer.observe(&target).await;
        let now = Timestamp::now();
        self.sequence += 1;
        let observation = Observation {
            tenant: "acme".into(),
            resource: "ledger".into(),
            observed_at: Some(time::to_pb(now)),
            sequence: self.sequence,
            collector: "connector/compliance".into(),
            nodes: nodes.clone(),
        };
        assert!(self.watch.observe(&resource, &observation, now), "the rules did not take the observation in");
        let limits = Limits::effective(resource.tier(), None, [], None);
        (nodes, self.watch.assessment(&limits, now))
    }
}

pub(crate) async fn is_watched<F: Fixture>(fixture: Arc<F>) {
    let mut sight = Sight::new(&*fixture);
    eventually("a healthy pair is green", async || sight.look().await.1.status() == Status::Green).await;
    let (nodes, judged) = sight.look().await;
    for node in &nodes {
        assert!(node.read_at.is_some() && node.took.is_some(), "{} has no time", node.node);
    }
    let (primary, standby) = (judged.primary.unwrap(), judged.standby.unwrap());
    assert_eq!((primary.node.as_str(), standby.node.as_str()), ("a", "b"));
    assert_eq!(sight.watch.active_site(), Some(primary.site.as_str()));
    for marker in [&primary, &standby] {
        assert!(!marker.system_identifier.is_empty() && !marker.lsn.is_empty(), "{marker:?}");
    }
    assert_eq!(primary.system_identifier, standby.system_identifier);

    for silent in ["b", "a"] {
        fixture.freeze(silent, true).await;
        let (nodes, judged) = sight.look().await;
        let other = if silent == "a" { "b" } else { "a" };
        let error = nodes.iter().find(|node| node.node == silent).unwrap();
        let Some(NodeResult::Error(error)) = &error.result else {
            panic!("{silent} hangs, and it answered: {error:?}")
        };
        assert_eq!(error.class(), ErrorClass::Unreachable, "{silent}: {error:?}");
        let answered = nodes.iter().find(|node| node.node == other).unwrap();
        assert!(!matches!(answered.result, Some(NodeResult::Error(_))), "{other} was blamed for {silent}");
        assert_ne!(judged.status(), Status::Green);
        assert_eq!(judged.not_received_bytes, None, "a number was made up for a side that was not seen");
        assert_ne!(judged.loss.unwrap().certainty(), LossCertainty::ProvenNone);
        if silent == "a" {
            assert_eq!(judged.rpo_now, None, "nobody knows what a silent primary wrote");
        }
        fixture.freeze(silent, false).await;
        eventually("it is green again", async || sight.look().await.1.status() == Status::Green).await;
    }
}
