//! What the server says about a record stream, and tells when somebody lays hands on it.

use std::time::Duration;

use async_nats::jetstream;
use futures::StreamExt;
use muster_eventlog::StreamAdvisory;
use muster_local::nats::NatsServer;

use crate::support::{Counter, counted, eventually, id, meta, provisioned, tenant};

const SOON: Duration = Duration::from_secs(60);

#[tokio::test]
async fn whoever_changes_a_record_stream_is_told_about_and_the_state_shows_it() {
    let server = NatsServer::temporary().await.unwrap();
    let log = provisioned(server.url(), 1, &["acme"]).await;
    let acme = tenant("acme");
    log.append::<Counter>(&acme, &id("one"), 1, &meta(), &counted(1)).await.unwrap();
    let stream = log.record_stream_name(&acme);
    let before = log.record_stream_state(&acme).await.unwrap().unwrap();
    assert_eq!((before.first_sequence, before.last_sequence, before.deleted), (1, 1, 0));
    assert_eq!(log.record_stream_differences(&acme).await.unwrap(), []);
    let mut advisories = Box::pin(log.stream_advisories().await.unwrap());

    let attacker = jetstream::new(async_nats::connect(server.url()).await.unwrap());
    let mut config = attacker.get_stream(&stream).await.unwrap().cached_info().config.clone();
    config.max_messages = 1000;
    // The listener is another connection: its subscription may not have reached the server yet.
    let told = std::cell::RefCell::new(Vec::<StreamAdvisory>::new());
    let listened = tokio::sync::Mutex::new(&mut advisories);
    eventually("the change is told", || async {
        let mut config = config.clone();
        config.max_messages += i64::try_from(told.borrow().len()).unwrap_or(0);
        attacker.update_stream(config).await.unwrap();
        let mut listened = listened.lock().await;
        let next = tokio::time::timeout(Duration::from_millis(200), listened.next()).await;
        told.borrow_mut().extend(next.ok().flatten());
        told.borrow().iter().any(|told| told.stream == stream && told.action == "modify")
    })
    .await;
    let changed = log.record_stream_state(&acme).await.unwrap().unwrap();
    assert_ne!(changed.config, before.config);
    assert_eq!(changed.created, before.created);
    let differences = log.record_stream_differences(&acme).await.unwrap();
    assert_eq!(differences.iter().map(|d| d.setting.as_str()).collect::<Vec<_>>(), ["max_msgs"]);

    attacker.delete_stream(&stream).await.unwrap();
    assert_eq!(log.record_stream_state(&acme).await.unwrap(), None);
    config.max_messages = -1;
    attacker.create_stream(config).await.unwrap();
    let recreated = log.record_stream_state(&acme).await.unwrap().unwrap();
    assert_eq!(recreated.config, before.config);
    assert_ne!(recreated.created, before.created, "a stream of the same name, and another one");
    let mut actions = Vec::new();
    while actions.last().is_none_or(|last| last != "create") {
        let told = tokio::time::timeout(SOON, advisories.next()).await.unwrap().unwrap();
        if told.stream == stream {
            actions.push(told.action);
        }
    }
    assert!(actions.contains(&"delete".to_owned()), "{actions:?}");
}
