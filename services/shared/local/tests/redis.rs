//! Redis servers on this machine: a pair replicates, and a role outlives a crash.
#![expect(clippy::unwrap_used, reason = "a test panics to fail")]

use std::time::{Duration, Instant};

use muster_local::{
    redis::{RedisAccount, RedisAccounts, RedisServer},
    tools,
};

fn accounts() -> RedisAccounts {
    let account = |user: &str| RedisAccount::new(user, &format!("{user}-secret"));
    RedisAccounts {
        admin: account("admin"),
        application: account("app"),
        monitor: account("monitor"),
        execute: account("execute"),
        replication: account("replication"),
    }
}

async fn until(server: &RedisServer, words: &[&str], wanted: &str) {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let answer = server.command(words).await.unwrap_or_default();
        if answer.contains(wanted) {
            return;
        }
        assert!(Instant::now() < deadline, "{words:?} says {answer}, not {wanted}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pair_replicates_and_a_role_outlives_a_crash() {
    if tools::or_skip(tools::redis_server()).unwrap().is_none() {
        return;
    }
    let accounts = accounts();
    let primary = RedisServer::temporary(&accounts, None).await.unwrap();
    let mut replica = RedisServer::temporary(&accounts, Some(primary.port())).await.unwrap();
    until(&replica, &["INFO", "replication"], "master_link_status:up").await;
    primary.command_as(&accounts.application, &["SET", "order:1", "paid"]).await.unwrap();
    until(&replica, &["GET", "order:1"], "paid").await;

    let refused = replica.command_as(&accounts.application, &["SET", "order:2", "open"]).await.unwrap_err();
    assert!(refused.to_string().contains("READONLY"), "{refused}");
    let refused = primary.command_as(&accounts.execute, &["GET", "order:1"]).await.unwrap_err();
    assert!(refused.to_string().contains("NOPERM"), "{refused}");
    assert!(primary.command_as(&accounts.monitor, &["DBSIZE"]).await.unwrap() == "1");

    replica.command_as(&accounts.execute, &["REPLICAOF", "NO", "ONE"]).await.unwrap();
    replica.command_as(&accounts.execute, &["CONFIG", "REWRITE"]).await.unwrap();
    replica.kill().await.unwrap();
    assert!(!replica.is_running());
    replica.start().await.unwrap();
    until(&replica, &["ROLE"], "master").await;
}
