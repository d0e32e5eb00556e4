//! A service works with the permissions the crate's documentation names, and cannot delete anything with them.

use std::{path::Path, process::Stdio, sync::Arc, time::Duration};

use async_trait::async_trait;
use jiff::Timestamp;
use muster_domain::pb::observation::v1::ObservationBatch;
use muster_eventlog::{
    EventLog, Lease, LogConfig, ObservationStart, TimerError, TimerFired, TimerHandler, TimerKey, run_timers,
};
use tokio::{process::Command, sync::Notify, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::support::{Counter, counted, eventually, id, meta, tenant, the_whole_log};

const SOON: Duration = Duration::from_secs(60);

/// As in the documentation of the crate.
const CONFIG: &str = r#"
authorization {
  users: [
    { user: installer, password: test }
    { user: service, password: test, permissions: {
      publish: { allow: ["rec.>", "obs.>", "timer.>", "due.>", "$KV.LEASES.>", "$JS.API.INFO", "$JS.API.STREAM.INFO.>",
        "$JS.API.STREAM.MSG.GET.>", "$JS.API.DIRECT.GET.>", "$JS.API.CONSUMER.CREATE.>", "$JS.API.CONSUMER.DELETE.>",
        "$JS.API.CONSUMER.MSG.NEXT.>", "$JS.ACK.>"] }
      subscribe: { allow: ["_INBOX_service.>"] }
    } }
  ]
}
"#;

async fn connect(port: u16, user: &str) -> EventLog {
    let config = LogConfig {
        url: format!("nats://127.0.0.1:{port}"),
        user: Some(user.into()),
        password: Some("test".into()),
        ..LogConfig::default()
    };
    eventually("the server accepts connections", || async { EventLog::connect(&config).await.is_ok() }).await;
    EventLog::connect(&config).await.unwrap()
}

fn server(dir: &Path, port: u16) -> tokio::process::Child {
    let store = dir.join("store");
    let config =
        format!("listen: 127.0.0.1:{port}\njetstream {{ store_dir: {:?} }}\n{CONFIG}", store.display().to_string());
    std::fs::write(dir.join("nats.conf"), config).unwrap();
    Command::new(muster_local::tools::nats_server().unwrap())
        .arg("-c")
        .arg(dir.join("nats.conf"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

struct Seen(Notify);

#[async_trait]
impl TimerHandler for Seen {
    async fn fire(&self, _: TimerFired) -> Result<(), TimerError> {
        self.0.notify_one();
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_documented_permissions_are_enough_and_not_too_many() {
    let dir = tempfile::tempdir().unwrap();
    let port = muster_local::free_port().unwrap();
    let mut process = server(dir.path(), port);
    let installer = connect(port, "installer").await;
    installer.provision().await.unwrap();
    installer.provision_tenant(&tenant("acme")).await.unwrap();

    let log = connect(port, "service").await;
    a_service_can_work(&log).await;
    assert_eq!(log.permission_violations(), 0);
    nothing_can_be_deleted(port, &installer).await;
    // Nor created: the server is silent about it, so it is counted.
    assert!(timeout(Duration::from_secs(1), log.provision_tenant(&tenant("globex"))).await.is_err());
    eventually("the refusal is counted", || async { log.permission_violations() > 0 }).await;
    process.kill().await.unwrap();
}

async fn a_service_can_work(log: &EventLog) {
    let acme = tenant("acme");
    let count = |state: &Counter| Ok::<_, String>(Some(counted(state.count + 1)));
    log.decide(&acme, &id("one"), &meta(), count).await.unwrap();
    assert_eq!(log.load::<Counter>(&acme, &id("one")).await.unwrap().version, 1);
    assert_eq!(the_whole_log(log, &["counter"]).await.len(), 1);
    assert_eq!(log.verify().await.unwrap().differences, []);
    Lease::acquire(log, "test", "one", SOON).await.unwrap().unwrap().release().await;

    log.publish_observations(&ObservationBatch { tenant: "acme".into(), ..ObservationBatch::default() }).await.unwrap();
    let observations = log.follow_observations(ObservationStart::After([].into()));
    timeout(SOON, futures::StreamExt::next(&mut Box::pin(observations))).await.unwrap().unwrap();

    let key = TimerKey { tenant: acme, handler: "test".into(), key: "one".into() };
    log.timers().set(&key, Timestamp::now(), b"").await.unwrap();
    let (seen, token) = (Arc::new(Seen(Notify::new())), CancellationToken::new());
    let task = tokio::spawn(run_timers(log.clone(), "test", seen.clone(), token.clone()));
    timeout(SOON, seen.0.notified()).await.unwrap();
    token.cancel();
    task.await.unwrap();
}

async fn nothing_can_be_deleted(port: u16, installer: &EventLog) {
    let options = async_nats::ConnectOptions::with_user_and_password("service".into(), "test".into());
    let client = options.custom_inbox_prefix("_INBOX_service").connect(format!("127.0.0.1:{port}")).await.unwrap();
    let before = installer.last_sequence(&tenant("acme")).await.unwrap();
    let calls = [
        ("$JS.API.STREAM.DELETE.REC_acme_1", ""),
        ("$JS.API.STREAM.PURGE.REC_acme_1", ""),
        ("$JS.API.STREAM.MSG.DELETE.REC_acme_1", r#"{"seq":1}"#),
        (
            "$JS.API.STREAM.UPDATE.REC_acme_1",
            r#"{"name":"REC_acme_1","subjects":["rec.acme.*.*.*"],"max_age":1000000000}"#,
        ),
    ];
    for (subject, body) in calls {
        let answer = timeout(Duration::from_millis(300), client.request(subject, body.into())).await;
        assert!(!matches!(answer, Ok(Ok(_))), "{subject} was answered: {answer:?}");
    }
    let entries: Vec<_> = futures::TryStreamExt::try_collect(installer.entries(&tenant("acme"), 0)).await.unwrap();
    assert_eq!(entries.len() as u64, before);
    assert_eq!(installer.verify().await.unwrap().differences, []);
}
