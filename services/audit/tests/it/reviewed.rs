//! Reviews of runs and of the record.

use jiff::{SignedDuration, Timestamp};
use muster_domain::{
    pb::{
        audit::v1::{ReviewAuditRequest, ReviewDrillRequest},
        request::v1::RequestType,
    },
    time::to_pb,
};
use tonic::Status;

use crate::{
    given::{End, Story},
    world::{Caller, World, code},
};

async fn review(who: &Caller, request_id: &str, accepted: bool, note: &str) -> Result<u64, Status> {
    let ask = ReviewDrillRequest {
        tenant: who.tenant(),
        request_id: request_id.into(),
        accepted,
        note: note.into(),
        ..Default::default()
    };
    Ok(who.client().review_drill(who.request(ask)).await?.into_inner().sequence)
}

pub(crate) async fn by_somebody_else_once_a_person(world: &mut World) {
    let (ingo, bea) = (world.ingo("reviewed"), world.bea("reviewed"));
    let mut story = Story::opened(world, "reviewed", RequestType::ReadinessDrill, "").await;
    let id = story.id.to_string();
    assert_eq!(code(review(&bea, &id, true, "read").await), "NOTHING_TO_REVIEW");
    story.decided().await;
    story.run(RequestType::ReadinessDrill, End::Failed).await;
    assert_eq!(code(review(&bea, &id, true, "").await), "FIELD_INVALID", "a review says something");
    let first = review(&bea, &id, false, "took too long").await.unwrap();
    assert_eq!(review(&bea, &id, false, "took too long").await.unwrap(), first, "the same again is the same");
    assert_eq!(code(review(&bea, &id, true, "changed my mind").await), "REVIEW_RECORDED");
    let last = review(&ingo, &id, true, "known since May").await.unwrap();
    let reviews = bea.events(&["drill.reviewed"], last).await;
    assert_eq!(reviews.iter().map(|r| r.outcome.as_str()).collect::<Vec<_>>(), ["not accepted", "accepted"]);
    assert!(reviews.iter().all(|record| record.request_id == id && record.resource == "orders-db"));
    assert_eq!(code(review(&world.olga("reviewed"), &id, true, "mine").await), "ROLE_MISSING");

    let ask = |to| ReviewAuditRequest {
        tenant: bea.tenant(),
        idempotency_key: "week".into(),
        from: Some(to_pb(Timestamp::now() - SignedDuration::from_hours(168))),
        to: Some(to_pb(to)),
        note: "all of it".into(),
    };
    let ahead = Timestamp::now() + SignedDuration::from_hours(1);
    assert_eq!(code(bea.client().review_audit(bea.request(ask(ahead))).await), "FIELD_INVALID");
    let of_period = ask(Timestamp::now());
    let sequence = bea.client().review_audit(bea.request(of_period.clone())).await.unwrap().into_inner().sequence;
    let again = bea.client().review_audit(bea.request(of_period.clone())).await.unwrap().into_inner().sequence;
    assert_eq!(sequence, again);
    let other = ReviewAuditRequest { note: "half of it".into(), ..of_period };
    assert_eq!(code(bea.client().review_audit(bea.request(other)).await), "REVIEW_RECORDED", "the key is taken");
}
