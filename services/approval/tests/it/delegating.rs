//! Deciding for somebody who is away: found by both people, proven by the log, over when it is ended.

use jiff::{SignedDuration, Timestamp};
use muster_domain::{
    pb::{
        common::v1::Role,
        request::v1::{
            ApproveRequestRequest, DelegateRequest, EndDelegationRequest, ListDelegationsRequest, RequestState,
        },
    },
    time::to_pb,
};

use crate::world::{Caller, PHRASE, World, code};

fn in_days(days: i64) -> Option<muster_domain::time::PbTimestamp> {
    Some(to_pb(Timestamp::now() + SignedDuration::from_hours(24 * days)))
}

async fn stable_id(who: &Caller, world: &World) -> String {
    // As anybody learns it: from the record of something that the person did.
    let mut opened = world.olga().open("").await.unwrap();
    opened = who.approve(&opened.request_id, "").await.unwrap();
    opened.approvals.pop().unwrap().approver.unwrap().id
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deputy_decides_for_who_is_away_until_it_is_ended_and_the_log_proves_it() {
    let world = World::start().await;
    let (bea, ida) = (world.bea(), world.person("ida", &["it"]));
    let (bea_id, ida_id) = (stable_id(&bea, &world).await, stable_id(&ida, &world).await);
    let delegate = |ends| DelegateRequest {
        tenant: "acme".into(),
        to: ida_id.clone(),
        to_name: "Ida".into(),
        role: Role::ApproverBusiness.into(),
        ends,
        reason: "holiday".into(),
        idempotency_key: "away".into(),
        ..Default::default()
    };
    assert_eq!(code(bea.client().delegate(bea.request(delegate(in_days(31)))).await), "FIELD_INVALID");
    assert_eq!(code(ida.client().delegate(ida.request(delegate(in_days(7)))).await), "DELEGATION_NOT_YOURS");
    let begun = bea.client().delegate(bea.request(delegate(in_days(7)))).await.unwrap().into_inner();
    let again = bea.client().delegate(bea.request(delegate(in_days(7)))).await.unwrap().into_inner();
    assert_eq!(begun, again, "the same command is the same delegation");

    let for_bea = async |who: &Caller, request_id: &str| {
        let ask = ApproveRequestRequest {
            tenant: "acme".into(),
            request_id: request_id.into(),
            on_behalf_of: bea_id.clone(),
            ..Default::default()
        };
        who.client().approve_request(who.request(ask)).await.map(|answer| answer.into_inner().request.unwrap())
    };
    let opened = world.olga().open("").await.unwrap();
    let id = opened.request_id.as_str();
    assert_eq!(code(for_bea(&world.ingo(), id).await), "DELEGATION_NOT_HOLDING");
    let half = for_bea(&ida, id).await.unwrap();
    assert_eq!(half.approvals[0].on_behalf_of.as_ref().unwrap().id, bea_id);
    assert_eq!(half.missing, ["one approval by Approver-IT"]);
    assert_eq!(code(bea.approve(id, "").await), "ALREADY_APPROVED", "both are one seat");
    assert_eq!(code(ida.approve(id, "").await), "ALREADY_APPROVED");
    let approved = world.ingo().approve(id, "").await.unwrap();
    assert_eq!(approved.state(), RequestState::Approved);
    world.olga().start(id, PHRASE).await.unwrap();
    assert_eq!(world.proven(id).await, Ok(()));

    let delegation_id = begun.delegation.unwrap().delegation_id;
    let list = async || {
        let ask = ListDelegationsRequest { tenant: "acme".into(), ..Default::default() };
        ida.client().list_delegations(ida.request(ask)).await.unwrap().into_inner().delegations
    };
    assert_eq!(list().await.len(), 1);
    let end = |who: &Caller| {
        who.request(EndDelegationRequest {
            tenant: "acme".into(),
            delegation_id: delegation_id.clone(),
            ..Default::default()
        })
    };
    let ingo = world.ingo();
    assert_eq!(code(ingo.client().end_delegation(end(&ingo)).await), "DELEGATION_NOT_YOURS");
    ida.client().end_delegation(end(&ida)).await.unwrap();
    assert!(list().await.is_empty());
    let next = world.olga().open("").await.unwrap();
    assert_eq!(code(for_bea(&ida, &next.request_id).await), "DELEGATION_NOT_HOLDING");
    // What was decided while it held stays decided.
    assert_eq!(world.proven(id).await, Ok(()));
}
