//! What a request needs before anybody is asked.

use muster_domain::pb::{
    common::v1::{Role, Tier},
    inventory::v1::{ApprovalRequirement, ApprovalRule, PolicySpec},
    request::v1::RequestType,
};

use crate::world::{World, code, seconds};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_key_of_the_same_person_is_the_same_request() {
    let world = World::start().await;
    let first = world.olga().open("key-1").await.unwrap();
    let again = world.olga().open("key-1").await.unwrap();
    assert_eq!(first, again);
    assert_ne!(first.request_id, world.olga().open("key-2").await.unwrap().request_id);
    assert_ne!(first.request_id, world.person("otto", &["operator"]).open("key-1").await.unwrap().request_id);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_counts_from_the_moment_it_is_declared() {
    let world = World::start().await;
    world.declare_resource(Tier::Tier2).await;
    assert_eq!(world.olga().open("").await.unwrap().missing.len(), 1);
    let rule = |role: Role, count| ApprovalRule {
        require: vec![ApprovalRequirement { role: role.into(), count }],
        expires_after: seconds(600),
        require_ticket: true,
        ..Default::default()
    };
    for (count, version) in [(2, 1), (3, 2)] {
        world
            .declare_policy(
                "strict",
                PolicySpec { approvals: vec![rule(Role::ApproverIt, count)], ..Default::default() },
            )
            .await;
        let opened = world.olga().open("").await.unwrap();
        assert_eq!(opened.missing.len(), usize::try_from(count).unwrap());
        let policy = opened.opened.unwrap().policy.unwrap();
        assert_eq!(policy.source, format!("built-in ADR-001, policy strict version {version}"));
    }
    assert_eq!(code(world.olga().open_with(|ask| ask.ticket.clear(), "").await), "FIELD_INVALID");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slips_are_refused_by_field_and_are_no_attempts_against_a_rule() {
    let world = World::start().await;
    let olga = world.olga();
    assert_eq!(code(olga.open_with(|ask| ask.resource = "nothing".into(), "").await), "RESOURCE_NOT_FOUND");
    assert_eq!(code(olga.open_with(|ask| ask.resource = "../etc".into(), "").await), "RESOURCE_NOT_FOUND");
    assert_eq!(code(olga.open_with(|ask| ask.target_site = "mars".into(), "").await), "SITE_UNKNOWN");
    assert_eq!(code(olga.open_with(|ask| ask.reason = "  ".into(), "").await), "FIELD_INVALID");
    assert_eq!(code(olga.open_with(|ask| ask.r#type = RequestType::Unspecified.into(), "").await), "FIELD_INVALID");
    assert_eq!(code(olga.open_with(|ask| ask.r#type = 77, "").await), "FIELD_INVALID");
    assert_eq!(code(olga.approve("NOT AN ID", "").await), "ROLE_MISSING");
    assert_eq!(code(world.ingo().approve("NOT AN ID", "").await), "FIELD_INVALID");
    assert_eq!(code(world.ingo().approve("0198aaaa-0000-7000-8000-000000000000", "").await), "REQUEST_NOT_FOUND");
    assert_eq!(code(world.person("vera", &["viewer"]).open("").await), "ROLE_MISSING");
    let kept: Vec<String> =
        world.denials(2).await.into_iter().map(|(code, method, ..)| format!("{method} {code}")).collect();
    assert_eq!(kept, ["ApproveRequest ROLE_MISSING", "OpenRequest ROLE_MISSING"]);
}
