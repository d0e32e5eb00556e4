//! What goes on beside a run: an application that writes, and a guard that looks for two primaries all the time.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use sqlx::{Connection, PgConnection, Row};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{pair::Pair, world::eventually};

/// Between two writes.
const PAUSE: Duration = Duration::from_millis(5);
/// Between two looks of a guard: shorter, and guards would be most of what the machine does.
const LOOK_PAUSE: Duration = Duration::from_millis(20);
/// A server that is stopping can leave a connection hanging.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);

/// Writes numbers to whichever node accepts them, and remembers which were acknowledged, and when.
pub(crate) struct Writer {
    acknowledged: Arc<Mutex<Vec<(i64, Timestamp)>>>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Writer {
    pub(crate) fn start(pair: &Pair) -> Self {
        let (acknowledged, stop) = (Arc::new(Mutex::new(Vec::new())), CancellationToken::new());
        let urls = [pair.url("a"), pair.url("b")];
        let task = tokio::spawn(write(urls, acknowledged.clone(), stop.clone()));
        Self { acknowledged, stop, task }
    }

    pub(crate) fn count(&self) -> usize {
        self.acknowledged.lock().unwrap().len()
    }

    /// Ends, and tells every acknowledged number with the time of its acknowledgement.
    pub(crate) async fn stop(self) -> Vec<(i64, Timestamp)> {
        self.stop.cancel();
        self.task.await.unwrap();
        std::mem::take(&mut self.acknowledged.lock().unwrap())
    }
}

async fn write(urls: [String; 2], acknowledged: Arc<Mutex<Vec<(i64, Timestamp)>>>, stop: CancellationToken) {
    let mut number = 0;
    while !stop.is_cancelled() {
        for url in &urls {
            let Ok(Ok(mut session)) = tokio::time::timeout(ANSWER_LIMIT, PgConnection::connect(url)).await else {
                continue;
            };
            while !stop.is_cancelled() {
                // A number without an acknowledgement is not tried again: it may be stored.
                number += 1;
                let insert = sqlx::query("INSERT INTO ledger VALUES ($1)").bind(number).execute(&mut session);
                let Ok(Ok(_)) = tokio::time::timeout(ANSWER_LIMIT, insert).await else { break };
                acknowledged.lock().unwrap().push((number, Timestamp::now()));
                tokio::time::sleep(PAUSE).await;
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Tries, again and again, to write to the target of a move and right after that to the node it leaves. Once the target
/// has accepted a write, the other one never may again.
pub(crate) struct Guard {
    rounds: Arc<AtomicU64>,
    stop: CancellationToken,
    task: JoinHandle<Vec<String>>,
}

impl Guard {
    pub(crate) fn start(pair: &Pair, from: &str, target: &str) -> Self {
        let (rounds, stop) = (Arc::new(AtomicU64::new(0)), CancellationToken::new());
        let task = tokio::spawn(guard(pair.url(from), pair.url(target), rounds.clone(), stop.clone()));
        Self { rounds, stop, task }
    }

    /// Waits until it has looked at both nodes as they are now: a round that is under way began before.
    pub(crate) async fn looks(&self) {
        let wanted = self.rounds.load(Ordering::SeqCst) + 2;
        eventually("the guard looks", async || self.rounds.load(Ordering::SeqCst) >= wanted).await;
    }

    /// Fails if two nodes ever accepted writes. The end is looked at too.
    pub(crate) async fn stop(self) {
        self.looks().await;
        self.stop.cancel();
        let violations = self.task.await.unwrap();
        assert!(violations.is_empty(), "two primaries: {violations:#?}");
    }
}

async fn guard(from: String, target: String, rounds: Arc<AtomicU64>, stop: CancellationToken) -> Vec<String> {
    let mut violations = Vec::new();
    let mut moved = false;
    let (mut target, mut from) = (Hand { url: target, session: None }, Hand { url: from, session: None });
    while !stop.is_cancelled() {
        moved |= target.can_write().await;
        let old_accepts = from.can_write().await;
        if moved && old_accepts {
            violations.push(format!("{}: the old primary accepted a write after the new one had", Timestamp::now()));
        }
        rounds.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(LOOK_PAUSE).await;
    }
    violations
}

/// Keeps its session, as an application does, so that one that should have been cut and was not is found out, and logs in
/// again as soon as it is cut.
struct Hand {
    url: String,
    session: Option<PgConnection>,
}

impl Hand {
    async fn can_write(&mut self) -> bool {
        let attempt = async {
            let mut session = match self.session.take() {
                Some(session) => session,
                None => PgConnection::connect(&self.url).await?,
            };
            let recovering: bool =
                sqlx::query("SELECT pg_is_in_recovery()").fetch_one(&mut session).await?.try_get(0)?;
            if !recovering {
                sqlx::query("SELECT pg_logical_emit_message(true, 'guard', '')::text").fetch_one(&mut session).await?;
            }
            self.session = Some(session);
            Ok::<bool, sqlx::Error>(!recovering)
        };
        matches!(tokio::time::timeout(ANSWER_LIMIT, attempt).await, Ok(Ok(true)))
    }
}
