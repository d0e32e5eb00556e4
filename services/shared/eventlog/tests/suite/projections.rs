//! Tables follow the log exactly once: killed at any instant, doubled, rebuilt, fed poison.

use std::{
    collections::BTreeSet,
    fs::OpenOptions,
    io::Write,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use muster_domain::pb::audit::v1::{EventParked, ParkedEvent, parked_event::Event};
use muster_eventlog::{
    Database, EventLog, PARKED_KIND, Pending, Progress, Projection, Record, project_tenant, rebuild, run_projection,
    wait_for,
};
use muster_local::{nats::NatsServer, postgres::StopMode};
use tokio_util::sync::CancellationToken;

use crate::sealed;
use crate::support::{
    Counter, child, counted, eventually, id, meta, provisioned,
    tables::{Counting, INVALID, VIOLATING, database, projected, rebuild_all, rows, service_url, wait_until_projected},
    tenant, the_whole_log,
};

const SOON: Duration = Duration::from_secs(30);
const TENANTS: [&str; 2] = ["acme", "globex"];

/// Kills of each process at least, and events noted by then: a slow machine takes more kills.
const KILLS: u32 = 12;
const EVENTS: usize = 500;
const WRITERS: [&str; 2] = ["writer-0", "writer-1"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_instant_nothing_is_lost_and_nothing_doubled() {
    let nats = NatsServer::temporary().await.unwrap();
    let (postgres, db) = database().await;
    provisioned(nats.url(), 1, &TENANTS).await;
    let dir = tempfile::tempdir().unwrap();
    // Payloads are encrypted and signed: a killed writer leaves neither an event that nobody can open, nor a hole in its chain.
    let log = sealed::connect(nats.url(), dir.path(), "test").await;
    let acknowledged = dir.path().join("acknowledged");
    let (nats_url, postgres_url, file) = (nats.url(), service_url(&postgres), acknowledged.display().to_string());
    let keys = dir.path().display().to_string();
    let settings = [
        ("TEST_NATS", nats_url.as_str()),
        ("TEST_POSTGRES", postgres_url.as_str()),
        ("TEST_FILE", &file),
        ("TEST_KEYS", &keys),
    ];
    let spawn = |role: &'static str| move || child::spawn("projections::child", role, &settings);
    let enough = |kills| {
        let noted = std::fs::read_to_string(&acknowledged).unwrap_or_default().lines().count();
        async move { kills >= KILLS && noted >= EVENTS }
    };
    // Two that project the same tenants without asking each other, and one that appends.
    let life = Duration::from_millis(700);
    tokio::join!(
        child::kill_until(spawn("append"), life, enough),
        child::kill_until(spawn("project"), life, enough),
        child::kill_until(spawn("project"), life, enough),
    );
    every_acknowledged_event_is_in_the_log_once(&log, &acknowledged).await;
    sealed::every_signature_and_digest_is_right(&log, &tenant("acme")).await;
    let stop = project_here(&log, &db);
    the_tables_are_the_log(&log, &db).await;

    // While a rebuild is killed again and again, the projection goes on beside it.
    let before = [rows(&db, &tenant("acme")).await, rows(&db, &tenant("globex")).await];
    let kills =
        child::kill_until(spawn("rebuild"), Duration::from_millis(150), |kills| async move { kills >= 4 }).await;
    assert_eq!(kills, 4);
    rebuild_all(&log, &db).await;
    the_tables_are_the_log(&log, &db).await;
    stop.cancel();
    let after = [rows(&db, &tenant("acme")).await, rows(&db, &tenant("globex")).await];
    assert_eq!(before, after);
}

/// Not a test: what the killed processes do.
#[tokio::test]
#[ignore = "run by killed_at_any_instant_nothing_is_lost_and_nothing_doubled in processes of their own"]
async fn child() {
    let Some(role) = child::role() else { return };
    // Each process is a producer of its own, with a key of its own.
    let producer = format!("{role}-{}", std::process::id());
    let log = sealed::connect(child::setting("TEST_NATS"), Path::new(&child::setting("TEST_KEYS")), &producer).await;
    let db = Database::connect(&child::setting("TEST_POSTGRES")).await.unwrap();
    match role.as_str() {
        "append" => append_and_note(&log, Path::new(&child::setting("TEST_FILE"))).await,
        "project" => project_here(&log, &db).cancelled().await,
        "rebuild" => rebuild_all(&log, &db).await,
        other => panic!("unknown role {other}"),
    }
}

/// Appends without end, two writers beside each other, and notes each event after it was acknowledged.
async fn append_and_note(log: &EventLog, file: &Path) {
    let writers = WRITERS.map(|name| async move {
        let mut file = OpenOptions::new().create(true).append(true).open(file).unwrap();
        for turn in 0_u64.. {
            let to = tenant(TENANTS[(turn % 2) as usize]);
            let loaded = log.load::<Counter>(&to, &id(name)).await.unwrap();
            let about = meta();
            let number = loaded.version + 1;
            let appended = log.append_to(&to, &id(name), &loaded, &about, &counted(number)).await.unwrap();
            // One write call: a line is there or not.
            file.write_all(format!("{to} {} {}\n", appended.sequence, about.event_id).as_bytes()).unwrap();
        }
    });
    futures::future::join_all(writers).await;
}

fn project_here(log: &EventLog, db: &Database) -> CancellationToken {
    let stop = CancellationToken::new();
    for name in TENANTS {
        tokio::spawn(project_tenant(log.clone(), db.clone(), Arc::new(Counting), tenant(name), stop.clone()));
    }
    stop
}

async fn every_acknowledged_event_is_in_the_log_once(log: &EventLog, file: &Path) {
    let noted = std::fs::read_to_string(file).unwrap();
    let in_log: Vec<_> = the_whole_log(log, &["counter"])
        .await
        .iter()
        .map(|record| format!("{} {} {}", record.tenant, record.sequence, record.event_id))
        .collect();
    let unique: BTreeSet<_> = in_log.iter().map(String::as_str).collect();
    assert_eq!(unique.len(), in_log.len(), "an event is in the log twice");
    let lost: Vec<_> = noted.lines().filter(|line| !unique.contains(line)).collect();
    assert_eq!(lost, Vec::<&str>::new(), "acknowledged and not in the log");
}

async fn the_tables_are_the_log(log: &EventLog, db: &Database) {
    let records = the_whole_log(log, &["counter"]).await;
    for name in TENANTS {
        wait_until_projected(log, db, &tenant(name)).await;
        let expected = records.iter().filter(|record| record.tenant.as_str() == name);
        let expected: Vec<_> = expected.map(|record| (record.sequence, record.id.clone(), record.version)).collect();
        assert_eq!(projected(db, &tenant(name)).await, expected, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_daily_life_of_a_projection() {
    let nats = NatsServer::temporary().await.unwrap();
    let (mut postgres, db) = database().await;
    let log = provisioned(nats.url(), 1, &TENANTS).await;
    let shutdown = CancellationToken::new();
    let running: Vec<_> = (0..2)
        .map(|_| tokio::spawn(run_projection(log.clone(), db.clone(), Arc::new(Counting), shutdown.clone())))
        .collect();
    one_reads_what_one_wrote(&log, &db).await;
    new_tenants_are_found(&log, &db).await;
    a_database_that_is_away_is_waited_for(&log, &db, &mut postgres).await;
    poison_is_parked_and_the_rest_goes_on(&log, &db).await;
    what_is_no_event_is_parked(&log, &db, &nats.url()).await;
    a_rebuild_gives_the_same_tables(&log, &db).await;
    shutdown.cancel();
    for task in running {
        task.await.unwrap();
    }
}

async fn append(log: &EventLog, to: &str, id: &str, version: u64, number: u64) -> u64 {
    let event = counted(number);
    log.append::<Counter>(&tenant(to), &self::id(id), version, &meta(), &event).await.unwrap().sequence
}

async fn one_reads_what_one_wrote(log: &EventLog, db: &Database) {
    let acme = tenant("acme");
    let last = log.last_sequence(&acme).await.unwrap();
    assert!(wait_for(db, Counting.name(), &acme, last + 1, Duration::from_millis(50)).await.is_err(), "nothing yet");
    for version in 1..=20 {
        let sequence = append(log, "acme", "read", version, version).await;
        wait_for(db, Counting.name(), &acme, sequence, SOON).await.unwrap();
        assert!(projected(db, &acme).await.contains(&(sequence, "read".into(), version)));
    }
}

async fn new_tenants_are_found(log: &EventLog, db: &Database) {
    log.provision_tenant(&tenant("initech")).await.unwrap();
    let sequence = append(log, "initech", "first", 1, 1).await;
    wait_for(db, Counting.name(), &tenant("initech"), sequence, SOON).await.unwrap();
}

async fn a_database_that_is_away_is_waited_for(
    log: &EventLog,
    db: &Database,
    postgres: &mut muster_local::postgres::PostgresServer,
) {
    postgres.stop(StopMode::Immediate).await.unwrap();
    for version in 1..=10 {
        append(log, "acme", "away", version, version).await;
    }
    postgres.start().await.unwrap();
    wait_until_projected(log, db, &tenant("acme")).await;
    assert_eq!(projected(db, &tenant("acme")).await.iter().filter(|(_, id, _)| id == "away").count(), 10);
    assert_eq!(parked(log).await, []);
}

async fn parked(log: &EventLog) -> Vec<(String, EventParked)> {
    let records = the_whole_log(log, &[PARKED_KIND]).await;
    let content = |record: &Record| match record.decode::<ParkedEvent>().unwrap().event.unwrap() {
        Event::Parked(parked) => (record.tenant.to_string(), parked),
    };
    records.iter().map(content).collect()
}

/// Two poisonous events within a large batch: all others are in the tables, and the log says what is not.
async fn poison_is_parked_and_the_rest_goes_on(log: &EventLog, db: &Database) {
    let (globex, one) = (tenant("globex"), id("poison"));
    let (invalid, violating) = (meta(), meta());
    let events: Vec<_> = (1..=90)
        .map(|version| match version {
            30 => Pending::new::<Counter>(&one, version, &invalid, &counted(INVALID)),
            60 => Pending::new::<Counter>(&one, version, &violating, &counted(VIOLATING)),
            _ => Pending::new::<Counter>(&one, version, &meta(), &counted(version)),
        })
        .collect();
    log.append_batch(&globex, events).await.unwrap();
    let unaffected = append(log, "acme", "unaffected", 1, 1).await;
    wait_for(db, Counting.name(), &tenant("acme"), unaffected, SOON).await.unwrap();
    eventually("both are parked", || async { parked(log).await.len() >= 2 }).await;
    wait_until_projected(log, db, &globex).await;

    let versions: Vec<_> =
        projected(db, &globex).await.into_iter().filter(|row| row.1 == "poison").map(|row| row.2).collect();
    assert_eq!(versions, (1..=90).filter(|version| ![30, 60].contains(version)).collect::<Vec<_>>());
    let parked = parked(log).await;
    let ids: Vec<_> = parked.iter().map(|(tenant, parked)| (tenant.as_str(), parked.event_id.clone())).collect();
    assert_eq!(ids, [("globex", invalid.event_id.to_string()), ("globex", violating.event_id.to_string())]);
    let first = &parked[0].1;
    assert_eq!((first.handler.as_str(), first.event_type.as_str()), ("test.counting", "counter.counted"));
    assert!(first.error.contains("an invalid number") && first.tries > 1 && first.sequence > 0, "{first:?}");
}

async fn what_is_no_event_is_parked(log: &EventLog, db: &Database, url: &str) {
    let before = parked(log).await.len();
    let jetstream = async_nats::jetstream::new(async_nats::connect(url).await.unwrap());
    jetstream.publish("rec.globex.counter.raw.1", "no headers".into()).await.unwrap().await.unwrap();
    eventually("it is parked", || async { parked(log).await.len() > before }).await;
    wait_until_projected(log, db, &tenant("globex")).await;
    let parked = parked(log).await.pop().unwrap().1;
    assert!(parked.error.contains("header") && parked.event_id.is_empty(), "{parked:?}");
}

async fn a_rebuild_gives_the_same_tables(log: &EventLog, db: &Database) {
    let tenants = log.tenants().await.unwrap();
    let mut before = Vec::new();
    for tenant in &tenants {
        wait_until_projected(log, db, tenant).await;
        before.push(rows(db, tenant).await);
    }
    let parked_before = parked(log).await.len();
    let steps: Mutex<Vec<Progress>> = Mutex::default();
    rebuild(log.clone(), db.clone(), Arc::new(Counting), |step| steps.lock().unwrap().push(step)).await.unwrap();
    for (tenant, before) in tenants.iter().zip(before) {
        wait_until_projected(log, db, tenant).await;
        assert_eq!(rows(db, tenant).await, before, "{tenant}");
    }
    assert_eq!(parked(log).await.len(), parked_before, "what was parked is not parked again");
    let steps = steps.into_inner().unwrap();
    let last = steps.last().unwrap();
    assert!(last.sequence >= last.target && last.tenant_number == last.tenants && !last.resumed, "{last:?}");
}
