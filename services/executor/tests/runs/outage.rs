//! The log goes away in the middle of a run.

use muster_domain::pb::{execution::v1::ExecutionState, request::v1::RequestType};

use crate::{
    movers::{Around, Pause, movers},
    traffic::{Guard, Writer},
    world::{World, eventually},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_whose_log_is_killed_goes_on_when_it_is_back() {
    let mut world = World::start().await;
    let pause = Pause::new();
    let (find, counts) = movers(Around::PauseAfter("stop-primary", pause.clone()));
    let _executor = world.executor(find).await;
    let writer = Writer::start(&world.pair);
    eventually("the application writes", async || writer.count() > 50).await;
    let guard = Guard::start(&world.pair, "a", "b");
    let request = world.confirmed(RequestType::Switchover, "east").await;
    pause.is_reached().await;
    // The old primary is stopped, and nobody can write that down.
    world.nats.kill().await.unwrap();
    pause.go_on.add_permits(1);
    world.nats.restart().await.unwrap();

    let view = world.ended(&request).await;
    guard.stop().await;
    assert_eq!(view.state(), ExecutionState::Succeeded, "{view:#?}");
    let counts = counts.lock().unwrap().clone();
    assert_eq!((counts["stop-primary"], counts["promote-target"]), (1, 1), "{counts:?}");
    let acknowledged = writer.stop().await;
    let kept = world.pair.rows("b").await;
    assert!(acknowledged.iter().all(|(number, _)| kept.binary_search(number).is_ok()), "acknowledged rows are gone");
}
