//! Executors that die in the middle of a step, over and over, and successors that know the log alone.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use muster_platform::{Facts, MoveJob, MoveKind, Probe};
use sqlx::{Connection, PgConnection};
use tokio_util::sync::CancellationToken;

use crate::pair::{Pair, blocking, mover};

/// Early, in the middle, late: with a step of 0.1 to 2 s each of them meets another moment.
const LIVES: [Duration; 4] =
    [Duration::from_millis(5), Duration::from_millis(40), Duration::from_millis(150), Duration::from_millis(500)];

#[tokio::test]
async fn whoever_dies_when_there_is_never_a_second_primary() {
    let pair = Pair::start().await;
    pair.a.sql("INSERT INTO ledger SELECT generate_series(1, 100)").await.unwrap();
    let stop = CancellationToken::new();
    let guard = tokio::spawn(count_double(
        stop.clone(),
        [pair.a.url("postgres", "postgres"), pair.b.url("postgres", "postgres")],
    ));
    let job = || pair.job(MoveKind::Switchover, "a", "b");

    let mut facts = Facts::new();
    for step in mover().plan(&job()) {
        for life in LIVES {
            short_lived(job(), step.id.clone(), facts.clone(), life).await;
        }
        facts.extend(successor(&job, &step.id, &facts).await);
    }
    let checks = mover().postchecks(&job(), &facts).await;
    assert!(blocking(&checks).is_empty(), "{checks:#?}");
    assert_eq!(pair.b.sql("SELECT count(*) FROM ledger").await.unwrap().trim(), "100");

    stop.cancel();
    let (looks, double) = guard.await.unwrap();
    assert!(looks > 20 && double == 0, "two primaries in {double} of {looks} looks");
}

/// An executor that is gone after a moment, whatever it was doing. Its outputs die with it.
async fn short_lived(job: MoveJob, step: String, facts: Facts, life: Duration) {
    let executor = tokio::spawn(async move { mover().run(&job, &step, &facts).await });
    let _ = tokio::time::timeout(life, async {
        while !executor.is_finished() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    executor.abort();
    let _ = executor.await;
}

/// Looks first, and runs what is not done. A look that cannot tell is repeated, as an executor does.
async fn successor(job: &impl Fn() -> MoveJob, step: &str, facts: &Facts) -> Facts {
    let mover = mover();
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        match mover.probe(&job(), step, facts).await {
            Probe::Done { outputs, .. } => return outputs,
            Probe::NotDone => {
                return mover.run(&job(), step, facts).await.unwrap_or_else(|e| panic!("{step}: {e:?}")).outputs;
            }
            Probe::Unknown(text) => assert!(Instant::now() < deadline, "{step}: {text}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// How often both nodes were primaries at once. One is asked twice, around the other.
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
