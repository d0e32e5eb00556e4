//! Reactions: at least once, in order, and poison in nobody's way.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
};

use async_trait::async_trait;
use muster_domain::pb::audit::v1::{ParkedEvent, parked_event::Event};
use muster_eventlog::{
    EventLog, Meta, Outcome, PARKED_KIND, Projection, ReactError, Reactor, Record, position::reached, reaction_id,
    run_projection, run_reactor,
};
use muster_local::nats::NatsServer;
use tokio_util::sync::CancellationToken;

use crate::support::{
    Counted, Counter, counted, eventually, id, meta, provisioned,
    tables::{Counting, database},
    tenant, the_whole_log,
};

const AWKWARD: u64 = 13;
const AWAY: u64 = 14;

/// Answers each event of the counter "asked" by one of the counter "answers".
struct Answering {
    log: EventLog,
    seen: Mutex<BTreeMap<String, Vec<u64>>>,
    away: AtomicU32,
}

#[async_trait]
impl Reactor for Answering {
    fn name(&self) -> &'static str {
        "test.answering"
    }

    fn kinds(&self) -> &'static [&'static str] {
        &["counter"]
    }

    async fn react(&self, record: &Record) -> Result<(), ReactError> {
        if record.id != "asked" {
            return Ok(());
        }
        let number = record.decode::<Counted>()?.number;
        self.seen.lock().unwrap().entry(record.tenant.to_string()).or_default().push(number);
        if number == AWKWARD {
            return Err(ReactError::Failed("cannot be answered".into()));
        }
        if number == AWAY && self.away.fetch_add(1, Ordering::SeqCst) < 5 {
            return Err(ReactError::Unavailable("the other side is away".into()));
        }
        let about =
            Meta { event_id: reaction_id(self.name(), record.event_id), causation: Some(record.event_id), ..meta() };
        let answer = |_: &Counter| Ok::<_, String>(Some(counted(number)));
        let decided = self.log.decide(&record.tenant, &id("answers"), &about, answer).await?;
        assert_ne!(decided.outcome, Outcome::Nothing);
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_event_is_answered_once_and_poison_is_parked() {
    let nats = NatsServer::temporary().await.unwrap();
    let (_postgres, db) = database().await;
    let log = provisioned(nats.url(), 1, &["acme", "globex"]).await;
    let reactor = Arc::new(Answering { log: log.clone(), seen: Mutex::default(), away: AtomicU32::new(0) });
    for version in 1..=20 {
        log.append::<Counter>(&tenant("acme"), &id("asked"), version, &meta(), &counted(version)).await.unwrap();
        log.append::<Counter>(&tenant("globex"), &id("asked"), version, &meta(), &counted(100 + version))
            .await
            .unwrap();
    }
    // Stopped and started again in between: it goes on where it was, and may repeat the last one.
    for _ in 0..3 {
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(run_reactor(log.clone(), db.clone(), reactor.clone(), shutdown.clone()));
        let seen = || reactor.seen.lock().unwrap().values().map(Vec::len).sum::<usize>();
        let before = seen();
        eventually("it reacts", || async { seen() > before || answers(&log, "acme").await.len() == 19 }).await;
        shutdown.cancel();
        task.await.unwrap();
    }
    let shutdown = CancellationToken::new();
    let task = tokio::spawn(run_reactor(log.clone(), db, reactor.clone(), shutdown.clone()));
    eventually("all are answered", || async { answers(&log, "acme").await.len() >= 19 }).await;
    eventually("all are answered", || async { answers(&log, "globex").await.len() >= 20 }).await;
    shutdown.cancel();
    task.await.unwrap();

    assert_eq!(answers(&log, "acme").await, (1..=20).filter(|n| *n != AWKWARD).collect::<Vec<_>>());
    assert_eq!(answers(&log, "globex").await, (101..=120).collect::<Vec<_>>());
    let parked = the_whole_log(&log, &[PARKED_KIND]).await;
    let [parked] = &parked[..] else { panic!("one is parked, not {}", parked.len()) };
    let Some(Event::Parked(content)) = parked.decode::<ParkedEvent>().unwrap().event else { panic!("{parked:?}") };
    assert_eq!((content.handler.as_str(), content.error.as_str()), ("test.answering", "cannot be answered"));
    assert!(parked.causation.is_some() && content.tries > 1, "{content:?}");
}

async fn answers(log: &EventLog, of: &str) -> Vec<u64> {
    let records = the_whole_log(log, &["counter"]).await;
    let answers = records.iter().filter(|record| record.id == "answers" && record.tenant.as_str() == of);
    answers.map(|record| record.decode::<Counted>().unwrap().number).collect()
}

/// Reacts under the name of the projection `Counting`.
struct Namesake {
    seen: Mutex<Vec<u64>>,
}

#[async_trait]
impl Reactor for Namesake {
    fn name(&self) -> &'static str {
        Counting.name()
    }

    async fn react(&self, record: &Record) -> Result<(), ReactError> {
        self.seen.lock().unwrap().push(record.decode::<Counted>()?.number);
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_projection_of_the_same_name_does_not_move_a_reactor() {
    let nats = NatsServer::temporary().await.unwrap();
    let (_postgres, db) = database().await;
    let log = provisioned(nats.url(), 1, &["acme"]).await;
    for version in 1..=3 {
        log.append::<Counter>(&tenant("acme"), &id("asked"), version, &meta(), &counted(version)).await.unwrap();
    }
    let shutdown = CancellationToken::new();
    let projecting = tokio::spawn(run_projection(log.clone(), db.clone(), Arc::new(Counting), shutdown.clone()));
    let counted = || async { reached(&db, Counting.name(), &tenant("acme")).await.unwrap() == 3 };
    eventually("the projection is at the end", counted).await;

    let reactor = Arc::new(Namesake { seen: Mutex::default() });
    let reacting = tokio::spawn(run_reactor(log, db.clone(), reactor.clone(), shutdown.clone()));
    eventually("all are reacted to", || async { *reactor.seen.lock().unwrap() == [1, 2, 3] }).await;
    shutdown.cancel();
    projecting.await.unwrap();
    reacting.await.unwrap();
}
