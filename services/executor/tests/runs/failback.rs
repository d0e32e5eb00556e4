//! The way home after a real failover: the old primary has rows of its own, is rewound, follows, and serves again.

use muster_domain::{
    AggregateId,
    pb::{
        execution::v1::{AcknowledgeCoolDownRequest, CheckOutcome, ExecutionState, ExecutionView},
        request::v1::RequestType,
    },
};
use muster_testing::Person;

use crate::{
    killed::{dies, doomed_executor},
    movers::{Around, movers},
    traffic::{Guard, Writer},
    world::{RESOURCE, World, eventually},
};

/// The primary is lost with rows that nobody else has, the standby takes over, and somebody has looked at it.
async fn after_a_failover() -> (World, Vec<i64>) {
    let mut world = World::start().await;
    let writer = Writer::start(&world.pair);
    eventually("the application writes", async || writer.count() > 50).await;
    world.pair.b.sql("ALTER SYSTEM SET primary_conninfo = ''").await.unwrap();
    world.pair.b.sql("SELECT pg_reload_conf()").await.unwrap();
    eventually("the standby receives nothing", async || {
        world.pair.b.sql("SELECT count(*) FROM pg_stat_wal_receiver").await.unwrap().trim() == "0"
    })
    .await;
    let written = writer.count();
    eventually("rows that the standby does not have", async || writer.count() > written + 50).await;
    writer.stop().await;
    world.pair.a.kill().await.unwrap();
    let (find, _) = movers(Around::Nothing);
    let executor = world.executor(find).await;
    let failover = world.confirmed(RequestType::Failover, "east").await;
    assert_eq!(world.ended(&failover).await.state(), ExecutionState::Succeeded);

    // Until somebody has looked, nothing brings it back either.
    let early = world.confirmed(RequestType::Failback, "west").await;
    let error = world.ended(&early).await.failed.unwrap().error;
    assert!(error.contains("resource_is_free"), "{error}");
    assert!(!world.pair.a.is_running(), "nothing was started");
    let olga = Person::login(&executor.url, "olga").await.unwrap();
    let ask = AcknowledgeCoolDownRequest {
        tenant: "acme".into(),
        resource: RESOURCE.into(),
        note: "b serves, a may come back".into(),
        idempotency_key: "k-1".into(),
    };
    olga.executor().acknowledge_cool_down(olga.request(ask)).await.unwrap();
    let kept = world.pair.rows("b").await;
    (world, kept)
}

fn step_note(view: &ExecutionView, id: &str) -> String {
    view.steps.iter().find(|step| step.step.as_ref().unwrap().id == id).unwrap().note.clone()
}

async fn ended(world: &World, request: &AggregateId) -> ExecutionView {
    let view = world.ended(request).await;
    assert_eq!(view.state(), ExecutionState::Succeeded, "{view:#?}");
    view
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_old_primary_is_rewound_follows_and_serves_again() {
    let (world, kept) = Box::pin(after_a_failover()).await;
    let writer = Writer::start(&world.pair);
    eventually("the application writes on the new primary", async || writer.count() > 50).await;
    let guard = Guard::start(&world.pair, "b", "a");
    let (find, _) = movers(Around::Nothing);
    let _executor = world.executor(find).await;
    let request = world.confirmed(RequestType::Failback, "west").await;
    let view = ended(&world, &request).await;
    guard.stop().await;

    let status = view.prechecks.iter().find(|check| check.name == "sync_status").unwrap();
    assert_eq!(status.outcome(), CheckOutcome::Warning);
    assert!(status.text.contains("a does not follow"), "{status:?}");
    assert!(view.prechecks.iter().any(|check| check.name == "original_accepts_no_writes"));
    let measured = step_note(&view, "measure-original");
    assert!(measured.contains("are on a alone"), "what is discarded is said: {measured}");
    assert!(step_note(&view, &format!("ready:{RESOURCE}")).contains("prechecks of the move passed"));
    assert_eq!((world.pair.is_primary("a").await, world.pair.is_primary("b").await), (Some(true), Some(false)));
    let acknowledged = writer.stop().await;
    let now = world.pair.rows("a").await;
    assert!(kept.iter().all(|number| now.binary_search(number).is_ok()));
    assert!(acknowledged.iter().all(|(number, _)| now.binary_search(number).is_ok()), "acknowledged rows are gone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_successor_finishes_around_the_return_of_the_old_primary() {
    let (world, kept) = Box::pin(after_a_failover()).await;
    let guard = Guard::start(&world.pair, "b", "a");
    let child = doomed_executor(&world, "return-original", "after");
    let request = world.confirmed(RequestType::Failback, "west").await;
    dies(child).await;
    let (find, counts) = movers(Around::Nothing);
    let _executor = world.executor(find).await;
    ended(&world, &request).await;
    guard.stop().await;
    assert!(!counts.lock().unwrap().contains_key("return-original"), "found done, and not done again");
    assert_eq!(world.pair.rows("a").await, kept);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rewind_that_was_killed_midway_is_refused_with_the_way_out() {
    let (world, _) = Box::pin(after_a_failover()).await;
    let child = doomed_executor(&world, "return-original", "before");
    let request = world.confirmed(RequestType::Failback, "west").await;
    dies(child).await;
    // What the killed rewind leaves behind.
    let name = world.pair.a.dir().file_name().unwrap().to_string_lossy().into_owned();
    let marker = world.pair.a.dir().with_file_name(format!(".{name}.muster-rewind"));
    std::fs::write(&marker, "begun").unwrap();
    let (find, _) = movers(Around::Nothing);
    let _executor = world.executor(find).await;
    let view = world.ended(&request).await;
    std::fs::remove_file(&marker).unwrap();
    let failed = view.failed.unwrap();
    assert_eq!(failed.step, "return-original");
    assert!(failed.error.contains("must not be started"), "{}", failed.error);
    assert!(failed.guidance.contains("base backup"), "{}", failed.guidance);
    assert!(failed.known_state.contains("b serves, untouched"), "{}", failed.known_state);
    assert!(!world.pair.a.is_running());
    assert_eq!(world.pair.is_primary("b").await, Some(true), "production goes on");
}
