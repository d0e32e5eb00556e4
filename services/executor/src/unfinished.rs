//! The runs that have not ended, and those that still hold their resource: folded from the log in memory. It is how a
//! successor finds what a killed executor left behind, and how watchers hear of news.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, PoisonError, RwLock},
};

use muster_domain::{
    Aggregate, AggregateId, TenantId,
    execution::{Execution, Reservation},
    pb::execution::v1::{ExecutionEvent, ReservationEvent, execution_event::Event, reservation_event::Event as Hold},
};
use muster_eventlog::{EventLog, LiveFold, Record, live_fold};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

/// News a slow watcher may be behind before it is told to read again.
const NEWS: usize = 256;

/// One run of one tenant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RunKey {
    pub tenant: TenantId,
    /// The request's id, and the execution's.
    pub id: AggregateId,
}

#[derive(Debug, Default, Clone)]
struct Left {
    running: bool,
    /// Names of the reservations it holds.
    holding: BTreeSet<String>,
    /// The trace it began in.
    traceparent: Option<String>,
}

pub(crate) struct Unfinished {
    left: Arc<RwLock<BTreeMap<RunKey, Left>>>,
    news: broadcast::Sender<RunKey>,
    fold: LiveFold,
}

impl Unfinished {
    pub(crate) fn follow(log: &EventLog, shutdown: CancellationToken) -> Self {
        let left = Arc::new(RwLock::new(BTreeMap::new()));
        let news = broadcast::Sender::new(NEWS);
        let (folded, teller) = (left.clone(), news.clone());
        let fold = live_fold(
            log,
            &[Execution::KIND, Reservation::KIND],
            move |record| {
                let mut left = folded.write().unwrap_or_else(PoisonError::into_inner);
                if let Some(key) = take_in(&mut left, record) {
                    // Nobody watches: nobody need be told.
                    let _ = teller.send(key);
                }
            },
            shutdown,
        );
        Self { left, news, fold }
    }

    pub(crate) async fn caught_up(&self) {
        self.fold.caught_up().await;
    }

    pub(crate) fn is_caught_up(&self) -> bool {
        self.fold.is_caught_up()
    }

    /// What somebody has to finish, with the trace it began in.
    pub(crate) fn all(&self) -> Vec<(RunKey, Option<String>)> {
        let left = self.left.read().unwrap_or_else(PoisonError::into_inner);
        left.iter().map(|(key, left)| (key.clone(), left.traceparent.clone())).collect()
    }

    /// Every run something happened in, from now on.
    pub(crate) fn news(&self) -> broadcast::Receiver<RunKey> {
        self.news.subscribe()
    }
}

/// The run that changed. Entries that cannot be decoded are parked by the reactor and the projections.
fn take_in(left: &mut BTreeMap<RunKey, Left>, record: &Record) -> Option<RunKey> {
    let key = |id: &str| Some(RunKey { tenant: record.tenant.clone(), id: id.parse().ok()? });
    let key = if record.kind == Reservation::KIND {
        let (id, holds) = match record.decode::<ReservationEvent>().ok()?.event? {
            Hold::Reserved(reserved) => (reserved.request_id, true),
            Hold::Released(released) => (released.request_id, false),
            Hold::CoolDownBegun(_) | Hold::CoolDownAcknowledged(_) => return None,
        };
        let key = key(&id)?;
        let holding = &mut left.entry(key.clone()).or_default().holding;
        if holds {
            holding.insert(record.id.clone())
        } else {
            holding.remove(&record.id)
        };
        key
    } else {
        let key = key(&record.id)?;
        match record.decode::<ExecutionEvent>().ok()?.event? {
            Event::Started(_) => left.entry(key.clone()).or_default().running = true,
            Event::Succeeded(_) | Event::Failed(_) | Event::Stopped(_) => {
                left.entry(key.clone()).or_default().running = false
            }
            _ => {}
        }
        key
    };
    if let Some(entry) = left.get_mut(&key) {
        if entry.traceparent.is_none() {
            entry.traceparent = record.traceparent.clone();
        }
        if !entry.running && entry.holding.is_empty() {
            left.remove(&key);
        }
    }
    Some(key)
}
