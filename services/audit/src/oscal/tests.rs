//! What is determined from a run, and what is not.

#![expect(clippy::unwrap_used, reason = "a test panics to fail")]

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use muster_domain::{
    EventKind,
    pb::{
        audit::v1::{AuditRecord, GapEvent, GapOpened, gap_event},
        common::v1::{LossCertainty, LossStatement},
        execution::v1::{ExecutionEvent, ExecutionFailed, ExecutionStarted, ExecutionSucceeded, execution_event},
        request::v1::{BreakGlassReviewOverdue, RequestConfirmed, RequestEvent, RequestOpened, request_event},
    },
    time::{duration_to_pb, to_pb},
};
use serde_json::Value;

use super::*;

fn scope() -> Scope {
    Scope {
        organization: "acme".into(),
        tenant: "0193".into(),
        origin: "audit.example/0193/record/1".into(),
        stream: "record".into(),
        size: 100,
        root: "ab".repeat(32),
        files: Vec::new(),
    }
}

fn logged<E: EventKind + serde::Serialize>(sequence: u64, aggregate: &str, event: &E) -> Logged {
    let record = AuditRecord {
        sequence,
        stored_at: Some(to_pb(Timestamp::from_second(1_700_000_000 + sequence.cast_signed()).unwrap())),
        event_id: format!("event-{sequence}"),
        r#type: event.kind().to_owned(),
        aggregate: aggregate.to_owned(),
        request_id: "r-1".into(),
        payload_json: serde_json::to_string(event).unwrap(),
        ..AuditRecord::default()
    };
    Logged { record, leaf_hash: format!("{sequence:064x}") }
}

fn request(sequence: u64, event: request_event::Event) -> Logged {
    logged(sequence, "request/r-1", &RequestEvent { event: Some(event) })
}

fn execution(sequence: u64, event: execution_event::Event) -> Logged {
    logged(sequence, "execution/r-1", &ExecutionEvent { event: Some(event) })
}

fn seconds(seconds: i64) -> Option<muster_domain::time::PbDuration> {
    Some(duration_to_pb(SignedDuration::from_secs(seconds)))
}

fn started(kind: &str) -> Logged {
    let started = ExecutionStarted {
        r#type: kind.into(),
        resource: "orders-db".into(),
        rto_target: seconds(60),
        rpo_target: seconds(30),
        ..ExecutionStarted::default()
    };
    execution(2, execution_event::Event::Started(started))
}

fn succeeded(rto_met: bool, loss: LossStatement) -> Logged {
    let end = ExecutionSucceeded { rto_measured: seconds(42), rto_met, loss: Some(loss), ..Default::default() };
    execution(9, execution_event::Event::Succeeded(end))
}

fn loss(certainty: LossCertainty, window: Option<i64>) -> LossStatement {
    LossStatement { certainty: certainty.into(), window: window.and_then(seconds), ..LossStatement::default() }
}

