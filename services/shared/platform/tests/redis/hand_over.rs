//! FAILOVER that does not come to its end.

use muster_platform::{Facts, MoveKind, Probe, StepErrorKind};

use crate::{
    drive::{blocking, eventually, settle},
    fixture::Fixture,
    pair::Redis,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_hand_over_that_waits_for_a_target_that_hangs_is_called_off() {
    let Some(pair) = Redis::start().await else { return };
    let mover = pair.mover();
    let job = || pair.job(MoveKind::Switchover, "a", "b");
    eventually("it may be moved", async || blocking(&mover.prechecks(&job()).await).is_empty()).await;
    let facts: Facts = settle(&mover, &job(), "fence-restart", &Facts::new()).await;

    // The executor asked for it and died; the target hangs, with something still to come.
    pair.freeze("b", true).await;
    assert!(pair.write("a", 1).await);
    let port = pair.b.port().to_string();
    pair.a.command(&["FAILOVER", "TO", "127.0.0.1", &port, "TIMEOUT", "60000"]).await.unwrap();
    assert!(!pair.write("a", 2).await, "writes are paused");
    let state = mover.known_state(&job(), &facts).await;
    assert!(state.contains("writes are paused") && state.contains("b does not answer"), "{state}");
    assert!(matches!(mover.probe(&job(), "hand-over", &facts).await, Probe::Unknown(_)), "nobody can tell");

    // The old primary serves again at once; its fence stays as long as the other side cannot be asked.
    let refused = mover.rollback(&job(), &facts).await.unwrap_err();
    assert_eq!(refused.kind, StepErrorKind::Refused);
    assert!(refused.text.contains("a is the primary and serves"), "{}", refused.text);
    assert!(pair.write("a", 3).await);
    assert!(job().services["a"].is_fenced().await.unwrap());

    pair.freeze("b", false).await;
    eventually("the move is taken back", async || mover.rollback(&job(), &facts).await.is_ok()).await;
    assert!(!job().services["a"].is_fenced().await.unwrap());
    assert!(pair.write("a", 4).await && !pair.write("b", 5).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_is_not_fenced_for_its_next_start_does_not_hand_over() {
    let Some(pair) = Redis::start().await else { return };
    let job = pair.job(MoveKind::Switchover, "a", "b");
    let error = pair.mover().run(&job, "hand-over", &Facts::new()).await.unwrap_err();
    assert_eq!(error.kind, StepErrorKind::Refused);
    assert!(error.text.contains("a is not fenced"), "{}", error.text);
    assert!(pair.write("a", 1).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn both_roles_outlive_a_restart_of_both() {
    let Some(pair) = Redis::start().await else { return };
    let mover = pair.mover();
    let job = || pair.job(MoveKind::Switchover, "a", "b");
    eventually("it may be moved", async || blocking(&mover.prechecks(&job()).await).is_empty()).await;
    let mut facts = Facts::new();
    for step in mover.plan(&job()) {
        facts.extend(settle(&mover, &job(), &step.id, &facts).await);
    }
    let evidence = muster_platform::evidence(&facts).unwrap();
    assert!(evidence.complete.is_some(), "{evidence:?}");
    for node in ["a", "b"] {
        pair.kill(node).await;
        pair.restart(node).await;
    }
    eventually("b is the primary", async || pair.write("b", 1).await).await;
    assert!(!pair.write("a", 2).await);
    eventually("a follows b", async || {
        pair.a.command(&["INFO", "replication"]).await.unwrap_or_default().contains("master_link_status:up")
    })
    .await;
}
