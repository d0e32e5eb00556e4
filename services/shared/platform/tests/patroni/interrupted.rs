//! Executors that die just before, in the middle of and just after the move, and successors that know the log alone.

use std::time::Duration;

use muster_platform::{Facts, MoveKind};
use sqlx::{Connection, PgConnection};

use crate::{
    cluster::{Cluster, mover},
    drive::{blocking_names as blocking, count_double, settle, short_lived},
};

/// Before Patroni has the request, while it works on it (some 3 s), after it answered.
const LIVES: [Duration; 4] =
    [Duration::from_millis(5), Duration::from_millis(60), Duration::from_millis(1_500), Duration::from_millis(4_000)];

#[tokio::test]
async fn whoever_dies_when_the_leadership_moves_once() {
    let Some(cluster) = Cluster::start().await else { return };
    cluster.0.member("a").sql("INSERT INTO ledger SELECT generate_series(1, 100)").await.unwrap();
    let [a, b] = [cluster.url("a"), cluster.url("b")];
    let guard = count_double(move |node| is_primary(if node == "a" { a.clone() } else { b.clone() }));
    let timeline = timeline(&cluster, "a").await;
    let job = || cluster.job(MoveKind::Switchover, "a", "b");

    let mut facts = Facts::new();
    for step in mover().plan(&job()) {
        for life in LIVES {
            short_lived(mover(), job(), step.id.clone(), facts.clone(), life).await;
        }
        facts.extend(settle(&mover(), &job(), &step.id, &facts).await);
    }
    let checks = mover().postchecks(&job(), &facts).await;
    assert!(blocking(&checks).is_empty(), "{checks:#?}");
    assert_eq!(self::timeline(&cluster, "b").await, timeline + 1, "the leadership moved once");
    assert_eq!(cluster.count().await, 100);
    assert_eq!(guard.end().await, 0, "two primaries at once");
}

async fn timeline(cluster: &Cluster, leader: &str) -> u32 {
    let question = "SELECT ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int";
    cluster.0.member(leader).sql(question).await.unwrap().trim().parse().unwrap()
}

async fn is_primary(url: String) -> bool {
    let Ok(mut connection) = PgConnection::connect(&url).await else { return false };
    sqlx::query_scalar("SELECT NOT pg_is_in_recovery()").fetch_one(&mut connection).await.unwrap_or(false)
}
