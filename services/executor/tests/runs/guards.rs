//! What must not happen: two runs on a resource, a step run twice, a run that nothing permits.

use muster_domain::{
    AggregateId,
    pb::{
        execution::v1::{CheckOutcome, ExecutionState, ExecutionView},
        request::v1::RequestType,
    },
};
use muster_local::postgres::PostgresServer;

use crate::{
    movers::{Around, Pause, movers},
    world::{World, eventually},
};

fn failed_checks(view: &ExecutionView) -> Vec<&str> {
    view.prechecks
        .iter()
        .filter(|check| check.outcome() == CheckOutcome::Failed)
        .map(|check| check.name.as_str())
        .collect()
}

fn was_not_touched(view: &ExecutionView) {
    assert_eq!(view.state(), ExecutionState::Failed, "{view:#?}");
    assert!(view.steps.iter().all(|step| step.attempts == 0), "{view:#?}");
    assert_eq!(view.failed.as_ref().unwrap().step, "");
    assert!(view.failed.as_ref().unwrap().known_state.starts_with("Nothing was changed."));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_executors_at_once_run_each_step_once_and_one_request_at_a_time() {
    let world = World::start().await;
    let pause = Pause::new();
    let (find, counts) = movers(Around::PauseAfter("stop-primary", pause.clone()));
    let _one = world.executor(find.clone()).await;
    let _two = world.executor(find).await;
    let second = world.approved(RequestType::Switchover, "east").await;
    let first = world.confirmed(RequestType::Switchover, "east").await;
    pause.is_reached().await;

    // While the first one is in the middle, another confirmed request does not wait unseen: it fails, and says why.
    world.confirm(&second).await;
    let view = world.ended(&second).await;
    was_not_touched(&view);
    assert_eq!(failed_checks(&view), ["resource_is_free"]);
    assert!(view.failed.unwrap().error.contains(first.as_str()));
    assert_eq!(world.held_by().await.as_deref(), Some(first.as_str()));

    pause.go_on.add_permits(1);
    let view = world.ended(&first).await;
    assert_eq!(view.state(), ExecutionState::Succeeded, "{view:#?}");
    assert!(view.steps.iter().all(|step| step.attempts == 1));
    let counts = counts.lock().unwrap().clone();
    assert!(counts.len() > 5 && counts.values().all(|count| *count == 1), "{counts:?}");
    assert_eq!(world.held_by().await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_touched_when_the_target_or_the_permission_is_not_what_it_must_be() {
    let world = World::start().await;
    let (find, counts) = movers(Around::Nothing);
    let _executor = world.executor(find).await;

    // The resource was declared anew after people approved it.
    let request = world.approved(RequestType::Switchover, "east").await;
    let stranger = PostgresServer::temporary().await.unwrap();
    let mut target = world.pair.target();
    target.nodes[1].port = stranger.port().into();
    world.declare(target).await;
    world.confirm(&request).await;
    let view = world.ended(&request).await;
    was_not_touched(&view);
    assert_eq!(failed_checks(&view), ["resource_is_as_approved"]);

    // Approved as it is now, and its second node is nobody's standby.
    stranger.sql("CREATE ROLE exec LOGIN SUPERUSER").await.unwrap();
    let request = world.confirmed(RequestType::Switchover, "east").await;
    let view = world.ended(&request).await;
    was_not_touched(&view);
    let failed = failed_checks(&view);
    assert!(failed.contains(&"target_is_standby") && failed.contains(&"same_system"), "{failed:?}");

    assert!(counts.lock().unwrap().is_empty());
    assert_eq!(world.pair.is_primary("a").await, Some(true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_of_another_tenant_is_not_there() {
    let mut world = World::start().await;
    world.config.executor.agents.get_mut("agent-b").unwrap().tenant = "globex".into();
    let (find, _) = movers(Around::Nothing);
    let _executor = world.executor(find).await;
    let request: AggregateId = world.confirmed(RequestType::Switchover, "east").await;
    let view = world.ended(&request).await;
    let failed = view.failed.unwrap();
    assert!(failed.error.contains("agent-b") && !failed.error.contains("globex"), "{}", failed.error);
    assert!(view.steps.is_empty());
    eventually("the resource is free", async || world.held_by().await.is_none()).await;
}
