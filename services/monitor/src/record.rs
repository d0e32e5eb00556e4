//! Decisions, written to the log: as many events as it takes until the rules have nothing more to say.

use std::{convert::Infallible, sync::Arc};

use jiff::Timestamp;
use muster_domain::{
    AggregateId, InvalidId,
    readiness::{Inputs, Readiness, decide},
    time::from_pb,
};
use muster_eventlog::{DecideError, EventLog, LogError, Meta, Outcome};
use muster_runtime::{Clock, service_actor};
use tokio::sync::Semaphore;

use crate::{SERVICE, inventory::ResourceKey};

/// Decisions being written at once: when a site fails, all of its resources change together.
const AT_ONCE: usize = 64;
/// One look leads to at most a status change and two events for each kind of alert.
const MAX_EVENTS: usize = 9;

#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordError {
    #[error(transparent)]
    Decide(#[from] DecideError<Infallible>),
    #[error(transparent)]
    Load(#[from] LogError),
    #[error(transparent)]
    Id(#[from] InvalidId),
    #[error("the rules did not come to an end after {MAX_EVENTS} events on {0}")]
    NoEnd(String),
}

/// A cheap handle.
#[derive(Clone)]
pub(crate) struct Recorder {
    log: EventLog,
    clock: Clock,
    places: Arc<Semaphore>,
}

impl Recorder {
    pub(crate) fn new(log: EventLog, clock: Clock) -> Self {
        Self { log, clock, places: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// What the log says about a resource.
    pub(crate) async fn load(&self, key: &ResourceKey) -> Result<Readiness, RecordError> {
        let _place = self.places.acquire().await;
        Ok(self.log.load::<Readiness>(&key.tenant, &id(key)?).await?.state)
    }

    /// Decides on the log's own state, so that two monitors cannot both write the same. The events of one
    /// look share their correlation; those after the first name it as their cause.
    pub(crate) async fn record(&self, key: &ResourceKey, inputs: &Inputs) -> Result<Readiness, RecordError> {
        let _place = self.places.acquire().await;
        let (id, correlation) = (id(key)?, self.clock.new_id());
        let mut first = None;
        for _ in 0..=MAX_EVENTS {
            let now = self.clock.now();
            let event_id = self.clock.new_id();
            let actor = service_actor(SERVICE);
            let meta = Meta { event_id, actor, time: now, correlation, causation: first };
            let decided = self
                .log
                .decide::<Readiness, Infallible>(&key.tenant, &id, &meta, |state| Ok(decide(state, inputs, now)))
                .await?;
            if decided.outcome != Outcome::Appended {
                return Ok(decided.state);
            }
            first = first.or(Some(event_id));
            measure(inputs, self.clock.now());
        }
        Err(RecordError::NoEnd(key.resource.clone()))
    }
}

fn id(key: &ResourceKey) -> Result<AggregateId, InvalidId> {
    key.resource.parse()
}

/// From the look to the event in the log.
fn measure(inputs: &Inputs, now: Timestamp) {
    metrics::counter!("muster_monitor_events_total").increment(1);
    if let Some(observed_at) = from_pb(inputs.assessment.observed_at.as_ref()) {
        let took = now.duration_since(observed_at).as_secs_f64().max(0.0);
        metrics::histogram!("muster_monitor_recorded_after_seconds").record(took);
    }
}
