//! Executors that die in the middle of a step, and servers that are killed around it: never a second primary.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use muster_platform::{Facts, MoveJob, MoveKind, Probe};
use sqlx::{Connection, MySqlConnection};
use tokio_util::sync::CancellationToken;

use crate::pair::{Pair, blocking, eventually, mover};

/// Early, in the middle, late: with a step of 0.01 to 2 s each of them meets another moment.
const LIVES: [Duration; 4] =
    [Duration::from_millis(3), Duration::from_millis(15), Duration::from_millis(60), Duration::from_millis(400)];

#[tokio::test]
async fn whoever_dies_when_there_is_never_a_second_primary() {
    let Some(pair) = Pair::start().await else { return };
    let rows: Vec<String> = (1..=100).map(|n| format!("({n})")).collect();
    pair.a.sql(&format!("INSERT INTO app.ledger VALUES {}", rows.join(","))).await.unwrap();
    let stop = CancellationToken::new();
    let guard = tokio::spawn(count_double(stop.clone(), [pair.url("a"), pair.url("b")]));
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
    assert_eq!(pair.b.sql("SELECT count(*) FROM app.ledger").await.unwrap(), "100");
    stop.cancel();
    let (looks, double) = guard.await.unwrap();
    assert!(looks > 20 && double == 0, "two primaries in {double} of {looks} looks");
}

/// SIGKILL to one server after each step, and its start: the move goes on where it was, or the step says why not; in no
/// case do both accept writes.
#[tokio::test]
async fn a_server_killed_after_a_step_comes_up_as_what_the_step_made_it() {
    for victim in ["a", "b"] {
        let Some(mut pair) = Pair::start().await else { return };
        let stop = CancellationToken::new();
        let guard = tokio::spawn(count_double(stop.clone(), [pair.url("a"), pair.url("b")]));
        let steps = mover().plan(&pair.job(MoveKind::Switchover, "a", "b"));
        let mut facts = Facts::new();
        for step in steps {
            facts.extend(successor(&|| pair.job(MoveKind::Switchover, "a", "b"), &step.id, &facts).await);
            let server = if victim == "a" { &mut pair.a } else { &mut pair.b };
            server.kill().await.unwrap();
            server.start().await.unwrap();
            let promoted = facts.contains_key("promoted_at");
            assert!(pair.is_read_only("a").await, "after {}: the old primary is back", step.id);
            assert!(promoted || pair.is_read_only("b").await, "after {}: a second primary", step.id);
            if step.id == "promote-target" && victim == "b" {
                // In memory alone until the next step: it came up read-only. The promotion is asked for once more.
                assert!(pair.is_read_only("b").await);
                facts.extend(successor(&|| pair.job(MoveKind::Switchover, "a", "b"), &step.id, &facts).await);
            }
        }
        let job = || pair.job(MoveKind::Switchover, "a", "b");
        eventually("both are what they should be", async || {
            blocking(&mover().postchecks(&job(), &facts).await).is_empty()
        })
        .await;
        stop.cancel();
        let (looks, double) = guard.await.unwrap();
        assert!(looks > 5 && double == 0, "two primaries in {double} of {looks} looks");
    }
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

/// How often both nodes accepted writes at once. One is asked twice, around the other.
async fn count_double(stop: CancellationToken, urls: [String; 2]) -> (u32, u32) {
    let urls = Arc::new(urls);
    let (mut looks, mut double) = (0, 0);
    while !stop.is_cancelled() {
        let (first, second, again) = (writable(&urls[0]).await, writable(&urls[1]).await, writable(&urls[0]).await);
        looks += 1;
        double += u32::from(first && second && again);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    (looks, double)
}

async fn writable(url: &str) -> bool {
    let Ok(mut connection) = MySqlConnection::connect(url).await else { return false };
    let read_only = sqlx::query_scalar::<_, i64>("SELECT CAST(@@global.read_only AS SIGNED)");
    read_only.fetch_one(&mut connection).await.is_ok_and(|read_only| read_only == 0)
}
