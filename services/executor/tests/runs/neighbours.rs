//! The same servers under a second name.

use muster_domain::pb::{common::v1::Tier, execution::v1::ExecutionState, request::v1::RequestType};

use crate::{
    movers::{Around, Pause, movers},
    people::Asked,
    world::{World, spec_of},
};

const COPY: &str = "copy";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_name_for_a_server_gives_no_second_run_and_no_easier_approval() {
    let world = World::start().await;
    let mut copy = spec_of(world.pair.target());
    world.declare_resource(COPY, copy.clone()).await;
    let pause = Pause::new();
    let (find, counts) = movers(Around::PauseAfter("checkpoint-primary", pause.clone()));
    let _executor = world.executor(find).await;

    let first = world.confirmed(RequestType::Switchover, "east").await;
    pause.is_reached().await;
    let asked = Asked { kind: RequestType::Switchover, resource: COPY, site: "east", ..Asked::default() };
    let second = world.confirmed_for(&asked).await;
    let beside = world.ended(&second).await;
    assert_eq!(beside.state(), ExecutionState::Failed, "{beside:#?}");
    let error = beside.failed.unwrap().error;
    assert!(error.contains("servers_are_free") && error.contains(first.as_str()), "{error}");
    pause.go_on.add_permits(1);
    assert_eq!(world.ended(&first).await.state(), ExecutionState::Succeeded);
    assert_eq!(world.reservation(COPY).await.held_by, None);

    // One approval is enough for tier 3, and these servers are those of tier 1.
    copy.tier = Tier::Tier3.into();
    world.declare_resource(COPY, copy).await;
    let third = world.confirmed_for(&Asked { site: "west", ..asked }).await;
    let easier = world.ended(&third).await;
    assert_eq!(easier.state(), ExecutionState::Failed, "{easier:#?}");
    let error = easier.failed.unwrap().error;
    assert!(error.contains("servers_are_decided_alike") && error.contains("tier 1, production"), "{error}");
    assert!(easier.steps.iter().all(|step| step.attempts == 0));
    assert_eq!(counts.lock().unwrap().get("checkpoint-primary"), Some(&1));
    assert_eq!((world.pair.is_primary("a").await, world.pair.is_primary("b").await), (Some(false), Some(true)));
}
