//! What the log promises, on one server and on a cluster of three: they differ in how they refuse and how they lag.

use std::{collections::BTreeSet, future::Future, sync::Arc, time::Duration};

use crate::sealed;
use crate::support::{Counted, Counter, connect, counted, id, meta, meta_with, provisioned, proxy::Proxy, tenant};
use futures::{TryStreamExt, future::join_all};
use muster_eventlog::{
    AppendError, Appended, DecideError, Entry, EventLog, Loaded, LogError, MAX_BATCH, MAX_EVENT_BYTES, Outcome, Pending,
};
use muster_local::nats::{NatsCluster, NatsServer};
use uuid::Uuid;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_one_server() {
    let mut server = NatsServer::temporary().await.unwrap();
    let log = provisioned(server.url(), 1, &["acme"]).await;
    contract(&log).await;
    an_answer_that_is_lost_is_found_out(|proxy| connect(proxy, 1), server.port()).await;
    an_unknown_tenant_is_said_at_once(&log).await;
    changed_settings_are_found(&log, &server.url()).await;
    appends_wait_for_a_restart(&log, &mut server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_cluster_of_three() {
    let mut cluster = NatsCluster::temporary().await.unwrap();
    let log = provisioned(cluster.url(), 3, &["acme"]).await;
    contract(&log).await;
    appends_outlive_the_leader(&log, &mut cluster).await;
}

/// The same promises, with everything encrypted and signed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_one_server_sealed_and_signed() {
    let server = NatsServer::temporary().await.unwrap();
    let keys = tempfile::tempdir().unwrap();
    let log = sealed::connect(server.url(), keys.path(), "writer-1").await;
    log.provision().await.unwrap();
    log.provision_tenant(&tenant("acme")).await.unwrap();
    contract(&log).await;
    an_answer_that_is_lost_is_found_out(|proxy| sealed::connect(proxy, keys.path(), "writer-2"), server.port()).await;
    sealed::every_signature_and_digest_is_right(&log, &tenant("acme")).await;
}

async fn contract(log: &EventLog) {
    provisioning_twice_changes_nothing(log).await;
    versions_are_never_skipped_or_doubled(log).await;
    the_same_event_again_is_the_same_success(log).await;
    everything_about_an_event_is_kept(log).await;
    the_stored_bytes_can_be_read(log).await;
    of_racing_writers_one_wins(log).await;
    of_racing_batches_one_wins(log).await;
    a_batch_is_all_or_nothing(log).await;
    the_largest_batch_is_stored_and_a_larger_one_is_refused(log).await;
    a_command_is_carried_out_once(log).await;
    a_wrong_belief_decides_nothing(log).await;
    racing_deciders_all_count(log).await;
    what_was_acknowledged_is_loaded(log).await;
    long_aggregates_are_loaded_whole(log).await;
    what_is_too_large_is_refused(log).await;
}

async fn provisioning_twice_changes_nothing(log: &EventLog) {
    log.provision().await.unwrap();
    log.provision_tenant(&tenant("acme")).await.unwrap();
    let verified = log.verify().await.unwrap();
    assert_eq!(verified.differences, []);
    assert_eq!(log.tenants().await.unwrap(), [tenant("acme")]);
}

async fn versions_are_never_skipped_or_doubled(log: &EventLog) {
    let (acme, one) = (tenant("acme"), id("versions"));
    let append = async |version| log.append::<Counter>(&acme, &one, version, &meta(), &counted(version)).await;
    assert!(matches!(append(0).await, Err(AppendError::VersionSkipped { .. })));
    assert!(matches!(append(2).await, Err(AppendError::VersionSkipped { .. })));
    assert_eq!(append(1).await.unwrap().version, 1);
    assert!(matches!(append(1).await, Err(AppendError::Conflict { version: 1, .. })));
    assert!(matches!(append(3).await, Err(AppendError::VersionSkipped { .. })));
    append(2).await.unwrap();
    // Not the newest any more, though the version before exists.
    assert!(matches!(append(2).await, Err(AppendError::Conflict { .. })));
    let loaded = log.load::<Counter>(&acme, &one).await.unwrap();
    assert_eq!((loaded.version, loaded.state.last), (2, 2));
}

async fn the_same_event_again_is_the_same_success(log: &EventLog) {
    let (acme, one, same) = (tenant("acme"), id("again"), meta());
    let first = log.append::<Counter>(&acme, &one, 1, &same, &counted(1)).await.unwrap();
    let again = log.append::<Counter>(&acme, &one, 1, &same, &counted(1)).await.unwrap();
    assert!(!first.was_there);
    assert_eq!(Appended { was_there: true, ..first }, again);
    log.append::<Counter>(&acme, &one, 2, &meta(), &counted(2)).await.unwrap();
    let later = log.append::<Counter>(&acme, &one, 1, &same, &counted(1)).await.unwrap();
    assert_eq!(again, later);
    assert_eq!(log.load::<Counter>(&acme, &one).await.unwrap().version, 2);
}

async fn everything_about_an_event_is_kept(log: &EventLog) {
    let (acme, one) = (tenant("acme"), id("kept"));
    let mut about = meta();
    about.actor.name = "Ada \"the first\" Łovelace\r\nmuster-actor: {}".into();
    about.causation = Some(Uuid::now_v7());
    let appended = log.append::<Counter>(&acme, &one, 1, &about, &counted(7)).await.unwrap();
    let record = first_record_from(log, appended.sequence).await;
    assert_eq!((record.kind.as_str(), record.id.as_str(), record.version), ("counter", "kept", 1));
    assert_eq!((record.event_type.as_str(), record.event_id), ("counter.counted", about.event_id));
    assert_eq!((record.actor.clone(), record.time), (about.actor, about.time));
    assert_eq!((record.correlation, record.causation), (about.correlation, about.causation));
    assert_eq!(record.decode::<Counted>().unwrap(), counted(7));
    assert!(record.traceparent.is_none(), "there is no trace in this test");
}

async fn the_stored_bytes_can_be_read(log: &EventLog) {
    let acme = tenant("acme");
    let entries: Vec<Entry> = log.entries(&acme, 0).try_collect().await.unwrap();
    let last = log.last_sequence(&acme).await.unwrap();
    assert_eq!(entries.iter().map(|entry| entry.sequence).collect::<Vec<_>>(), (1..=last).collect::<Vec<_>>());
    let first = entries.iter().find(|entry| entry.subject == "rec.acme.counter.versions.1").unwrap();
    let names: Vec<_> = first.headers.iter().map(|(name, _)| name.as_str()).collect();
    let expected = ["Nats-Expected-Last-Subject-Sequence", "Nats-Expected-Last-Subject-Sequence-Subject"].into_iter();
    let ours = [
        "ce-id",
        "ce-source",
        "ce-specversion",
        "ce-subject",
        "ce-time",
        "ce-type",
        "muster-actor",
        "muster-correlation",
    ];
    let record = first.record.as_ref().unwrap();
    assert_eq!(record.stored, first.payload);
    assert_eq!(record.decode::<Counted>().unwrap(), counted(1));
    if names.contains(&"Muster-Key") {
        let added = ["Muster-Key", "Muster-Key-Commit", "Muster-Prev", "Muster-Producer", "Muster-Salt", "Muster-Sig"];
        assert_eq!(names, added.into_iter().chain(expected).chain(ours).collect::<Vec<_>>());
        assert_ne!(record.payload, first.payload);
    } else {
        assert_eq!(names, expected.chain(ours).collect::<Vec<_>>());
        assert_eq!(record.payload, first.payload);
    }
}

/// Reads the record at `sequence` by a live fold, as the services would.
async fn first_record_from(log: &EventLog, sequence: u64) -> muster_eventlog::Record {
    let found = Arc::new(std::sync::Mutex::new(None));
    let (slot, token) = (found.clone(), tokio_util::sync::CancellationToken::new());
    let keep = move |record: &muster_eventlog::Record| {
        if record.sequence == sequence {
            *slot.lock().unwrap() = Some(record.clone());
        }
    };
    let fold = muster_eventlog::live_fold(log, &["counter"], keep, token.clone());
    fold.reached(&tenant("acme"), sequence).await;
    token.cancel();
    fold.stopped().await;
    found.lock().unwrap().take().unwrap()
}

const RACERS: usize = 16;
const ROUNDS: u64 = 60;

async fn of_racing_writers_one_wins(log: &EventLog) {
    let (acme, one) = (tenant("acme"), id("race"));
    for version in 1..=ROUNDS {
        let event = counted(version);
        let racers = (0..RACERS).map(|_| async { log.append::<Counter>(&acme, &one, version, &meta(), &event).await });
        assert_one_winner(join_all(racers).await, version);
    }
    let loaded = log.load::<Counter>(&acme, &one).await.unwrap();
    assert_eq!((loaded.version, loaded.state.count, loaded.state.last), (ROUNDS, ROUNDS, ROUNDS));
}

async fn of_racing_batches_one_wins(log: &EventLog) {
    let acme = tenant("acme");
    let (left, right) = (id("race-left"), id("race-right"));
    for version in 1..=ROUNDS / 4 {
        let racers = (0..RACERS / 2).map(|_| async {
            let pending = [&left, &right].map(|id| Pending::new::<Counter>(id, version, &meta(), &counted(version)));
            log.append_batch(&acme, pending.into()).await
        });
        assert_one_winner(join_all(racers).await, version);
    }
    for id in [left, right] {
        assert_eq!(log.load::<Counter>(&acme, &id).await.unwrap().version, ROUNDS / 4);
    }
}

fn assert_one_winner<T: std::fmt::Debug>(results: Vec<Result<T, AppendError>>, version: u64) {
    let winners = results.iter().filter(|result| result.is_ok()).count();
    let other: Vec<_> = results.iter().filter(|r| !matches!(r, Ok(_) | Err(AppendError::Conflict { .. }))).collect();
    assert!(winners == 1 && other.is_empty(), "version {version}: {winners} winners, {other:?}");
}

async fn a_batch_is_all_or_nothing(log: &EventLog) {
    let acme = tenant("acme");
    fn pending(id: &str, version: u64, meta: &muster_eventlog::Meta) -> Pending {
        Pending::new::<Counter>(&self::id(id), version, meta, &counted(version))
    }
    let (a, b, c) = (meta(), meta(), meta());
    let batch = || vec![pending("batch-a", 1, &a), pending("batch-b", 1, &b), pending("batch-b", 2, &c)];
    let done = log.append_batch(&acme, batch()).await.unwrap();
    let again = log.append_batch(&acme, batch()).await.unwrap();
    assert_eq!(Appended { was_there: true, ..done }, again, "the same batch again is the same success");
    assert_eq!(log.load::<Counter>(&acme, &id("batch-b")).await.unwrap().version, 2);

    // One of them exists: none is written, wherever it stands in the batch.
    for order in [["batch-a", "batch-new"], ["batch-new", "batch-a"]] {
        let metas = [meta(), meta()];
        let batch = order.iter().zip(&metas).map(|(id, meta)| pending(id, 1, meta)).collect();
        assert!(matches!(log.append_batch(&acme, batch).await, Err(AppendError::Conflict { .. })), "{order:?}");
        assert_eq!(log.load::<Counter>(&acme, &id("batch-new")).await.unwrap().version, 0, "{order:?}");
    }
    let skipping = vec![pending("batch-gap", 1, &meta()), pending("batch-gap", 3, &meta())];
    assert!(matches!(log.append_batch(&acme, skipping).await, Err(AppendError::VersionSkipped { .. })));
    assert!(matches!(log.append_batch(&acme, vec![]).await, Err(AppendError::BatchSize { .. })));
}

async fn the_largest_batch_is_stored_and_a_larger_one_is_refused(log: &EventLog) {
    let acme = tenant("acme");
    let batch = |prefix: &str, events| -> Vec<Pending> {
        let pending = |n| Pending::new::<Counter>(&id(&format!("{prefix}-{n}")), 1, &meta(), &counted(1));
        (0..events).map(pending).collect()
    };
    log.append_batch(&acme, batch("largest", MAX_BATCH)).await.unwrap();
    for n in [0, MAX_BATCH / 2, MAX_BATCH - 1] {
        assert_eq!(log.load::<Counter>(&acme, &id(&format!("largest-{n}"))).await.unwrap().version, 1, "{n}");
    }
    let refused = log.append_batch(&acme, batch("larger", MAX_BATCH + 1)).await;
    assert!(matches!(refused, Err(AppendError::BatchSize { count: 501, limit: 500 })), "{refused:?}");
    assert_eq!(log.load::<Counter>(&acme, &id("larger-0")).await.unwrap().version, 0);
}

async fn a_command_is_carried_out_once(log: &EventLog) {
    let (acme, one, command) = (tenant("acme"), id("decided"), meta());
    let count = |state: &Counter| Ok::<_, String>(Some(counted(state.count + 1)));
    let first = log.decide(&acme, &one, &command, count).await.unwrap();
    assert_eq!((first.outcome, first.version, first.state.count), (Outcome::Appended, 1, 1));
    let again =
        log.decide::<Counter, String>(&acme, &one, &command, |_| panic!("must not decide again")).await.unwrap();
    assert_eq!((again.outcome, again.version, again.sequence), (Outcome::AlreadyDone, 1, first.sequence));
    let nothing = log.decide::<Counter, String>(&acme, &one, &meta(), |_| Ok(None)).await.unwrap();
    assert_eq!((nothing.outcome, nothing.version), (Outcome::Nothing, 1));
    let refused = log.decide::<Counter, _>(&acme, &one, &meta(), |_| Err("no")).await;
    assert!(matches!(refused, Err(DecideError::Refused("no"))));
    assert_eq!(log.load::<Counter>(&acme, &one).await.unwrap().event_ids, [command.event_id]);
}

async fn a_wrong_belief_decides_nothing(log: &EventLog) {
    let (acme, one) = (tenant("acme"), id("believed"));
    let count = |state: &Counter| Ok::<_, String>(Some(counted(state.count + 1)));
    let command = meta();
    let first = log.decide_on(&acme, &one, Loaded::default(), &command, count).await.unwrap();
    assert_eq!((first.outcome, first.version, first.state.count), (Outcome::Appended, 1, 1));
    let second = log.decide_on(&acme, &one, first.clone().into_believed(), &meta(), count).await.unwrap();
    assert_eq!((second.outcome, second.version, second.state.last), (Outcome::Appended, 2, 2));

    let late = log.decide_on(&acme, &one, first.into_believed(), &meta(), count).await.unwrap();
    assert_eq!((late.outcome, late.version, late.state.last), (Outcome::Appended, 3, 3), "decided on what is there");
    let again = log.decide_on(&acme, &one, Loaded::default(), &command, count).await.unwrap();
    assert_eq!((again.outcome, again.version, again.state.count), (Outcome::AlreadyDone, 3, 3));
    let if_none = |state: &Counter| if state.count == 0 { Err("none is there") } else { Ok(None) };
    let nothing = log.decide_on::<Counter, _>(&acme, &one, Loaded::default(), &meta(), if_none).await.unwrap();
    assert_eq!((nothing.outcome, nothing.version), (Outcome::Nothing, 3), "a refusal on a belief is none");
}

async fn racing_deciders_all_count(log: &EventLog) {
    let (acme, one) = (tenant("acme"), id("deciders"));
    let writers = (0..8).map(|_| async {
        for _ in 0..10 {
            let count = |state: &Counter| Ok::<_, String>(Some(counted(state.count + 1)));
            log.decide(&acme, &one, &meta(), count).await.unwrap();
        }
    });
    join_all(writers).await;
    let loaded = log.load::<Counter>(&acme, &one).await.unwrap();
    assert_eq!((loaded.version, loaded.state.last), (80, 80));
    assert_eq!(loaded.event_ids.iter().collect::<BTreeSet<_>>().len(), 80, "each event once");
}

/// A replica that lags answers one direct get in ten on a cluster.
async fn what_was_acknowledged_is_loaded(log: &EventLog) {
    let (acme, one) = (tenant("acme"), id("fresh"));
    for version in 1..=200 {
        log.append::<Counter>(&acme, &one, version, &meta(), &counted(version)).await.unwrap();
        assert_eq!(log.load::<Counter>(&acme, &one).await.unwrap().version, version);
    }
}

async fn long_aggregates_are_loaded_whole(log: &EventLog) {
    let (acme, one, events) = (tenant("acme"), id("long"), 2_050);
    for first in (1..=events).step_by(100) {
        let versions = first..=(first + 99).min(events);
        let batch = versions.map(|version| Pending::new::<Counter>(&one, version, &meta(), &counted(version)));
        log.append_batch(&acme, batch.collect()).await.unwrap();
        let loaded = log.load::<Counter>(&acme, &one).await.unwrap();
        assert_eq!(loaded.version, (first + 99).min(events));
        assert_eq!(loaded.state.count, loaded.state.last);
    }
}

async fn what_is_too_large_is_refused(log: &EventLog) {
    let by = "x".repeat(MAX_EVENT_BYTES);
    // As large as allowed, and more of them than are fetched at once.
    let allowed = Counted { number: 1, by: by[..MAX_EVENT_BYTES - 16].to_owned() };
    let before = log.last_sequence(&tenant("acme")).await.unwrap();
    for version in 1..=40 {
        log.append::<Counter>(&tenant("acme"), &id("largest"), version, &meta(), &allowed).await.unwrap();
    }
    let entries: Vec<Entry> = log.entries(&tenant("acme"), before).try_collect().await.unwrap();
    assert_eq!(
        entries.iter().map(|entry| entry.sequence).collect::<Vec<_>>(),
        (before + 1..=before + 40).collect::<Vec<_>>()
    );
    assert!(entries.iter().all(|entry| entry.payload.len() > MAX_EVENT_BYTES - 16));

    let large = log.append::<Counter>(&tenant("acme"), &id("large"), 1, &meta(), &Counted { number: 1, by }).await;
    assert!(matches!(large, Err(AppendError::TooLarge { limit: MAX_EVENT_BYTES, .. })), "{large:?}");
}

async fn an_answer_that_is_lost_is_found_out<F: Future<Output = EventLog>>(connect: impl Fn(String) -> F, port: u16) {
    let proxy = Proxy::to(port).await;
    let log = connect(proxy.url.clone()).await;
    let (acme, one) = (tenant("acme"), id("lost-answers"));
    for version in 1..=10 {
        proxy.lose_the_next_answer();
        let event_id = Uuid::now_v7();
        let appended = if version % 2 == 0 {
            log.append::<Counter>(&acme, &one, version, &meta_with(event_id), &counted(version)).await
        } else {
            let pending = Pending::new::<Counter>(&one, version, &meta_with(event_id), &counted(version));
            let beside = Pending::new::<Counter>(&id("beside"), version / 2 + 1, &meta(), &counted(version));
            log.append_batch(&acme, vec![beside, pending]).await
        };
        assert!(proxy.has_lost_it(), "the test is pointless if no answer was lost");
        assert_eq!(appended.unwrap().event_id, event_id);
    }
    let loaded = log.load::<Counter>(&acme, &one).await.unwrap();
    assert_eq!((loaded.version, loaded.state.last), (10, 10));
}

async fn an_unknown_tenant_is_said_at_once(log: &EventLog) {
    let unknown = tenant("nobody");
    let limit = Duration::from_secs(3);
    let loaded = tokio::time::timeout(limit, log.load::<Counter>(&unknown, &id("x"))).await.unwrap();
    assert!(matches!(loaded, Err(LogError::StreamMissing { .. })), "{loaded:?}");
    let (one, about, event) = (id("x"), meta(), counted(1));
    let appended = tokio::time::timeout(limit, log.append::<Counter>(&unknown, &one, 1, &about, &event)).await.unwrap();
    assert!(matches!(appended, Err(AppendError::Log(LogError::StreamMissing { .. }))), "{appended:?}");
}

/// What whoever may update streams can still do to the log has to be seen.
async fn changed_settings_are_found(log: &EventLog, url: &str) {
    let jetstream = async_nats::jetstream::new(async_nats::connect(url).await.unwrap());
    let mut config = jetstream.get_stream("REC_acme_1").await.unwrap().cached_info().config.clone();
    config.max_age = Duration::from_secs(3600 * 24 * 365);
    config.discard_new_per_subject = false;
    jetstream.update_stream(&config).await.unwrap();
    let differences = log.verify().await.unwrap().differences;
    let settings: Vec<_> = differences.iter().map(|d| (d.of.as_str(), d.setting.as_str())).collect();
    assert_eq!(settings, [("REC_acme_1", "max_age"), ("REC_acme_1", "discard_new_per_subject")]);
    assert!(matches!(log.provision_tenant(&tenant("acme")).await, Err(LogError::StreamDiffers { .. })));
    (config.max_age, config.discard_new_per_subject) = (Duration::ZERO, true);
    jetstream.update_stream(&config).await.unwrap();
    assert_eq!(log.verify().await.unwrap().differences, []);
}

async fn appends_wait_for_a_restart(log: &EventLog, server: &mut NatsServer) {
    server.kill().await.unwrap();
    let append = tokio::spawn({
        let log = log.clone();
        async move { log.append::<Counter>(&tenant("acme"), &id("restart"), 1, &meta(), &counted(1)).await }
    });
    server.restart().await.unwrap();
    assert_eq!(append.await.unwrap().unwrap().version, 1);
    assert_eq!(log.load::<Counter>(&tenant("acme"), &id("restart")).await.unwrap().version, 1);
}

/// The leader of the tenant's stream is killed under load: callers wait, and no event is lost or doubled.
async fn appends_outlive_the_leader(log: &EventLog, cluster: &mut NatsCluster) {
    const WRITERS: u64 = 4;
    const EACH: u64 = 300;
    let writers: Vec<_> = (0..WRITERS).map(|writer| tokio::spawn(count_up(log.clone(), writer, EACH))).collect();
    crate::support::eventually("writing has begun", || async {
        log.load::<Counter>(&tenant("acme"), &id("writer-0")).await.unwrap().version > 20
    })
    .await;
    let killed = leader(&cluster.url()).await;
    let server = cluster.servers.iter_mut().find(|s| killed == format!("local-{}", s.port())).unwrap();
    server.kill().await.unwrap();
    for (writer, task) in writers.into_iter().enumerate() {
        task.await.unwrap();
        let loaded = log.load::<Counter>(&tenant("acme"), &id(&format!("writer-{writer}"))).await.unwrap();
        assert_eq!((loaded.version, loaded.state.count, loaded.state.last), (EACH, EACH, EACH));
    }
}

async fn count_up(log: EventLog, writer: u64, to: u64) {
    let one = id(&format!("writer-{writer}"));
    for version in 1..=to {
        log.append::<Counter>(&tenant("acme"), &one, version, &meta(), &counted(version)).await.unwrap();
    }
}

async fn leader(url: &str) -> String {
    let client = async_nats::connect(url.split(',').collect::<Vec<_>>()).await.unwrap();
    let stream = async_nats::jetstream::new(client).get_stream("REC_acme_1").await.unwrap();
    stream.cached_info().cluster.as_ref().unwrap().leader.clone().unwrap()
}
