//! Nobody decides: people are asked again by timers, and not after somebody did.

use muster_domain::pb::{
    inventory::v1::{ApprovalRule, Escalation, PolicySpec},
    request::v1::RequestState,
};

use crate::world::{World, eventually, seconds};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_stages_come_by_their_timers_and_end_when_everybody_decided() {
    let world = World::start().await;
    let escalation = |after, routes: &[&str]| Escalation {
        after: seconds(after),
        routes: routes.iter().map(|route| (*route).to_owned()).collect(),
    };
    let rule = ApprovalRule {
        escalations: vec![escalation(1, &[]), escalation(2, &["managers"]), escalation(3600, &[])],
        ..Default::default()
    };
    world.declare_policy("calls", PolicySpec { approvals: vec![rule], ..Default::default() }).await;
    let decided = world.approved().await;
    let waiting = world.olga().open("").await.unwrap();
    let olga = world.olga();
    let stages = async |id: &str| olga.get(id).await.unwrap().escalations;
    eventually("both stages are written", async || stages(&waiting.request_id).await.len() == 2).await;
    let told = stages(&waiting.request_id).await;
    assert_eq!((told[0].stage, told[1].stage), (1, 2));
    assert_eq!((told[0].routes.len(), told[1].routes.as_slice()), (0, &["managers".to_owned()][..]));
    assert_eq!(told[1].missing, waiting.missing);
    assert_eq!(olga.get(&waiting.request_id).await.unwrap().state(), RequestState::PendingApproval);
    // It was decided first, and its timers were due before those that fired.
    assert!(stages(&decided.request_id).await.is_empty());
}
