//! A token bucket per actor: denials are kept for ever, so nobody may write them without end.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use jiff::Timestamp;

/// A person who clicks around, or a script that starts wrongly, is recorded completely.
const BURST: f64 = 30.0;
/// After that ten a minute: enough to see that it goes on.
const REFILL_PER_SECOND: f64 = 10.0 / 60.0;
/// More actors than this at once are refused a record rather than given memory.
const MAX_ACTORS: usize = 10_000;

#[derive(Default)]
pub(super) struct Buckets(Mutex<HashMap<String, Bucket>>);

struct Bucket {
    tokens: f64,
    at: Timestamp,
}

impl Bucket {
    fn refill(&mut self, now: Timestamp) {
        let elapsed = now.duration_since(self.at).as_secs_f64().max(0.0);
        self.tokens = (self.tokens + elapsed * REFILL_PER_SECOND).min(BURST);
        self.at = now;
    }
}

impl Buckets {
    /// Whether this actor may write one more.
    pub(super) fn take(&self, actor: &str, now: Timestamp) -> bool {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !buckets.contains_key(actor) && buckets.len() >= MAX_ACTORS {
            // A full bucket is the same as none.
            buckets.retain(|_, bucket| {
                bucket.refill(now);
                bucket.tokens < BURST
            });
            if buckets.len() >= MAX_ACTORS {
                return false;
            }
        }
        let bucket = buckets.entry(actor.to_owned()).or_insert(Bucket { tokens: BURST, at: now });
        bucket.refill(now);
        let allowed = bucket.tokens >= 1.0;
        if allowed {
            bucket.tokens -= 1.0;
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn a_burst_then_ten_a_minute() {
        let (buckets, start) = (Buckets::default(), Timestamp::UNIX_EPOCH);
        let taken = |now| (0..1000).filter(|_| buckets.take("i|mallory", now)).count();
        assert_eq!(taken(start), 30);
        assert_eq!(taken(start + SignedDuration::from_mins(1)), 10);
        assert_eq!(taken(start + SignedDuration::from_hours(24)), 30);
        assert!(buckets.take("i|olga", start), "one actor does not use up another's");
    }

    #[test]
    fn memory_is_bounded() {
        let (buckets, start) = (Buckets::default(), Timestamp::UNIX_EPOCH);
        let taken = (0..MAX_ACTORS + 50).filter(|n| buckets.take(&n.to_string(), start)).count();
        assert_eq!(taken, MAX_ACTORS);
        assert!(buckets.take("later", start + SignedDuration::from_mins(5)));
    }
}
