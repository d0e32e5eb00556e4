//! SIGKILL to the executor, right before and right after the effect of a step. A successor finishes the run or ends it
//! with the truth, and at no time do two nodes accept writes.

use std::process::{Child, Command, Stdio};

use muster_domain::pb::{
    common::v1::LossCertainty,
    execution::v1::{ExecutionState, StepState},
    request::v1::RequestType,
};
use muster_runtime::Config;

use crate::{
    movers::{Around, When, movers},
    traffic::{Guard, Writer},
    world::{RunningExecutor, World, eventually},
};

const STEP: &str = "MUSTER_TEST_KILL_STEP";

/// Runs in a process of its own, started by [`doomed_executor`], and dies there.
#[test]
#[ignore = "the body of a child process"]
fn executor_that_kills_itself() {
    let Ok(step) = std::env::var(STEP) else { return };
    let step: &'static str = step.leak();
    let when = if std::env::var("MUSTER_TEST_KILL_WHEN").unwrap() == "before" { When::Before } else { When::After };
    let config: Config = serde_json::from_str(&std::env::var("MUSTER_TEST_CONFIG").unwrap()).unwrap();
    let (nats, database) = (std::env::var("MUSTER_TEST_NATS").unwrap(), std::env::var("MUSTER_TEST_DATABASE").unwrap());
    let (find, _) = movers(Around::Kill(step, when));
    tokio::runtime::Runtime::new().unwrap().block_on(async move {
        let mut executor = RunningExecutor::start(&nats, &database, config, find).await;
        (&mut executor.task).await.unwrap();
    });
}

fn doomed_executor(world: &World, step: &str, when: When) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "killed::executor_that_kills_itself", "--ignored", "--nocapture"])
        .env(STEP, step)
        .env("MUSTER_TEST_KILL_WHEN", if when == When::Before { "before" } else { "after" })
        .env("MUSTER_TEST_CONFIG", serde_json::to_string(&world.config).unwrap())
        .env("MUSTER_TEST_NATS", world.nats.url())
        .env("MUSTER_TEST_DATABASE", world.database_url())
        .stdin(Stdio::null())
        .spawn()
        .unwrap()
}

/// Waits until the child has died by its own SIGKILL.
async fn dies(mut child: Child) {
    eventually("the executor kills itself", async || child.try_wait().unwrap().is_some()).await;
    let status = child.wait().unwrap();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9), "{status}");
}

/// One switchover after the other, there and back; in each the executor dies at that step.
async fn killed_at(step: &'static str) {
    let world = World::start().await;
    let writer = Writer::start(&world.pair);
    for (when, from, target, site) in [(When::Before, "a", "b", "east"), (When::After, "b", "a", "west")] {
        let guard = Guard::start(&world.pair, from, target);
        let child = doomed_executor(&world, step, when);
        let request = world.confirmed(RequestType::Switchover, site).await;
        dies(child).await;
        let left = world.execution(&request).await;
        assert_eq!(left.state(), ExecutionState::Running);
        let at = left.steps.iter().find(|s| s.state() == StepState::Running).unwrap();
        assert_eq!(at.step.as_ref().unwrap().id, step);

        let (find, counts) = movers(Around::Nothing);
        let successor = world.executor(find).await;
        let view = world.ended(&request).await;
        drop(successor);
        guard.stop().await;
        assert_eq!(view.state(), ExecutionState::Succeeded, "{step} {when:?}: {view:#?}");
        let attempts = view.steps.iter().find(|s| s.step.as_ref().unwrap().id == step).unwrap().attempts;
        let ran = counts.lock().unwrap().contains_key(step);
        match when {
            When::Before => assert!(attempts == 2 && ran, "begun again, by a claim of its own"),
            When::After => assert!(attempts == 1 && !ran, "found done, and not done again"),
        }
        assert!(view.succeeded.unwrap().write_outage.is_some());
    }
    let acknowledged = writer.stop().await;
    let kept = world.pair.rows("a").await;
    assert!(acknowledged.iter().all(|(number, _)| kept.binary_search(number).is_ok()), "acknowledged rows are gone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_successor_finishes_around_the_stop_of_the_old_primary() {
    killed_at("stop-primary").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_successor_finishes_around_the_promotion() {
    killed_at("promote-target").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_successor_that_cannot_tell_stops_and_starts_nobody() {
    let mut world = World::start().await;
    let guard = Guard::start(&world.pair, "a", "b");
    let child = doomed_executor(&world, "promote-target", When::After);
    let request = world.confirmed(RequestType::Switchover, "east").await;
    dies(child).await;
    // The log has a claim without an outcome, and the only node that knows is gone.
    world.pair.b.kill().await.unwrap();

    let (find, counts) = movers(Around::Nothing);
    let _successor = world.executor(find).await;
    let view = world.ended(&request).await;
    guard.stop().await;
    assert_eq!(view.state(), ExecutionState::Stopped, "{view:#?}");
    let stopped = view.stopped.unwrap();
    assert_eq!(stopped.before_step, "promote-target");
    for words in ["cannot be told", "Not taken back", "b does not answer"] {
        assert!(stopped.known_state.contains(words), "{words}: {}", stopped.known_state);
    }
    assert_eq!(stopped.actor.unwrap().id, "service:executor");
    assert_eq!(stopped.loss.unwrap().certainty(), LossCertainty::Unknown);
    assert!(stopped.guidance.contains("Look at b first"), "{}", stopped.guidance);
    assert!(counts.lock().unwrap().is_empty(), "nothing was run on a guess");
    // It was the primary with everything. Had the old one been started, there would be two histories.
    assert_eq!(world.pair.is_primary("a").await, None);
}
