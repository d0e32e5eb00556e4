//! What the monitor has recorded, read from the log itself.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
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

/// Each system's statuses, in the log's order.
type Statuses = BTreeMap<String, Vec<Change>>;

#[derive(Clone, Copy)]
pub(super) struct Change {
    pub(super) status: Status,
    /// By the server's clock, which is this machine's.
    pub(super) stored_at: Timestamp,
    /// When it came to us, a reader of the log as any other: by then it is on the disk.
    pub(super) read_at: Timestamp,
}

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
        let is_green = |changes: &&Vec<Change>| changes.last().is_some_and(|change| change.status == Status::Green);
        lock(&self.statuses).values().filter(is_green).count()
    }

    /// How many changes to red there were.
    pub(super) fn reds(&self) -> usize {
        lock(&self.statuses).values().flatten().filter(|change| change.status == Status::Red).count()
    }

    /// The change to red of a system that broke at this time. `None`: something else was recorded next, or nothing.
    pub(super) fn red_after(&self, system: &str, at: Timestamp) -> Option<Change> {
        let statuses = lock(&self.statuses);
        let next = statuses.get(system)?.iter().find(|change| change.stored_at >= at)?;
        (next.status == Status::Red).then_some(*next)
    }
}

fn take_in(statuses: &mut Statuses, record: &Record) {
    // What cannot be decoded is missing in the numbers.
    let Ok(ReadinessEvent { event: Some(Event::StatusChanged(changed)) }) = record.decode() else { return };
    let status = changed.assessment.as_ref().map_or(Status::Unspecified, |assessment| assessment.status());
    let change = Change { status, stored_at: record.stored_at, read_at: Timestamp::now() };
    statuses.entry(changed.resource).or_default().push(change);
}

fn lock(statuses: &Mutex<Statuses>) -> MutexGuard<'_, Statuses> {
    statuses.lock().unwrap_or_else(PoisonError::into_inner)
}
