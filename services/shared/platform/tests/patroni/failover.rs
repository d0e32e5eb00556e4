//! The leader is lost.

use jiff::Timestamp;
use muster_domain::pb::execution::v1::CheckOutcome;
use muster_platform::{
    LastKnownPrimary, MoveKind, StepErrorKind,
    postgresql::{Lsn, fact},
};

use crate::{
    cluster::{Cluster, drive, mover},
    drive::{blocking_names as blocking, check, eventually},
};

/// The usual case: Patroni does it alone, and the run proves it.
#[tokio::test]
async fn what_patroni_did_itself_is_found_proven_and_counted() {
    let Some(mut cluster) = Cluster::start().await else { return };
    cluster.0.member("a").sql("INSERT INTO ledger VALUES (1)").await.unwrap();
    let lsn: Lsn = cluster.0.member("a").sql("SELECT pg_current_wal_lsn()").await.unwrap().trim().parse().unwrap();
    eventually("b has the row", async || {
        cluster.0.member("b").sql("SELECT count(*) FROM ledger").await.unwrap().trim() == "1"
    })
    .await;
    // A leader that lives is none to fail over from.
    let refused = mover().prechecks(&cluster.job(MoveKind::Failover, "a", "b")).await;
    assert!(blocking(&refused).contains(&"primary_is_gone"), "{refused:#?}");

    cluster.0.member_mut("a").kill().await.unwrap();
    let last = LastKnownPrimary { timeline: Some(1), lsn: lsn.0, at: Timestamp::now() };
    let job = || {
        let mut job = cluster.job(MoveKind::Failover, "a", "b");
        job.last_known_primary = Some(last.clone());
        job
    };
    let facts = drive(job).await;
    assert!(facts[fact::TARGET_RECEIVE_LSN].parse::<Lsn>().unwrap() >= lsn, "{facts:#?}");
    assert!(facts.contains_key(fact::WRITABLE_AT) && facts[fact::LAST_PRIMARY_LSN] == lsn.to_string());

    // Asked for once more, after the fact: everything is there, and nothing is done again.
    let checks = mover().prechecks(&job()).await;
    assert!(blocking(&checks).is_empty(), "{checks:#?}");
    assert!(check(&checks, "leader_is_lost").text.contains("already"), "{checks:#?}");
    let found = drive(job).await;
    assert_eq!(
        (&found[fact::OLD_TIMELINE], &found[fact::NEW_TIMELINE]),
        (&facts[fact::OLD_TIMELINE], &facts[fact::NEW_TIMELINE])
    );

    let checks = mover().postchecks(&job(), &facts).await;
    assert!(blocking(&checks).is_empty(), "{checks:#?}");
    assert_eq!(check(&checks, "old_leader_is_no_primary").outcome(), CheckOutcome::Warning);
    assert!(mover().rollback(&job(), &facts).await.is_err());

    // The old leader comes back as what it must be, by Patroni's doing.
    cluster.0.member_mut("a").start().await.unwrap();
    cluster.0.wait_until_streaming("b").await.unwrap();
    let checks = mover().postchecks(&cluster.job(MoveKind::Failover, "a", "b"), &facts).await;
    assert_eq!(check(&checks, "has_standby").outcome(), CheckOutcome::Passed, "{checks:#?}");
}

/// Paused, Patroni does nothing by itself: then, and only then, it is asked.
#[tokio::test]
async fn a_paused_cluster_fails_over_because_it_is_asked_and_never_under_a_living_leader() {
    let Some(mut cluster) = Cluster::start().await else { return };
    cluster.pause(true).await;
    let facts = mover().run(&cluster.job(MoveKind::Failover, "a", "b"), "record-positions", &Default::default()).await;
    let facts = facts.unwrap().outputs;
    let error = mover().run(&cluster.job(MoveKind::Failover, "a", "b"), "move-leader", &facts).await.unwrap_err();
    assert!(error.kind == StepErrorKind::Refused && error.text.contains("switchover"), "{error}");
    assert_eq!(cluster.0.member("b").sql("SELECT pg_is_in_recovery()").await.unwrap().trim(), "t");

    cluster.0.member_mut("a").kill().await.unwrap();
    let facts = drive(|| cluster.job(MoveKind::Failover, "a", "b")).await;
    assert!(facts.contains_key(fact::WRITABLE_AT), "{facts:#?}");
    let checks = mover().postchecks(&cluster.job(MoveKind::Failover, "a", "b"), &facts).await;
    assert!(blocking(&checks).is_empty(), "{checks:#?}");
}
