//! A switchover that fails before its promotion goes back; one that may have been promoted does not.

use muster_local::postgres::StopMode;
use muster_platform::{Facts, MoveKind, Mover, StepErrorKind};

use crate::{
    drive::eventually,
    pair::{Pair, drive, mover},
};

async fn accepts_writes(pair: &Pair, number: i32) {
    pair.a.sql(&format!("INSERT INTO ledger VALUES ({number})")).await.unwrap();
    assert_eq!(pair.a.sql("SELECT timeline_id FROM pg_control_checkpoint()").await.unwrap().trim(), "1");
    eventually("b follows again", async || {
        let count = pair.b.sql(&format!("SELECT count(*) FROM ledger WHERE n = {number}")).await.unwrap();
        count.trim() == "1"
    })
    .await;
    assert_eq!(pair.b.sql("SELECT pg_is_in_recovery()").await.unwrap().trim(), "t");
}

#[tokio::test]
async fn before_the_promotion_the_old_primary_comes_back() {
    let pair = Pair::start().await;
    let mover = mover();
    let job = || pair.job(MoveKind::Switchover, "a", "b");

    // At every point before the promotion; the second time it has nothing left to do.
    for (number, last) in ["stop-primary", "read-shutdown-position", "wait-for-replay"].into_iter().enumerate() {
        let facts = drive(job, Some(last)).await;
        assert!(!pair.a.is_running());
        let text = mover.rollback(&job(), &facts).await.unwrap_or_else(|e| panic!("{last}: {e:?}"));
        assert!(text.contains("primary"), "{text}");
        accepts_writes(&pair, i32::try_from(number).unwrap()).await;
        assert_eq!(pair.b.sql("SELECT count(*) FROM pg_replication_slots").await.unwrap().trim(), "0");
        let again = mover.rollback(&job(), &facts).await.unwrap();
        assert!(again.contains("not touched"), "{again}");
    }
    // Fenced and not stopped yet: nobody needs a restart.
    let started = pair.a.sql("SELECT pg_postmaster_start_time()").await.unwrap();
    Pair::agent_of(&pair.a).fence().await.unwrap();
    mover.rollback(&job(), &Facts::new()).await.unwrap();
    assert!(!Pair::agent_of(&pair.a).is_fenced().await.unwrap());
    assert_eq!(pair.a.sql("SELECT pg_postmaster_start_time()").await.unwrap(), started);
}

/// The target never gets what it needs: the wait fails with the numbers, and the way back is open.
#[tokio::test]
async fn a_target_that_cannot_catch_up_is_not_promoted() {
    let pair = Pair::start().await;
    let mover = mover();
    let job = || {
        let mut job = pair.job(MoveKind::Switchover, "a", "b");
        job.timeouts.replay = std::time::Duration::from_millis(500);
        job
    };
    pair.b.sql("SELECT pg_wal_replay_pause()").await.unwrap();
    let facts = drive(job, Some("read-shutdown-position")).await;
    let error = mover.run(&job(), "wait-for-replay", &facts).await.unwrap_err();
    assert_eq!(error.kind, StepErrorKind::Failed);
    assert!(error.text.contains("paused"), "{error}");
    // A step out of order is refused by the same proof.
    let error = mover.run(&job(), "promote-target", &facts).await.unwrap_err();
    assert_eq!(error.kind, StepErrorKind::Refused);
    mover.rollback(&job(), &facts).await.unwrap();
    pair.b.sql("SELECT pg_wal_replay_resume()").await.unwrap();
    accepts_writes(&pair, 1).await;
}

/// No answer is no proof. A stopped standby is one, by its own host's word.
#[tokio::test]
async fn a_silent_target_needs_its_host_to_vouch() {
    let mut pair = Pair::start().await;
    let mover = mover();
    let facts = drive(|| pair.job(MoveKind::Switchover, "a", "b"), Some("stop-primary")).await;
    pair.b.stop(StopMode::Immediate).await.unwrap();

    let mut blind = pair.job(MoveKind::Switchover, "a", "b");
    blind.agents.remove("b");
    let error = mover.rollback(&blind, &facts).await.unwrap_err();
    assert_eq!(error.kind, StepErrorKind::Refused, "{error}");
    assert!(!pair.a.is_running());

    mover.rollback(&pair.job(MoveKind::Switchover, "a", "b"), &facts).await.unwrap();
    pair.b.start().await.unwrap();
    accepts_writes(&pair, 1).await;
}

/// Somebody promoted the target behind our back: the old primary stays fenced.
#[tokio::test]
async fn a_promoted_target_keeps_the_old_primary_out() {
    let pair = Pair::start().await;
    let mover = mover();
    let job = || pair.job(MoveKind::Switchover, "a", "b");
    let facts = drive(job, Some("read-shutdown-position")).await;
    pair.b.sql("SELECT pg_promote(true, 60)").await.unwrap();
    let error = mover.rollback(&job(), &facts).await.unwrap_err();
    assert_eq!(error.kind, StepErrorKind::Refused, "{error}");
    assert!(!pair.a.is_running());
    assert!(Pair::agent_of(&pair.a).is_fenced().await.unwrap());
    // And the wait for a standby that is none says so.
    let error = mover.run(&job(), "wait-for-replay", &facts).await.unwrap_err();
    assert!(error.text.contains("not in recovery"), "{error}");
}

/// While a promotion holds the lock on the target no roll-back takes the fence away, and the other way round.
#[tokio::test]
async fn promotion_and_rollback_exclude_each_other() {
    use sqlx::{Connection, PgConnection};
    let pair = Pair::start().await;
    let mover = mover();
    let job = || {
        let mut job = pair.job(MoveKind::Switchover, "a", "b");
        job.timeouts.promote = std::time::Duration::from_secs(1);
        job
    };
    let facts = drive(job, Some("wait-for-replay")).await;

    let url = pair.b.url("postgres", "postgres");
    let mut other = PgConnection::connect(&url).await.unwrap();
    sqlx::query("SELECT pg_advisory_lock(x'6D7573746572'::bigint)").execute(&mut other).await.unwrap();
    for error in [
        mover.rollback(&job(), &facts).await.unwrap_err(),
        mover.run(&job(), "promote-target", &facts).await.unwrap_err(),
    ] {
        assert!(error.text.contains("under way"), "{error}");
    }
    assert!(!pair.a.is_running());
    other.close().await.unwrap();
    undo(&*mover, &pair, &facts).await;
}

async fn undo(mover: &dyn Mover, pair: &Pair, facts: &Facts) {
    eventually("the lock is free", async || {
        mover.rollback(&pair.job(MoveKind::Switchover, "a", "b"), facts).await.is_ok()
    })
    .await;
    accepts_writes(pair, 1).await;
}
