//! A channel whose far side does what the recipient's name says, and remembers every attempt.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jiff::SignedDuration;
use muster_domain::delivery::{Failure, FailureCode};

use crate::channels::{Attempt, Channel, Receipt};

/// What became of the attempts at one recipient.
#[derive(Default)]
struct Book {
    attempts: Vec<Attempt>,
    taken: Vec<Attempt>,
    by_recipient: BTreeMap<String, u32>,
}

/// "gone…" answers 410, "reject…" says no, "later…" says later the first time ("later-reject…" says no from then on),
/// "hang…" never answers the first time, all others take it.
#[derive(Clone)]
pub(super) struct FarSide {
    name: &'static str,
    book: Arc<Mutex<Book>>,
    is_down: Arc<AtomicBool>,
    takes_ms: Arc<AtomicU64>,
}

impl FarSide {
    pub(super) fn new(name: &'static str) -> Self {
        Self { name, book: Arc::default(), is_down: Arc::default(), takes_ms: Arc::default() }
    }

    /// Nobody answers until `up`.
    pub(super) fn down(&self) {
        self.is_down.store(true, Ordering::SeqCst);
    }

    pub(super) fn up(&self) {
        self.is_down.store(false, Ordering::SeqCst);
    }

    /// How long it takes to answer.
    pub(super) fn slow(&self, takes: Duration) {
        self.takes_ms.store(takes.as_millis().try_into().unwrap(), Ordering::SeqCst);
    }

    /// What it took, in the order in which it did.
    pub(super) fn taken(&self) -> Vec<Attempt> {
        self.book.lock().unwrap().taken.clone()
    }

    pub(super) fn attempts(&self) -> Vec<Attempt> {
        self.book.lock().unwrap().attempts.clone()
    }

    /// (recipient, kind of message), in the order of arrival.
    pub(super) fn seen(&self) -> Vec<(String, String)> {
        self.attempts().into_iter().map(|a| (a.recipient.shown, a.message.kind)).collect()
    }
}

#[async_trait]
impl Channel for FarSide {
    fn name(&self) -> &'static str {
        self.name
    }

    fn attempt_limit(&self) -> SignedDuration {
        SignedDuration::from_millis(3_500)
    }

    fn concurrency(&self) -> usize {
        4
    }

    async fn deliver(&self, attempt: &Attempt) -> Result<Receipt, Failure> {
        let name = attempt.recipient.shown.trim_start_matches("https://").to_owned();
        let first = {
            let mut book = self.book.lock().unwrap();
            book.attempts.push(attempt.clone());
            let count = book.by_recipient.entry(name.clone()).or_default();
            *count += 1;
            *count == 1
        };
        if self.is_down.load(Ordering::SeqCst) {
            return Err(Failure::new(FailureCode::Unreachable, "connection refused"));
        }
        tokio::time::sleep(Duration::from_millis(self.takes_ms.load(Ordering::SeqCst))).await;
        match name.as_str() {
            n if n.starts_with("gone") => Err(Failure::new(FailureCode::Gone, "HTTP 410")),
            n if n.starts_with("reject") => Err(Failure::new(FailureCode::Rejected, "550 5.7.1 no")),
            n if n.starts_with("later-reject") && !first => Err(Failure::new(FailureCode::Rejected, "550 5.7.1 no")),
            n if n.starts_with("later") && first => Err(Failure::new(FailureCode::Deferred, "450 later")),
            n if n.starts_with("hang") && first => std::future::pending().await,
            _ => {
                self.book.lock().unwrap().taken.push(attempt.clone());
                Ok(Receipt("250 ok".to_owned()))
            }
        }
    }
}
