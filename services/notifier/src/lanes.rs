//! Three lanes, so that what matters most never stands behind what can wait: each has timers and workers of its own, and
//! the first may use every place of a channel, the others only a part.
//!
//! A fresh delivery goes straight to a worker if its lane has room; a timer that comes a little later makes good what a
//! crash takes away. The lanes are bounded: what finds no room waits in the log, as a timer.

use jiff::SignedDuration;
use muster_domain::TenantId;
use muster_domain::delivery::{Message, Severity};
use muster_domain::pb::common::v1::Tier;
use tokio::sync::{Mutex, mpsc};

use crate::parcel::Parcel;

/// Deliveries that wait in memory for a worker, in each lane. At most 64 KiB each.
const ROOM: usize = 128;
/// Workers of each lane that make first attempts; the timers have theirs beside them.
pub(crate) const WORKERS: usize = 16;
/// The timer of a delivery that is in a lane: comes when a healthy attempt is over, and finds nothing to do.
pub(crate) const BEHIND: SignedDuration = SignedDuration::from_secs(5);

/// How soon a delivery has its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Lane {
    /// Critical, of tier 1 or of a tier that is not known.
    First,
    Critical,
    Other,
}

impl Lane {
    pub(crate) const ALL: [Lane; 3] = [Lane::First, Lane::Critical, Lane::Other];

    pub(crate) fn of(message: &Message) -> Self {
        match (message.severity, message.tier) {
            (Severity::Critical, Tier::Tier1 | Tier::Unspecified) => Self::First,
            (Severity::Critical, Tier::Tier2 | Tier::Tier3) => Self::Critical,
            (Severity::Warning | Severity::Info, _) => Self::Other,
        }
    }

    /// The handler of its timers.
    pub(crate) fn timers(self) -> &'static str {
        match self {
            Self::First => "notifier.deliveries-first",
            Self::Critical => "notifier.deliveries-critical",
            Self::Other => "notifier.deliveries",
        }
    }

    /// Places of a channel that it leaves to the lanes before it.
    pub(crate) fn leaves_free(self, places: usize) -> usize {
        match self {
            Self::First => 0,
            Self::Critical => places / 4,
            Self::Other => places / 2,
        }
    }

    /// When it comes again after it found no place.
    pub(crate) fn pause(self) -> SignedDuration {
        match self {
            Self::First => SignedDuration::from_millis(200),
            Self::Critical => SignedDuration::from_millis(700),
            Self::Other => SignedDuration::from_secs(3),
        }
    }
}

/// What goes straight to a worker.
pub(crate) struct Lanes {
    first: Queue,
    critical: Queue,
    other: Queue,
}

struct Queue {
    send: mpsc::Sender<(TenantId, Parcel)>,
    receive: Mutex<mpsc::Receiver<(TenantId, Parcel)>>,
}

impl Lanes {
    pub(crate) fn new() -> Self {
        let queue = || {
            let (send, receive) = mpsc::channel(ROOM);
            Queue { send, receive: Mutex::new(receive) }
        };
        Self { first: queue(), critical: queue(), other: queue() }
    }

    fn queue(&self, lane: Lane) -> &Queue {
        match lane {
            Lane::First => &self.first,
            Lane::Critical => &self.critical,
            Lane::Other => &self.other,
        }
    }

    /// A place in the lane; `None` when it is full.
    pub(crate) fn room(&self, lane: Lane) -> Option<mpsc::Permit<'_, (TenantId, Parcel)>> {
        self.queue(lane).send.try_reserve().ok()
    }

    /// The next delivery of a lane.
    pub(crate) async fn next(&self, lane: Lane) -> Option<(TenantId, Parcel)> {
        self.queue(lane).receive.lock().await.recv().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_lane_may_use_every_place_and_the_others_leave_some() {
        for places in [1, 4, 32] {
            let left: Vec<usize> = Lane::ALL.iter().map(|lane| lane.leaves_free(places)).collect();
            assert!(left.is_sorted() && left[0] == 0 && left.iter().all(|free| *free < places), "{places}: {left:?}");
        }
        assert!(Lane::ALL.map(Lane::pause).is_sorted());
    }
}
