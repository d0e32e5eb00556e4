//! Tier 1 from the request to the confirmation, with everybody who must not decide in between.

use muster_domain::pb::{
    common::v1::Role,
    request::v1::{DenyRequestRequest, RequestState, WithdrawRequestRequest},
};

use crate::world::{PHRASE, RESOURCE, World, code};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tier_1_takes_it_and_business_and_the_phrase_and_every_refused_attempt_is_kept() {
    let world = World::start().await;
    // The operator also belongs to the approvers: for the own request that counts for nothing.
    let olga = world.person("olga", &["operator", "it"]);
    let opened = olga.open("").await.unwrap();
    let id = opened.request_id.as_str();
    assert_eq!(opened.state(), RequestState::PendingApproval);
    assert_eq!(opened.missing, ["one approval by Approver-IT", "one approval by Approver-Business"]);
    assert_eq!(code(olga.start(id, PHRASE).await), "NOT_APPROVED");
    assert_eq!(code(olga.approve(id, "").await), "APPROVER_IS_REQUESTER");

    let half = world.ingo().approve(id, "").await.unwrap();
    assert_eq!(half.state(), RequestState::PendingApproval);
    assert_eq!(half.missing, ["one approval by Approver-Business"]);
    assert_eq!(half.approvals[0].as_role(), Role::ApproverIt);
    assert_eq!(code(world.person("ingo", &["business"]).approve(id, "").await), "ALREADY_APPROVED");
    assert_eq!(code(olga.start(id, PHRASE).await), "NOT_APPROVED");
    assert_eq!(code(world.machine("pipeline", &["business"]).approve(id, "").await), "PERSON_REQUIRED");
    assert_eq!(code(world.person("vera", &["viewer"]).approve(id, "").await), "ROLE_MISSING");

    let approved = world.bea().approve(id, "").await.unwrap();
    assert_eq!((approved.state(), approved.missing.len()), (RequestState::Approved, 0));
    assert_eq!(code(olga.start(id, "switchover billing-db from west to east").await), "PHRASE_WRONG");
    assert_eq!(olga.get(id).await.unwrap().state(), RequestState::Approved, "nothing was started");
    assert_eq!(code(world.bea().start(id, PHRASE).await), "ROLE_MISSING");

    let confirmed = olga.start(id, PHRASE).await.unwrap();
    assert_eq!(confirmed.state(), RequestState::Confirmed);
    let proof = confirmed.confirmed.unwrap();
    assert_eq!((proof.approvals.len(), proof.policy.unwrap().source.as_str()), (2, "built-in ADR-001"));
    assert_eq!(code(olga.start(id, PHRASE).await), "REQUEST_CLOSED");

    let kept: Vec<_> = world
        .denials(9)
        .await
        .into_iter()
        .map(|(code, method, resource, request)| {
            // Whom the table of roles stops never gets as far as a request.
            if resource.is_empty() {
                (code, method)
            } else {
                assert_eq!((resource.as_str(), request.as_str()), (RESOURCE, id));
                (code, method)
            }
        })
        .collect();
    let expected = [
        ("NOT_APPROVED", "StartRequest"),
        ("APPROVER_IS_REQUESTER", "ApproveRequest"),
        ("ALREADY_APPROVED", "ApproveRequest"),
        ("NOT_APPROVED", "StartRequest"),
        ("PERSON_REQUIRED", "ApproveRequest"),
        ("ROLE_MISSING", "ApproveRequest"),
        ("PHRASE_WRONG", "StartRequest"),
        ("ROLE_MISSING", "StartRequest"),
        ("REQUEST_CLOSED", "StartRequest"),
    ];
    assert_eq!(kept, expected.map(|(code, method)| (code.to_owned(), method.to_owned())));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_no_ends_it_and_so_does_taking_it_back() {
    let world = World::start().await;
    let opened = world.olga().open("").await.unwrap();
    let deny = |reason: &str| DenyRequestRequest {
        tenant: "acme".into(),
        request_id: opened.request_id.clone(),
        reason: reason.into(),
        ..Default::default()
    };
    let ingo = world.ingo();
    assert_eq!(code(ingo.client().deny_request(ingo.request(deny(" "))).await), "FIELD_INVALID");
    let denied = ingo.client().deny_request(ingo.request(deny("quarter end"))).await.unwrap().into_inner();
    let view = denied.request.unwrap();
    assert_eq!((view.state(), view.denied.unwrap().reason.as_str()), (RequestState::Denied, "quarter end"));
    assert!(denied.version > 0);
    assert_eq!(code(world.bea().approve(&opened.request_id, "").await), "REQUEST_CLOSED");

    let opened = world.olga().open("").await.unwrap();
    let withdraw = WithdrawRequestRequest {
        tenant: "acme".into(),
        request_id: opened.request_id.clone(),
        reason: "not needed".into(),
        ..Default::default()
    };
    let other = world.person("otto", &["operator"]);
    assert_eq!(code(other.client().withdraw_request(other.request(withdraw.clone())).await), "NOT_THE_REQUESTER");
    let olga = world.olga();
    let withdrawn = olga.client().withdraw_request(olga.request(withdraw)).await.unwrap().into_inner();
    assert_eq!(withdrawn.request.unwrap().state(), RequestState::Withdrawn);
    let kept: Vec<String> = world.denials(2).await.into_iter().map(|(code, ..)| code).collect();
    assert_eq!(kept, ["REQUEST_CLOSED", "NOT_THE_REQUESTER"], "an empty reason is a slip and no attempt");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_command_twice_is_one_decision() {
    let world = World::start().await;
    let opened = world.olga().open("").await.unwrap();
    let (ingo, id) = (world.ingo(), opened.request_id.as_str());
    let first = ingo.approve(id, "click-1").await.unwrap();
    let again = ingo.approve(id, "click-1").await.unwrap();
    assert_eq!((first.approvals.len(), again.approvals.len()), (1, 1));
    assert_eq!(code(ingo.approve(id, "click-2").await), "ALREADY_APPROVED");
    // The same key on another request is another command.
    let other = world.olga().open("").await.unwrap();
    assert_eq!(ingo.approve(&other.request_id, "click-1").await.unwrap().approvals.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_tenants_people_see_and_decide_nothing() {
    let world = World::start().await;
    let opened = world.olga().open("").await.unwrap();
    let stranger = world.person("gina", &["globex-operator"]);
    assert_eq!(code(stranger.get(&opened.request_id).await), "ACCESS_DENIED");
    assert_eq!(code(stranger.start(&opened.request_id, PHRASE).await), "ACCESS_DENIED");
    // Within their own tenant the id means nothing.
    let ask = muster_domain::pb::request::v1::GetRequestRequest {
        tenant: "globex".into(),
        request_id: opened.request_id,
        ..Default::default()
    };
    assert_eq!(code(stranger.client().get_request(stranger.request(ask)).await), "REQUEST_NOT_FOUND");
}
