//! Gaps that open by themselves: one for each source, whatever stops and starts.

use muster_domain::{
    AggregateId,
    audit::AuditLog,
    pb::{
        audit::v1::{AuditLogEvent, ListGapsRequest, SplitDetected, audit_log_event},
        request::v1::{BreakGlassReviewOverdue, RequestType, request_event::Event as Asked},
    },
};
use uuid::Uuid;

use crate::{
    gaps::close,
    given::{End, Story},
    world::{World, code, meta},
};

pub(crate) async fn each_source_opens_one_gap_also_after_restarts(world: &mut World) {
    // Written while nobody looks.
    world.stop();
    let failed = Story::whole(world, "found", RequestType::ReadinessDrill, End::Failed).await;
    let failed_id = failed.id.to_string();
    Story::whole(world, "found", RequestType::Switchover, End::Succeeded { rto_seconds: 61 }).await;
    let mut overdue = Story::whole(world, "found", RequestType::Switchover, End::Succeeded { rto_seconds: 60 }).await;
    overdue.asked("service:approval", Asked::BreakGlassReviewOverdue(BreakGlassReviewOverdue::default())).await;
    let split = SplitDetected { text: "two roots at 17".into(), ..Default::default() };
    let event = AuditLogEvent { event: Some(audit_log_event::Event::SplitDetected(split)) };
    let id: AggregateId = AuditLog::ID.parse().unwrap();
    let (_, last) =
        world.append::<AuditLog>("found", &id, 1, meta("service:audit", Uuid::now_v7(), None), &event).await;

    world.start_again().await;
    world.reacted("found", last).await;
    let newest = world.newest("found").await;
    let opened = world.ada("found").events(&["gap.opened"], newest).await;
    assert_eq!(opened.len(), 4, "{opened:#?}");
    // The position is lost twice: once while the process is down, once under it.
    for _ in 0..2 {
        world.stop();
        world.forget_what_was_reacted_to("found").await;
        world.start_again().await;
        world.reacted("found", newest).await;
    }
    let (ada, newest) = (world.ada("found"), world.newest("found").await);
    let again = ada.events(&["gap.opened"], newest).await;
    assert_eq!(again.len(), 4, "a reaction that comes again opens nothing");

    let gaps = ada.gaps(ListGapsRequest { min_version: newest, ..Default::default() }).await;
    let mut sources: Vec<String> = gaps.iter().map(|gap| gap.opened.clone().unwrap().source).collect();
    sources.sort_unstable();
    assert_eq!(sources, ["audit", "drill failed", "objective missed", "review overdue"]);
    let of_drill = ada.gaps(ListGapsRequest { request_id: failed_id, ..Default::default() }).await;
    let drill = of_drill[0].opened.clone().unwrap();
    assert!(drill.description.contains("disk full") && drill.resource == "orders-db", "{drill:?}");
    let cause = ada.events(&["execution.failed"], 0).await;
    assert_eq!(drill.source_event_id, cause[0].event_id);
    let record = again.iter().find(|record| record.reason == drill.title).unwrap();
    assert_eq!((&record.causation_id, &record.request_id), (&cause[0].event_id, &drill.request_id));
}

pub(crate) async fn what_a_run_showed_is_closed_by_a_later_run(world: &mut World) {
    let failed = Story::whole(world, "evidence", RequestType::ReadinessDrill, End::Failed).await;
    world.reacted("evidence", failed.sequence).await;
    let ingo = world.ingo("evidence");
    let newest = world.newest("evidence").await;
    let gaps = ingo.gaps(ListGapsRequest { min_version: newest, ..Default::default() }).await;
    let gap_id = gaps[0].opened.clone().unwrap().gap_id;
    assert_eq!(code(close(&ingo, &gap_id, "").await), "GAP_EVIDENCE");
    assert_eq!(code(close(&ingo, &gap_id, &failed.id.to_string()).await), "GAP_EVIDENCE");
    let other = Story::whole(world, "evidence", RequestType::Switchover, End::Succeeded { rto_seconds: 1 }).await;
    assert_eq!(code(close(&ingo, &gap_id, &other.id.to_string()).await), "GAP_EVIDENCE", "another kind");
    let later = Story::whole(world, "evidence", RequestType::ReadinessDrill, End::Succeeded { rto_seconds: 1 }).await;
    let sequence = close(&ingo, &gap_id, &later.id.to_string()).await.unwrap();
    let closed = ingo.gap(&gap_id, sequence).await.closed.unwrap();
    assert!(closed.evidence.starts_with("readiness-drill of orders-db, succeeded"), "{}", closed.evidence);
}
