//! The planned move, with an application at work.

use std::{collections::HashSet, time::Duration};

use muster_platform::{Facts, MoveKind, mariadb::fact};
use sqlx::{Connection, MySqlConnection};
use tokio_util::sync::CancellationToken;

use crate::{
    drive::{blocking_names as blocking, check, eventually},
    pair::{Pair, drive, mover},
};

/// An application: inserts number after number wherever a primary answers, and remembers what was acknowledged.
async fn write_until(stop: CancellationToken, urls: [String; 2]) -> Vec<i64> {
    let (mut acknowledged, mut number) = (Vec::new(), 0_i64);
    while !stop.is_cancelled() {
        for url in &urls {
            let Ok(mut connection) = MySqlConnection::connect(url).await else { continue };
            while !stop.is_cancelled() {
                number += 1;
                let insert = sqlx::query("INSERT INTO ledger VALUES (?)").bind(number).execute(&mut connection);
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
    let Some(pair) = Pair::start().await else { return };
    let stop = CancellationToken::new();
    let writer = tokio::spawn(write_until(stop.clone(), [pair.url("a"), pair.url("b")]));
    eventually("the application writes", async || count(&pair).await > 10).await;

    for (from, target) in [("a", "b"), ("b", "a")] {
        switch(&pair, from, target).await;
        let before = count(&pair).await;
        eventually("the application writes to the new primary", async || count(&pair).await > before + 10).await;
    }
    stop.cancel();
    let acknowledged = writer.await.unwrap();
    let rows = pair.a.sql("SELECT n FROM app.ledger").await.unwrap();
    let rows: HashSet<i64> = rows.lines().map(|line| line.parse().unwrap()).collect();
    let lost: Vec<_> = acknowledged.iter().filter(|n| !rows.contains(n)).collect();
    assert!(lost.is_empty(), "{} of {} lost: {lost:?}", lost.len(), acknowledged.len());
    assert!(acknowledged.len() > 20);
}

/// Rows, seen on whichever node is the primary.
async fn count(pair: &Pair) -> i64 {
    for node in ["a", "b"] {
        if !pair.is_read_only(node).await {
            return pair.server(node).sql("SELECT count(*) FROM app.ledger").await.unwrap().parse().unwrap();
        }
    }
    0
}

async fn switch(pair: &Pair, from: &str, target: &str) -> Facts {
    let mover = mover();
    let job = || pair.job(MoveKind::Switchover, from, target);
    let checks = mover.prechecks(&job()).await;
    assert!(blocking(&checks).is_empty(), "{checks:#?}");
    check(&checks, "way_back");
    let (markers, unavailable) = mover.markers(&job()).await;
    assert!(unavailable.is_empty() && markers.len() == 2, "{unavailable:?}");
    assert_eq!(markers[0].system_identifier, markers[1].system_identifier);

    let facts = drive(job, None).await;
    let at = |name: &str| facts[name].parse::<jiff::Timestamp>().unwrap();
    assert!(at(fact::STOPPED_AT) < at(fact::PROMOTED_AT) && at(fact::WRITABLE_AT) < at(fact::PROTECTED_AT));
    assert_eq!(facts[fact::FINAL_POSITION], facts[fact::TARGET_APPLIED_POSITION]);

    let checks = mover.postchecks(&job(), &facts).await;
    assert!(blocking(&checks).is_empty(), "{checks:#?}");
    let (markers, _) = mover.markers(&job()).await;
    let role = |node: &str| markers.iter().find(|m| m.node == node).map(|m| m.role.as_str());
    assert_eq!((role(from), role(target)), (Some("standby"), Some("primary")));
    let refused = mover.rollback(&job(), &facts).await;
    assert!(refused.is_err(), "after a promotion there is no way back but a switchover");
    facts
}

/// What was decided outlives the servers: each comes up as what it is.
#[tokio::test]
async fn roles_hold_through_restarts() {
    let Some(mut pair) = Pair::start().await else { return };
    switch(&pair, "a", "b").await;
    pair.a.kill().await.unwrap();
    pair.b.kill().await.unwrap();
    pair.a.start().await.unwrap();
    assert!(pair.is_read_only("a").await, "the old primary comes up read-only, also alone");
    let refused = pair.a.sql("SET ROLE NONE; SELECT @@global.read_only").await.unwrap();
    assert_eq!(refused, "1");
    pair.b.start().await.unwrap();
    assert!(!pair.is_read_only("b").await, "and the new one as the primary");
    pair.arrives(1, "b", "a").await;
}

/// A transaction that is open when the move begins is ended, and was never acknowledged.
#[tokio::test]
async fn a_write_that_takes_its_time_does_not_hold_up_the_move() {
    let Some(pair) = Pair::start().await else { return };
    let mut client = MySqlConnection::connect(&pair.url("a")).await.unwrap();
    let slow =
        tokio::spawn(
            async move { sqlx::raw_sql("INSERT INTO ledger SELECT 7 + SLEEP(600)").execute(&mut client).await },
        );
    eventually("it runs", async || {
        pair.a.sql("SELECT count(*) FROM information_schema.PROCESSLIST WHERE INFO LIKE '%SLEEP%600%' AND ID <> CONNECTION_ID()").await.unwrap() == "1"
    })
    .await;
    switch(&pair, "a", "b").await;
    assert!(slow.await.unwrap().is_err(), "its client was told");
    assert_eq!(pair.b.sql("SELECT count(*) FROM app.ledger").await.unwrap(), "0");
}
