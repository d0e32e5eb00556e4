//! Moves, by executors that die, that give up, and with a primary that is lost.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use muster_domain::pb::execution::v1::Step;
use muster_platform::{Facts, MoveJob, MoveKind, Probe};

use crate::{
    drive::{blocking, eventually, settle, short_lived},
    fixture::Fixture,
    killed::{DEATHS, killed},
    load::{Load, Written, number},
};

/// Given up right after the beginning, and somewhere in the middle of a step of 0.1 to 2 s.
const LIVES: [Duration; 2] = [Duration::from_millis(1), Duration::from_millis(150)];

pub(crate) async fn executors_die_anywhere<F: Fixture>(fixture: Arc<F>) {
    let load = Load::start(&fixture);
    moved(&*fixture, "a", "b").await;
    assert!(fixture.write("b", number()).await && !fixture.write("a", number()).await);
    // What it left is a healthy pair. The way back is gone in `a_lost_primary_comes_home`, with the same deaths.
    let (mover, back) = (fixture.mover(), || fixture.job(MoveKind::Switchover, "b", "a"));
    eventually("it may be moved back", async || blocking(&mover.prechecks(&back()).await).is_empty()).await;
    nothing_is_missing(&*fixture, "b", &load.end().await).await;
    let judged = fixture.numbers("b").await;
    eventually("the standby has it all", async || fixture.numbers("a").await.is_superset(&judged)).await;
}

/// Every step: see [`survived`].
async fn moved<F: Fixture>(fixture: &F, from: &str, target: &str) {
    let mover = fixture.mover();
    let job = || fixture.job(MoveKind::Switchover, from, target);
    eventually("the pair may be moved", async || blocking(&mover.prechecks(&job()).await).is_empty()).await;
    let mut facts = Facts::new();
    for step in mover.plan(&job()) {
        survived(fixture, &job, &step, &mut facts).await;
    }
    let checks = mover.postchecks(&job(), &facts).await;
    assert!(blocking(&checks).is_empty(), "{checks:#?}");
    let state = mover.known_state(&job(), &facts).await;
    assert!(state.contains(&format!("{target} is a primary")), "{state}");
    assert!(!state.contains(&format!("{from} is a primary")), "{state}");
}

/// One step: given up, killed before its effect, in the middle and right after it, settled by a successor, and run once more.
async fn survived<F: Fixture>(fixture: &F, job: impl Fn() -> MoveJob, step: &Step, facts: &mut Facts) {
    let mover = fixture.mover();
    for life in LIVES {
        short_lived(mover.clone(), job(), step.id.clone(), facts.clone(), life).await;
    }
    for death in DEATHS {
        killed(fixture, &job(), &step.id, facts, death).await;
    }
    if !step.idempotent {
        // Its claim has no outcome, and it must not be run again: a successor has to see that the effect is there.
        eventually("the effect is seen", async || {
            matches!(mover.probe(&job(), &step.id, facts).await, Probe::Done { .. })
        })
        .await;
    }
    facts.extend(settle(&mover, &job(), &step.id, facts).await);
    if step.idempotent {
        mover.run(&job(), &step.id, facts).await.unwrap_or_else(|e| panic!("{} again: {e:?}", step.id));
    }
}

async fn nothing_is_missing<F: Fixture>(fixture: &F, primary: &str, written: &Written) {
    let found = fixture.numbers(primary).await;
    let missing: Vec<_> = written.acknowledged.difference(&found).collect();
    assert!(missing.is_empty(), "acknowledged and missing: {missing:?} of {}", written.acknowledged.len());
}

