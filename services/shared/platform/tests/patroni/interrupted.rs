//! Executors that die just before, in the middle of and just after the move, and successors that know the log alone.

use std::{sync::Arc, time::Duration};

use muster_platform::{Facts, MoveKind};
use sqlx::{Connection, PgConnection};
use tokio_util::sync::CancellationToken;

use crate::{
    cluster::{Cluster, mover},
    drive::{blocking_names as blocking, settle, short_lived},
};

/// Before Patroni has the request, while it works on it (some 3 s), after it answered.
const LIVES: [Duration; 4] =
    [Duration::from_millis(5), Duration::from_millis(60), Duration::from_millis(1_500), Duration::from_millis(4_000)];

#[tokio::test]
async fn whoever_dies_when_the_leadership_moves_once() {
    let Some(cluster) = Cluster::start().await else { return };
    cluster.0.member("a").sql("INSERT INTO ledger SELECT generate_series(1, 100)").await.unwrap();
    let stop = CancellationToken::new();
    let guard = tokio::spawn(count_double(stop.clone(), [cluster.url("a"), cluster.url("b")]));
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

    stop.cancel();
    let (looks, double) = guard.await.unwrap();
    assert!(looks > 20 && double == 0, "two primaries in {double} of {looks} looks");
}

async fn timeline(cluster: &Cluster, leader: &str) -> u32 {
    let question = "SELECT ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int";
    cluster.0.member(leader).sql(question).await.unwrap().trim().parse().unwrap()
}

/// How often both members were primaries at once. One is asked twice, around the other.
async fn count_double(stop: CancellationToken, urls: [String; 2]) -> (u32, u32) {
    let urls = Arc::new(urls);
    let (mut looks, mut double) = (0, 0);
    while !stop.is_cancelled() {
        let (first, second, again) = (primary(&urls[0]).await, primary(&urls[1]).await, primary(&urls[0]).await);
        looks += 1;
        double += u32::from(first && second && again);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    (looks, double)
}

async fn primary(url: &str) -> bool {
    let Ok(mut connection) = PgConnection::connect(url).await else { return false };
    sqlx::query_scalar("SELECT NOT pg_is_in_recovery()").fetch_one(&mut connection).await.unwrap_or(false)
}
