//! TC-006's ground: break-glass is bound in time, audited, and always owes a review.

use muster_domain::{
    pb::{
        inventory::v1::{BreakGlassRule, ChangeFreeze, PolicySpec},
        request::v1::{
            BreakGlassRequest, ListRequestsRequest, OpenRequestRequest, RequestState, RequestType, RequestView,
            ReviewBreakGlassRequest,
        },
    },
    request::review_due,
};
use tonic::Status;

use crate::world::{Caller, World, code, eventually, seconds};

const PHRASE: &str = "failover orders-db from west to east";

fn emergency(limit: Option<i64>) -> impl FnOnce(&mut OpenRequestRequest) {
    move |ask| {
        ask.set_type(RequestType::Failover);
        ask.break_glass = Some(BreakGlassRequest {
            incident: "INC-7".into(),
            reason: "west is on fire".into(),
            limit: limit.and_then(seconds),
        });
    }
}

async fn review(who: &Caller, request_id: &str) -> Result<RequestView, Status> {
    let ask = ReviewBreakGlassRequest {
        tenant: "acme".into(),
        request_id: request_id.into(),
        justified: true,
        findings: "nobody was on call".into(),
        ..Default::default()
    };
    Ok(who.client().review_break_glass(who.request(ask)).await?.into_inner().request.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_starts_without_approvals_through_a_freeze_and_is_reviewed_by_somebody_else() {
    let world = World::start().await;
    let freeze = ChangeFreeze { name: "year-end".into(), request_types: vec!["failover".into()], ..Default::default() };
    world.declare_policy("changes", PolicySpec { freezes: vec![freeze], ..Default::default() }).await;
    let (olga, ada) = (world.olga(), world.person("ada", &["admin"]));
    assert_eq!(code(olga.open_with(emergency(Some(3601)), "").await), "BREAK_GLASS_LIMIT");
    assert_eq!(code(ada.open("").await), "ROLE_MISSING", "an admin opens nothing but emergencies");

    let opened = olga.open_with(emergency(None), "").await.unwrap();
    let id = opened.request_id.as_str();
    let glass = opened.opened.unwrap().break_glass.unwrap();
    assert_eq!(glass.skipped, ["one approval by Approver-IT", "one approval by Approver-Business"]);
    world.ingo().approve(id, "").await.unwrap();
    assert_eq!(code(olga.start(id, "failover").await), "PHRASE_WRONG");
    let confirmed = ada.start(id, PHRASE).await.unwrap().confirmed.unwrap();
    assert!(confirmed.break_glass && confirmed.freeze.contains("year-end"), "{confirmed:?}");
    assert_eq!(confirmed.missing, ["one approval by Approver-Business"]);
    assert_eq!(world.proven(id).await, Ok(()));

    for involved in [world.person("olga", &["operator", "it"]), ada] {
        assert_eq!(code(review(&involved, id).await), "REVIEWER_INVOLVED");
    }
    let reviewed = review(&world.bea(), id).await.unwrap();
    assert!(reviewed.review.unwrap().justified);
    assert_eq!(code(review(&world.ingo(), id).await), "REVIEW_RECORDED");

    let ordinary = olga.open("").await.unwrap();
    let ask =
        ListRequestsRequest { break_glass: true, min_version: ordinary.version, ..ListRequestsRequest::default() };
    let listed: Vec<String> = olga.list(ask).await.unwrap().requests.into_iter().map(|v| v.request_id).collect();
    assert_eq!(listed, [id]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_used_closes_by_its_timer_and_what_nobody_reviewed_raises_an_alarm() {
    let world = World::start().await;
    let rule = BreakGlassRule { review_within: seconds(1), ..Default::default() };
    world.declare_policy("emergencies", PolicySpec { break_glass: Some(rule), ..Default::default() }).await;
    let olga = world.olga();

    let unused = olga.open_with(emergency(Some(1)), "").await.unwrap();
    let id = unused.request_id.as_str();
    eventually("the timer closes it", async || olga.get(id).await.unwrap().break_glass_lapsed.is_some()).await;
    assert_eq!(olga.get(id).await.unwrap().state(), RequestState::Expired);
    assert_eq!(code(olga.start(id, PHRASE).await), "REQUEST_CLOSED");
    assert!(olga.get(id).await.unwrap().expired.is_none(), "it says that it was an emergency");

    let used = olga.open_with(emergency(None), "").await.unwrap();
    let id = used.request_id.as_str();
    let started = olga.start(id, PHRASE).await.unwrap();
    let due = review_due(&started).unwrap();
    eventually("the alarm is raised", async || olga.get(id).await.unwrap().review_overdue.is_some()).await;
    let overdue = olga.get(id).await.unwrap().review_overdue.unwrap();
    assert_eq!(muster_domain::time::from_pb(overdue.due.as_ref()), Some(due));
    assert!(muster_domain::time::from_pb(overdue.noticed_at.as_ref()) >= Some(due), "never early");
    assert!(review(&world.ingo(), id).await.unwrap().review.is_some(), "it is owed all the same");
}
