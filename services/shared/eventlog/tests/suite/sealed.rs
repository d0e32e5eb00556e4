//! Payloads under a tenant's key, until it is destroyed; signatures; and looking up what was acknowledged.

use std::{
    collections::BTreeSet,
    path::Path,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use futures::TryStreamExt;
use muster_domain::{
    TenantId,
    audit::{DestroyPayloadKey, PayloadKey, begin_destruction, finish_destruction},
    pb::audit::v1::{AuditLogEvent, PublicationMissing, audit_log_event},
};
use muster_eventlog::{
    AppendError, Cause, Entry, EventLog, LogConfig, LogError, Logged, PARKED_KIND, ProducerCheck, ProducerFlaw,
    Projection, PublishedLog, RawEntry, ReactError, Reactor, Record,
    keyring::{FileKeyring, KeyId, Keyring},
    project_tenant, run_reactor, run_self_audit,
};
use muster_local::nats::NatsServer;
use muster_tlog::{Hash, Leaf, leaf};
use tokio_util::sync::CancellationToken;

use crate::support::{
    Counted, Counter, counted, eventually, id, meta, provisioned,
    tables::{Counting, database, projected, wait_until_projected},
    tenant, the_whole_log,
};

pub(crate) async fn connect(url: String, keys: &Path, producer: &str) -> EventLog {
    let keyring = Arc::new(FileKeyring::open(keys.join("keys")).unwrap());
    let config = LogConfig {
        url,
        keyring: Some(keyring as Arc<dyn Keyring>),
        producer: Some(producer.to_owned()),
        ..LogConfig::default()
    };
    EventLog::connect(&config).await.unwrap()
}

async fn stored(log: &EventLog, of: &TenantId) -> Vec<RawEntry> {
    let mut follower = log.raw(of, 0);
    let mut entries = Vec::new();
    let last = log.last_sequence(of).await.unwrap();
    while entries.last().is_none_or(|entry: &RawEntry| entry.sequence < last) {
        entries.extend(follower.next().await);
    }
    // Stable: repeated names stay in order.
    entries.iter_mut().for_each(|entry| entry.headers.sort_by(|(a, _), (b, _)| a.cmp(b)));
    entries
}

fn flaws(entries: &[RawEntry]) -> Vec<(u64, ProducerFlaw)> {
    let mut check = ProducerCheck::default();
    entries.iter().for_each(|entry| check.take(entry));
    check.findings().iter().map(|found| (found.sequence, found.flaw.clone())).collect()
}

/// Of everything that was written: whoever wrote it signed it, and nothing in it can be read without the key.
pub(crate) async fn every_signature_and_digest_is_right(log: &EventLog, of: &TenantId) {
    let raw = stored(log, of).await;
    assert!(raw.len() > 100, "{} entries show little", raw.len());
    assert_eq!(flaws(&raw), []);
    let entries: Vec<Entry> = log.entries(of, 0).try_collect().await.unwrap();
    for (raw, entry) in raw.iter().zip(&entries) {
        let record = entry.record.as_ref().unwrap();
        assert_eq!(record.stored_sha256(), Hash::of(&raw.payload));
        if raw.header("Muster-Key").is_some() {
            assert!(!holds(&raw.payload, &record.payload), "sequence {} is stored in clear", raw.sequence);
            assert!(!raw.header("muster-actor").unwrap().contains("Ada"), "sequence {} names a person", raw.sequence);
            assert!(record.actor.name.contains("Ada"), "and readers see it as before");
        }
    }
}

fn holds(stored: &[u8], payload: &[u8]) -> bool {
    stored.windows(payload.len()).any(|part| part == payload)
}

async fn destroy(log: &EventLog, of: &TenantId) -> KeyId {
    let key_id = log.payload_key(of).await.unwrap().unwrap();
    let (aggregate, name) = (key_id.0.into(), key_id.to_string());
    let ask = DestroyPayloadKey { tenant: of, key_id: &name, reason: "the contract ended", confirmation: of.as_str() };
    log.decide::<PayloadKey, _>(of, &aggregate, &meta(), |key| begin_destruction(key, &ask)).await.unwrap();
    let gone = log.shred(of, key_id).await.unwrap();
    let finish = |key: &PayloadKey| Ok::<_, String>(finish_destruction(key, &name, &gone.receipt));
    log.decide(of, &aggregate, &meta(), finish).await.unwrap();
    key_id
}

struct Seen(Mutex<Vec<u64>>);

#[async_trait]
impl Reactor for Seen {
    fn name(&self) -> &'static str {
        "test.seen"
    }

    fn kinds(&self) -> &'static [&'static str] {
        &["counter"]
    }

    async fn react(&self, record: &Record) -> Result<(), ReactError> {
        self.0.lock().unwrap().push(record.decode::<Counted>()?.number);
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_its_key_is_destroyed_a_tenant_is_unreadable_and_everything_still_verifies() {
    let server = NatsServer::temporary().await.unwrap();
    let (_postgres, db) = database().await;
    let dir = tempfile::tempdir().unwrap();
    let (acme, globex) = (tenant("acme"), tenant("globex"));
    // What was written before encryption was switched on stays readable for ever.
    let plain = provisioned(server.url(), 1, &["acme", "globex"]).await;
    plain.append::<Counter>(&acme, &id("old"), 1, &meta(), &counted(1)).await.unwrap();
    let log = connect(server.url(), dir.path(), "writer-1").await;
    let beside = connect(server.url(), dir.path(), "writer-2").await;
    for version in 1..=20 {
        log.append::<Counter>(&acme, &id("new"), version, &meta(), &counted(version)).await.unwrap();
        beside.append::<Counter>(&globex, &id("new"), version, &meta(), &counted(version)).await.unwrap();
    }
    let stop = CancellationToken::new();
    for of in [&acme, &globex] {
        tokio::spawn(project_tenant(log.clone(), db.clone(), Arc::new(Counting), of.clone(), stop.clone()));
        wait_until_projected(&log, &db, of).await;
    }
    assert_eq!((projected(&db, &acme).await.len(), projected(&db, &globex).await.len()), (21, 20));
    assert_eq!(beside.load::<Counter>(&acme, &id("new")).await.unwrap().state.count, 20);
    let before = stored(&log, &acme).await;

    let key_id = destroy(&log, &acme).await;

    // In every process, also in one that has used the key.
    for log in [&log, &beside] {
        let loaded = log.load::<Counter>(&acme, &id("new")).await;
        assert!(matches!(&loaded, Err(LogError::KeyDestroyed { key_id: gone, .. }) if *gone == key_id), "{loaded:?}");
        let refused = log.append::<Counter>(&acme, &id("more"), 1, &meta(), &counted(1)).await;
        assert!(matches!(refused, Err(AppendError::Log(LogError::KeyDestroyed { .. }))), "{refused:?}");
        assert_eq!(log.load::<Counter>(&acme, &id("old")).await.unwrap().state.count, 1);
    }
    // The read models forget, too; nothing is parked, and the other tenant goes on.
    wait_until_projected(&log, &db, &acme).await;
    eventually("the tables hold what can still be read", || async { projected(&db, &acme).await.len() == 1 }).await;
    wait_until_projected(&log, &db, &acme).await;
    beside.append::<Counter>(&globex, &id("new"), 21, &meta(), &counted(21)).await.unwrap();
    wait_until_projected(&log, &db, &globex).await;
    assert_eq!(projected(&db, &globex).await.len(), 21);
    let reactor = Arc::new(Seen(Mutex::default()));
    let reacting = tokio::spawn(run_reactor(log.clone(), db, reactor.clone(), stop.clone()));
    eventually("reactors pass it by", || async { reactor.0.lock().unwrap().len() >= 22 }).await;
    stop.cancel();
    reacting.await.unwrap();
    assert!(the_whole_log(&log, &[PARKED_KIND]).await.is_empty());
    let read = the_whole_log(&log, &["counter"]).await;
    assert_eq!(read.iter().filter(|record| record.tenant == acme).count(), 1);

    // Order, time, who (by id) and the digests are all there.
    let after = stored(&log, &acme).await;
    assert_eq!(after[..before.len()], before);
    assert_eq!(flaws(&after), []);
    let entries: Vec<Entry> = log.entries(&acme, 0).try_collect().await.unwrap();
    let gone: Vec<&Record> = entries
        .iter()
        .filter_map(|entry| match entry.record.as_ref().map_err(|unreadable| &unreadable.cause) {
            Err(Cause::KeyDestroyed(record)) => Some(record.as_ref()),
            _ => None,
        })
        .collect();
    assert_eq!(gone.len(), 20);
    assert_eq!((gone[3].event_type.as_str(), gone[3].version), ("counter.counted", 4));
    assert_eq!((gone[3].actor.id.as_str(), gone[3].actor.name.as_str()), ("https://idp.example|1", ""));
    assert!(gone[3].payload.is_empty() && gone[3].stored_sha256() == Hash::of(&gone[3].stored));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_keyring_that_is_away_or_another_one_is_waited_for_and_never_replaced() {
    let server = NatsServer::temporary().await.unwrap();
    let (_postgres, db) = database().await;
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let acme = tenant("acme");
    let without = provisioned(server.url(), 1, &["acme"]).await;
    let log = connect(server.url(), dir.path(), "writer-1").await;
    log.append::<Counter>(&acme, &id("one"), 1, &meta(), &counted(1)).await.unwrap();

    let lost = connect(server.url(), other.path(), "writer-2").await;
    for reader in [&without, &lost] {
        let loaded = reader.load::<Counter>(&acme, &id("one")).await;
        assert!(
            matches!(&loaded, Err(error @ LogError::KeyUnavailable { .. }) if error.is_unavailable()),
            "{loaded:?}"
        );
    }
    let refused = lost.append::<Counter>(&acme, &id("two"), 1, &meta(), &counted(1)).await;
    assert!(matches!(&refused, Err(AppendError::Log(LogError::KeyUnavailable { why, .. })) if why.contains("restore")));
    assert_eq!(std::fs::read_dir(other.path().join("keys")).unwrap().count(), 0, "no second key is made");

    // A projection waits, and goes on when the keyring is there: nothing is parked or left out.
    let stop = CancellationToken::new();
    let waiting = tokio::spawn(project_tenant(lost, db.clone(), Arc::new(Counting), acme.clone(), stop.clone()));
    let entries: Vec<Entry> = without.entries(&acme, 0).try_collect().await.unwrap();
    assert!(entries.iter().any(|e| e.record.as_ref().is_err_and(|u| u.cause == Cause::KeyUnavailable)));
    for file in std::fs::read_dir(dir.path().join("keys")).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), other.path().join("keys").join(file.file_name())).unwrap();
    }
    wait_until_projected(&log, &db, &acme).await;
    assert_eq!(projected(&db, &acme).await.len(), 1);
    stop.cancel();
    waiting.await.unwrap();
    assert!(the_whole_log(&log, &[PARKED_KIND]).await.is_empty());
    assert_eq!(muster_eventlog::position::reached(&db, Counting.name(), &acme).await.unwrap(), 4);
}

