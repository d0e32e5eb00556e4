//! Three lanes at each channel: what matters most never stands behind what can wait, and no channel behind a slow one.
//! Each lane of each channel has timers of its own; the first may use every place of the channel, the others only a part.
//!
//! A fresh delivery goes straight to its attempt if its lane has room; a timer that comes a little later makes good what a
//! crash takes away. The lanes are bounded: what finds no room waits in the log, as a timer.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex as StdMutex, PoisonError};

use jiff::SignedDuration;
use muster_domain::TenantId;
use muster_domain::delivery::{Message, Severity};
use muster_domain::pb::common::v1::Tier;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, SemaphorePermit, mpsc};

use crate::parcel::Parcel;

/// Fresh deliveries in memory, at work or waiting for a place, in each lane of a channel. At most 64 KiB each.
const ROOM: usize = 64;
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

    /// The handler of its timers at a channel.
    pub(crate) fn timers(self, channel: &str) -> String {
        match self {
            Self::First => format!("notifier.deliveries-first.{channel}"),
            Self::Critical => format!("notifier.deliveries-critical.{channel}"),
            Self::Other => format!("notifier.deliveries-other.{channel}"),
        }
    }

    /// Places of a channel that it leaves to the lanes before it.
    fn leaves_free(self, places: usize) -> usize {
        match self {
            Self::First => 0,
            Self::Critical => places / 4,
            Self::Other => places / 2,
        }
    }
}

/// The places of a channel, each for one attempt. Who finds none waits, in the order of coming.
pub(crate) struct Places {
    /// Of all lanes; of the last two; of the last.
    nested: [Semaphore; 3],
}

/// A place for one attempt, as long as it is kept.
pub(crate) struct Place<'p>(#[expect(dead_code, reason = "held, not read")] Vec<SemaphorePermit<'p>>);

impl Places {
    pub(crate) fn new(places: usize) -> Self {
        Self { nested: Lane::ALL.map(|lane| Semaphore::new(places - lane.leaves_free(places))) }
    }

    /// From the narrowest to the widest: what waits for a place of its lane takes none from the lanes before it.
    pub(crate) async fn take(&self, lane: Lane) -> Option<Place<'_>> {
        let mut taken = Vec::with_capacity(self.nested.len());
        for (semaphore, _) in self.nested.iter().zip(Lane::ALL).filter(|(_, of)| *of <= lane).rev() {
            taken.push(semaphore.acquire().await.ok()?);
        }
        Some(Place(taken))
    }
}

/// Fresh deliveries on their way to their first attempt.
pub(crate) struct Lanes {
    rooms: StdMutex<BTreeMap<(Lane, String), Arc<Semaphore>>>,
    send: mpsc::UnboundedSender<Fresh>,
    receive: Mutex<mpsc::UnboundedReceiver<Fresh>>,
}

/// One of them. Its room is free again when it is dropped.
pub(crate) struct Fresh {
    pub(crate) tenant: TenantId,
    pub(crate) parcel: Parcel,
    _room: OwnedSemaphorePermit,
}

impl Lanes {
    pub(crate) fn new() -> Self {
        // Bounded by the rooms.
        let (send, receive) = mpsc::unbounded_channel();
        Self { rooms: StdMutex::default(), send, receive: Mutex::new(receive) }
    }

    /// Room in the lane of its channel; `None` when it is full.
    pub(crate) fn room(&self, parcel: &Parcel) -> Option<OwnedSemaphorePermit> {
        let mut rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        let room =
            rooms.entry((parcel.lane(), parcel.channel.clone())).or_insert_with(|| Arc::new(Semaphore::new(ROOM)));
        room.clone().try_acquire_owned().ok()
    }

    pub(crate) fn send(&self, tenant: &TenantId, parcel: Parcel, room: OwnedSemaphorePermit) {
        // Refused only when nobody makes attempts any more: then its timer is there.
        let _ = self.send.send(Fresh { tenant: tenant.clone(), parcel, _room: room });
    }

    pub(crate) async fn next(&self) -> Option<Fresh> {
        self.receive.lock().await.recv().await
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    /// How many of a lane find a place at once, and the places.
    fn all_there_are(places: &Places, lane: Lane) -> Vec<Place<'_>> {
        std::iter::from_fn(|| places.take(lane).now_or_never().flatten()).collect()
    }

    #[test]
    fn the_first_lane_may_use_every_place_and_the_others_leave_some() {
        for size in [1, 4, 32] {
            let alone = Lane::ALL.map(|lane| all_there_are(&Places::new(size), lane).len());
            assert_eq!(alone, [size, size - size / 4, size - size / 2]);
            let places = Places::new(size);
            let others = all_there_are(&places, Lane::Other);
            let critical = all_there_are(&places, Lane::Critical);
            let first = all_there_are(&places, Lane::First);
            assert_eq!(others.len() + critical.len() + first.len(), size, "together they have no more than there are");
            assert_eq!(others.len() + critical.len(), size - size / 4);
        }
    }

    #[tokio::test]
    async fn who_waits_for_a_place_takes_none_from_the_lanes_before_and_has_the_next() {
        let places = Places::new(4);
        let mut others = all_there_are(&places, Lane::Other);
        let mut waits = Box::pin(places.take(Lane::Other));
        assert!(waits.as_mut().now_or_never().is_none());
        assert_eq!(all_there_are(&places, Lane::First).len(), 2);
        others.pop();
        assert!(waits.await.is_some());
        assert!(others.pop().is_some());
    }

    #[test]
    fn every_lane_of_every_channel_has_timers_of_its_own() {
        let names: std::collections::BTreeSet<_> =
            Lane::ALL.iter().flat_map(|lane| ["email", "slack"].map(|channel| lane.timers(channel))).collect();
        assert_eq!(names.len(), 6);
    }
}
