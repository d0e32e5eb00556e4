//! What an approval is for, and what stands in a start's way although everybody said yes.

use jiff::{SignedDuration, Timestamp};
use muster_domain::{
    pb::{
        common::v1::Tier,
        inventory::v1::{ChangeFreeze, PolicySpec},
        request::v1::{ApproveRequestRequest, OverrideCheckRequest},
    },
    time::to_pb,
};

use crate::world::{PHRASE, RESOURCE, World, code};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_approval_is_for_the_hash_that_was_looked_at_and_for_what_holds_now() {
    let world = World::start().await;
    let opened = world.olga().open("").await.unwrap();
    let hash = opened.opened.unwrap().plan.unwrap().hash;
    let ingo = world.ingo();
    let approve = async |plan_hash: &str| {
        let ask = ApproveRequestRequest {
            tenant: "acme".into(),
            request_id: opened.request_id.clone(),
            plan_hash: plan_hash.into(),
            ..Default::default()
        };
        ingo.client().approve_request(ingo.request(ask)).await.map(|answer| answer.into_inner().request.unwrap())
    };
    assert_eq!(code(approve("0000").await), "PLAN_HASH_MISMATCH");
    assert_eq!(approve(&hash).await.unwrap().approvals[0].plan_hash, hash);
    // Whoever comes next would approve something else than what is there now.
    world.declare_resource(Tier::Tier2).await;
    assert_eq!(code(world.bea().approve(&opened.request_id, "").await), "RESOURCE_CHANGED");
    let kept: Vec<String> = world.denials(2).await.into_iter().map(|(code, ..)| code).collect();
    assert_eq!(kept, ["PLAN_HASH_MISMATCH", "RESOURCE_CHANGED"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_freeze_people_open_and_approve_and_nobody_starts() {
    let world = World::start().await;
    let freeze = |from: i64, until: i64| {
        let at = |seconds| Some(to_pb(Timestamp::now() + SignedDuration::from_secs(seconds)));
        let freeze = ChangeFreeze {
            name: "year-end".into(),
            reason: "books are closed".into(),
            from: at(from),
            until: at(until),
            ..Default::default()
        };
        PolicySpec { freezes: vec![freeze], ..Default::default() }
    };
    world.declare_policy("changes", freeze(-60, 3600)).await;
    let approved = world.approved().await;
    let refused = world.olga().start(&approved.request_id, PHRASE).await.unwrap_err();
    let refusal = muster_runtime::status::refusal_of(&refused).unwrap();
    assert_eq!(refusal.code, "FREEZE");
    assert!(refusal.value.contains("year-end until") && refusal.value.contains("books are closed"), "{refusal:?}");
    // It is over as soon as the policy says so.
    world.declare_policy("changes", freeze(-60, -1)).await;
    world.olga().start(&approved.request_id, PHRASE).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_is_overridden_by_a_named_role_and_carried_to_the_executor() {
    let world = World::start().await;
    let opened = world.olga().open("").await.unwrap();
    let ask = |check: &str| OverrideCheckRequest {
        tenant: "acme".into(),
        request_id: opened.request_id.clone(),
        check: check.into(),
        resource: RESOURCE.into(),
        reason: "the disk grows tonight".into(),
        ..Default::default()
    };
    let (ingo, bea) = (world.ingo(), world.bea());
    assert_eq!(code(bea.client().override_check(bea.request(ask("target_free_disk"))).await), "ROLE_MISSING");
    assert_eq!(code(ingo.client().override_check(ingo.request(ask("same_system"))).await), "CHECK_NOT_OVERRIDABLE");
    let view = ingo.client().override_check(ingo.request(ask("target_free_disk"))).await.unwrap().into_inner();
    assert_eq!(view.request.unwrap().overrides.len(), 1);
    for approver in [ingo, bea] {
        approver.approve(&opened.request_id, "").await.unwrap();
    }
    let confirmed = world.olga().start(&opened.request_id, PHRASE).await.unwrap().confirmed.unwrap();
    assert_eq!(confirmed.overrides[0].check, "target_free_disk");
    let kept: Vec<String> = world.denials(2).await.into_iter().map(|(code, ..)| code).collect();
    assert_eq!(kept, ["ROLE_MISSING", "CHECK_NOT_OVERRIDABLE"], "an attempt against a rule is kept");
}
