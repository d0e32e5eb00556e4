use std::{sync::Arc, time::Duration};

use futures::StreamExt;
use muster_domain::{pb::observation::v1::Observation, time::to_pb};
use muster_eventlog::{EventLog, LogConfig, ObservationStart};
use muster_local::nats::NatsServer;
use muster_runtime::config::Observe;
use tokio_util::sync::CancellationToken;

use super::T0;
use crate::batch;

fn observation(tenant: &str, sequence: u64) -> Observation {
    Observation {
        tenant: tenant.into(),
        resource: "orders-db".into(),
        observed_at: Some(to_pb(T0)),
        sequence,
        collector: "connector/test".into(),
        nodes: vec![],
    }
}

#[tokio::test]
async fn observations_travel_many_to_a_message_and_each_tenant_in_its_own() {
    let nats = NatsServer::temporary().await.unwrap();
    let log = EventLog::connect(&LogConfig { url: nats.url(), ..LogConfig::default() }).await.unwrap();
    log.provision().await.unwrap();
    let (batcher, waiting) = batch::channel();
    let config = Observe { batch_size: 50, ..Observe::default() };
    let publisher = Arc::new(batch::Publisher::new(log.clone(), &config, waiting));
    let shutdown = CancellationToken::new();
    let publishing = tokio::spawn(publisher.run(shutdown.clone()));

    for sequence in 1..=120 {
        batcher.add(observation("acme", sequence));
        batcher.add(observation("globex", sequence));
    }
    let mut stored = Box::pin(log.follow_observations(ObservationStart::After(Default::default())));
    let (mut messages, mut sequences) = (0, std::collections::BTreeMap::<String, Vec<u64>>::new());
    while sequences.values().map(Vec::len).sum::<usize>() < 240 {
        let next = tokio::time::timeout(Duration::from_secs(60), stored.next()).await.unwrap().unwrap();
        messages += 1;
        assert!(next.batch.observations.len() <= 50);
        for seen in next.batch.observations {
            assert_eq!(seen.tenant, next.batch.tenant);
            sequences.entry(seen.tenant).or_default().push(seen.sequence);
        }
    }
    assert_eq!(messages, 6, "50, 50 and 20 for each of the two");
    for sent in sequences.values_mut() {
        sent.sort_unstable();
        assert_eq!(*sent, (1..=120).collect::<Vec<u64>>());
    }

    // What was taken in before the end is still sent.
    batcher.add(observation("acme", 121));
    shutdown.cancel();
    publishing.await.unwrap();
    let last = tokio::time::timeout(Duration::from_secs(60), stored.next()).await.unwrap().unwrap();
    assert_eq!(last.batch.observations[0].sequence, 121);
}
