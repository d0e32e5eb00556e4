//! Our own limits towards one key, workflow or channel: what the far side grants, kept before it has to say so.
//!
//! Kept in memory, for each process: a far side that counts for itself answers 429, and that closes the key here too.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::SignedDuration;
use muster_domain::TenantId;
use muster_domain::delivery::Failure;
use muster_domain::delivery::recipient::{Recipient, SecretMark};
use tokio::time::Instant;

/// Keys remembered at once. Beyond it those that were quiet for longest are forgotten: they may then send a little more
/// than they should, and the far side says so.
const MAX_KEYS: usize = 10_000;

/// So many in so long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    pub(super) count: usize,
    pub(super) length: Duration,
}

impl Window {
    pub(super) const fn new(count: usize, seconds: u64) -> Self {
        Self { count, length: Duration::from_secs(seconds) }
    }
}

/// The key of a recipient that is known by its secret: two references to one secret share its turns.
pub(super) fn key_of_secret(tenant: &TenantId, recipient: &Recipient) -> String {
    match &recipient.mark {
        SecretMark::Digest(digest) => digest.clone(),
        SecretMark::NotNeeded | SecretMark::Unknown => format!("{tenant}/{}", recipient.identity),
    }
}

/// Sliding windows for each key.
pub(super) struct Quota {
    windows: &'static [Window],
    keys: Mutex<BTreeMap<String, Key>>,
}

#[derive(Default)]
struct Key {
    /// The newest turns, at most as many as the largest window counts.
    turns: VecDeque<Instant>,
    closed_until: Option<Instant>,
}

impl Quota {
    pub(super) const fn new(windows: &'static [Window]) -> Self {
        Self { windows, keys: Mutex::new(BTreeMap::new()) }
    }

    /// Takes a turn, or says how long there is none.
    pub(super) fn turn(&self, key: &str) -> Result<(), SignedDuration> {
        let now = Instant::now();
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if keys.len() >= MAX_KEYS && !keys.contains_key(key) {
            forget_the_quietest(&mut keys);
        }
        let key = keys.entry(key.to_owned()).or_default();
        let free_at = self.windows.iter().filter_map(|w| key.free_at(w)).chain(key.closed_until).max();
        if let Some(wait) = free_at.map(|at| at.duration_since(now)).filter(|wait| !wait.is_zero()) {
            return Err(SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX));
        }
        key.turns.push_back(now);
        let most = self.windows.iter().map(|w| w.count).max().unwrap_or(0);
        while key.turns.len() > most {
            key.turns.pop_front();
        }
        Ok(())
    }

    /// Nobody uses the key while the far side asks for patience.
    pub(super) fn heed<T>(&self, key: &str, outcome: &Result<T, Failure>) {
        if let Err(Failure { retry_after: Some(wait), .. }) = outcome {
            self.close(key, *wait);
        }
    }

    /// The far side asked for patience: nobody uses the key until then.
    pub(super) fn close(&self, key: &str, wait: SignedDuration) {
        /// Longer is not believed: the next attempt asks again.
        const LONGEST: Duration = Duration::from_secs(3_600);
        let until = Instant::now() + Duration::try_from(wait).unwrap_or(LONGEST).min(LONGEST);
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        let closed = &mut keys.entry(key.to_owned()).or_default().closed_until;
        *closed = (*closed).max(Some(until));
    }
}

impl Key {
    /// When this window has room again; `None`: it has.
    fn free_at(&self, window: &Window) -> Option<Instant> {
        let oldest_that_counts = self.turns.len().checked_sub(window.count)?;
        self.turns.get(oldest_that_counts).map(|turn| *turn + window.length)
    }

    fn last_used(&self) -> Option<Instant> {
        self.turns.back().copied().max(self.closed_until)
    }
}

fn forget_the_quietest(keys: &mut BTreeMap<String, Key>) {
    let mut used: Vec<_> = keys.values().map(Key::last_used).collect();
    used.sort_unstable();
    let middle = used.get(used.len() / 2).copied().flatten();
    keys.retain(|_, key| key.last_used() > middle);
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use super::*;

    const TWO: &[Window] = &[Window::new(2, 1), Window::new(3, 60)];

    #[tokio::test(start_paused = true)]
    async fn every_window_holds_and_slides() {
        let quota = Quota::new(TWO);
        assert!(quota.turn("a").is_ok() && quota.turn("a").is_ok());
        assert_eq!(quota.turn("a"), Err(SignedDuration::from_secs(1)));
        assert!(quota.turn("b").is_ok(), "another key has its own");
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(quota.turn("a").is_ok());
        // The third in the minute: the next is free a minute after the first.
        assert_eq!(quota.turn("a"), Err(SignedDuration::from_secs(59)));
        tokio::time::advance(Duration::from_secs(59)).await;
        assert!(quota.turn("a").is_ok() && quota.turn("a").is_ok(), "a refused turn costs nothing");
        assert!(quota.turn("a").is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_far_side_asks_for_holds_for_the_key_alone() {
        let quota = Quota::new(TWO);
        quota.close("a", SignedDuration::from_secs(30));
        quota.close("a", SignedDuration::from_secs(5));
        assert_eq!(quota.turn("a"), Err(SignedDuration::from_secs(30)));
        assert!(quota.turn("b").is_ok());
        quota.close("b", SignedDuration::MAX);
        assert_eq!(quota.turn("b"), Err(SignedDuration::from_secs(3_600)));
    }

    #[tokio::test(start_paused = true)]
    async fn memory_is_bounded() {
        let quota = Quota::new(TWO);
        for i in 0..MAX_KEYS + 500 {
            tokio::time::advance(Duration::from_millis(1)).await;
            quota.turn(&i.to_string()).unwrap();
        }
        let keys = quota.keys.lock().unwrap();
        assert!(keys.len() <= MAX_KEYS && keys.contains_key(&(MAX_KEYS + 499).to_string()), "{}", keys.len());
    }
}
