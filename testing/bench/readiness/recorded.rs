//! What the monitor has recorded, read from the log itself.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use muster_domain::{
    Aggregate,
    pb::readiness::v1::{ReadinessEvent, Status, readiness_event::Event},
    readiness::Readiness,
};
use muster_eventlog::{EventLog, Record, live_fold};
use tokio_util::sync::{CancellationToken, DropGuard};

pub(super) struct Recorded {
    statuses: Arc<Mutex<Statuses>>,
    _reading: DropGuard,
}

/// Each system's statuses, with the time at which the log stored them.
type Statuses = BTreeMap<String, Vec<(Timestamp, Status)>>;

impl Recorded {
    pub(super) async fn follow(log: &EventLog) -> Self {
        let statuses = Arc::<Mutex<Statuses>>::default();
        let (taken, stop) = (statuses.clone(), CancellationToken::new());
        let fold = live_fold(log, &[Readiness::KIND], move |record| take_in(&mut lock(&taken), record), stop.clone());
        fold.caught_up().await;
        Self { statuses, _reading: stop.drop_guard() }
    }

    /// How many systems are green now.
    pub(super) fn green(&self) -> usize {
        let is_green = |changes: &&Vec<(Timestamp, Status)>| changes.last().is_some_and(|(_, s)| *s == Status::Green);
        lock(&self.statuses).values().filter(is_green).count()
    }

    /// How many changes to red there were.
    pub(super) fn reds(&self) -> usize {
        lock(&self.statuses).values().flatten().filter(|(_, status)| *status == Status::Red).count()
    }

    /// How long after `at` the log stored that this system is red; `None` if it recovered, or ended, without.
    pub(super) fn red_after(&self, system: &str, at: Timestamp) -> Option<Duration> {
        let statuses = lock(&self.statuses);
        let (stored_at, status) = statuses.get(system)?.iter().find(|(stored_at, _)| *stored_at >= at)?;
        if *status != Status::Red {
            return None;
        }
        stored_at.duration_since(at).try_into().ok()
    }
}

fn take_in(statuses: &mut Statuses, record: &Record) {
    // What cannot be decoded is missing in the numbers.
    let Ok(ReadinessEvent { event: Some(Event::StatusChanged(changed)) }) = record.decode() else { return };
    let status = changed.assessment.as_ref().map_or(Status::Unspecified, |assessment| assessment.status());
    statuses.entry(changed.resource).or_default().push((record.stored_at, status));
}

fn lock(statuses: &Mutex<Statuses>) -> MutexGuard<'_, Statuses> {
    statuses.lock().unwrap_or_else(PoisonError::into_inner)
}
