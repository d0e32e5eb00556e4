#![expect(clippy::unwrap_used, reason = "a test panics to fail")]
//! The texts themselves are snapshots: they are read by people at night, so a change is looked at.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::{Message, Severity, Source, alert, lifecycle, message};
use crate::pb::common::v1::{Actor, LossStatement, Measurement, Reason, Role, Thresholds};
use crate::pb::execution::v1::{
    ExecutionEvent, ExecutionFailed, ExecutionStopped, ExecutionSucceeded, StepClaimed, StepSucceeded, execution_event,
};
use crate::pb::inventory::v1::{ApprovalRequirement, Escalation};
use crate::pb::readiness::v1::{
    AlertKind, AlertOpened, AlertResolved, AlertUpdated, Assessment, ReadinessEvent, Severity as AlertSeverity, Status,
    StatusChanged, readiness_event,
};
use crate::pb::request::v1::{
    ApprovalPolicy, BreakGlass, BreakGlassLapsed, BreakGlassReviewOverdue, BreakGlassReviewed, CheckOverridden,
    RequestApproved, RequestConfirmed, RequestDenied, RequestEscalated, RequestEvent, RequestExpired, RequestOpened,
    RequestType, RequestWithdrawn, request_event,
};
use crate::statement;
use crate::time::{duration_to_pb, to_pb};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

fn source() -> Source {
    Source { tenant: "acme".into(), event_id: Uuid::from_u128(5), sequence: 42, occurred_at: at(0) }
}

fn person(name: &str) -> Option<Actor> {
    Some(Actor { id: "https://idp|1".into(), name: name.into(), ..Default::default() })
}

fn assessment() -> Assessment {
    Assessment {
        status: Status::Red.into(),
        reasons: vec![Reason {
            code: "RPO_BREACH".into(),
            text: "the RPO indicator is above the limit".into(),
            measurements: vec![Measurement {
                name: "rpo_seconds".into(),
                value: Some(95.0),
                limit: Some(60.0),
                unit: "s".into(),
            }],
        }],
        rpo_now: Some(duration_to_pb(SignedDuration::from_secs(95))),
        loss: Some(statement::bounded(at(-95), at(0), None, vec!["An indicator, no proof.".into()])),
        observed_at: Some(to_pb(at(0))),
        ..Default::default()
    }
}

fn opened_alert(kind: AlertKind) -> AlertOpened {
    AlertOpened {
        alert_id: "a1".into(),
        resource: "orders-db".into(),
        kind: kind.into(),
        severity: AlertSeverity::Critical.into(),
        assessment: Some(assessment()),
        condition_since: Some(to_pb(at(-60))),
        thresholds: Some(Thresholds {
            rpo_breach: Some(duration_to_pb(SignedDuration::from_secs(60))),
            ..Default::default()
        }),
        tier: 1,
        environment: 1,
        due_at: None,
    }
}

fn readiness(event: readiness_event::Event) -> ReadinessEvent {
    ReadinessEvent { event: Some(event) }
}

fn opened_request() -> RequestOpened {
    RequestOpened {
        request_id: "r-1".into(),
        r#type: 1,
        resource: "orders-db".into(),
        from_site: "site-a".into(),
        target_site: "site-b".into(),
        reason: "rack maintenance".into(),
        ticket: "CHG-7".into(),
        tier: 1,
        environment: 1,
        requester: person("Olga Operator"),
        policy: Some(ApprovalPolicy {
            source: "built-in ADR-001".into(),
            require: vec![
                ApprovalRequirement { role: Role::ApproverIt.into(), count: 1 },
                ApprovalRequirement { role: Role::ApproverBusiness.into(), count: 1 },
            ],
            ..ApprovalPolicy::default()
        }),
        expires_at: Some(to_pb(at(14_400))),
        ..Default::default()
    }
}

fn request(event: request_event::Event) -> Message {
    lifecycle::request_message(&source(), &RequestEvent { event: Some(event) }, &opened_request()).unwrap()
}

fn execution(event: execution_event::Event) -> Option<Message> {
    lifecycle::execution_message(&source(), &ExecutionEvent { event: Some(event) }, &opened_request())
}

