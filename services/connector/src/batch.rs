//! Many observations in one message: a message costs the log the same whether it holds one or hundreds.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use muster_domain::pb::observation::v1::{Observation, ObservationBatch};
use muster_eventlog::EventLog;
use muster_runtime::config::Observe;
use prost::Message;
use tokio::{
    sync::{Mutex, Semaphore, mpsc},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

/// Observations waiting for their message. When the log stands still, newer ones are dropped: each is
/// replaced by the next, and their absence makes the resource stale, which is the truth.
const WAITING: usize = 10_000;
/// Well below what the log takes in one message.
const MAX_BATCH_BYTES: usize = 256 * 1024;
/// Messages under way at once. Each may wait for the log for seconds.
const MESSAGES_AT_ONCE: usize = 32;

/// Takes observations in. Cheap to clone, never waits.
#[derive(Clone)]
pub(crate) struct Batcher(mpsc::Sender<Observation>);

pub(crate) fn channel() -> (Batcher, mpsc::Receiver<Observation>) {
    let (sender, receiver) = mpsc::channel(WAITING);
    (Batcher(sender), receiver)
}

impl Batcher {
    pub(crate) fn add(&self, observation: Observation) {
        if self.0.try_send(observation).is_err() {
            dropped(1);
        }
    }
}

fn dropped(count: usize) {
    metrics::counter!("muster_connector_observations_dropped_total").increment(count as u64);
}

/// Makes messages and sends them.
pub(crate) struct Publisher {
    log: EventLog,
    max_observations: usize,
    max_delay: Duration,
    /// Locked by the one running task; a lock and not a value, so that the task can be begun again.
    waiting: Mutex<mpsc::Receiver<Observation>>,
    sending: Arc<Semaphore>,
}

/// One tenant's message in the making.
struct Filling {
    batch: ObservationBatch,
    bytes: usize,
    due: Instant,
}

impl Publisher {
    pub(crate) fn new(log: EventLog, config: &Observe, waiting: mpsc::Receiver<Observation>) -> Self {
        Self {
            log,
            max_observations: config.batch_size.max(1),
            max_delay: *config.batch_delay,
            waiting: Mutex::new(waiting),
            sending: Arc::new(Semaphore::new(MESSAGES_AT_ONCE)),
        }
    }

    /// Until `shutdown`; what has been taken in by then is still sent.
    pub(crate) async fn run(self: Arc<Self>, shutdown: CancellationToken) {
        let mut waiting = self.waiting.lock().await;
        let mut filling: BTreeMap<String, Filling> = BTreeMap::new();
        loop {
            let due = filling.values().map(|f| f.due).min();
            tokio::select! {
                () = shutdown.cancelled() => break,
                Some(observation) = waiting.recv() => self.fill(&mut filling, observation),
                () = sleep_until(due) => self.send_due(&mut filling),
            }
        }
        while let Ok(observation) = waiting.try_recv() {
            self.fill(&mut filling, observation);
        }
        for (_, full) in filling {
            self.publish(full.batch);
        }
        // Each message gives up by itself; the process drains no longer than its own limit.
        let _ = self.sending.acquire_many(MESSAGES_AT_ONCE as u32).await;
    }

    fn fill(&self, filling: &mut BTreeMap<String, Filling>, observation: Observation) {
        let tenant = observation.tenant.clone();
        let bytes = observation.encoded_len();
        if filling.get(&tenant).is_some_and(|f| f.bytes + bytes > MAX_BATCH_BYTES) {
            self.send(filling, &tenant);
        }
        let entry = filling.entry(tenant.clone()).or_insert_with(|| Filling {
            batch: ObservationBatch {
                tenant: tenant.clone(),
                collector: observation.collector.clone(),
                observations: Vec::new(),
            },
            bytes: 0,
            due: Instant::now() + self.max_delay,
        });
        entry.bytes += bytes;
        entry.batch.observations.push(observation);
        if entry.batch.observations.len() >= self.max_observations {
            self.send(filling, &tenant);
        }
    }

    fn send_due(&self, filling: &mut BTreeMap<String, Filling>) {
        let now = Instant::now();
        let due: Vec<String> = filling.iter().filter(|(_, f)| f.due <= now).map(|(tenant, _)| tenant.clone()).collect();
        for tenant in due {
            self.send(filling, &tenant);
        }
    }

    fn send(&self, filling: &mut BTreeMap<String, Filling>, tenant: &str) {
        if let Some(full) = filling.remove(tenant) {
            self.publish(full.batch);
        }
    }

    fn publish(&self, batch: ObservationBatch) {
        let Ok(place) = self.sending.clone().try_acquire_owned() else {
            return dropped(batch.observations.len());
        };
        let log = self.log.clone();
        tokio::spawn(async move {
            let began = Instant::now();
            match log.publish_observations(&batch).await {
                Ok(_) => metrics::histogram!("muster_connector_publish_seconds").record(began.elapsed().as_secs_f64()),
                Err(error) => {
                    dropped(batch.observations.len());
                    tracing::warn!(tenant = batch.tenant, observations = batch.observations.len(), %error, "observations were not stored");
                }
            }
            drop(place);
        });
    }
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}
