//! A policy that asks for a login made for each approval, and every way to approve.

use muster_domain::pb::{
    common::v1::Tier,
    inventory::v1::{ApprovalRule, PolicySpec},
    request::v1::DenyRequestRequest,
};

use crate::world::{World, code, refusal};

async fn careful() -> World {
    let world = World::start().await;
    world.declare_resource(Tier::Tier2).await;
    let rule = ApprovalRule { step_up: true, ..Default::default() };
    world.declare_policy("careful", PolicySpec { approvals: vec![rule], ..Default::default() }).await;
    world
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plain_login_approves_nothing_and_is_told_how_to_log_in_again() {
    let world = careful().await;
    let request = world.olga().open("").await.unwrap();
    let id = request.request_id.as_str();
    assert!(request.opened.unwrap().policy.unwrap().step_up, "the request says what its approvals take");

    let refused = refusal(world.ingo().approve(id, "").await);
    assert_eq!(refused.code, "APPROVAL_STEP_UP_NEEDED");
    assert!(refused.next_action.contains("muster login --step-up"), "{}", refused.next_action);
    assert_eq!(code(world.stepped_up("ingo", &["it"], 3_600).approve(id, "").await), "APPROVAL_STEP_UP_NEEDED");
    assert_eq!(code(world.stepped_up("olga", &["operator", "it"], 5).approve(id, "").await), "APPROVER_IS_REQUESTER");
    assert_eq!(world.olga().get(id).await.unwrap().approvals.len(), 0);
    let kept = world.denials(3).await;
    assert!(kept.iter().any(|(code, method, _, about)| {
        code == "APPROVAL_STEP_UP_NEEDED" && method == "ApproveRequest" && about == id
    }));

    let approved = world.stepped_up("ingo", &["it"], 10).approve(id, "k").await.unwrap();
    let approval = &approved.approvals[0];
    assert!(approval.stepped_up_at.is_some(), "the login is in the record: {approval:?}");
    // The same command sent again, by a session that is old by now, is the same approval.
    assert_eq!(world.ingo().approve(id, "k").await.unwrap().approvals.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_denial_and_a_policy_that_does_not_ask_take_any_login() {
    let world = careful().await;
    let request = world.olga().open("").await.unwrap();
    let denial = DenyRequestRequest {
        tenant: "acme".into(),
        request_id: request.request_id,
        reason: "not tonight".into(),
        ..Default::default()
    };
    let ingo = world.ingo();
    let denied = ingo.client().deny_request(ingo.request(denial)).await;
    assert!(denied.is_ok(), "{denied:?}");

    world.declare_policy("careful", PolicySpec::default()).await;
    let request = world.olga().open("").await.unwrap();
    assert!(world.ingo().approve(&request.request_id, "").await.is_ok());
}
