//! A switchover that fails before its promotion goes back; one that may have been promoted does not.

use muster_platform::{Facts, MoveKind, Mover, StepErrorKind};
use sqlx::{Connection, MySqlConnection};

use crate::{
    drive::eventually,
    pair::{Pair, drive, mover},
};

#[tokio::test]
async fn before_the_promotion_the_old_primary_comes_back() {
    let Some(pair) = Pair::start().await else { return };
    let mover = mover();
    let job = || pair.job(MoveKind::Switchover, "a", "b");
    // At every point before the promotion; the second time it has nothing left to do.
    let points = ["make-primary-read-only", "end-sessions", "read-final-position", "wait-for-apply", "detach-target"];
    for (number, last) in points.into_iter().enumerate() {
        let facts = drive(job, Some(last)).await;
        assert!(pair.is_read_only("a").await && pair.is_fenced("a").await);
        let text = mover.rollback(&job(), &facts).await.unwrap_or_else(|e| panic!("{last}: {e:?}"));
        assert!(text.contains("primary again") && text.contains("follows a"), "{text}");
        assert!(!pair.is_fenced("a").await && pair.is_fenced("b").await && pair.is_read_only("b").await);
        pair.arrives(i64::try_from(number).unwrap(), "a", "b").await;
        let again = mover.rollback(&job(), &facts).await.unwrap();
        assert!(again.contains("not touched"), "{again}");
    }
}

/// The old primary died in the middle: it is started, and is the primary again.
#[tokio::test]
async fn an_old_primary_that_died_meanwhile_is_started_again() {
    let Some(mut pair) = Pair::start().await else { return };
    let facts = drive(|| pair.job(MoveKind::Switchover, "a", "b"), Some("wait-for-apply")).await;
    pair.a.kill().await.unwrap();
    mover().rollback(&pair.job(MoveKind::Switchover, "a", "b"), &facts).await.unwrap();
    assert!(!pair.is_read_only("a").await);
    pair.arrives(1, "a", "b").await;
}

/// The target never gets what it needs: the wait fails with the numbers, and the way back is open.
#[tokio::test]
async fn a_target_that_cannot_catch_up_is_not_promoted() {
    let Some(pair) = Pair::start().await else { return };
    let mover = mover();
    let job = || {
        let mut job = pair.job(MoveKind::Switchover, "a", "b");
        job.timeouts.replay = std::time::Duration::from_millis(500);
        job
    };
    pair.b.sql("STOP SLAVE SQL_THREAD").await.unwrap();
    pair.a.sql("INSERT INTO app.ledger VALUES (1)").await.unwrap();
    let facts = drive(job, Some("read-final-position")).await;
    let error = mover.run(&job(), "wait-for-apply", &facts).await.unwrap_err();
    assert_eq!(error.kind, StepErrorKind::Failed);
    assert!(error.text.contains("SQL No"), "{error}");
    // Steps out of order are refused by the same proof.
    for step in ["detach-target", "promote-target"] {
        let error = mover.run(&job(), step, &facts).await.unwrap_err();
        assert_eq!(error.kind, StepErrorKind::Refused, "{step}: {error}");
    }
    mover.rollback(&job(), &facts).await.unwrap();
    pair.arrives(2, "a", "b").await;
}

/// No answer is no proof. A stopped target is one, by its own host's word, and it comes up read-only.
#[tokio::test]
async fn a_silent_target_needs_its_host_to_vouch() {
    let Some(mut pair) = Pair::start().await else { return };
    let facts = drive(|| pair.job(MoveKind::Switchover, "a", "b"), Some("read-final-position")).await;
    pair.b.kill().await.unwrap();
    let mut blind = pair.job(MoveKind::Switchover, "a", "b");
    blind.services.remove("b");
    let error = mover().rollback(&blind, &facts).await.unwrap_err();
    assert_eq!(error.kind, StepErrorKind::Refused, "{error}");
    assert!(pair.is_read_only("a").await);

    mover().rollback(&pair.job(MoveKind::Switchover, "a", "b"), &facts).await.unwrap();
    pair.b.start().await.unwrap();
    assert!(pair.is_read_only("b").await && !pair.is_read_only("a").await);
    pair.arrives(1, "a", "b").await;
}

/// Somebody promoted the target behind our back: the old primary stays fenced.
#[tokio::test]
async fn a_promoted_target_keeps_the_old_primary_out() {
    let Some(pair) = Pair::start().await else { return };
    let job = || pair.job(MoveKind::Switchover, "a", "b");
    let facts = drive(job, Some("read-final-position")).await;
    pair.b.sql("STOP SLAVE; RESET SLAVE ALL; SET GLOBAL read_only=0").await.unwrap();
    let error = mover().rollback(&job(), &facts).await.unwrap_err();
    assert_eq!(error.kind, StepErrorKind::Refused, "{error}");
    assert!(pair.is_read_only("a").await && pair.is_fenced("a").await);
    let error = mover().run(&job(), "wait-for-apply", &facts).await.unwrap_err();
    assert!(error.text.contains("accepts writes"), "{error}");
}

/// While a promotion holds the lock on the target no roll-back takes the fence away, and the other way round.
#[tokio::test]
async fn promotion_and_rollback_exclude_each_other() {
    let Some(pair) = Pair::start().await else { return };
    let mover = mover();
    let job = || {
        let mut job = pair.job(MoveKind::Switchover, "a", "b");
        job.timeouts.promote = std::time::Duration::from_secs(1);
        job.timeouts.statement = std::time::Duration::from_secs(1);
        job
    };
    let facts = drive(job, Some("detach-target")).await;
    let mut other = MySqlConnection::connect(&pair.url("b")).await.unwrap();
    // The step before has hung up; its server session, and with it the lock, may last a moment longer.
    let held: i64 = sqlx::query_scalar("SELECT GET_LOCK('muster_move', 30)").fetch_one(&mut other).await.unwrap();
    assert_eq!(held, 1);
    for error in [
        mover.rollback(&job(), &facts).await.unwrap_err(),
        mover.run(&job(), "promote-target", &facts).await.unwrap_err(),
    ] {
        assert!(error.text.contains("under way"), "{error}");
    }
    assert!(pair.is_read_only("a").await && pair.is_read_only("b").await);
    other.close().await.unwrap();
    undo(&*mover, &pair, &facts).await;
    pair.arrives(1, "a", "b").await;
}

async fn undo(mover: &dyn Mover, pair: &Pair, facts: &Facts) {
    eventually("the lock is free", async || {
        mover.rollback(&pair.job(MoveKind::Switchover, "a", "b"), facts).await.is_ok()
    })
    .await;
}
