//! One task a resource: it looks, waits, looks again. Tasks begin and end as the inventory changes.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use muster_domain::{pb::observation::v1::Observation, time::to_pb};
use muster_runtime::Clock;
use tokio::{
    sync::Semaphore,
    task::JoinHandle,
    time::{Instant, MissedTickBehavior},
};
use tokio_util::sync::CancellationToken;

use crate::{
    batch::Batcher,
    inventory::{ResourceKey, Target, Watched},
    look::{Looker, error_classes},
};

/// Looks at once, of targets that answer. Each one holds two connections.
const LOOKS_AT_ONCE: usize = 256;
/// Looks at once, of targets that were slow the last time: however many hang, the others keep their places.
const SLOW_LOOKS_AT_ONCE: usize = 64;
/// A look that takes longer makes the target a slow one.
const SLOW: Duration = Duration::from_secs(1);

pub(crate) struct Collector {
    pub(crate) looker: Arc<Looker>,
    pub(crate) watched: Watched,
    pub(crate) batcher: Batcher,
    pub(crate) interval: Duration,
    /// "connector/<instance>": new at each start, so that sequences may begin anew.
    pub(crate) collector: String,
    pub(crate) clock: Clock,
    /// Rises with every look of this process, so it rises for each resource.
    pub(crate) sequence: AtomicU64,
}

/// A resource's task, ended when this is dropped.
struct Running {
    target: Target,
    task: JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Places for looks under way.
struct Places {
    quick: Semaphore,
    slow: Semaphore,
}

impl Collector {
    /// Watches the resources of one shard until `stop`.
    pub(crate) async fn run(self: Arc<Self>, shard: u16, stop: CancellationToken) {
        let places =
            Arc::new(Places { quick: Semaphore::new(LOOKS_AT_ONCE), slow: Semaphore::new(SLOW_LOOKS_AT_ONCE) });
        let mut running: BTreeMap<ResourceKey, Running> = BTreeMap::new();
        let mut changes = self.watched.changes();
        loop {
            self.adjust(&mut running, self.watched.targets(shard), &places);
            metrics::gauge!("muster_connector_resources", "shard" => shard.to_string()).set(running.len() as f64);
            tokio::select! {
                () = stop.cancelled() => return,
                changed = changes.changed() => {
                    if changed.is_err() {
                        // The inventory is not followed any more: the process is stopping.
                        return stop.cancelled().await;
                    }
                }
            }
        }
    }

    /// Ends what is retired, begins what is new; what was declared anew begins again with it.
    fn adjust(
        self: &Arc<Self>,
        running: &mut BTreeMap<ResourceKey, Running>,
        wanted: BTreeMap<ResourceKey, Target>,
        places: &Arc<Places>,
    ) {
        running.retain(|key, task| wanted.get(key) == Some(&task.target));
        for (key, target) in wanted {
            running.entry(key).or_insert_with_key(|key| {
                let watch = self.clone().watch(key.clone(), target.clone(), places.clone());
                Running { target, task: tokio::spawn(watch) }
            });
        }
    }

    async fn watch(self: Arc<Self>, key: ResourceKey, target: Target, places: Arc<Places>) {
        let mut ticks = tokio::time::interval_at(Instant::now() + jitter(&key, self.interval), self.interval);
        // A look that took longer than the interval is followed by the next regular one, not by a burst.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut slow = false;
        loop {
            ticks.tick().await;
            let places = if slow { &places.slow } else { &places.quick };
            let Ok(_place) = places.acquire().await else { return };
            let began = Instant::now();
            if !self.look(&key, &target).await {
                tracing::warn!(tenant = %key.tenant, resource = key.resource, "no platform of this program serves it");
                return;
            }
            slow = began.elapsed() > SLOW;
            metrics::histogram!("muster_connector_look_seconds").record(began.elapsed().as_secs_f64());
        }
    }

    /// `false`: there is nothing to look at.
    async fn look(&self, key: &ResourceKey, target: &Target) -> bool {
        let Some(nodes) = self.looker.look(key, target).await else { return false };
        for class in error_classes(&nodes) {
            metrics::counter!("muster_connector_errors_total", "class" => class).increment(1);
        }
        metrics::counter!("muster_connector_observations_total").increment(1);
        self.batcher.add(Observation {
            tenant: key.tenant.to_string(),
            resource: key.resource.clone(),
            observed_at: Some(to_pb(self.clock.now())),
            sequence: self.sequence.fetch_add(1, Ordering::Relaxed) + 1,
            collector: self.collector.clone(),
            nodes,
        });
        true
    }
}

/// Spreads the first looks over an interval, so that a start does not become a burst in each cycle.
fn jitter(key: &ResourceKey, interval: Duration) -> Duration {
    let mut hasher = DefaultHasher::new();
    (key.tenant.as_str(), &key.resource).hash(&mut hasher);
    interval.mul_f64((hasher.finish() % 1000) as f64 / 1000.0)
}
