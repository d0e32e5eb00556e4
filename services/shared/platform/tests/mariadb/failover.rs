//! The primary is lost.

use jiff::Timestamp;
use muster_platform::{LastKnownPrimary, MoveKind, StepErrorKind, mariadb::fact};

use crate::{
    drive::{blocking_names as blocking, check, eventually},
    pair::{Pair, drive, mover},
};

#[tokio::test]
async fn a_killed_primary_is_fenced_and_the_replica_takes_over_with_all_it_received() {
    let Some(mut pair) = Pair::start().await else { return };
    pair.arrives(1, "a", "b").await;
    pair.a.kill().await.unwrap();
    let job = || {
        let mut job = pair.job(MoveKind::Failover, "a", "b");
        job.last_known_primary = Some(LastKnownPrimary { timeline: Some(0), lsn: 1_000, at: Timestamp::now() });
        job
    };
    eventually("the replica has noticed", async || blocking(&mover().prechecks(&job()).await).is_empty()).await;
    let known = mover().prechecks(&job()).await;
    assert!(check(&known, "last_known_position").text.contains("1000 transactions"), "{known:#?}");

    let facts = drive(job, None).await;
    assert_eq!(facts[fact::TARGET_RECEIVED_POSITION], facts[fact::TARGET_APPLIED_POSITION]);
    assert_eq!(facts[fact::LAST_PRIMARY_TRANSACTIONS], "1000");
    assert!(!facts.contains_key(fact::FINAL_POSITION), "where it ended is not known");
    let checks = mover().postchecks(&job(), &facts).await;
    assert!(blocking(&checks).is_empty(), "{checks:#?}");
    assert_eq!(pair.b.sql("SELECT n FROM app.ledger").await.unwrap(), "1");
    assert!(mover().rollback(&job(), &facts).await.is_err());

    // Whoever starts the old primary gets no second one.
    pair.a.start().await.unwrap();
    assert!(pair.is_read_only("a").await && !pair.is_read_only("b").await);
}

#[tokio::test]
async fn a_primary_that_lives_is_not_failed_over() {
    let Some(pair) = Pair::start().await else { return };
    let checks = mover().prechecks(&pair.job(MoveKind::Failover, "a", "b")).await;
    let blocked = blocking(&checks);
    assert!(blocked.contains(&"primary_is_gone") && blocked.contains(&"target_lost_primary"), "{blocked:?}");
}

/// Received and not applied: with its applier standing the target is not promoted, and nothing received is thrown away.
#[tokio::test]
async fn what_was_received_is_applied_before_anything_is_promoted() {
    let Some(mut pair) = Pair::start().await else { return };
    // A conflict stops the applier: the row is there already, by nobody's transaction.
    pair.b.sql("SET SESSION sql_log_bin=0; INSERT INTO app.ledger VALUES (1)").await.unwrap();
    pair.a.sql("INSERT INTO app.ledger VALUES (1); INSERT INTO app.ledger VALUES (2)").await.unwrap();
    eventually("the applier stands", async || {
        pair.b.sql("SHOW SLAVE STATUS").await.unwrap().contains("Duplicate entry")
    })
    .await;
    pair.a.kill().await.unwrap();
    let job = || pair.job(MoveKind::Failover, "a", "b");
    let facts = drive(job, Some("fence-primary")).await;
    let error = mover().run(&job(), "drain-relay-log", &facts).await.unwrap_err();
    assert_eq!(error.kind, StepErrorKind::Failed, "{error}");
    assert!(error.text.contains("Duplicate entry"), "{error}");
    let early = mover().run(&job(), "detach-target", &facts).await.unwrap_err();
    assert_eq!(early.kind, StepErrorKind::Refused, "{early}");

    // A person mends it; the receiver stands meanwhile, and what it had received is still there.
    pair.b.sql("SET SESSION sql_log_bin=0; DELETE FROM app.ledger").await.unwrap();
    let error = mover().run(&job(), "drain-relay-log", &facts).await.unwrap_err();
    assert!(error.text.contains("both its threads stand"), "{error}");
    assert!(pair.is_read_only("b").await && !pair.a.is_running());
}