/// The results of these events, as JSON, and the objectives with their state.
fn results(events: Vec<Logged>, gaps: &[GapStory]) -> (Value, BTreeMap<String, String>) {
    let run = Run::read("r-1", events).unwrap();
    let selected: Vec<u64> = run.events.iter().map(|event| event.record.sequence).collect();
    let (scope, proofs, gaps) = (scope(), BTreeMap::new(), gaps.iter().collect::<Vec<_>>());
    let parts = RunParts { scope: &scope, run: &run, gaps: &gaps, selected: &selected, proofs: &proofs };
    let document = results_of_run(&parts, &mut OpenRisks::default()).unwrap();
    let result = document.json["assessment-results"]["results"][0].clone();
    let of_finding = |finding: &Value| {
        let status = &finding["target"]["status"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        (text(&finding["target"]["target-id"]), format!("{} {}", text(&status["state"]), text(&status["reason"])))
    };
    let findings = result["findings"].as_array().into_iter().flatten().map(of_finding).collect();
    (result, findings)
}

#[test]
fn a_move_inside_its_objectives_is_satisfied() {
    let (_, found) =
        results(vec![started("switchover"), succeeded(true, loss(LossCertainty::ProvenNone, Some(0)))], &[]);
    for objective in ["cp-4_obj.a-1", "cp-7_obj.a", "cp-10_obj-1", "cp-6.2_obj-2"] {
        assert_eq!(found[objective], "satisfied pass", "{objective}");
    }
    assert_eq!(found.len(), 4, "nothing else was tested: {found:?}");
}

#[test]
fn a_missed_objective_is_not_satisfied_and_names_a_risk() {
    let late = succeeded(false, loss(LossCertainty::Bounded, Some(31)));
    let (result, found) = results(vec![started("failover"), late], &[]);
    assert_eq!(found["cp-10_obj-1"], "not-satisfied fail");
    assert_eq!(found["cp-6.2_obj-2"], "not-satisfied fail");
    assert_eq!(found["cp-7_obj.a"], "satisfied pass");
    let risks: Vec<&str> = result["risks"].as_array().unwrap().iter().map(|r| r["uuid"].as_str().unwrap()).collect();
    for finding in result["findings"].as_array().unwrap() {
        if finding["target"]["status"]["state"] == "not-satisfied" {
            assert!(risks.contains(&finding["related-risks"][0]["risk-uuid"].as_str().unwrap()), "{finding}");
        }
    }
}

#[test]
fn what_nobody_can_bound_is_never_satisfied() {
    for unknown in [loss(LossCertainty::Unknown, None), loss(LossCertainty::Bounded, None), LossStatement::default()] {
        let (_, found) = results(vec![started("failover"), succeeded(true, unknown)], &[]);
        assert_eq!(found["cp-6.2_obj-2"], "not-satisfied other");
    }
}

#[test]
fn looking_at_checks_tests_no_plan_and_has_no_recovery_time() {
    let (result, found) = results(vec![started("readiness-drill"), succeeded(true, LossStatement::default())], &[]);
    assert_eq!(found.keys().collect::<Vec<_>>(), ["cp-4_obj.a-3"]);
    assert!(!result.to_string().contains("rto-measured-seconds"), "{result}");
}

#[test]
fn a_failed_run_fails_what_it_was_to_show_and_its_gap_is_the_risk() {
    let failed =
        execution(9, execution_event::Event::Failed(ExecutionFailed { error: "no".into(), ..Default::default() }));
    let opened = GapOpened { request_id: "r-1".into(), title: "It failed".into(), ..Default::default() };
    let event = GapEvent { event: Some(gap_event::Event::Opened(opened)) };
    let gaps = gap_stories(vec![logged(10, "gap/g-1", &event)]).unwrap();
    let (result, found) = results(vec![started("switchover"), failed], &gaps);
    assert_eq!(found["cp-4_obj.a-1"], "not-satisfied fail");
    assert_eq!(found["cp-4_obj.c"], "not-satisfied fail", "nobody has planned anything against it");
    assert_eq!(result["risks"].as_array().unwrap().len(), 1, "the gap is the one risk: {}", result["risks"]);
}

#[test]
fn a_run_without_an_end_decides_nothing() {
    let (result, found) = results(vec![started("switchover")], &[]);
    assert!(found.is_empty() && result.get("findings").is_none() && result.get("end").is_none(), "{result}");
}

#[test]
fn an_overdue_review_of_the_emergency_path_is_a_finding_and_no_approval_is_claimed() {
    let opened = request(1, request_event::Event::Opened(RequestOpened::default()));
    let confirmed = RequestConfirmed { break_glass: true, ..Default::default() };
    let overdue = request_event::Event::BreakGlassReviewOverdue(BreakGlassReviewOverdue::default());
    let (result, found) = results(
        vec![
            opened,
            request(3, request_event::Event::Confirmed(confirmed)),
            started("switchover"),
            request(8, overdue),
        ],
        &[],
    );
    assert_eq!(found["au-6_obj.a"], "not-satisfied fail");
    assert!(!result.to_string().contains("the approvals were given"), "{result}");
}

#[test]
fn destroyed_content_leaves_the_order_of_events() {
    let mut events = vec![started("switchover"), succeeded(true, LossStatement::default())];
    for event in &mut events {
        event.record.payload_json = "null".into();
    }
    let (result, found) = results(events, &[]);
    assert!(found.is_empty());
    assert_eq!(result["assessment-log"]["entries"].as_array().unwrap().len(), 2);
}

#[test]
fn the_same_events_give_the_same_document() {
    let events = || vec![started("switchover"), succeeded(true, loss(LossCertainty::ProvenNone, None))];
    assert_eq!(results(events(), &[]).0, results(events(), &[]).0);
}

#[test]
fn nothing_open_is_no_plan_of_action() {
    let none =
        action_plan(&scope(), &Plans::default(), OpenRisks::default(), &[], Timestamp::UNIX_EPOCH, &BTreeMap::new());
    assert!(none.unwrap().is_none());
}

#[test]
fn what_was_done_to_the_record_itself_is_a_finding_with_the_risk_of_its_gap() {
    use muster_domain::pb::audit::v1::{AuditLogEvent, LogHeartbeat, StreamChanged, audit_log_event::Event};
    let own = |sequence, event| logged(sequence, "audit-log/record-2026-11", &AuditLogEvent { event: Some(event) });
    let beat = own(3, Event::Heartbeat(LogHeartbeat::default()));
    let quiet = rest_of_the_record(&scope(), std::slice::from_ref(&beat), &[], &BTreeMap::new()).unwrap().unwrap();
    assert!(quiet.json["assessment-results"]["results"][0].get("findings").is_none(), "nothing was determined");

    let changed = StreamChanged { stream: "REC_acme_1".into(), what: "purged".into(), ..StreamChanged::default() };
    let events = [beat, own(5, Event::StreamChanged(changed.clone())), own(7, Event::StreamChanged(changed))];
    let opened = GapOpened {
        gap_id: "g-1".into(),
        title: "The stream was changed".into(),
        source: "audit".into(),
        source_event_id: "event-5".into(),
        ..GapOpened::default()
    };
    let gap = logged(6, "gap/g-1", &GapEvent { event: Some(gap_event::Event::Opened(opened)) });
    let gaps = gap_stories(vec![gap]).unwrap();
    let document = rest_of_the_record(&scope(), &events, &gaps, &BTreeMap::new()).unwrap().unwrap();
    let result = &document.json["assessment-results"]["results"][0];
    let finding = &result["findings"][0];
    assert_eq!(finding["target"]["target-id"], "au-9_obj.a");
    assert_eq!(finding["target"]["status"]["state"], "not-satisfied");
    let risks: Vec<&str> = result["risks"].as_array().unwrap().iter().map(|r| r["uuid"].as_str().unwrap()).collect();
    let named: Vec<&str> =
        finding["related-risks"].as_array().unwrap().iter().map(|r| r["risk-uuid"].as_str().unwrap()).collect();
    assert_eq!(named, risks);
    assert_eq!(risks[0], gaps[0].risk_uuid(&Evidence::without_proofs(&scope())));
    assert_eq!(finding["related-observations"].as_array().unwrap().len(), 2);
}
