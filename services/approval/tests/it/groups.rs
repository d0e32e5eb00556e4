//! Groups: one request for all of it, found by each of its members, and held up by each of them.

use jiff::Timestamp;
use muster_domain::{
    Refusal,
    execution::{Reservation, release, reservation_of_group, reserve},
    pb::{
        common::v1::Role,
        inventory::v1::{ApprovalRequirement, ApprovalRule, Document, Kind, PolicySpec, document},
        request::v1::{ExplainPolicyRequest, ListRequestsRequest, RequestType},
    },
};

use crate::world::{RESOURCE, World, acme, code, meta};

const PHRASE: &str = "switchover shop from west to east";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_is_asked_for_approved_found_and_started_as_one() {
    let world = World::start().await;
    world.declare_shop().await;
    let olga = world.olga();
    let of_shop = |ask: &mut muster_domain::pb::request::v1::OpenRequestRequest| {
        ask.resource.clear();
        ask.group = "shop".into();
    };
    let opened = olga.open_with(of_shop, "").await.unwrap();
    let asked = opened.opened.clone().unwrap();
    let members: Vec<&str> = asked.members.iter().map(|member| member.resource.as_str()).collect();
    assert_eq!(members, [RESOURCE, "cart"], "each after what it depends on");
    assert_eq!(asked.confirmation_phrase, PHRASE);
    let evidence = asked.evidence.unwrap();
    assert!(
        evidence.members.iter().all(|member| member.status == "unknown" && member.age.is_none()),
        "nobody saw them"
    );
    let both = |ask: &mut muster_domain::pb::request::v1::OpenRequestRequest| ask.group = "shop".into();
    assert_eq!(code(olga.open_with(both, "").await), "FIELD_INVALID");

    // Only groups and everything in them are found, by each of their names.
    let of_resource = olga.open("").await.unwrap();
    let found = async |ask: ListRequestsRequest| {
        let ask = ListRequestsRequest { min_version: of_resource.version, ..ask };
        olga.list(ask).await.unwrap().requests.into_iter().map(|view| view.request_id).collect::<Vec<_>>()
    };
    let (group, single) = (opened.request_id.clone(), of_resource.request_id.clone());
    assert_eq!(found(ListRequestsRequest { resource: "cart".into(), ..Default::default() }).await, [group.as_str()]);
    let of_orders = ListRequestsRequest { resource: RESOURCE.into(), ..Default::default() };
    assert_eq!(found(of_orders).await, [single, group.clone()]);
    assert_eq!(found(ListRequestsRequest { group: "shop".into(), ..Default::default() }).await, [group.as_str()]);

    for approver in [world.ingo(), world.bea()] {
        approver.approve(&group, "").await.unwrap();
    }
    for held in ["cart".to_owned(), reservation_of_group("shop")] {
        let id = held.parse().unwrap();
        let take = |r: &Reservation| reserve(r, &held, "another-run", Timestamp::now());
        world.log.decide::<Reservation, Refusal>(&acme(), &id, &meta(), take).await.unwrap();
        assert_eq!(code(olga.start(&group, PHRASE).await), "RESOURCE_BUSY", "{held}");
        let free = |r: &Reservation| -> Result<_, Refusal> { Ok(release(r, &held, "another-run")) };
        world.log.decide::<Reservation, Refusal>(&acme(), &id, &meta(), free).await.unwrap();
    }
    olga.start(&group, PHRASE).await.unwrap();
    assert_eq!(world.proven(&group).await, Ok(()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_must_approve_is_answered_before_anybody_asks() {
    let world = World::start().await;
    world.declare_shop().await;
    let vera = world.person("vera", &["viewer"]);
    let explain = async |kind: RequestType, resource: &str, group: &str| {
        let ask = ExplainPolicyRequest {
            tenant: "acme".into(),
            r#type: kind.into(),
            resource: resource.into(),
            group: group.into(),
            ..Default::default()
        };
        vera.client().explain_policy(vera.request(ask)).await.map(tonic::Response::into_inner)
    };
    let answer = explain(RequestType::Switchover, "", "shop").await.unwrap();
    assert_eq!(
        answer.text,
        "one Approver-IT and one Approver-Business, two different people, none of them the requester"
    );
    assert_eq!((answer.freeze.as_str(), answer.require_ticket), ("", false));
    let answer = explain(RequestType::TabletopDrill, RESOURCE, "").await.unwrap();
    assert_eq!(answer.text, "one Approver-IT, not the requester");
    assert_eq!(code(explain(RequestType::Switchover, "nothing", "").await), "RESOURCE_NOT_FOUND");
    assert_eq!(code(explain(RequestType::Switchover, "", "nothing").await), "SCOPE_UNKNOWN");
    assert_eq!(code(explain(RequestType::Unspecified, RESOURCE, "").await), "FIELD_INVALID");

    // With a draft it is answered as if the draft held, and nothing of it is kept.
    let policy = |count: u32| {
        let require = vec![ApprovalRequirement { role: Role::ApproverBusiness.into(), count }];
        let rule = ApprovalRule { require, require_ticket: true, ..Default::default() };
        let spec = document::Spec::PolicySpec(PolicySpec { approvals: vec![rule], ..Default::default() });
        Document { kind: Kind::Policy.into(), name: "strict".into(), spec: Some(spec), ..Default::default() }
    };
    let with = async |drafts: Vec<Document>| {
        let ask = ExplainPolicyRequest {
            tenant: "acme".into(),
            r#type: RequestType::TabletopDrill.into(),
            resource: RESOURCE.into(),
            drafts,
            ..Default::default()
        };
        vera.client().explain_policy(vera.request(ask)).await.map(tonic::Response::into_inner)
    };
    let tried = with(vec![policy(2)]).await.unwrap();
    assert_eq!(
        tried.text,
        "one Approver-IT and two Approver-Business, three different people, none of them the requester"
    );
    assert!(tried.require_ticket);
    assert_eq!(tried.policy.unwrap().source, "built-in ADR-001, policy strict as drafted");
    assert_eq!(code(with(vec![policy(2), policy(1)]).await), "FIELD_INVALID");
    let answer = explain(RequestType::TabletopDrill, RESOURCE, "").await.unwrap();
    assert_eq!((answer.text.as_str(), answer.require_ticket), ("one Approver-IT, not the requester", false));
}
