//! A real Patroni cluster starts, loses its leader, heals, and leaves nothing behind.

#![expect(clippy::unwrap_used, reason = "a test panics to fail")]

use std::time::{Duration, Instant};

use muster_local::{patroni::PatroniCluster, tools};

#[tokio::test]
async fn the_leader_is_lost_and_comes_back_as_a_replica() {
    let Some(_) = tools::or_skip(tools::patroni()).unwrap() else { return };
    let began = Instant::now();
    let mut cluster = PatroniCluster::temporary("CREATE TABLE ledger (n bigint PRIMARY KEY)").await.unwrap();
    let took = began.elapsed();
    cluster.member("a").sql("INSERT INTO ledger VALUES (1)").await.unwrap();
    let dir = cluster.dir().to_owned();

    cluster.member_mut("a").kill().await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while cluster.member("b").sql("SELECT pg_is_in_recovery()").await.unwrap().trim() != "f" {
        assert!(Instant::now() < deadline, "b was not promoted:\n{}", cluster.member("b").log_tail());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(cluster.member("b").sql("SELECT n FROM ledger").await.unwrap().trim(), "1");
    cluster.member_mut("a").start().await.unwrap();
    cluster.wait_until_streaming("b").await.unwrap();

    drop(cluster);
    assert!(!dir.exists(), "{} is left", dir.display());
    eprintln!("started in {took:?}");
}
