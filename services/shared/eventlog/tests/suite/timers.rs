//! Timers: durable, keyed, replaceable, late rather than lost.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use crate::support::{eventually, provisioned, tenant};
use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use muster_eventlog::{EventLog, TimerError, TimerFired, TimerHandler, TimerKey, run_timers};
use muster_local::nats::{NatsCluster, NatsServer};
use tokio_util::sync::CancellationToken;

const SOON: Duration = Duration::from_secs(20);

/// Remembers what fired; fails the first time for keys that begin with "stubborn".
#[derive(Default)]
struct Fired(Mutex<Vec<TimerFired>>);

#[async_trait]
impl TimerHandler for Fired {
    async fn fire(&self, timer: TimerFired) -> Result<(), TimerError> {
        let mut fired = self.0.lock().unwrap();
        let first_time = fired.iter().all(|known| known.key != timer.key);
        let fails = first_time && timer.key.starts_with("stubborn");
        fired.push(timer);
        if fails { Err(TimerError("not yet".into())) } else { Ok(()) }
    }
}

impl Fired {
    fn of(&self, key: &str) -> Vec<TimerFired> {
        self.0.lock().unwrap().iter().filter(|timer| timer.key == key).cloned().collect()
    }
}

fn key(key: &str) -> TimerKey {
    TimerKey { tenant: tenant("acme"), handler: "test.deadlines".into(), key: key.into() }
}

fn after(milliseconds: i64) -> Timestamp {
    Timestamp::now() + SignedDuration::from_millis(milliseconds)
}

fn run(log: &EventLog, fired: &Arc<Fired>) -> (CancellationToken, tokio::task::JoinHandle<()>) {
    let token = CancellationToken::new();
    let task = tokio::spawn(run_timers(log.clone(), "test.deadlines", fired.clone(), token.clone()));
    (token, task)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_one_server() {
    let mut server = NatsServer::temporary().await.unwrap();
    let log = provisioned(server.url(), 1, &["acme"]).await;
    timers_fire_once_when_due(&log).await;
    overdue_after_a_crash(&log, &mut server).await;
    nothing_is_left_behind(&server.url()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_cluster_of_three() {
    let cluster = NatsCluster::temporary().await.unwrap();
    let log = provisioned(cluster.url(), 3, &["acme"]).await;
    timers_fire_once_when_due(&log).await;
}

async fn timers_fire_once_when_due(log: &EventLog) {
    let timers = log.timers();
    // Nobody handles them yet: this one comes due in the past.
    let long_ago = after(-3_600_000);
    timers.set(&key("overdue"), long_ago, b"late").await.unwrap();
    timers.set(&key("replaced"), after(300), b"old").await.unwrap();
    timers.set(&key("replaced"), after(1_500), b"new").await.unwrap();
    timers.set(&key("sooner"), after(3_600_000), b"old").await.unwrap();
    timers.set(&key("sooner"), after(1_000), b"new").await.unwrap();
    timers.set(&key("cancelled"), after(1_000), b"").await.unwrap();
    timers.cancel(&key("cancelled")).await.unwrap();
    timers.cancel(&key("never-set")).await.unwrap();
    timers.set(&key("stubborn"), after(200), b"").await.unwrap();
    let punctual = after(2_500);
    timers.set(&key("punctual.1"), punctual, b"now").await.unwrap();

    let fired = Arc::new(Fired::default());
    let (token, task) = run(log, &fired);
    for wanted in ["overdue", "replaced", "sooner", "punctual.1"] {
        eventually(wanted, SOON, || async { !fired.of(wanted).is_empty() }).await;
    }
    eventually("the failed one is fired again", SOON, || async { fired.of("stubborn").len() == 2 }).await;

    let overdue = &fired.of("overdue")[0];
    assert!(overdue.late_by >= SignedDuration::from_hours(1), "{overdue:?}");
    assert_eq!((overdue.due, &overdue.payload[..]), (long_ago, &b"late"[..]));
    let on_time = &fired.of("punctual.1")[0];
    assert_eq!((on_time.due, on_time.tenant.as_str()), (punctual, "acme"));
    assert!(on_time.late_by < SignedDuration::from_secs(2), "{on_time:?}");
    for key in ["overdue", "replaced", "sooner", "punctual.1"] {
        assert_eq!(fired.of(key).len(), 1, "{key}");
    }
    assert_eq!(&fired.of("replaced")[0].payload[..], b"new");
    assert_eq!(&fired.of("sooner")[0].payload[..], b"new");
    assert_eq!(fired.of("cancelled"), []);
    token.cancel();
    task.await.unwrap();
}

/// The server is killed and nobody handles timers while they come due.
async fn overdue_after_a_crash(log: &EventLog, server: &mut NatsServer) {
    let due = after(500);
    for number in 0..50 {
        log.timers().set(&key(&format!("crash-{number}")), due, b"").await.unwrap();
    }
    server.kill().await.unwrap();
    eventually("they are due", SOON, || async { Timestamp::now() > due + SignedDuration::from_millis(500) }).await;
    server.restart().await.unwrap();
    let fired = Arc::new(Fired::default());
    let (token, task) = run(log, &fired);
    eventually("all fire", SOON, || async { fired.0.lock().unwrap().len() >= 50 }).await;
    token.cancel();
    task.await.unwrap();
    for number in 0..50 {
        let fired = fired.of(&format!("crash-{number}"));
        assert_eq!(fired.len(), 1, "{number}");
        assert!(fired[0].late_by >= SignedDuration::from_millis(500), "{fired:?}");
    }
    // Handled ones do not come again.
    let (token, task) = run(log, &Arc::new(Fired::default()));
    log.timers().set(&key("after-all"), after(0), b"").await.unwrap();
    token.cancel();
    task.await.unwrap();
}

async fn nothing_is_left_behind(url: &str) {
    let client = async_nats::connect(url).await.unwrap();
    let stream = async_nats::jetstream::new(client).get_stream("TIMERS").await.unwrap();
    let scheduled = || async {
        let mut info = stream.info_with_subjects("timer.>").await.unwrap();
        let mut subjects = Vec::new();
        while let Some(subject) = futures::TryStreamExt::try_next(&mut info).await.unwrap() {
            subjects.push(subject.0);
        }
        for x in &subjects {
            println!("LEFT {:?}", stream.get_last_raw_message_by_subject(x).await.unwrap());
        }
        println!("LEFT {subjects:?}");
        subjects.is_empty()
    };
    eventually("fired and cancelled timers are gone", SOON, scheduled).await;
}
