//! The primary is lost.

use jiff::Timestamp;
use muster_domain::pb::execution::v1::CheckOutcome;
use muster_platform::{
    LastKnownPrimary, MoveKind, Probe,
    agent::StandbySource,
    postgresql::{Lsn, fact},
};

use crate::{
    drive::{blocking_names as blocking, check, eventually},
    pair::{Pair, drive, login, mover},
};

#[tokio::test]
async fn after_a_crash_the_standby_takes_over_and_the_old_primary_stays_out() {
    let mut pair = Pair::start().await;
    pair.a.sql("INSERT INTO ledger VALUES (1)").await.unwrap();
    let lsn: Lsn = pair.a.sql("SELECT pg_current_wal_lsn()").await.unwrap().trim().parse().unwrap();
    eventually("b has row 1", async || pair.b.sql("SELECT count(*) FROM ledger").await.unwrap().trim() == "1").await;
    // Received and not applied: the promotion must not lose it.
    pair.b.sql("SELECT pg_wal_replay_pause()").await.unwrap();
    pair.a.sql("INSERT INTO ledger VALUES (2)").await.unwrap();
    eventually("b has received row 2", async || {
        pair.b.sql("SELECT pg_last_wal_receive_lsn() > pg_last_wal_replay_lsn()").await.unwrap().trim() == "t"
    })
    .await;
    pair.a.kill().await.unwrap();

    let mover = mover();
    let last = LastKnownPrimary { timeline: Some(1), lsn: lsn.0, at: Timestamp::now() };
    let job = || {
        let mut job = pair.job(MoveKind::Failover, "a", "b");
        job.last_known_primary = Some(last.clone());
        job
    };
    // The receiver's process may take a moment to notice.
    eventually("the prechecks allow it", async || blocking(&mover.prechecks(&job()).await).is_empty()).await;
    let checks = mover.prechecks(&job()).await;
    assert_eq!(check(&checks, "primary_is_gone").outcome(), CheckOutcome::Passed);
    let (markers, unavailable) = mover.markers(&job()).await;
    assert_eq!((markers.len(), unavailable.len()), (1, 1), "{unavailable:?}");

    let facts = drive(job, None).await;
    assert_eq!(facts[fact::LAST_PRIMARY_LSN], lsn.to_string());
    assert!(facts[fact::TARGET_RECEIVE_LSN].parse::<Lsn>().unwrap() > lsn);
    assert!(!facts.contains_key(fact::SHUTDOWN_LSN), "a crash proves nothing");
    assert_eq!((facts[fact::OLD_TIMELINE].as_str(), facts[fact::NEW_TIMELINE].as_str()), ("1", "2"));
    assert!(blocking(&mover.postchecks(&job(), &facts).await).is_empty());
    assert_eq!(pair.b.sql("SELECT count(*) FROM ledger").await.unwrap().trim(), "2", "what was received is there");

    // Trap T5: somebody starts the old primary. It comes up as a standby and accepts no write.
    Pair::agent_of(&pair.a).start(std::time::Duration::from_secs(30)).await.unwrap();
    let refused = pair.a.sql("INSERT INTO ledger VALUES (3)").await.unwrap_err().to_string();
    assert!(refused.contains("read-only transaction"), "{refused}");
    let state = mover.known_state(&job(), &facts).await;
    assert!(state.contains("a is a standby") && state.contains("b is a primary on timeline 2"), "{state}");
    assert!(mover.rollback(&job(), &facts).await.is_err());

    come_back(&pair).await;
}

/// Fail-back: the old primary is rewound, keeps its own port (trap T1) and its own source (trap T2).
async fn come_back(pair: &Pair) {
    let agent = Pair::agent_of(&pair.a);
    agent.kill().await.unwrap();
    pair.b.sql("INSERT INTO ledger VALUES (4)").await.unwrap();
    let source = StandbySource {
        host: "127.0.0.1".into(),
        port: pair.b.port(),
        login: login("repl", "it's: \\ secret"),
        tls: false,
        slot: "muster_a".into(),
        application_name: "a".into(),
    };
    let limit = std::time::Duration::from_secs(60);
    agent.rewind(&source, &login("postgres", ""), limit).await.unwrap();
    let port = std::fs::read_to_string(pair.a.dir().join("muster.conf")).unwrap();
    assert!(port.contains(&format!("port = {}", pair.a.port())));
    let conninfo = agent.local_setting("primary_conninfo").await.unwrap().unwrap();
    assert!(conninfo.contains("user='repl'") && !conninfo.contains("secret"), "{conninfo}");
    agent.start(limit).await.unwrap();
    eventually("a follows b", async || pair.a.sql("SELECT max(n) FROM ledger").await.unwrap().trim() == "4").await;
}

/// Trap T4: right after a promotion the control file and the restart points still name the timeline
/// before. A failover then must still tell one promotion from two.
#[tokio::test]
async fn a_failover_right_after_a_switchover_counts_the_timelines_right() {
    let mut pair = Pair::start().await;
    drive(|| pair.job(MoveKind::Switchover, "a", "b"), None).await;
    pair.b.kill().await.unwrap();
    let facts = drive(|| pair.job(MoveKind::Failover, "b", "a"), None).await;
    assert_eq!((facts[fact::OLD_TIMELINE].as_str(), facts[fact::NEW_TIMELINE].as_str()), ("2", "3"));
}

/// The host lives and nothing of it can be reached by SQL any more: the fence stops it, cleanly where
/// it still can, and then zero loss is provable.
#[tokio::test]
async fn a_running_primary_is_stopped_by_the_fence() {
    let pair = Pair::start().await;
    pair.a.sql("INSERT INTO ledger VALUES (1)").await.unwrap();
    let mover = mover();
    let job = || pair.job(MoveKind::Failover, "a", "b");

    let checks = mover.prechecks(&job()).await;
    let alive = check(&checks, "primary_is_gone");
    assert_eq!(alive.outcome(), CheckOutcome::Failed);
    assert!(alive.text.contains("switchover"), "{}", alive.text);
    assert_eq!(check(&checks, "target_lost_primary").outcome(), CheckOutcome::Failed);

    let facts = drive(job, Some("fence-primary")).await;
    assert!(!pair.a.is_running());
    assert!(facts.contains_key(fact::SHUTDOWN_LSN), "{facts:?}");
    assert!(matches!(mover.probe(&job(), "fence-primary", &facts).await, Probe::Done { .. }));
    let facts = drive(job, None).await;
    let (shutdown, fork): (Lsn, Lsn) =
        (facts[fact::SHUTDOWN_LSN].parse().unwrap(), facts[fact::FORK_LSN].parse().unwrap());
    assert!(fork > shutdown);
}
