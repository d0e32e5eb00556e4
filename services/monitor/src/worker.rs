//! One shard's judge: takes observations in, looks again when something falls due, and has decisions
//! recorded. Touches neither the log nor PostgreSQL for an observation that changes nothing.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures::StreamExt;
use jiff::Timestamp;
use muster_domain::{
    TenantId,
    pb::observation::v1::Observation,
    readiness::{Inputs, Readiness, Watch, decide, watch},
};
use muster_eventlog::StoredObservations;
use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

use crate::{
    Monitor,
    inventory::{Declaration, ResourceKey},
    read,
    record::RecordError,
    recovery::recover,
};

/// How often due times are compared with the clock: what a limit adds to its alert.
const TICK: Duration = Duration::from_millis(200);
/// How often alerts are looked for whose resource is not declared any more.
const SWEEP: Duration = Duration::from_secs(60);
/// Before a decision that could not be written is tried again. The log's own patience comes before.
const RETRY: jiff::SignedDuration = jiff::SignedDuration::from_secs(2);

/// One resource in memory.
pub(crate) struct Entry {
    pub(crate) declaration: Declaration,
    pub(crate) watch: Watch,
    /// What the log says. `None`: not read yet.
    state: Option<Readiness>,
    /// It is being read or written.
    busy: bool,
    next_due: Timestamp,
}

impl Entry {
    pub(crate) fn new(declaration: Declaration, now: Timestamp) -> Self {
        Self { declaration, watch: Watch::new(now), state: None, busy: false, next_due: now }
    }
}

pub(crate) type Entries = BTreeMap<ResourceKey, Entry>;

/// What became of reading or writing a resource's state.
struct Done {
    key: ResourceKey,
    result: Result<Readiness, RecordError>,
}

struct Worker {
    monitor: Arc<Monitor>,
    shard: u16,
    entries: Entries,
    ticked_at: Timestamp,
    done: mpsc::UnboundedSender<Done>,
}

/// Judges one shard until `stop`.
pub(crate) async fn run(monitor: Arc<Monitor>, shard: u16, stop: CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = judge(monitor, shard) => {}
    }
}

async fn judge(monitor: Arc<Monitor>, shard: u16) {
    monitor.inventory.caught_up().await;
    let mut changes = monitor.inventory.changes();
    let (entries, mut observations) = recover(&monitor, shard).await;
    // Bounded by the number of resources: each is being read or written at most once.
    let (done, mut finished) = mpsc::unbounded_channel();
    let ticked_at = monitor.ctx.clock.now();
    let mut worker = Worker { monitor, shard, entries, ticked_at, done };
    worker.begin();
    let (mut ticks, mut sweeps) = (interval(TICK), interval(SWEEP));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            Some(stored) = observations.next() => worker.take_in(&stored),
            Some(done) = finished.recv() => worker.finish(done),
            _ = ticks.tick() => worker.due(),
            _ = sweeps.tick() => worker.sweep(),
            Ok(()) = changes.changed() => worker.adjust(),
        }
    }
}

impl Worker {
    fn now(&self) -> Timestamp {
        self.monitor.ctx.clock.now()
    }

    /// The first look after a start: everything is read from the log, and silence is guarded.
    fn begin(&mut self) {
        let now = self.now();
        for (key, entry) in &mut self.entries {
            entry.watch.resume(now);
            self.monitor.freshness.guard(key.clone(), &entry.declaration.limits);
        }
        for key in self.entries.keys().cloned().collect::<Vec<_>>() {
            self.look(&key);
        }
    }

    // ---- what comes in ----

    fn take_in(&mut self, stored: &StoredObservations) {
        let now = self.now();
        metrics::histogram!("muster_monitor_arrival_seconds")
            .record(now.duration_since(stored.stored_at).as_secs_f64().max(0.0));
        let Ok(tenant) = stored.batch.tenant.parse::<TenantId>() else {
            tracing::error!(tenant = stored.batch.tenant, "observations of something that is no tenant");
            return;
        };
        for observation in &stored.batch.observations {
            let key = ResourceKey { tenant: tenant.clone(), resource: observation.resource.clone() };
            self.observed(&key, observation, now);
        }
    }

    fn observed(&mut self, key: &ResourceKey, observation: &Observation, now: Timestamp) {
        // Retired, or declared a moment ago and not here yet: the next observation is.
        let Some(entry) = self.entries.get_mut(key) else { return };
        if !entry.watch.observe(&entry.declaration.spec, observation, now) {
            metrics::counter!("muster_monitor_observations_ignored_total").increment(1);
            return;
        }
        metrics::counter!("muster_monitor_observations_total").increment(1);
        let assessment = entry.watch.assessment(&entry.declaration.limits, now);
        self.monitor.board.observed(key, now, &assessment);
        self.look(key);
    }

