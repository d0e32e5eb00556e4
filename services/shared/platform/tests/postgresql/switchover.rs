//! The planned move, with an application at work.

use std::time::Duration;

use muster_platform::{Facts, MoveKind, postgresql::fact};
use sqlx::{Connection, PgConnection};
use tokio_util::sync::CancellationToken;

use crate::{
    drive::{blocking_names as blocking, check, eventually},
    pair::{Pair, drive, mover},
};

/// An application: inserts number after number wherever a primary answers, and remembers what was
/// acknowledged.
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
    let pair = Pair::start().await;
    let stop = CancellationToken::new();
    let writer = tokio::spawn(write_until(stop.clone(), [pair.url("a"), pair.url("b")]));
    eventually("the application writes", async || count(&pair).await > 10).await;

    let facts = switch(&pair, "a", "b").await;
    assert_eq!((facts[fact::OLD_TIMELINE].as_str(), facts[fact::NEW_TIMELINE].as_str()), ("1", "2"));
    assert_eq!((facts[fact::STALE_SLOT].as_str(), facts[fact::SLOT].as_str()), ("for_b", "muster_a"));
    let before = count(&pair).await;
    eventually("the application writes to b", async || count(&pair).await > before + 10).await;

    let facts = switch(&pair, "b", "a").await;
    assert_eq!((facts[fact::OLD_TIMELINE].as_str(), facts[fact::NEW_TIMELINE].as_str()), ("2", "3"));
    assert_eq!((facts[fact::STALE_SLOT].as_str(), facts[fact::SLOT].as_str()), ("muster_a", "muster_b"));
    let before = count(&pair).await;
    eventually("the application writes to a", async || count(&pair).await > before + 10).await;

    stop.cancel();
    let acknowledged = writer.await.unwrap();
    let rows = pair.a.sql("SELECT n FROM ledger").await.unwrap();
    let rows: std::collections::HashSet<i64> = rows.lines().map(|line| line.parse().unwrap()).collect();
    let lost: Vec<_> = acknowledged.iter().filter(|n| !rows.contains(n)).collect();
    assert!(lost.is_empty(), "{} of {} lost: {lost:?}", lost.len(), acknowledged.len());
    assert!(acknowledged.len() > 20);
}

/// Rows, seen on whichever node answers as the primary.
async fn count(pair: &Pair) -> i64 {
    for server in [&pair.a, &pair.b] {
        let primary = server.sql("SELECT NOT pg_is_in_recovery()").await.unwrap_or_default();
        if primary.trim() == "t" {
            return server.sql("SELECT count(*) FROM ledger").await.unwrap_or_default().trim().parse().unwrap_or(0);
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

    let facts = drive(job, None).await;
    for name in [fact::SHUTDOWN_LSN, fact::TARGET_REPLAY_LSN, fact::FORK_LSN] {
        assert!(facts.contains_key(name), "{name} in {facts:#?}");
    }
    let at = |name: &str| facts[name].parse::<jiff::Timestamp>().unwrap();
    assert!(at(fact::STOPPED_AT) < at(fact::PROMOTED_AT) && at(fact::WRITABLE_AT) < at(fact::PROTECTED_AT));

    let checks = mover.postchecks(&job(), &facts).await;
    assert!(blocking(&checks).is_empty(), "{checks:#?}");
    assert!(checks.iter().all(|check| !check.advisory), "{checks:#?}");
    let (markers, _) = mover.markers(&job()).await;
    let role = |node: &str| markers.iter().find(|m| m.node == node).map(|m| m.role.as_str());
    assert_eq!((role(from), role(target)), (Some("standby"), Some("primary")));
    assert!(mover.rollback(&job(), &facts).await.is_err(), "after a promotion there is no way back but a switchover");
    facts
}

/// Checks, markers and accounts of one run share a session to each node: a login is arithmetic and a new process.
#[tokio::test]
async fn one_run_logs_in_to_each_node_once_to_look() {
    let pair = Pair::start().await;
    for server in [&pair.a, &pair.b] {
        server.sql("ALTER SYSTEM SET log_connections = on").await.unwrap();
        server.sql("SELECT pg_reload_conf()").await.unwrap();
    }
    let logins = || {
        let of = |server: &muster_local::postgres::PostgresServer| {
            let log = std::fs::read_to_string(server.dir().join("muster-server.log")).unwrap();
            log.lines().filter(|line| line.contains("connection authorized: user=exec")).count()
        };
        [of(&pair.a), of(&pair.b)]
    };
    let job = pair.job(MoveKind::Switchover, "a", "b");
    let before = logins();
    let checks = mover().prechecks(&job).await;
    assert!(blocking(&checks).is_empty(), "{checks:#?}");
    for _ in 0..3 {
        assert_eq!(mover().markers(&job).await.0.len(), 2);
    }
    let [a, b] = logins();
    // Two looks at once are two sessions; what may wait for long has one of its own.
    assert!(a - before[0] <= 3 && b - before[1] <= 3, "{} and {} logins", a - before[0], b - before[1]);

    // A server that was restarted has ended the kept session, which is no answer of the server.
    let agent = Pair::agent_of(&pair.b);
    agent.kill().await.unwrap();
    agent.start(Duration::from_secs(30)).await.unwrap();
    let (seen, missing) = mover().markers(&job).await;
    assert_eq!(seen.len(), 2, "{missing:?}");
}
