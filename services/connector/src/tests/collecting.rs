use std::{
    path::Path,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use muster_domain::{
    TenantId,
    inventory::Inventory,
    pb::{
        inventory::v1::InventoryEvent,
        observation::v1::{ErrorClass, Observation, node_observation::Result as NodeResult},
    },
};
use muster_eventlog::shard_of;
use muster_runtime::{Clock, SecretResolver, config};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::{FakeObserver, T0, declared, eventually, retired};
use crate::{batch, collector::Collector, inventory::Watched, look::Looker};

struct World {
    observer: Arc<FakeObserver>,
    inventory: Arc<RwLock<Inventory>>,
    changed: watch::Sender<u64>,
    seen: mpsc::Receiver<Observation>,
    tenant: TenantId,
    stop: CancellationToken,
    _secrets: tempfile::TempDir,
}

impl World {
    fn new(hangs_on: Option<&'static str>) -> Self {
        let secrets = tempfile::tempdir().unwrap();
        std::fs::create_dir(secrets.path().join("acme")).unwrap();
        std::fs::write(secrets.path().join("acme/monitor"), "s3cret\n").unwrap();
        Self::with_secrets(hangs_on, secrets)
    }

    fn with_secrets(hangs_on: Option<&'static str>, secrets: tempfile::TempDir) -> Self {
        let tenant: TenantId = "acme".parse().unwrap();
        let observer = Arc::new(FakeObserver { hangs_on, ..Default::default() });
        let (watched, inventory, changed) = Watched::manual();
        let (clock, _) = Clock::manual(T0);
        let now = clock.clone();
        let looker = Looker::with(observer.clone(), resolver(secrets.path()), Arc::new(move || now.now()));
        let (batcher, seen) = batch::channel();
        let collector = Arc::new(Collector {
            looker: Arc::new(looker),
            watched,
            batcher,
            interval: Duration::from_millis(20),
            collector: "connector/test".into(),
            clock,
            sequence: 0.into(),
        });
        let stop = CancellationToken::new();
        tokio::spawn(collector.run(shard_of(&tenant), stop.clone()));
        Self { observer, inventory, changed, seen, tenant, stop, _secrets: secrets }
    }

    fn apply(&self, event: &InventoryEvent) {
        self.inventory.write().unwrap_or_else(PoisonError::into_inner).apply(&self.tenant, event);
        self.changed.send_modify(|n| *n += 1);
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn resolver(directory: &Path) -> SecretResolver {
    SecretResolver::new(&config::Secrets { directory: Some(directory.to_owned()) })
}

#[tokio::test]
async fn what_is_declared_is_looked_at_and_what_is_retired_is_not() {
    let mut world = World::new(None);
    world.apply(&declared("orders-db", 1));
    eventually("the first looks", async || world.observer.looks_at("orders-db") >= 3).await;
    world.apply(&declared("billing-db", 1));
    eventually("a look at the second", async || world.observer.looks_at("billing-db") >= 1).await;

    world.apply(&retired("orders-db"));
    let first = world.seen.recv().await.unwrap();
    assert_eq!((first.tenant.as_str(), first.collector.as_str(), first.sequence), ("acme", "connector/test", 1));
    // The end has come when the other resource was looked at several times and this one was not.
    let mut before = (0, 0);
    eventually("no look at what is retired", async || {
        let now = (world.observer.looks_at("orders-db"), world.observer.looks_at("billing-db"));
        if now.0 != before.0 {
            before = now;
        }
        now.1 >= before.1 + 20
    })
    .await;
}

#[tokio::test]
async fn sequences_rise_for_each_resource() {
    let mut world = World::new(None);
    world.apply(&declared("orders-db", 1));
    world.apply(&declared("billing-db", 1));
    let mut last = std::collections::BTreeMap::new();
    for _ in 0..20 {
        let seen = world.seen.recv().await.unwrap();
        let before = last.insert(seen.resource, seen.sequence);
        assert!(before.is_none_or(|before| before < seen.sequence));
    }
    assert_eq!(last.len(), 2);
}

#[tokio::test]
async fn a_hundred_targets_that_hang_delay_no_other() {
    let names: Vec<String> = (0..100).map(|n| format!("hanging-{n}")).collect();
    let world = World::new(Some("hanging-"));
    for name in &names {
        world.apply(&declared(name, 1));
    }
    world.apply(&declared("orders-db", 1));
    eventually("every hanging target was asked", async || names.iter().all(|name| world.observer.looks_at(name) == 1))
        .await;
    let before = world.observer.looks_at("orders-db");
    eventually("the healthy one goes on", async || world.observer.looks_at("orders-db") >= before + 20).await;
}

#[tokio::test]
async fn a_secret_that_does_not_resolve_is_an_answer_and_leaks_nothing() {
    let mut world = World::with_secrets(None, tempfile::tempdir().unwrap());
    world.apply(&declared("orders-db", 1));
    let seen = world.seen.recv().await.unwrap();
    assert_eq!(seen.nodes.len(), 2);
    for node in &seen.nodes {
        let Some(NodeResult::Error(error)) = &node.result else { unreachable!("no answer was possible") };
        assert_eq!(error.class(), ErrorClass::Configuration);
        assert!(error.message.contains("file:monitor"), "{}", error.message);
    }
    assert_eq!(world.observer.looks_at("orders-db"), 0, "nothing was asked without an account");
}
