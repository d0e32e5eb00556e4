//! Requests that nobody finishes lapse by themselves.

use muster_domain::pb::{
    inventory::v1::{ApprovalRule, PolicySpec},
    request::v1::RequestState,
};

use crate::world::{PHRASE, World, code, eventually, seconds};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_approved_request_that_nobody_starts_lapses_by_its_timer() {
    let world = World::start().await;
    let rule = ApprovalRule { expires_after: seconds(2), ..Default::default() };
    world.declare_policy("hasty", PolicySpec { approvals: vec![rule], ..Default::default() }).await;
    let approved = world.approved().await;
    assert_eq!(approved.state(), RequestState::Approved);
    let (olga, id) = (world.olga(), approved.request_id.as_str());
    eventually("the timer writes the expiry", async || olga.get(id).await.unwrap().expired.is_some()).await;
    let view = olga.get(id).await.unwrap();
    assert_eq!(view.state(), RequestState::Expired);
    let expired = view.expired.unwrap();
    assert!(expired.note.contains("after its time was over"), "{}", expired.note);
    let due = approved.opened.unwrap().expires_at.unwrap();
    let at = expired.expired_at.unwrap();
    assert!((at.seconds, at.nanos) >= (due.seconds, due.nanos), "never early");
    assert_eq!(code(olga.start(id, PHRASE).await), "REQUEST_CLOSED");
}