pub(crate) async fn a_failed_move_is_taken_back_or_told<F: Fixture>(fixture: Arc<F>) {
    let mover = fixture.mover();
    let job = || fixture.job(MoveKind::Switchover, "a", "b");
    let steps = mover.plan(&job());
    let load = Load::start(&fixture);
    let mut taken_back = 0;
    for last in 0..steps.len() {
        eventually("the pair may be moved", async || blocking(&mover.prechecks(&job()).await).is_empty()).await;
        let mut facts = Facts::new();
        for step in steps.iter().take(last + 1) {
            facts.extend(settle(&mover, &job(), &step.id, &facts).await);
        }
        match mover.rollback(&job(), &facts).await {
            Ok(text) => {
                taken_back += 1;
                assert!(text.contains("the primary"), "{text}");
                eventually("a serves again", async || fixture.write("a", number()).await).await;
                assert!(!fixture.write("b", number()).await);
            }
            // From here on the target is the primary: nothing may be taken back, and it is told as it is.
            Err(refused) => {
                assert!(!refused.text.is_empty());
                assert!(!fixture.write("a", number()).await, "refused to go back, and the old primary accepts writes");
                let state = mover.known_state(&job(), &facts).await;
                let serves = fixture.write("b", number()).await;
                assert_eq!(state.contains("b is a primary"), serves, "{state}");
                break;
            }
        }
    }
    assert!(taken_back > 0, "not even the first step can be taken back");
    let primary = if fixture.write("b", number()).await { "b" } else { "a" };
    nothing_is_missing(&*fixture, primary, &load.end().await).await;
}

pub(crate) async fn a_lost_primary_comes_home<F: Fixture>(fixture: Arc<F>) {
    let mover = fixture.mover();
    let job = || fixture.job(MoveKind::Failover, "a", "b");
    let load = Load::start(&fixture);
    let begun = number();
    eventually("the load writes", async || fixture.numbers("b").await.iter().any(|written| *written > begun)).await;
    fixture.kill("a").await;
    let held = fixture.numbers("b").await;

    eventually("a lost primary may be failed over", async || blocking(&mover.prechecks(&job()).await).is_empty()).await;
    let refused = mover.rollback(&job(), &Facts::new()).await;
    assert!(refused.is_err(), "a failover is never taken back by itself: {refused:?}");
    let mut facts = Facts::new();
    for step in mover.plan(&job()) {
        survived(&*fixture, &job, &step, &mut facts).await;
    }
    let checks = mover.postchecks(&job(), &facts).await;
    assert!(blocking(&checks).is_empty(), "{checks:#?}");
    assert!(fixture.write("b", number()).await);
    assert!(fixture.numbers("b").await.is_superset(&held), "what the standby had is gone");

    // Its host brings it back, as hosts do. It must not accept a single write any more.
    fixture.restart("a").await;
    let until = Instant::now() + Duration::from_secs(2);
    while Instant::now() < until {
        assert!(!fixture.write("a", number()).await, "the old primary accepts writes again");
    }
    load.end().await;
    let state = mover.known_state(&job(), &facts).await;
    assert!(state.contains("b is a primary") && !state.contains("a is a primary"), "{state}");
    comes_home(&fixture).await;
}

/// The failback: what was lost is brought back behind the present primary, which serves all the while, and only then moved to.
async fn comes_home<F: Fixture>(fixture: &Arc<F>) {
    if !fixture.platform().capabilities().failback {
        return;
    }
    let (mover, job) = (fixture.mover(), || fixture.job(MoveKind::Switchover, "b", "a"));
    let load = Load::start(fixture);
    let home = mover.way_home(&job());
    if home.is_empty() {
        eventually("its manager has brought it back", async || mover.follows(&job()).await).await;
    } else {
        assert!(!mover.follows(&job()).await, "it follows already, and nobody told it to");
        eventually("it may come home", async || blocking(&mover.way_home_checks(&job()).await).is_empty()).await;
        let mut facts = Facts::new();
        for step in &home {
            survived(&**fixture, &job, step, &mut facts).await;
            assert!(fixture.write("b", number()).await && !fixture.write("a", number()).await, "after {}", step.id);
        }
        assert!(mover.follows(&job()).await, "it is home, and does not follow");
    }
    moved(&**fixture, "b", "a").await;
    assert!(fixture.write("a", number()).await && !fixture.write("b", number()).await);
    nothing_is_missing(&**fixture, "a", &load.end().await).await;
}
