//! A primary that is lost with writes the target never received.

use muster_platform::{Facts, MoveKind, StepErrorKind, evidence, redis::fact};

use crate::{
    drive::{blocking, eventually, settle},
    fixture::Fixture,
    pair::Redis,
};

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_behind_a_hanging_target_is_missing_and_is_never_called_none() {
    let Some(pair) = Redis::start().await else { return };
    let mover = pair.mover();
    let job = || pair.job(MoveKind::Failover, "a", "b");
    assert!(pair.write("a", 1).await);
    eventually("b has it", async || pair.numbers("b").await.contains(&1)).await;
    // So much that no buffer between the two holds it.
    pair.freeze("b", true).await;
    let large = "x".repeat(1 << 20);
    for n in 2..40 {
        pair.a.command(&["SET", &format!("n:{n}"), &large]).await.unwrap();
    }
    let offset: u64 = pair.a.command(&["ROLE"]).await.unwrap().lines().nth(1).unwrap().parse().unwrap();
    pair.kill("a").await;
    pair.freeze("b", false).await;

    eventually("it may be failed over", async || blocking(&mover.prechecks(&job()).await).is_empty()).await;
    let mut facts = Facts::new();
    for step in mover.plan(&job()) {
        facts.extend(settle(&mover, &job(), &step.id, &facts).await);
    }
    let found = pair.numbers("b").await;
    assert!(found.contains(&1) && found.len() < 40, "{found:?}");
    let evidence = evidence(&facts).unwrap();
    assert_eq!(evidence.complete, None);
    let received = evidence.received.unwrap();
    assert!(received < offset, "received {received} of {offset}, and {} numbers are missing", 40 - found.len());

    pair.restart("a").await;
    assert!(!pair.write("a", 50).await && pair.write("b", 51).await);
    comes_home(&pair).await;

    // And from here it is a pair again, that can be moved back.
    let back = || pair.job(MoveKind::Switchover, "b", "a");
    eventually("it may be moved back", async || blocking(&mover.prechecks(&back()).await).is_empty()).await;
    let mut facts = Facts::new();
    for step in mover.plan(&back()) {
        facts.extend(settle(&mover, &back(), &step.id, &facts).await);
    }
    assert!(pair.write("a", 52).await && !pair.write("b", 53).await);
}

/// What is on the old primary alone is said before it is replaced, and nothing is replaced that was not said.
async fn comes_home(pair: &Redis) {
    let (mover, job) = (pair.mover(), || pair.job(MoveKind::Switchover, "b", "a"));
    assert!(!mover.follows(&job()).await);
    let checks = mover.way_home_checks(&job()).await;
    assert!(blocking(&checks).is_empty(), "{checks:#?}");
    let early = mover.run(&job(), "return-original", &Facts::new()).await.unwrap_err();
    assert_eq!(early.kind, StepErrorKind::Refused, "{early}");
    let measured = mover.run(&job(), "measure-original", &Facts::new()).await.unwrap();
    assert!(measured.note.contains("discarded for good") && measured.note.contains("keys"), "{}", measured.note);
    mover.run(&job(), "return-original", &measured.outputs).await.unwrap();
    mover.run(&job(), "wait-until-following", &measured.outputs).await.unwrap();
    assert!(mover.follows(&job()).await && pair.numbers("a").await == pair.numbers("b").await);
    // A restart finds its place again, behind its fence.
    pair.kill("a").await;
    pair.restart("a").await;
    eventually("it follows after a restart", async || mover.follows(&job()).await).await;
    assert!(!pair.write("a", 60).await);
}

/// A cut in the network, and no crash: the old primary still knows what it wrote alone, in bytes.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_running_old_primary_wrote_alone_is_counted() {
    let Some(pair) = Redis::start().await else { return };
    let (mover, job) = (pair.mover(), || pair.job(MoveKind::Switchover, "b", "a"));
    // As a person splits them by hand: b is promoted, a goes on and is then made a replica of nobody.
    pair.b.command(&["REPLICAOF", "NO", "ONE"]).await.unwrap();
    assert!(pair.write("a", 100).await && pair.write("b", 200).await);
    let as_primary = mover.way_home_checks(&job()).await;
    let blocked: Vec<_> = blocking(&as_primary).iter().map(|check| check.name.clone()).collect();
    assert!(blocked.contains(&"original_accepts_no_writes".to_owned()), "{blocked:?}");
    assert!(mover.follows(&job()).await, "the ordinary prechecks refuse it");
    let refused = mover.run(&job(), "measure-original", &Facts::new()).await.unwrap_err();
    assert!(refused.text.contains("runs as a primary"), "{refused}");
    pair.a.command(&["REPLICAOF", "127.0.0.1", "1"]).await.unwrap();
    let measured = mover.run(&job(), "measure-original", &Facts::new()).await.unwrap();
    assert!(measured.note.contains("bytes of commands are on a alone"), "{}", measured.note);
    assert_eq!(measured.outputs[fact::ORIGINAL_DIVERGED], "true");

    // A primary that holds nothing would empty the last copy.
    pair.b.command(&["FLUSHALL"]).await.unwrap();
    let refused = mover.run(&job(), "return-original", &measured.outputs).await.unwrap_err();
    assert!(refused.text.contains("would empty it"), "{refused}");
    assert!(pair.numbers("a").await.contains(&100));
}
