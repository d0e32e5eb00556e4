//! Servers that are killed around a step: never a second primary. Executors that die are a case of `tests/compliance`.

use std::{sync::Arc, time::Duration};

use muster_platform::{Facts, MoveKind};
use sqlx::{Connection, MySqlConnection};
use tokio_util::sync::CancellationToken;

use crate::{
    drive::{blocking_names as blocking, eventually, settle},
    pair::{Pair, mover},
};

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
            facts.extend(settle(&mover(), &pair.job(MoveKind::Switchover, "a", "b"), &step.id, &facts).await);
            let server = if victim == "a" { &mut pair.a } else { &mut pair.b };
            server.kill().await.unwrap();
            server.start().await.unwrap();
            let promoted = facts.contains_key("promoted_at");
            assert!(pair.is_read_only("a").await, "after {}: the old primary is back", step.id);
            assert!(promoted || pair.is_read_only("b").await, "after {}: a second primary", step.id);
            if step.id == "promote-target" && victim == "b" {
                // In memory alone until the next step: it came up read-only. The promotion is asked for once more.
                assert!(pair.is_read_only("b").await);
                facts.extend(settle(&mover(), &pair.job(MoveKind::Switchover, "a", "b"), &step.id, &facts).await);
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
