use jiff::SignedDuration;
use muster_domain::pb::plan::v1::{PlanState, ProofState};

use crate::world::{RunEnd, World, changed_member, plan};

fn minutes(count: i64) -> RunEnd {
    RunEnd::Succeeded(SignedDuration::from_mins(count))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_drill_proves_a_plan_until_something_changes() {
    let world = World::start().await;
    let published = world.published().await;

    // Talking it through proves nothing, nor does a look at the checks.
    world.ran(&published, "tabletop-drill", minutes(5)).await;
    world.ran(&published, "readiness-drill", minutes(5)).await;
    let request = world.ran(&published, "live-drill", minutes(20)).await;
    let proven = world.becomes("proven", |view| view.proof() == ProofState::Proven).await;
    assert_eq!(proven.tests.len(), 1, "{:?}", proven.tests);
    assert_eq!((proven.tests[0].request_id.as_str(), proven.tests[0].rto_met), (request.as_str(), true));
    assert!(proven.proven_until.is_some() && proven.proof_text.contains("live-drill"), "{}", proven.proof_text);

    // A member is declared anew: the plan's text is still the published one, and it is proven no more.
    world.ada().apply(&changed_member()).await.unwrap();
    let lapsed = world.becomes("lapsed", |view| view.proof() == ProofState::Untested).await;
    assert_eq!(lapsed.state(), PlanState::Published);
    assert!(lapsed.proof_text.contains("a resource that it moves was changed"), "{}", lapsed.proof_text);
    world.becomes("written down", |view| view.proven_until.is_none()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_text_ends_the_proof_when_it_is_published() {
    let world = World::start().await;
    let published = world.published().await;
    world.ran(&published, "isolated-drill", minutes(5)).await;
    world.becomes("proven", |view| view.proof() == ProofState::Proven).await;

    // A draft beside it changes nothing: runs use the published text.
    world.ada().apply(&plan("better")).await.unwrap();
    let view = world.becomes("newer", |view| view.newest.as_ref().is_some_and(|newest| newest.version == 2)).await;
    assert_eq!(view.proof(), ProofState::Proven, "{}", view.proof_text);
    let newest = world.olga().submit(2).await.unwrap().newest.unwrap();
    let view = world.ingo().publish(&newest.hash).await.unwrap();
    assert_eq!(view.proof(), ProofState::Untested, "{}", view.proof_text);
    world.becomes("written down", |view| view.proven_until.is_none()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_run_ends_the_proof_and_one_that_touched_nothing_does_not() {
    let world = World::start().await;
    let published = world.published().await;
    world.ran(&published, "switchover", minutes(90)).await;
    let slow = world.becomes("proven", |view| view.proof() == ProofState::Proven).await;
    // The plan's own objective is 1 h, whatever the run was measured against.
    assert!(!slow.tests[0].rto_met && slow.proof_text.contains("longer than its objective"), "{}", slow.proof_text);

    world.ran(&published, "switchover", RunEnd::FailedInChecks).await;
    let failed = world.ran(&published, "failback", RunEnd::Failed).await;
    let view = world.becomes("failed", |view| view.proof() == ProofState::Failed).await;
    assert_eq!(view.tests.len(), 2, "{:?}", view.tests);
    assert_eq!((view.tests[0].request_id.as_str(), view.tests[0].passed), (failed.as_str(), false));

    // And the next good one proves it again.
    world.ran(&published, "rotation", minutes(10)).await;
    world.becomes("proven again", |view| view.proof() == ProofState::Proven && view.tests.len() == 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_ends_by_itself_when_its_time_is_over() {
    let world = World::start().await;
    world.ada().apply(&plan("").replace("  rto: 1h\n", "  rto: 1h\n  proofValidFor: 1h\n")).await.unwrap();
    let newest = world.olga().submit(2).await.unwrap().newest.unwrap();
    let published = world.ingo().publish(&newest.hash).await.unwrap().published.unwrap();
    // The run ended almost an hour ago.
    let almost = SignedDuration::from_secs(3_600 - 4);
    world.ran_ago(&published, "live-drill", minutes(10), almost).await;
    world.becomes("proven", |view| view.proof() == ProofState::Proven).await;
    let stale = world.becomes("written down", |view| view.proven_until.is_none()).await;
    assert_eq!(stale.proof(), ProofState::Stale, "{}", stale.proof_text);
    assert!(stale.proof_text.contains("too long ago"), "{}", stale.proof_text);
}
