//! Timers: durable, keyed, replaceable, late rather than lost.

use std::sync::{Arc, Mutex};

use async_nats::HeaderMap;
use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use muster_eventlog::{EventLog, TimerError, TimerFired, TimerHandler, TimerKey, run_timers};
use muster_local::nats::{NatsCluster, NatsServer};
use tokio_util::sync::CancellationToken;

use crate::support::{eventually, provisioned, tenant};

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
    what_the_server_forgets_fires_all_the_same(&log, &server.url()).await;
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
        eventually(wanted, || async { !fired.of(wanted).is_empty() }).await;
    }
    eventually("the failed one is fired again", || async { fired.of("stubborn").len() == 2 }).await;

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

/// A schedule of which the server believes something else than is due: here it believes in another time. It was seen to
/// believe that it is firing one already.
async fn what_the_server_forgets_fires_all_the_same(log: &EventLog, url: &str) {
    let jetstream = async_nats::jetstream::new(async_nats::connect(url).await.unwrap());
    let forget = async |name: &str, due: Timestamp| {
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Schedule", format!("@at {}", after(3_600_000)));
        headers.insert("Nats-Schedule-Target", format!("due.test~deadlines.acme.{name}"));
        headers.insert("Nats-Rollup", "sub");
        headers.insert("muster-due", due.to_string());
        let subject = format!("timer.test~deadlines.acme.{name}");
        jetstream.publish_with_headers(subject, headers, "kept".into()).await.unwrap().await.unwrap();
    };
    // The first more than one look can ask for, and before anybody watches.
    let due = after(0);
    for number in 0..600 {
        forget(&format!("forgotten-{number}"), due).await;
    }
    forget("set-anew", due).await;
    forget("cancelled-late", due).await;
    let fired = Arc::new(Fired::default());
    let (token, task) = run(log, &fired);
    log.timers().set(&key("set-anew"), after(3_600_000), b"anew").await.unwrap();
    log.timers().cancel(&key("cancelled-late")).await.unwrap();
    eventually("all that were forgotten", || async { fired.0.lock().unwrap().len() >= 600 }).await;
    // Set and forgotten while it watches.
    forget("forgotten-later", after(500)).await;
    eventually("the later one", || async { !fired.of("forgotten-later").is_empty() }).await;
    token.cancel();
    task.await.unwrap();

    let timers = fired.0.lock().unwrap().clone();
    let keys: std::collections::BTreeSet<_> = timers.iter().map(|timer| timer.key.as_str()).collect();
    assert_eq!((keys.len(), timers.len()), (601, 601), "each once");
    assert!(!keys.contains("set-anew") && !keys.contains("cancelled-late"));
    assert!(timers.iter().all(|timer| timer.payload == b"kept"[..] && timer.late_by >= SignedDuration::from_secs(5)));
    assert_eq!(log.timers().payload(&key("set-anew")).await.unwrap().unwrap(), b"anew"[..]);
    log.timers().cancel(&key("set-anew")).await.unwrap();
    nothing_is_left_behind(url).await;
}

/// The server is killed and nobody handles timers while they come due. What was replaced or cancelled right before
/// must not come back.
async fn overdue_after_a_crash(log: &EventLog, server: &mut NatsServer) {
    const TIMERS: usize = 40;
    // Long enough for a busy machine to set and cancel them all before the first is due.
    let (due, old) = (after(6_200), after(6_000));
    let timers = log.timers();
    for number in 0..TIMERS {
        timers.set(&key(&format!("crash-{number}")), due, b"new").await.unwrap();
        timers.set(&key(&format!("replaced-{number}")), old, b"old").await.unwrap();
        timers.set(&key(&format!("cancelled-{number}")), old, b"old").await.unwrap();
    }
    for number in 0..TIMERS {
        timers.set(&key(&format!("replaced-{number}")), due, b"new").await.unwrap();
        timers.cancel(&key(&format!("cancelled-{number}"))).await.unwrap();
    }
    assert!(Timestamp::now() < old, "the machine is too slow for this test");
    server.kill().await.unwrap();
    eventually("they are due", || async { Timestamp::now() > due + SignedDuration::from_millis(500) }).await;
    server.restart().await.unwrap();
    let fired = Arc::new(Fired::default());
    let (token, task) = run(log, &fired);
    eventually("all fire", || async { fired.0.lock().unwrap().len() >= 2 * TIMERS }).await;
    nothing_is_left_behind(&server.url()).await;
    token.cancel();
    task.await.unwrap();
    for number in 0..TIMERS {
        for kind in ["crash", "replaced"] {
            let fired = fired.of(&format!("{kind}-{number}"));
            let [timer] = &fired[..] else { panic!("{kind}-{number} fired {} times", fired.len()) };
            assert!(timer.late_by >= SignedDuration::from_millis(500) && timer.payload == b"new"[..], "{timer:?}");
        }
        assert_eq!(fired.of(&format!("cancelled-{number}")), [], "cancelled-{number}");
    }
    what_was_handled_does_not_come_again(log, server).await;
}

async fn what_was_handled_does_not_come_again(log: &EventLog, server: &mut NatsServer) {
    server.kill().await.unwrap();
    server.restart().await.unwrap();
    let fired = Arc::new(Fired::default());
    let (token, task) = run(log, &fired);
    log.timers().set(&key("after-all"), after(0), b"").await.unwrap();
    eventually("the new one fires", || async { !fired.of("after-all").is_empty() }).await;
    token.cancel();
    task.await.unwrap();
    assert_eq!(fired.0.lock().unwrap().len(), 1, "{:?}", fired.0.lock().unwrap());
}

/// A timer that nobody needs any more must not cost the server anything.
async fn nothing_is_left_behind(url: &str) {
    let client = async_nats::connect(url).await.unwrap();
    let stream = async_nats::jetstream::new(client).get_stream("TIMERS").await.unwrap();
    let is_empty = || async { stream.get_info().await.unwrap().state.messages == 0 };
    eventually("fired and cancelled timers are gone", is_empty).await;
}
