//! A channel whose far side does what the recipient's name says, and remembers every attempt.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use jiff::SignedDuration;
use muster_domain::delivery::{Failure, FailureCode};

use crate::channels::{Attempt, Channel, Receipt};

/// What became of the attempts at one recipient.
#[derive(Default)]
struct Book {
    attempts: Vec<Attempt>,
    by_recipient: BTreeMap<String, u32>,
}

/// "gone…" answers 410, "reject…" says no, "later…" says later the first time, "hang…" never answers
/// the first time, all others take it.
#[derive(Clone)]
pub(super) struct FarSide {
    name: &'static str,
    book: Arc<Mutex<Book>>,
}

impl FarSide {
    pub(super) fn new(name: &'static str) -> Self {
        Self { name, book: Arc::default() }
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
        match name.as_str() {
            n if n.starts_with("gone") => Err(Failure::new(FailureCode::Gone, "HTTP 410")),
            n if n.starts_with("reject") => Err(Failure::new(FailureCode::Rejected, "550 5.7.1 no")),
            n if n.starts_with("later") && first => Err(Failure::new(FailureCode::Deferred, "450 later")),
            n if n.starts_with("hang") && first => std::future::pending().await,
            _ => Ok(Receipt("250 ok".to_owned())),
        }
    }
}
