//! What Slack sent already: a recorded call that is played again is not heard twice.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

/// Twice the time for which a signature is good.
const REMEMBERED: SignedDuration = SignedDuration::from_secs(600);
/// Calls of ten minutes with good signatures; more than that many is somebody who holds the secret.
const MAX_REMEMBERED: usize = 20_000;

#[derive(Default)]
pub(super) struct Seen(Mutex<BTreeMap<String, Timestamp>>);

impl Seen {
    /// Whether this signature comes for the first time. Full, nothing is believed any more.
    pub(super) fn is_new(&self, signature: &str, now: Timestamp) -> bool {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.retain(|_, at| now.duration_since(*at) < REMEMBERED);
        seen.len() < MAX_REMEMBERED && seen.insert(signature.to_owned(), now).is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_heard_once() {
        let (seen, start) = (Seen::default(), Timestamp::UNIX_EPOCH);
        assert!(seen.is_new("a", start) && !seen.is_new("a", start + SignedDuration::from_secs(599)));
        assert!(seen.is_new("b", start) && seen.is_new("a", start + SignedDuration::from_secs(1_300)));
    }
}