/// A sealed event that somebody with access to the broker put at another place.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_moved_event_is_not_readable_and_its_signature_does_not_fit() {
    let server = NatsServer::temporary().await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let (acme, globex) = (tenant("acme"), tenant("globex"));
    provisioned(server.url(), 1, &["acme", "globex"]).await;
    let log = connect(server.url(), dir.path(), "writer-1").await;
    log.append::<Counter>(&acme, &id("one"), 1, &meta(), &counted(1)).await.unwrap();
    log.append::<Counter>(&globex, &id("one"), 1, &meta(), &counted(1)).await.unwrap();
    let original = stored(&log, &acme).await.pop().unwrap();
    let client = async_nats::connect(server.url()).await.unwrap();
    for (of, subject) in [(&acme, "rec.acme.counter.moved.1"), (&globex, "rec.globex.counter.moved.1")] {
        let ours = original.headers.iter().filter(|(name, _)| !name.starts_with("Nats-"));
        let headers = ours.map(|(name, value)| {
            (name.parse::<async_nats::HeaderName>().unwrap(), value.parse::<async_nats::HeaderValue>().unwrap())
        });
        let jetstream = async_nats::jetstream::new(client.clone());
        let sent = jetstream.publish_with_headers(subject, headers.collect(), original.payload.clone()).await.unwrap();
        let sequence = sent.await.unwrap().sequence;
        let loaded = log.load::<Counter>(of, &id("moved")).await;
        assert!(matches!(&loaded, Err(LogError::Unreadable { .. })), "{loaded:?}");
        let found = flaws(&stored(&log, of).await);
        assert!(!found.is_empty() && found.iter().all(|(at, _)| *at == sequence), "{found:?}");
        assert!(matches!(found[0].1, ProducerFlaw::WrongSignature), "{found:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_begin_together_share_one_key() {
    let server = NatsServer::temporary().await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let acme = tenant("acme");
    provisioned(server.url(), 1, &["acme"]).await;
    let mut logs = Vec::new();
    for n in 0..6 {
        logs.push(connect(server.url(), dir.path(), &format!("writer-{n}")).await);
    }
    let first = logs.iter().enumerate().map(|(n, log)| {
        let acme = &acme;
        async move { log.append::<Counter>(acme, &id(&format!("of-{n}")), 1, &meta(), &counted(1)).await.unwrap() }
    });
    futures::future::join_all(first).await;
    for n in 0..6 {
        let loaded = logs[(n + 1) % 6].load::<Counter>(&acme, &id(&format!("of-{n}"))).await.unwrap();
        assert_eq!(loaded.state.count, 1);
    }
    let raw = stored(&logs[0], &acme).await;
    let created: Vec<_> = raw.iter().filter(|entry| entry.event_type() == "payload-key.created").collect();
    let under: BTreeSet<_> = raw.iter().filter_map(|entry| entry.header("Muster-Key")).collect();
    assert_eq!((created.len(), under.len()), (1, 1));
    assert!(created[0].sequence < raw.iter().find(|entry| entry.header("Muster-Key").is_some()).unwrap().sequence);
    assert_eq!(raw.iter().filter(|entry| entry.event_type() == "producer.announced").count(), 6);
    assert_eq!(flaws(&raw), []);
}

/// A published log of one tenant that shows other content for one sequence.
struct Forged {
    of: TenantId,
    leaves: Mutex<Vec<Leaf>>,
    forged: u64,
}

#[async_trait]
impl PublishedLog for Forged {
    async fn leaf(&self, tenant: &TenantId, sequence: u64) -> Result<Logged, String> {
        if *tenant != self.of {
            return Ok(Logged::NotYet);
        }
        let mut found = self.leaves.lock().unwrap().iter().find(|leaf| leaf.sequence() == Some(sequence)).cloned();
        if let Some(Leaf::Event(leaf)) = &mut found
            && sequence == self.forged
        {
            leaf.payload_sha256 = Hash::of(b"another content");
        }
        Ok(found.map_or(Logged::NotYet, Logged::Leaf))
    }
}

fn leaf_of(entry: &RawEntry) -> Leaf {
    Leaf::Event(leaf::Event {
        log: "audit.example/x/record/1".to_owned(),
        stream: "record".to_owned(),
        seq: entry.sequence,
        subject: entry.subject.clone(),
        time_ns: 1,
        headers_sha256: leaf::canonical_headers(entry.headers.iter().map(|(n, v)| (n.as_str(), v.as_str()))).unwrap(),
        payload_len: entry.payload.len() as u64,
        payload_sha256: Hash::of(&entry.payload),
    })
}

async fn missing(log: &EventLog, of: &TenantId) -> Vec<PublicationMissing> {
    let mut found = Vec::new();
    for record in the_whole_log(log, &["audit-log"]).await.iter().filter(|record| record.tenant == *of) {
        if let Some(audit_log_event::Event::PublicationMissing(event)) = record.decode::<AuditLogEvent>().unwrap().event
        {
            found.push(event);
        }
    }
    found
}

/// The stream of one tenant is made anew with one event less; the published log of another shows another content. Both are
/// found by the publisher, by name, and nothing else is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_and_is_not_there_is_found_by_its_publisher() {
    let server = NatsServer::temporary().await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let (acme, globex) = (tenant("acme"), tenant("globex"));
    provisioned(server.url(), 1, &["acme", "globex"]).await;
    let log = connect(server.url(), dir.path(), "writer-1").await;
    let published = Arc::new(Forged { of: globex.clone(), leaves: Mutex::default(), forged: 4 });
    let stop = CancellationToken::new();
    let looking = tokio::spawn(run_self_audit(log.clone(), Some(published.clone()), stop.clone()));
    tokio::task::yield_now().await;
    for version in 1..=4 {
        log.append::<Counter>(&acme, &id("one"), version, &meta(), &counted(version)).await.unwrap();
        log.append::<Counter>(&globex, &id("one"), version, &meta(), &counted(version)).await.unwrap();
    }
    let acme_had = stored(&log, &acme).await;
    let globex_has = stored(&log, &globex).await;
    published.leaves.lock().unwrap().extend(globex_has.iter().map(leaf_of));

    let jetstream = async_nats::jetstream::new(async_nats::connect(server.url()).await.unwrap());
    jetstream.delete_stream("REC_acme_1").await.unwrap();
    log.provision_tenant(&acme).await.unwrap();
    for entry in &acme_had[..acme_had.len() - 1] {
        let ours = entry.headers.iter().filter(|(name, _)| !name.starts_with("Nats-"));
        let headers = ours.map(|(name, value)| {
            (name.parse::<async_nats::HeaderName>().unwrap(), value.parse::<async_nats::HeaderValue>().unwrap())
        });
        let sent = jetstream.publish_with_headers(entry.subject.clone(), headers.collect(), entry.payload.clone());
        sent.await.unwrap().await.unwrap();
    }
    eventually("both are found", || async {
        !missing(&log, &acme).await.is_empty() && !missing(&log, &globex).await.is_empty()
    })
    .await;
    stop.cancel();
    looking.await.unwrap();
    let (of_acme, of_globex) = (missing(&log, &acme).await, missing(&log, &globex).await);
    let last = acme_had.last().unwrap();
    assert_eq!((of_acme.len(), of_globex.len()), (1, 1), "{of_acme:?} {of_globex:?}");
    assert_eq!((of_acme[0].sequence, of_acme[0].event_id.as_str()), (last.sequence, last.header("ce-id").unwrap()));
    assert_eq!((of_globex[0].sequence, of_globex[0].producer.as_str()), (4, "writer-1"));
    assert_ne!(of_globex[0].published_sha256, of_globex[0].logged_sha256);
}
