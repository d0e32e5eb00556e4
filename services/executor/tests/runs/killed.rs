//! SIGKILL and SIGSTOP to the executor, right before and right after the effect of a step. A successor finishes the run or ends it
//! with the truth, and at no time do two nodes accept writes.

use std::process::{Child, Command, Stdio};

use muster_domain::pb::{
    common::v1::LossCertainty,
    execution::v1::{ExecutionState, StepState},
    request::v1::RequestType,
};
use muster_runtime::Config;
use nix::{
    sys::{
        signal::{Signal, kill},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::Pid,
};

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
    let around = match std::env::var("MUSTER_TEST_FATE").unwrap().as_str() {
        "before" => Around::Kill(step, When::Before),
        "after" => Around::Kill(step, When::After),
        "suspended" => Around::Suspend(step),
        other => panic!("{other}"),
    };
    let config: Config = serde_json::from_str(&std::env::var("MUSTER_TEST_CONFIG").unwrap()).unwrap();
    let (nats, database) = (std::env::var("MUSTER_TEST_NATS").unwrap(), std::env::var("MUSTER_TEST_DATABASE").unwrap());
    let (find, _) = movers(around);
    tokio::runtime::Runtime::new().unwrap().block_on(async move {
        let mut executor = RunningExecutor::start(&nats, &database, config, find).await;
        (&mut executor.task).await.unwrap();
    });
}

pub(crate) fn doomed_executor(world: &World, step: &str, fate: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "killed::executor_that_kills_itself", "--ignored", "--nocapture"])
        .env(STEP, step)
        .env("MUSTER_TEST_FATE", fate)
        .env("MUSTER_TEST_CONFIG", serde_json::to_string(&world.config).unwrap())
        .env("MUSTER_TEST_NATS", world.nats.url())
        .env("MUSTER_TEST_DATABASE", world.database_url())
        .stdin(Stdio::null())
        .spawn()
        .unwrap()
}

/// Waits until the child has died by its own SIGKILL.
pub(crate) async fn dies(mut child: Child) {
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
        let child = doomed_executor(&world, step, if when == When::Before { "before" } else { "after" });
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
    Box::pin(killed_at("stop-primary")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_successor_finishes_around_the_promotion() {
    Box::pin(killed_at("promote-target")).await;
}

/// The others: looking is all that most of them do, so they may well be run again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes: for changes to steps and recovery"]
async fn a_successor_finishes_around_every_other_step() {
    let world = World::start().await;
    let mut sides = [("a", "b", "east"), ("b", "a", "west")].into_iter().cycle();
    for step in [
        "checkpoint-primary",
        "create-slot",
        "read-shutdown-position",
        "wait-for-replay",
        "verify-target",
        "checkpoint-target",
        "rejoin-old-primary",
        "wait-until-protected",
        "drop-stale-slot",
    ] {
        for fate in ["before", "after"] {
            let (from, target, site) = sides.next().unwrap();
            let guard = Guard::start(&world.pair, from, target);
            let mut child = doomed_executor(&world, step, fate);
            let request = world.confirmed(RequestType::Switchover, site).await;
            // A step whose effect an earlier run has left is not run, and then nobody dies in it.
            eventually("the executor kills itself, or has no reason to", async || {
                let ended = !matches!(
                    world.execution(&request).await.state(),
                    ExecutionState::Unspecified | ExecutionState::Running
                );
                ended || child.try_wait().unwrap().is_some()
            })
            .await;
            child.kill().unwrap();
            child.wait().unwrap();
            let (find, _) = movers(Around::Nothing);
            let _successor = world.executor(find).await;
            let view = world.ended(&request).await;
            guard.stop().await;
            assert_eq!(view.state(), ExecutionState::Succeeded, "{step} {fate}: {view:#?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_successor_that_cannot_tell_stops_and_starts_nobody() {
    let mut world = World::start().await;
    let guard = Guard::start(&world.pair, "a", "b");
    let child = doomed_executor(&world, "promote-target", "after");
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_executor_that_wakes_up_after_its_successor_has_finished_does_nothing() {
    let world = World::start().await;
    let guard = Guard::start(&world.pair, "a", "b");
    let mut child = doomed_executor(&world, "stop-primary", "suspended");
    let pid = Pid::from_raw(child.id().try_into().unwrap());
    let request = world.confirmed(RequestType::Switchover, "east").await;
    eventually("the executor stands still", async || {
        matches!(waitpid(pid, Some(WaitPidFlag::WUNTRACED | WaitPidFlag::WNOHANG)), Ok(WaitStatus::Stopped(..)))
    })
    .await;

    let (find, _) = movers(Around::Nothing);
    let _successor = world.executor(find).await;
    let view = world.ended(&request).await;
    guard.stop().await;
    assert_eq!(view.state(), ExecutionState::Succeeded, "{view:#?}");
    // It wakes up in the middle of a step that others have finished long ago, and both are there for the way back.
    kill(pid, Signal::SIGCONT).unwrap();
    let guard = Guard::start(&world.pair, "b", "a");
    let back = world.confirmed(RequestType::Switchover, "west").await;
    let there_again = world.ended(&back).await;
    guard.stop().await;
    kill(pid, Signal::SIGKILL).unwrap();
    child.wait().unwrap();
    assert_eq!(there_again.state(), ExecutionState::Succeeded, "{there_again:#?}");
    assert_eq!(world.execution(&request).await, view, "the finished run is as it was");
}