    fn due(&mut self) {
        let now = self.now();
        // After a clock went back, due times lie in its future: then everything is looked at.
        let went_back = now < std::mem::replace(&mut self.ticked_at, now);
        let is_due = |entry: &Entry| went_back || (entry.next_due <= now && !entry.busy);
        let due: Vec<ResourceKey> =
            self.entries.iter().filter(|(_, entry)| is_due(entry)).map(|(key, _)| key.clone()).collect();
        for key in due {
            self.look(&key);
        }
    }

    /// The inventory changed: begins what is new, ends what is retired.
    fn adjust(&mut self) {
        let now = self.now();
        let mut wanted = self.monitor.inventory.declarations(self.shard);
        let gone: Vec<ResourceKey> = self.entries.keys().filter(|key| !wanted.contains_key(key)).cloned().collect();
        for key in gone {
            self.entries.remove(&key);
            self.retire(key);
        }
        for (key, entry) in &mut self.entries {
            if let Some(declaration) = wanted.remove(key)
                && declaration != entry.declaration
            {
                entry.declaration = declaration;
                entry.next_due = now;
            }
        }
        for (key, declaration) in wanted {
            self.monitor.freshness.guard(key.clone(), &declaration.limits);
            self.entries.insert(key.clone(), Entry::new(declaration, now));
            self.look(&key);
        }
    }

    // ---- judging ----

    fn look(&mut self, key: &ResourceKey) {
        let now = self.now();
        let Some(entry) = self.entries.get_mut(key) else { return };
        let inputs = entry.watch.look(&entry.declaration.subject(key), now);
        entry.next_due = entry.watch.next_due(&entry.declaration.limits);
        if let Some(seen_at) = entry.watch.seen_at() {
            let assessment = inputs.as_ref().map(|i| i.assessment.clone());
            let assessment = assessment.unwrap_or_else(|| entry.watch.assessment(&entry.declaration.limits, now));
            self.monitor.board.latest(key, seen_at, assessment, &entry.watch);
        }
        if entry.busy {
            return;
        }
        match (&entry.state, inputs) {
            (None, _) => {
                entry.busy = true;
                self.read_state(key.clone());
            }
            (Some(state), Some(inputs)) if decide(state, &inputs, now).is_some() => {
                entry.busy = true;
                self.write(key.clone(), inputs);
            }
            _ => {}
        }
    }

    fn read_state(&self, key: ResourceKey) {
        let (recorder, done) = (self.monitor.recorder.clone(), self.done.clone());
        tokio::spawn(async move {
            let result = recorder.load(&key).await;
            let _ = done.send(Done { key, result }); // the worker has ended: another one reads it again
        });
    }

    fn write(&self, key: ResourceKey, inputs: Inputs) {
        let (recorder, done) = (self.monitor.recorder.clone(), self.done.clone());
        tokio::spawn(async move {
            let result = recorder.record(&key, &inputs).await;
            let _ = done.send(Done { key, result }); // as above
        });
    }

    fn finish(&mut self, Done { key, result }: Done) {
        let now = self.now();
        let Some(entry) = self.entries.get_mut(&key) else { return };
        entry.busy = false;
        match result {
            Ok(state) => {
                entry.state = Some(state);
                self.look(&key);
            }
            Err(error) => {
                metrics::counter!("muster_monitor_record_failures_total").increment(1);
                tracing::error!(tenant = %key.tenant, resource = key.resource, %error, "a judgement could not be recorded, it is tried again");
                // What may have been written is read again before anything else is decided.
                entry.state = None;
                entry.next_due = now.saturating_add(RETRY).unwrap_or(now);
            }
        }
    }

    // ---- what is not judged any more ----

    fn retire(&self, key: ResourceKey) {
        self.monitor.board.forget(&key);
        let monitor = self.monitor.clone();
        tokio::spawn(async move {
            monitor.freshness.release(&key).await;
            resolve_retired(&monitor, &key).await;
        });
    }

    /// Alerts of resources that were retired while no monitor was there.
    fn sweep(&self) {
        let (monitor, shard) = (self.monitor.clone(), self.shard);
        tokio::spawn(async move {
            for tenant in monitor.inventory.tenants(shard) {
                let open = match read::resources_with_open_alerts(&monitor.ctx.db, &tenant).await {
                    Ok(open) => open,
                    Err(error) => {
                        tracing::warn!(%tenant, %error, "cannot look for alerts of retired resources");
                        continue;
                    }
                };
                for resource in open {
                    let key = ResourceKey { tenant: tenant.clone(), resource };
                    if monitor.inventory.declaration(&key).is_none() {
                        resolve_retired(&monitor, &key).await;
                    }
                }
            }
        });
    }
}

async fn resolve_retired(monitor: &Monitor, key: &ResourceKey) {
    let result = async {
        let state = monitor.recorder.load(key).await?;
        let inputs = watch::retired(key.tenant.as_str(), &key.resource, 0, state.assessment);
        monitor.recorder.record(key, &inputs).await
    };
    if let Err(error) = result.await {
        // The next sweep finds it again.
        tracing::warn!(tenant = %key.tenant, resource = key.resource, %error, "alerts of a retired resource are not resolved yet");
    }
}
