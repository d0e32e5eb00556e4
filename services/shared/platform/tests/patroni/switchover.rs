//! The planned move, with an application at work.

use std::time::Duration;

use muster_platform::{Facts, MoveKind, postgresql::fact};
use sqlx::{Connection, PgConnection};
use tokio_util::sync::CancellationToken;

use crate::{
    cluster::{Cluster, drive, mover},
    drive::{blocking_names as blocking, eventually},
};

/// An application: inserts number after number wherever a primary answers, and remembers what was acknowledged.
async fn write_until(stop: CancellationToken, urls: [String; 2]) -> Vec<i64> {
    let (mut acknowledged, mut number) = (Vec::new(), 0_i64);
    while !stop.is_cancelled() {
        for url in &urls {
            let Ok(mut connection) = PgConnection::connect(url).await else { continue };
            while !stop.is_cancelled() {
                number += 1;
                let insert = sqlx::query("INSERT INTO ledger VALUES ($1)").bind(number).execute(&mut connection);
                match tokio::time::timeout(Duration::from_secs(5), insert).await {
                    Ok(Ok(_)) => acknowledged.push(number),
                    _ => break,
                }
            }
        }
    }
    acknowledged
}

#[tokio::test]
async fn there_and_back_under_load_nothing_acknowledged_is_lost() {
    let Some(cluster) = Cluster::start().await else { return };
    let stop = CancellationToken::new();
    let writer = tokio::spawn(write_until(stop.clone(), [cluster.url("a"), cluster.url("b")]));
    eventually("the application writes", async || cluster.count().await > 10).await;

    let facts = switch(&cluster, "a", "b").await;
    let old: u32 = facts[fact::OLD_TIMELINE].parse().unwrap();
    assert_eq!(facts[fact::NEW_TIMELINE], (old + 1).to_string());
    let before = cluster.count().await;
    eventually("the application writes to b", async || cluster.count().await > before + 10).await;

    switch(&cluster, "b", "a").await;
    let before = cluster.count().await;
    eventually("the application writes to a", async || cluster.count().await > before + 10).await;

    stop.cancel();
    let acknowledged = writer.await.unwrap();
    let rows = cluster.0.member("a").sql("SELECT n FROM ledger").await.unwrap();
    let rows: std::collections::HashSet<i64> = rows.lines().map(|line| line.parse().unwrap()).collect();
    let lost: Vec<_> = acknowledged.iter().filter(|n| !rows.contains(n)).collect();
    assert!(lost.is_empty(), "{} of {} lost: {lost:?}", lost.len(), acknowledged.len());
    assert!(acknowledged.len() > 20);
}

async fn switch(cluster: &Cluster, from: &str, target: &str) -> Facts {
    let mover = mover();
    let job = || cluster.job(MoveKind::Switchover, from, target);
    let checks = mover.prechecks(&job()).await;
    assert!(blocking(&checks).is_empty(), "{checks:#?}");
    let (markers, unavailable) = mover.markers(&job()).await;
    assert!(unavailable.is_empty() && markers.len() == 2, "{unavailable:?}");

    let facts = drive(job).await;
    let at = |name: &str| facts[name].parse::<jiff::Timestamp>().unwrap();
    assert!(at(fact::STOPPED_AT) < at(fact::PROMOTED_AT) && at(fact::PROMOTED_AT) < at(fact::WRITABLE_AT));
    assert!(at(fact::WRITABLE_AT) < at(fact::PROTECTED_AT));
    // What the executor's statement calls a proof: applied beyond the checkpoint of a clean stop.
    let lsn = |name: &str| facts[name].parse::<muster_platform::postgresql::Lsn>().unwrap();
    assert!(lsn(fact::TARGET_REPLAY_LSN) > lsn(fact::SHUTDOWN_LSN), "{facts:#?}");

    let checks = mover.postchecks(&job(), &facts).await;
    assert!(blocking(&checks).is_empty() && checks.iter().all(|check| !check.advisory), "{checks:#?}");
    let (markers, _) = mover.markers(&job()).await;
    let role = |node: &str| markers.iter().find(|m| m.node == node).map(|m| m.role.as_str());
    assert_eq!((role(from), role(target)), (Some("standby"), Some("primary")));

    let refused = mover.rollback(&job(), &facts).await.unwrap_err();
    assert!(refused.text.contains("new switchover"), "{refused}");
    let state = mover.known_state(&job(), &facts).await;
    assert!(state.contains(&format!("By Patroni's store {target} leads")), "{state}");
    facts
}
