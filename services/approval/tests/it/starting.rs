//! What stands in the way of a start beside the approvals.

use jiff::Timestamp;
use muster_domain::{
    Refusal,
    execution::{Reservation, release, reserve},
    pb::{common::v1::Tier, request::v1::RequestState},
};

use crate::world::{PHRASE, RESOURCE, World, acme, code, meta};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resource_that_another_run_holds_is_not_started() {
    let world = World::start().await;
    let approved = world.approved().await;
    let (resource, olga) = (RESOURCE.parse().unwrap(), world.olga());
    let held = |r: &Reservation| reserve(r, RESOURCE, "another-run", Timestamp::now());
    world.log.decide::<Reservation, Refusal>(&acme(), &resource, &meta(), held).await.unwrap();
    assert_eq!(
        code(olga.start(&approved.request_id, "wrong").await),
        "PHRASE_WRONG",
        "what people can mend comes first"
    );
    assert_eq!(code(olga.start(&approved.request_id, PHRASE).await), "RESOURCE_BUSY");
    assert_eq!(olga.get(&approved.request_id).await.unwrap().state(), RequestState::Approved);
    assert_eq!(world.denials(2).await[1].0, "RESOURCE_BUSY");

    let free = |r: &Reservation| -> Result<_, Refusal> { Ok(release(r, RESOURCE, "another-run")) };
    world.log.decide::<Reservation, Refusal>(&acme(), &resource, &meta(), free).await.unwrap();
    assert_eq!(olga.start(&approved.request_id, PHRASE).await.unwrap().state(), RequestState::Confirmed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_approved_is_what_is_started() {
    let world = World::start().await;
    let approved = world.approved().await;
    // Its manifest is changed: hosts, sites or accounts may be others now.
    world.declare_resource(Tier::Tier2).await;
    assert_eq!(code(world.olga().start(&approved.request_id, PHRASE).await), "RESOURCE_CHANGED");
    assert_eq!(world.denials(1).await[0].0, "RESOURCE_CHANGED");
}
