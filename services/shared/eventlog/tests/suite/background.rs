//! Leases, live folds and measurements: what needs the log's servers only.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use crate::support::{Counter, counted, eventually, id, meta, provisioned, tenant};
use futures::{Stream, StreamExt};
use muster_domain::pb::observation::v1::{Observation, ObservationBatch};
use muster_eventlog::{EventLog, Lease, ObservationStart, StoredObservations, live_fold, shard_of};
use muster_local::nats::{NatsCluster, NatsServer};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

const SOON: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_one_server() {
    let mut server = NatsServer::temporary().await.unwrap();
    let log = provisioned(server.url(), 1, &["acme", "globex"]).await;
    contract(&log).await;
    a_fold_misses_nothing_over_a_crash(&log, &mut server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_cluster_of_three() {
    let cluster = NatsCluster::temporary().await.unwrap();
    let log = provisioned(cluster.url(), 3, &["acme", "globex"]).await;
    contract(&log).await;
}

async fn contract(log: &EventLog) {
    a_lease_has_one_holder(log).await;
    of_racing_holders_one_gets_it(log).await;
    an_abandoned_lease_expires(log).await;
    measurements_are_read_from_where_one_wants(log).await;
    a_fold_sees_all_tenants(log).await;
}

const LONG: Duration = Duration::from_secs(60);

async fn a_lease_has_one_holder(log: &EventLog) {
    let acquire = |holder: &'static str| Lease::acquire(log, "test.one", holder, LONG);
    let mut first = acquire("a").await.unwrap().unwrap();
    assert!(first.is_held());
    assert!(acquire("b").await.unwrap().is_none());
    assert!(first.renew().await.unwrap());
    assert!(acquire("b").await.unwrap().is_none());
    first.release().await;
    let second = acquire("b").await.unwrap().unwrap();
    assert!(acquire("a").await.unwrap().is_none());
    drop(second);
    eventually("a dropped lease is free", || async { acquire("a").await.unwrap().is_some() }).await;
    assert!(Lease::acquire(log, "no spaces", "a", LONG).await.is_err());
}

async fn of_racing_holders_one_gets_it(log: &EventLog) {
    for round in 0..20 {
        let name = format!("test.race.{round}");
        let holders: Vec<_> = (0..8).map(|holder| format!("holder-{holder}")).collect();
        let racers = holders.iter().map(|holder| Lease::acquire(log, &name, holder, LONG));
        let leases = futures::future::join_all(racers).await;
        let held = leases.iter().filter(|lease| lease.as_ref().unwrap().is_some()).count();
        assert_eq!(held, 1, "round {round}");
    }
}

async fn an_abandoned_lease_expires(log: &EventLog) {
    let started = Instant::now();
    let mut abandoned = Lease::acquire(log, "test.short", "a", Duration::from_secs(2)).await.unwrap().unwrap();
    let acquire = || async { Lease::acquire(log, "test.short", "b", LONG).await.unwrap() };
    let mut taken = None;
    while taken.is_none() {
        assert!(started.elapsed() < SOON, "it does not expire");
        let believed = abandoned.is_held();
        taken = acquire().await;
        assert!(taken.is_none() || !abandoned.is_held(), "two hold it: {believed}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(started.elapsed() >= Duration::from_secs(2), "expired too early: {:?}", started.elapsed());
    assert!(!abandoned.renew().await.unwrap(), "what is lost cannot be renewed");
    assert!(!abandoned.is_held());
    drop(abandoned);
    assert!(taken.unwrap().renew().await.unwrap(), "dropping what was lost gives nothing away");
}

const WARM_UP: u64 = 0;

fn counted_ones(stored: impl Stream<Item = StoredObservations>) -> impl Stream<Item = StoredObservations> {
    stored.filter(|stored| std::future::ready(stored.batch.observations[0].sequence != WARM_UP))
}

fn batch(tenant: &str, sequence: u64) -> ObservationBatch {
    let observation = Observation { tenant: tenant.into(), resource: "erp".into(), sequence, ..Observation::default() };
    ObservationBatch { tenant: tenant.into(), collector: "connector/test".into(), observations: vec![observation] }
}

async fn measurements_are_read_from_where_one_wants(log: &EventLog) {
    let (acme, globex) = (shard_of(&tenant("acme")), shard_of(&tenant("globex")));
    assert_ne!(acme, globex, "the test wants two shards");
    let mut now = Box::pin(log.follow_observations(ObservationStart::Now));
    // Its readers are there when both shards deliver; what that took is not counted.
    let mut open = BTreeSet::new();
    while open.len() < 2 {
        log.publish_observations(&batch("acme", WARM_UP)).await.unwrap();
        log.publish_observations(&batch("globex", WARM_UP)).await.unwrap();
        if let Ok(Some(stored)) = timeout(Duration::from_millis(50), now.next()).await {
            open.insert(stored.shard);
        }
    }
    for sequence in 1..=3 {
        log.publish_observations(&batch("acme", sequence)).await.unwrap();
        log.publish_observations(&batch("globex", sequence)).await.unwrap();
    }
    let mut foreign = batch("acme", 4);
    foreign.observations[0].tenant = "globex".into();
    assert!(log.publish_observations(&foreign).await.is_err(), "a tenant's batch holds its own only");

    let from_now: Vec<_> = timeout(SOON, counted_ones(now).take(6).collect()).await.unwrap();
    assert_eq!(
        by_tenant(&from_now),
        BTreeMap::from([("acme".into(), vec![1, 2, 3]), ("globex".into(), vec![1, 2, 3])])
    );
    let second = from_now.iter().find(|s| s.shard == acme && s.batch.observations[0].sequence == 2).unwrap();

    let since = log.follow_observation_shards(vec![acme], ObservationStart::Since(second.stored_at));
    let since: Vec<_> = timeout(SOON, since.take(2).collect()).await.unwrap();
    assert_eq!(by_tenant(&since), BTreeMap::from([("acme".into(), vec![2, 3])]));
    assert_eq!(since.iter().map(|s| s.newest).collect::<Vec<_>>(), [false, true]);

    let after = ObservationStart::After(BTreeMap::from([(acme, second.sequence)]));
    let after: Vec<_> = timeout(SOON, counted_ones(log.follow_observations(after)).take(4).collect()).await.unwrap();
    assert_eq!(by_tenant(&after), BTreeMap::from([("acme".into(), vec![3]), ("globex".into(), vec![1, 2, 3])]));
}

fn by_tenant(stored: &[StoredObservations]) -> BTreeMap<String, Vec<u64>> {
    let mut found: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for stored in stored {
        let sequences = stored.batch.observations.iter().map(|observation| observation.sequence);
        found.entry(stored.batch.tenant.clone()).or_default().extend(sequences);
    }
    found
}

/// Counts per tenant, as a service would keep them in memory.
type Counts = Arc<Mutex<BTreeMap<String, Vec<u64>>>>;

fn counting(log: &EventLog, token: &CancellationToken) -> (Counts, muster_eventlog::LiveFold) {
    let counts = Counts::default();
    let filled = counts.clone();
    let apply = move |record: &muster_eventlog::Record| {
        filled.lock().unwrap().entry(record.tenant.to_string()).or_default().push(record.version);
    };
    let fold = live_fold(log, &["counter"], apply, token.clone());
    (counts, fold)
}

async fn append(log: &EventLog, to: &str, version: u64) -> u64 {
    log.append::<Counter>(&tenant(to), &id("folded"), version, &meta(), &counted(version)).await.unwrap().sequence
}

async fn a_fold_sees_all_tenants(log: &EventLog) {
    append(log, "acme", 1).await;
    append(log, "acme", 2).await;
    let token = CancellationToken::new();
    let (counts, fold) = counting(log, &token);
    timeout(SOON, fold.caught_up()).await.unwrap();
    assert_eq!(*counts.lock().unwrap(), BTreeMap::from([("acme".to_owned(), vec![1, 2])]));

    let third = append(log, "acme", 3).await;
    timeout(SOON, fold.reached(&tenant("acme"), third)).await.unwrap();
    let known = append(log, "globex", 1).await;
    timeout(SOON, fold.reached(&tenant("globex"), known)).await.unwrap();
    // A tenant that is registered while the fold runs.
    log.provision_tenant(&tenant("initech")).await.unwrap();
    let new = append(log, "initech", 1).await;
    timeout(SOON, fold.reached(&tenant("initech"), new)).await.unwrap();
    let expected = [("acme", vec![1, 2, 3]), ("globex", vec![1]), ("initech", vec![1])];
    assert_eq!(*counts.lock().unwrap(), expected.map(|(t, v)| (t.to_owned(), v)).into());
    token.cancel();
    fold.stopped().await;
}

async fn a_fold_misses_nothing_over_a_crash(log: &EventLog, server: &mut NatsServer) {
    let token = CancellationToken::new();
    let (counts, fold) = counting(log, &token);
    timeout(SOON, fold.caught_up()).await.unwrap();
    let mut last = 0;
    for version in 4..=60 {
        if version % 20 == 0 {
            server.kill().await.unwrap();
            server.restart().await.unwrap();
        }
        last = append(log, "acme", version).await;
    }
    timeout(SOON, fold.reached(&tenant("acme"), last)).await.unwrap();
    assert_eq!(counts.lock().unwrap()["acme"], (1..=60).collect::<Vec<_>>());
    token.cancel();
    fold.stopped().await;
}
