//! Servers that are killed around a step: never a second primary. Executors that die are a case of `tests/compliance`.

use muster_platform::{Facts, MoveKind};
use sqlx::{Connection, MySqlConnection};

use crate::{
    drive::{blocking_names as blocking, count_double, eventually, settle},
    pair::{Pair, mover},
};

/// SIGKILL to one server after each step, and its start: the move goes on where it was, or the step says why not; in no
/// case do both accept writes.
#[tokio::test]
async fn a_server_killed_after_a_step_comes_up_as_what_the_step_made_it() {
    for victim in ["a", "b"] {
        let Some(mut pair) = Pair::start().await else { return };
        let [a, b] = [pair.url("a"), pair.url("b")];
        let guard = count_double(move |node| accepts_writes(if node == "a" { a.clone() } else { b.clone() }));
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
        assert_eq!(guard.end().await, 0, "two primaries at once");
    }
}

async fn accepts_writes(url: String) -> bool {
    let Ok(mut connection) = MySqlConnection::connect(&url).await else { return false };
    let read_only = sqlx::query_scalar::<_, i64>("SELECT CAST(@@global.read_only AS SIGNED)");
    read_only.fetch_one(&mut connection).await.is_ok_and(|read_only| read_only == 0)
}