#[test]
fn what_is_asked_for_reads_as_people_write() {
    let asked = |kind: RequestType| {
        let opened = RequestOpened { r#type: kind.into(), requester: person("Olga"), ..RequestOpened::default() };
        lifecycle::asks_for(&opened).split(" of ").next().map(str::to_owned)
    };
    assert_eq!(asked(RequestType::IsolatedDrill).as_deref(), Some("Olga asks for an isolated-drill"));
    assert_eq!(asked(RequestType::Switchover).as_deref(), Some("Olga asks for a switchover"));
}

#[test]
fn every_alert_kind_has_its_message_with_resource_tier_and_reason() {
    let kinds = [
        (AlertKind::RpoBreach, "rpo.breached"),
        (AlertKind::LostSight, "visibility.lost"),
        (AlertKind::ReplicationBroken, "replication.broken"),
        (AlertKind::Integrity, "integrity.violated"),
        (AlertKind::Unspecified, "alert.opened"),
    ];
    for (kind, expected) in kinds {
        let m = alert::message(&source(), &readiness(readiness_event::Event::AlertOpened(opened_alert(kind)))).unwrap();
        assert_eq!(m.kind, expected);
        assert!(m.subject.contains("orders-db (tier 1, production)"), "{}", m.subject);
        assert!(m.reasons[0].contains("rpo_seconds 95 s, limit 60 s"), "{:?}", m.reasons);
        assert!(!m.next_step.is_empty() && m.opens_thread && m.severity == Severity::Critical);
    }
}

#[test]
fn a_status_change_alone_is_not_told() {
    assert!(
        alert::message(&source(), &readiness(readiness_event::Event::StatusChanged(StatusChanged::default())))
            .is_none()
    );
    assert!(alert::message(&source(), &ReadinessEvent { event: None }).is_none());
}

#[test]
fn an_unset_severity_counts_as_critical_and_a_missing_judgement_as_unknown() {
    let mut e = opened_alert(AlertKind::LostSight);
    e.severity = 0;
    e.assessment = None;
    let m = alert::message(&source(), &readiness(readiness_event::Event::AlertOpened(e))).unwrap();
    assert_eq!(m.severity, Severity::Critical);
    assert!(m.facts.iter().any(|f| f.name == "Status" && f.value == "unknown"));
    assert!(m.loss[0].contains("cannot be proven"));
}

#[test]
fn alert_texts() {
    let opened =
        alert::message(&source(), &readiness(readiness_event::Event::AlertOpened(opened_alert(AlertKind::RpoBreach))));
    let o = opened_alert(AlertKind::RpoBreach);
    let updated = AlertUpdated {
        alert_id: o.alert_id,
        resource: o.resource,
        kind: o.kind,
        severity: 1,
        assessment: o.assessment,
        tier: 1,
        environment: 2,
    };
    let updated = alert::message(&source(), &readiness(readiness_event::Event::AlertUpdated(updated)));
    let resolved = AlertResolved {
        alert_id: "a1".into(),
        resource: "orders-db".into(),
        kind: AlertKind::RpoBreach.into(),
        assessment: Some(Assessment { status: Status::Green.into(), loss: None, ..assessment() }),
        opened_at: Some(to_pb(at(-600))),
        resolved_at: Some(to_pb(at(0))),
        tier: 1,
        environment: 1,
    };
    let resolved = readiness(readiness_event::Event::AlertResolved(resolved));
    assert_eq!(alert::resolved_alert(&resolved), Some("a1"));
    insta::assert_yaml_snapshot!(vec![opened, updated, alert::message(&source(), &resolved)]);
}

#[test]
fn request_texts() {
    use request_event::Event;
    let approved = |completes, missing: &[&str]| {
        Event::Approved(RequestApproved {
            approver: person("Anna Approver"),
            as_role: Role::ApproverIt.into(),
            completes,
            missing: missing.iter().map(|m| (*m).to_owned()).collect(),
            ..Default::default()
        })
    };
    insta::assert_yaml_snapshot!(vec![
        request(Event::Opened(opened_request())),
        request(approved(false, &["1 x Approver-Business"])),
        request(approved(true, &[])),
        request(Event::Denied(RequestDenied {
            approver: person("Bert"),
            reason: "not today".into(),
            ..Default::default()
        })),
        request(Event::Withdrawn(RequestWithdrawn {
            actor: person("Olga Operator"),
            reason: "mistake".into(),
            ..Default::default()
        })),
        request(Event::Expired(RequestExpired::default())),
        request(Event::Confirmed(RequestConfirmed { actor: person("Olga Operator"), ..Default::default() })),
    ]);
}

#[test]
fn emergency_texts() {
    use request_event::Event;
    let glass = BreakGlass {
        incident: "INC-7".into(),
        reason: "fra is on fire".into(),
        until: Some(to_pb(at(3600))),
        review_due: Some(to_pb(at(3600 + 72 * 3600))),
        skipped: vec!["one approval by Approver-IT".into(), "one approval by Approver-Business".into()],
    };
    let escalation =
        Escalation { after: Some(duration_to_pb(SignedDuration::from_mins(30))), routes: vec!["managers".into()] };
    let opened = RequestOpened {
        break_glass: Some(glass),
        group: "shop".into(),
        resource: String::new(),
        escalations: vec![escalation],
        opened_at: Some(to_pb(at(0))),
        ..opened_request()
    };
    let told = |event| lifecycle::request_message(&source(), &RequestEvent { event: Some(event) }, &opened).unwrap();
    let confirmed = RequestConfirmed {
        actor: person("Olga Operator"),
        break_glass: true,
        missing: vec!["one approval by Approver-Business".into()],
        freeze: "year-end until 2027-01-04T06:00:00Z (policy changes)".into(),
        ..Default::default()
    };
    let review = |justified| BreakGlassReviewed {
        actor: person("Anna Approver"),
        justified,
        findings: "nobody was on call".into(),
        ..Default::default()
    };
    let escalated = RequestEscalated {
        stage: 1,
        missing: vec!["one approval by Approver-Business".into()],
        routes: vec!["managers".into()],
        escalated_at: Some(to_pb(at(45 * 60))),
    };
    let overridden = CheckOverridden {
        check: "target_free_disk".into(),
        resource: "orders-db".into(),
        reason: "the disk grows tonight".into(),
        actor: person("Anna Approver"),
        as_role: Role::ApproverIt.into(),
        ..Default::default()
    };
    let overdue = BreakGlassReviewOverdue { due: Some(to_pb(at(0))), noticed_at: Some(to_pb(at(1))) };
    let messages = vec![
        told(Event::Opened(opened.clone())),
        told(Event::Confirmed(confirmed)),
        told(Event::BreakGlassReviewed(review(true))),
        told(Event::BreakGlassReviewed(review(false))),
        told(Event::BreakGlassReviewOverdue(overdue)),
        told(Event::BreakGlassLapsed(BreakGlassLapsed::default())),
        told(Event::Escalated(escalated)),
        told(Event::CheckOverridden(overridden)),
    ];
    // Page class: who is skipped hears it while it can still be stopped.
    assert!(messages[0].is_page_class() && messages[1].is_page_class() && messages[4].is_page_class());
    insta::assert_yaml_snapshot!(messages);
}

#[test]
fn execution_texts() {
    use execution_event::Event;
    let succeeded = ExecutionSucceeded {
        rto_measured: Some(duration_to_pb(SignedDuration::from_secs(73))),
        write_outage: None,
        loss: Some(statement::proven_none("0/1", "0/2")),
        rto_met: true,
        ..Default::default()
    };
    let failed = ExecutionFailed {
        step: "promote-target".into(),
        error: "connection refused".into(),
        guidance: "Fence the old primary.".into(),
        ..Default::default()
    };
    let stopped = ExecutionStopped {
        before_step: "stop-primary".into(),
        actor: person("Olga Operator"),
        reason: "wrong window".into(),
        known_state: "primary untouched".into(),
        ..Default::default()
    };
    let texts: Vec<Message> = [Event::Succeeded(succeeded), Event::Failed(failed), Event::Stopped(stopped)]
        .into_iter()
        .filter_map(execution)
        .collect();
    assert_eq!(texts.len(), 3);
    insta::assert_yaml_snapshot!(texts);
}

/// Where the primary was lost, nobody knows the moment since when nothing was written.
#[test]
fn the_outage_of_a_failover_is_a_limit_and_one_that_nobody_knows_is_no_number() {
    let told = |r#type: RequestType, outage: Option<i64>| {
        let write_outage = outage.map(|seconds| duration_to_pb(SignedDuration::from_secs(seconds)));
        let end = execution_event::Event::Succeeded(ExecutionSucceeded { write_outage, ..Default::default() });
        let opened = RequestOpened { r#type: r#type.into(), ..opened_request() };
        let message = lifecycle::execution_message(&source(), &ExecutionEvent { event: Some(end) }, &opened).unwrap();
        message.facts.iter().find(|fact| fact.name == "Write outage").unwrap().value.clone()
    };
    assert_eq!(told(RequestType::Failover, Some(22)), "at most 22 s");
    assert_eq!(told(RequestType::Switchover, Some(3)), "3 s");
    assert_eq!(told(RequestType::Failover, None), "not measured");
}

#[test]
fn steps_in_between_are_not_told() {
    let step = execution_event::Event::StepClaimed(StepClaimed::default());
    assert!(!lifecycle::is_told(&ExecutionEvent { event: Some(step.clone()) }));
    assert!(execution(step).is_none());
    let failed = execution_event::Event::Failed(ExecutionFailed::default());
    assert!(lifecycle::is_told(&ExecutionEvent { event: Some(failed) }));
}

#[test]
fn a_notice_of_a_plan_is_told_in_its_own_words_and_other_steps_are_not() {
    let step = |outputs: &[(&str, &str)]| {
        let outputs = outputs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        execution_event::Event::StepSucceeded(StepSucceeded { step: "tell".into(), outputs, ..Default::default() })
    };
    let notice = step(&[(lifecycle::NOTICE, "The shop is closed.\nUse the counter.")]);
    assert!(lifecycle::is_told(&ExecutionEvent { event: Some(notice.clone()) }));
    let told = execution(notice).unwrap();
    assert_eq!((told.kind.as_str(), told.severity), (message::kind::PLAN_NOTICE, Severity::Info));
    assert!(told.summary.starts_with("The shop is closed."), "{told:?}");
    let other = step(&[("shutdown_lsn", "0/3010430")]);
    assert!(!lifecycle::is_told(&ExecutionEvent { event: Some(other.clone()) }) && execution(other).is_none());
}

#[test]
fn what_people_typed_cannot_break_the_subject_or_grow_without_bound() {
    let mut opened = opened_request();
    opened.target_site = "b\r\nBcc: victim@example.com".into();
    opened.reason = "x".repeat(100_000);
    let m = lifecycle::request_message(
        &source(),
        &RequestEvent { event: Some(request_event::Event::Opened(opened.clone())) },
        &opened,
    )
    .unwrap();
    assert!(!m.subject.contains(['\r', '\n']));
    assert!(m.subject.len() <= message::MAX_SUBJECT_BYTES);
}

#[test]
fn the_largest_message_fits_into_a_timer() {
    let long = "\"\\ü\u{1}".repeat(10_000);
    let reason = Reason { code: long.clone(), text: long.clone(), measurements: vec![] };
    let mut e = opened_alert(AlertKind::Integrity);
    let mut a = assessment();
    a.reasons = vec![reason; 50];
    a.loss = Some(LossStatement { text: long.clone(), limits: vec![long; 50], ..LossStatement::default() });
    e.assessment = Some(a);
    let m = alert::message(&source(), &readiness(readiness_event::Event::AlertOpened(e))).unwrap();
    let size = serde_json::to_string(&m).unwrap().len();
    assert!(size < 48 * 1024, "{size}");
}

#[test]
fn a_failed_delivery_is_told_once_and_never_about_itself() {
    let m = request(request_event::Event::Opened(opened_request()));
    let about = message::delivery_failed(&m, Uuid::from_u128(8), "hook", "GONE: 410", at(5)).unwrap();
    assert_eq!(about.kind, "delivery.failed");
    assert!(about.subject.contains("route hook"));
    assert_eq!((about.tier, about.environment), (m.tier, m.environment));
    assert!(message::delivery_failed(&about, Uuid::from_u128(9), "mail", "x", at(6)).is_none());
}

#[test]
fn what_named_routes_did_not_get_is_told_to_whoever_asks_for_failures_and_a_test_to_nobody() {
    let mut step = request(request_event::Event::Opened(opened_request()));
    step.only_routes = vec!["managers".into()];
    step.intent_id = "i-1".into();
    let about = message::delivery_failed(&step, Uuid::from_u128(8), "managers", "GONE: 410", at(5)).unwrap();
    assert!(about.only_routes.is_empty() && about.intent_id.is_empty(), "{about:?}");
    step.test = true;
    let about = message::delivery_failed(&step, Uuid::from_u128(8), "managers", "GONE: 410", at(5)).unwrap();
    assert_eq!(about.only_routes, ["managers"], "the route that failed is left out, so nobody hears of it");
}

#[test]
fn a_message_survives_being_kept() {
    let m = request(request_event::Event::Opened(opened_request()));
    let kept: Message = serde_json::from_str(&serde_json::to_string(&m).unwrap()).unwrap();
    assert_eq!(kept, m);
}
