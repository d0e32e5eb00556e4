//! Runs that end early: stopped by a person, or by a step that fails. The system is taken back where that is safe.

use muster_domain::pb::{
    execution::v1::{ExecutionState, ExecutionView, StepState, WatchExecutionRequest},
    request::v1::RequestType,
};
use muster_runtime::status::refusal_of;
use muster_testing::Person;
use tonic::Status;

use crate::{
    movers::{Around, Pause, movers},
    traffic::Guard,
    world::{World, eventually},
};

async fn is_as_it_was(world: &World) {
    assert_eq!(world.pair.is_primary("a").await, Some(true));
    assert_eq!(world.pair.is_primary("b").await, Some(false));
    world.pair.a.sql("INSERT INTO ledger VALUES (7)").await.unwrap();
    eventually("the standby follows again", async || world.pair.rows("b").await == [7]).await;
}

/// Every view of a run, until its end.
async fn watch(person: Person, request_id: String) -> Vec<ExecutionView> {
    let ask = WatchExecutionRequest { tenant: "acme".into(), request_id };
    let mut stream = person.executor().watch_execution(person.request(ask)).await.unwrap().into_inner();
    let mut views = Vec::new();
    while let Some(answer) = stream.message().await.unwrap() {
        views.push(answer.execution.unwrap());
    }
    views
}

fn code<T: std::fmt::Debug>(answer: Result<T, Status>) -> String {
    refusal_of(&answer.unwrap_err()).expect("a refusal with details").code
}

fn states(view: &ExecutionView) -> Vec<(String, StepState)> {
    let claimed = view.steps.iter().filter(|step| step.attempts > 0);
    claimed.map(|step| (step.step.as_ref().unwrap().id.clone(), step.state())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_between_steps_takes_the_old_primary_back() {
    let world = World::start().await;
    let pause = Pause::new();
    let (find, _) = movers(Around::PauseAfter("stop-primary", pause.clone()));
    let executor = world.executor(find).await;
    let (vera, olga) =
        (Person::login(&executor.url, "vera").await.unwrap(), Person::login(&executor.url, "olga").await.unwrap());
    let guard = Guard::start(&world.pair, "a", "b");
    let request = world.confirmed(RequestType::Switchover, "east").await;
    let watched = tokio::spawn(watch(vera.clone(), request.to_string()));
    pause.is_reached().await;
    guard.looks().await;
    assert_eq!(world.pair.is_primary("a").await, None, "the old primary is stopped");
    assert_eq!(code(vera.stop(request.as_str(), "no").await), "ROLE_MISSING");
    assert_eq!(code(olga.stop(request.as_str(), " ").await), "FIELD_INVALID");
    assert_eq!(code(olga.stop("0198aaaa-0000-7000-8000-000000000000", "why").await), "EXECUTION_NOT_FOUND");
    olga.stop(request.as_str(), "wrong window").await.unwrap();
    pause.go_on.add_permits(1);

    let view = world.ended(&request).await;
    guard.stop().await;
    assert_eq!(code(olga.stop(request.as_str(), "again").await), "EXECUTION_NOT_RUNNING");
    let views = watched.await.unwrap();
    assert_eq!(views.last(), Some(&view), "who watches sees the end");
    let claimed = |view: &ExecutionView| view.steps.iter().filter(|step| step.attempts > 0).count();
    assert!(views.len() > 5 && views.is_sorted_by_key(claimed), "and everything before it, in order");
    assert_eq!(view.state(), ExecutionState::Stopped, "{view:#?}");
    let stopped = view.stopped.clone().unwrap();
    assert_eq!((stopped.before_step.as_str(), stopped.reason.as_str()), ("read-shutdown-position", "wrong window"));
    assert!(stopped.actor.unwrap().name.starts_with("Olga"));
    assert!(stopped.known_state.starts_with("Taken back:"), "{}", stopped.known_state);
    // The step that was under way is told as it ended, and no other was begun.
    assert_eq!(states(&view).last().unwrap(), &("stop-primary".to_owned(), StepState::Succeeded));
    is_as_it_was(&world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_in_the_middle_is_told_and_taken_back_and_never_tried_again() {
    let world = World::start().await;
    let (find, counts) = movers(Around::Fail("wait-for-replay"));
    let _executor = world.executor(find).await;
    let guard = Guard::start(&world.pair, "a", "b");
    let request = world.confirmed(RequestType::Switchover, "east").await;
    let view = world.ended(&request).await;
    guard.stop().await;
    assert_eq!(view.state(), ExecutionState::Failed, "{view:#?}");
    let failed = view.failed.clone().unwrap();
    assert_eq!((failed.step.as_str(), failed.error.as_str()), ("wait-for-replay", "it broke, as the test wants"));
    assert!(
        failed.known_state.contains("Taken back:") && failed.known_state.contains("b is a standby"),
        "{}",
        failed.known_state
    );
    assert!(failed.guidance.contains("new request"), "{}", failed.guidance);
    assert!(!counts.lock().unwrap().contains_key("promote-target"));
    assert_eq!(states(&view).last().unwrap(), &("wait-for-replay".to_owned(), StepState::Failed));
    is_as_it_was(&world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_after_the_promotion_leaves_the_new_primary_and_says_what_is_missing() {
    let world = World::start().await;
    let pause = Pause::new();
    let (find, _) = movers(Around::PauseAfter("promote-target", pause.clone()));
    let _executor = world.executor(find).await;
    let request = world.confirmed(RequestType::Switchover, "east").await;
    pause.is_reached().await;
    world.stop(&request, "enough").await;
    pause.go_on.add_permits(1);
    let view = world.ended(&request).await;
    assert_eq!(view.state(), ExecutionState::Stopped, "{view:#?}");
    let stopped = view.stopped.unwrap();
    assert_eq!(stopped.before_step, "verify-target");
    assert!(stopped.known_state.contains("b is a primary"), "{}", stopped.known_state);
    assert!(stopped.guidance.contains("leave a fenced"), "{}", stopped.guidance);
    assert!(stopped.guidance.starts_with("Nothing failed"), "nobody tried to prove anything: {}", stopped.guidance);
    assert!(stopped.loss.is_some());
    assert_eq!((world.pair.is_primary("a").await, world.pair.is_primary("b").await), (None, Some(true)));
}
