//! What opens a gap by itself, and what does not.

use super::*;
use crate::pb::audit::v1::{AuditLogEvent, LogHeartbeat, SplitDetected, StreamChanged, audit_log_event};
use crate::pb::execution::v1::DrillCopy;
use crate::pb::request::v1::{BreakGlass, BreakGlassReviewOverdue, RequestOpened, RequestView};

#[test]
fn a_failed_run_is_a_gap_and_a_stopped_or_running_one_is_not() {
    let finding = of_run(&drill("r1", 0, ExecutionState::Failed)).unwrap();
    assert_eq!((finding.source, finding.severity), ("drill failed", Severity::Moderate));
    assert_eq!((finding.resource.as_str(), finding.request_id.as_str()), ("orders-db", "r1"));
    assert!(finding.description.contains("disk full"));
    for state in [ExecutionState::Running, ExecutionState::Stopped, ExecutionState::Unspecified] {
        assert_eq!(of_run(&drill("r1", 0, state)), None, "{state:?}");
    }
    assert_eq!(of_run(&drill("r1", 0, ExecutionState::Succeeded)), None);
    assert_eq!(of_run(&ExecutionView::default()), None);
}

#[test]
fn real_runs_and_tier_1_are_of_high_severity() {
    let mut real = drill("r1", 0, ExecutionState::Failed);
    real.started.as_mut().unwrap().drill = false;
    let finding = of_run(&real).unwrap();
    assert_eq!((finding.source, finding.severity), ("run failed", Severity::High));
    let mut critical = drill("r1", 0, ExecutionState::Failed);
    critical.started.as_mut().unwrap().tier = Tier::Tier1.into();
    assert_eq!(of_run(&critical).unwrap().severity, Severity::High);
}

#[test]
fn an_objective_is_missed_only_by_what_was_measured() {
    let none = || loss(LossCertainty::ProvenNone, Some(0));
    let texts = |run: &ExecutionView| of_run(run).map(|finding| finding.description);
    assert_eq!(texts(&failover(Some(60), none())), None, "at the target is met");
    assert_eq!(texts(&failover(None, none())), None, "not measured is neither");
    assert!(texts(&failover(Some(61), none())).unwrap().contains("1 min 1 s measured"));
    assert_eq!(texts(&failover(Some(1), loss(LossCertainty::Bounded, Some(60)))), None);
    assert!(texts(&failover(Some(1), loss(LossCertainty::Bounded, Some(61)))).unwrap().starts_with("RPO of orders-db"));
    let unbounded = texts(&failover(Some(1), loss(LossCertainty::Unknown, None))).unwrap();
    assert!(unbounded.contains("nothing bounds the loss"), "{unbounded}");
    let mut no_target = failover(Some(999), loss(LossCertainty::Unknown, None));
    let started = no_target.started.as_mut().unwrap();
    started.rto_target = None;
    started.members[0].rpo_target = None;
    assert_eq!(texts(&no_target), None, "without a target nothing is missed");
    let finding = of_run(&failover(Some(61), none())).unwrap();
    assert_eq!(finding.source, "objective missed");
}

#[test]
fn a_restored_copy_that_is_too_old_misses_the_rpo() {
    let mut run = drill("r1", 0, ExecutionState::Succeeded);
    run.started.as_mut().unwrap().rpo_target = seconds(3_600);
    let copy = |window| DrillCopy { resource: "orders-db".into(), loss_window: window, ..Default::default() };
    run.copies = vec![copy(seconds(3_600))];
    assert_eq!(of_run(&run), None);
    run.copies = vec![copy(None)];
    assert_eq!(of_run(&run), None, "not measured is not missed");
    run.copies = vec![copy(seconds(3_601))];
    assert_eq!(of_run(&run).unwrap().source, "objective missed");
}

#[test]
fn an_overdue_review_names_its_incident() {
    let opened = RequestOpened {
        request_id: "r1".into(),
        group: "shop".into(),
        break_glass: Some(BreakGlass { incident: "INC-7".into(), ..Default::default() }),
        ..Default::default()
    };
    let mut view = RequestView { opened: Some(opened), ..Default::default() };
    assert_eq!(of_review(&view), None);
    view.review_overdue = Some(BreakGlassReviewOverdue { due: Some(to_pb(now())), noticed_at: None });
    let finding = of_review(&view).unwrap();
    assert_eq!((finding.group.as_str(), finding.severity, finding.source), ("shop", Severity::High, "review overdue"));
    assert!(finding.description.contains("INC-7"));
}

#[test]
fn what_the_record_found_wrong_with_itself_is_a_gap() {
    let event = |event| AuditLogEvent { event: Some(event) };
    let split =
        SplitDetected { text: "two roots at 17".into(), seen_by: "witness:customer".into(), ..Default::default() };
    let finding = of_record(&event(audit_log_event::Event::SplitDetected(split))).unwrap();
    assert_eq!((finding.source, finding.severity), ("audit", Severity::High));
    assert!(finding.description.contains("witness:customer"));
    let changed = StreamChanged { stream: "REC_acme_1".into(), what: "purged".into(), ..Default::default() };
    assert!(of_record(&event(audit_log_event::Event::StreamChanged(changed))).unwrap().title.contains("purged"));
    assert_eq!(of_record(&event(audit_log_event::Event::Heartbeat(LogHeartbeat::default()))), None);
}

#[test]
fn one_source_is_one_gap() {
    let finding = of_run(&drill("r1", 0, ExecutionState::Failed)).unwrap();
    let gap = found_by(&drill("r1", 0, ExecutionState::Failed));
    assert_eq!(found(&gap, "g1", &finding, "e1", &muster(), now()), None);
    assert_eq!(gap.opened.unwrap().source_event_id, "e1");
}
