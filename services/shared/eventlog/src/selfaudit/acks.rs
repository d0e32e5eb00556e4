//! What was acknowledged within the last minute: a bounded sample of it.

use std::{
    collections::VecDeque,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_nats::HeaderMap;
use muster_domain::TenantId;
use muster_tlog::{hash::Hash, leaf};
use tokio::time::Instant;
use uuid::Uuid;

use crate::producer::pairs;

/// By then the audit's log has a checkpoint over it, or something is wrong.
pub(super) const KEPT_FOR: Duration = Duration::from_secs(60);
/// The first look: not while the stream may still be busy with it.
const FIRST_LOOK: Duration = Duration::from_secs(5);
/// Up to this rate every event is looked up; above it, one in so many, chosen by its own digest, which nobody can foresee.
/// Each costs two reads of the stream and one of the log within its minute.
const KEPT_PER_SECOND: u32 = 20;
/// Under a burst within one second.
const MOST_PER_SECOND: u32 = 2 * KEPT_PER_SECOND;
/// About 1 MiB.
const MAX_KEPT: usize = (KEPT_FOR.as_secs() as usize + 10) * MOST_PER_SECOND as usize;

/// What the leaf of an event says about its content: all of it that its publisher knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fingerprint {
    subject: String,
    headers_sha256: Option<Hash>,
    payload_len: u64,
    payload_sha256: Hash,
}

impl Fingerprint {
    pub(super) fn of(subject: &str, headers: &HeaderMap, payload: &[u8]) -> Self {
        Self {
            subject: subject.to_owned(),
            headers_sha256: leaf::canonical_headers(pairs(headers)).ok(),
            payload_len: payload.len() as u64,
            payload_sha256: Hash::of(payload),
        }
    }

    pub(super) fn of_leaf(leaf: &leaf::Event) -> Self {
        Self {
            subject: leaf.subject.clone(),
            headers_sha256: Some(leaf.headers_sha256),
            payload_len: leaf.payload_len,
            payload_sha256: leaf.payload_sha256,
        }
    }

    /// SHA-256 of these lines of the leaf.
    pub(super) fn digest(&self) -> Hash {
        let headers = self.headers_sha256.map(|hash| hash.to_hex()).unwrap_or_default();
        let Self { subject, payload_len, payload_sha256, .. } = self;
        Hash::of(
            format!("subject {subject}\nheaders sha256:{headers}\npayload {payload_len} sha256:{payload_sha256}\n")
                .as_bytes(),
        )
    }
}

/// One acknowledged event.
#[derive(Debug)]
pub(crate) struct Ack {
    pub(super) tenant: TenantId,
    pub(super) sequence: u64,
    pub(super) event_id: Uuid,
    pub(super) event_type: &'static str,
    pub(super) fingerprint: Fingerprint,
    pub(super) in_stream: bool,
    pub(super) in_log: bool,
    at: Instant,
}

impl Ack {
    pub(crate) fn of(
        tenant: &TenantId,
        sequence: u64,
        subject: &str,
        event_id: Uuid,
        event_type: &'static str,
        headers: &HeaderMap,
        payload: &[u8],
    ) -> Self {
        Self {
            tenant: tenant.clone(),
            sequence,
            event_id,
            event_type,
            fingerprint: Fingerprint::of(subject, headers, payload),
            in_stream: false,
            in_log: false,
            at: Instant::now(),
        }
    }

    pub(super) fn age(&self) -> Duration {
        self.at.elapsed()
    }
}

/// What is kept until it was looked up. Nothing, while nobody looks.
#[derive(Default)]
pub(crate) struct Acks {
    looking: AtomicBool,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    acks: VecDeque<Ack>,
    second: Option<Instant>,
    /// Acknowledged and kept in this second, and acknowledged in the one before.
    now: u32,
    now_kept: u32,
    before: u32,
}

impl Acks {
    pub(super) fn begin(&self) {
        self.looking.store(true, Ordering::Relaxed);
    }

    pub(crate) fn keep(&self, make: impl FnOnce() -> Ack) {
        if !self.looking.load(Ordering::Relaxed) {
            return;
        }
        let ack = make();
        let mut kept = self.lock();
        kept.count();
        let one_in = (kept.before.max(kept.now) / KEPT_PER_SECOND).max(1);
        let draw = u32::from_be_bytes(ack.fingerprint.digest().0[..4].try_into().unwrap_or_default());
        if draw.is_multiple_of(one_in) && kept.now_kept < MOST_PER_SECOND && kept.acks.len() < MAX_KEPT {
            kept.now_kept += 1;
            kept.acks.push_back(ack);
        } else {
            metrics::counter!("muster_selfaudit_not_sampled_total").increment(1);
        }
    }

    /// Everything that is old enough to be looked at.
    pub(super) fn take_due(&self) -> Vec<Ack> {
        let mut kept = self.lock();
        let all: Vec<Ack> = kept.acks.drain(..).collect();
        let (due, rest): (Vec<Ack>, Vec<Ack>) = all.into_iter().partition(|ack| ack.age() >= FIRST_LOOK);
        kept.acks = rest.into();
        due
    }

    pub(super) fn put_back(&self, ack: Ack) {
        let mut kept = self.lock();
        if kept.acks.len() < MAX_KEPT {
            kept.acks.push_back(ack);
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.lock().acks.len()
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn count(&mut self) {
        let second = self.second.get_or_insert_with(Instant::now);
        let elapsed = second.elapsed();
        if elapsed >= Duration::from_secs(1) {
            self.before = if elapsed < Duration::from_secs(2) { self.now } else { 0 };
            (self.now, self.now_kept) = (0, 0);
            *second = Instant::now();
        }
        self.now += 1;
    }
}
