//! A primary that is lost with writes the target never received.

use std::collections::BTreeSet;

use muster_platform::{Facts, MoveKind, evidence};

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

    // The old one comes back as a replica, and what only it had is given up when it follows.
    pair.restart("a").await;
    assert!(!pair.write("a", 50).await && pair.write("b", 51).await);
    let port = pair.b.port().to_string();
    pair.a.command(&["REPLICAOF", "127.0.0.1", &port]).await.unwrap();
    eventually("a follows b", async || pair.numbers("a").await.contains(&51)).await;
    let both: BTreeSet<u64> = pair.numbers("b").await;
    assert_eq!(pair.numbers("a").await, both);

    // And from here it is a pair again, that can be moved back.
    let back = || pair.job(MoveKind::Switchover, "b", "a");
    eventually("it may be moved back", async || blocking(&mover.prechecks(&back()).await).is_empty()).await;
    let mut facts = Facts::new();
    for step in mover.plan(&back()) {
        facts.extend(settle(&mover, &back(), &step.id, &facts).await);
    }
    assert!(pair.write("a", 52).await && !pair.write("b", 53).await);
}
