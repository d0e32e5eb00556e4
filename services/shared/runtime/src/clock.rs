//! The only place where Muster asks what time it is or makes a fresh id. Everything else gets them from here,
//! so that a test can hold the time still and know every id.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

/// Where time and fresh ids come from.
pub trait TimeSource: Send + Sync + 'static {
    fn now(&self) -> Timestamp;
    /// A UUIDv7: sorts by the time it was made.
    fn new_id(&self) -> Uuid;
}

/// A cheap handle.
#[derive(Clone)]
pub struct Clock(Arc<dyn TimeSource>);

impl Clock {
    pub fn system() -> Self {
        Self(Arc::new(SystemTime))
    }

    /// A clock that stands still until it is moved, and counts its ids.
    pub fn manual(start: Timestamp) -> (Self, Arc<ManualTime>) {
        let time = Arc::new(ManualTime { millis: AtomicI64::new(start.as_millisecond()), ids: AtomicU64::new(0) });
        (Self(time.clone()), time)
    }

    pub fn now(&self) -> Timestamp {
        self.0.now()
    }

    pub fn new_id(&self) -> Uuid {
        self.0.new_id()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({})", self.now())
    }
}

struct SystemTime;

impl TimeSource for SystemTime {
    #[expect(clippy::disallowed_methods, reason = "this is the place the lint points to")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    #[expect(clippy::disallowed_methods, reason = "this is the place the lint points to")]
    fn new_id(&self) -> Uuid {
        Uuid::now_v7()
    }
}

/// Moved by a test; whole milliseconds.
#[derive(Debug)]
pub struct ManualTime {
    millis: AtomicI64,
    ids: AtomicU64,
}

impl ManualTime {
    pub fn advance(&self, by: SignedDuration) {
        let millis = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.millis.fetch_add(millis, Ordering::SeqCst);
    }

    pub fn set(&self, at: Timestamp) {
        self.millis.store(at.as_millisecond(), Ordering::SeqCst);
    }
}

impl TimeSource for ManualTime {
    fn now(&self) -> Timestamp {
        // Out of range only when a test moved it there: the end of time is as good as any.
        Timestamp::from_millisecond(self.millis.load(Ordering::SeqCst)).unwrap_or(Timestamp::MAX)
    }

    fn new_id(&self) -> Uuid {
        let millis = u64::try_from(self.millis.load(Ordering::SeqCst)).unwrap_or(0);
        let mut counter = [0_u8; 10];
        counter[2..].copy_from_slice(&self.ids.fetch_add(1, Ordering::SeqCst).to_be_bytes());
        uuid::Builder::from_unix_timestamp_millis(millis, &counter).into_uuid()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_stands_still_and_repeats_its_ids() {
        let (a, time) = Clock::manual(Timestamp::UNIX_EPOCH);
        let (b, _) = Clock::manual(Timestamp::UNIX_EPOCH);
        assert_eq!(a.now(), a.now());
        let first = a.new_id();
        assert_eq!(first, b.new_id());
        assert_ne!(first, a.new_id());
        assert_eq!(first.get_version_num(), 7);
        time.advance(SignedDuration::from_secs(61));
        assert_eq!(a.now().as_second(), 61);
    }
}
