//! After a failover nothing moves the system again until a person has looked at it.

use muster_domain::pb::{
    execution::v1::{AcknowledgeCoolDownRequest, ExecutionState},
    request::v1::RequestType,
};
use muster_testing::Person;

use crate::{
    movers::{Around, movers},
    world::{RESOURCE, World},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_is_followed_by_quiet_until_a_person_acknowledges_it() {
    let mut world = World::start().await;
    let (find, counts) = movers(Around::Nothing);
    let executor = world.executor(find).await;
    world.pair.a.kill().await.unwrap();
    let failover = world.confirmed(RequestType::Failover, "east").await;
    assert_eq!(world.ended(&failover).await.state(), ExecutionState::Succeeded);
    let begun = world.reservation(RESOURCE).await.cool_down.expect("the quiet has begun");
    assert_eq!((begun.request_id.as_str(), begun.until), (failover.as_str(), None));

    let ran = counts.lock().unwrap().clone();
    let back = world.confirmed(RequestType::Switchover, "west").await;
    let view = world.ended(&back).await;
    let error = view.failed.unwrap().error;
    assert!(error.contains("resource_is_free") && error.contains(failover.as_str()), "{error}");
    assert!(error.contains("muster cooldown acknowledge"), "{error}");
    assert_eq!(*counts.lock().unwrap(), ran, "nothing was run");

    let olga = Person::login(&executor.url, "olga").await.unwrap();
    let ask = AcknowledgeCoolDownRequest {
        tenant: "acme".into(),
        resource: RESOURCE.into(),
        note: "the new primary serves, the old one is rebuilt".into(),
        idempotency_key: "k-1".into(),
    };
    for _ in 0..2 {
        olga.executor().acknowledge_cool_down(olga.request(ask.clone())).await.unwrap();
    }
    assert!(world.reservation(RESOURCE).await.cool_down.is_none());
    // What is left in the way is the platform's own: the old primary has no place yet.
    let again = world.confirmed(RequestType::Switchover, "west").await;
    let error = world.ended(&again).await.failed.unwrap().error;
    assert!(!error.contains("resource_is_free"), "{error}");
}
