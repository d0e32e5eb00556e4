//! What opens a gap by itself: a run that failed or missed its objective, a review that nobody wrote, and what the
//! record found wrong with itself. One source event, one gap.

use jiff::{SignedDuration, Timestamp};

use super::Gap;
use super::decide::event;
use super::evidence::scope;
use crate::pb::audit::v1::{
    AuditLogEvent, GapEvent, GapOpened, Severity, audit_log_event::Event as Kept, gap_event::Event,
};
use crate::pb::common::v1::{Actor, LossCertainty, LossStatement, Tier};
use crate::pb::execution::v1::{ExecutionStarted, ExecutionState, ExecutionView};
use crate::pb::request::v1::RequestView;
use crate::request::{MAX_TEXT, scope_name};
use crate::time::{PbDuration, duration_from_pb, from_pb, humane, to_pb};

pub(super) const DRILL_FAILED: &str = "drill failed";
pub(super) const RUN_FAILED: &str = "run failed";
pub(super) const OBJECTIVE_MISSED: &str = "objective missed";
const REVIEW_OVERDUE: &str = "review overdue";
const AUDIT: &str = "audit";

/// A gap that nobody has to ask for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Finding {
    pub title: String,
    pub description: String,
    pub severity: Severity,
    pub resource: String,
    pub group: String,
    pub request_id: String,
    pub source: &'static str,
}

/// Opens the gap of a finding; once.
pub fn found(
    gap: &Gap,
    gap_id: &str,
    finding: &Finding,
    source_event_id: &str,
    by: &Actor,
    now: Timestamp,
) -> Option<GapEvent> {
    if gap.exists() {
        return None;
    }
    event(Event::Opened(GapOpened {
        gap_id: gap_id.to_owned(),
        title: finding.title.clone(),
        description: finding.description.chars().take(MAX_TEXT).collect(),
        severity: finding.severity.into(),
        resource: finding.resource.clone(),
        group: finding.group.clone(),
        request_id: finding.request_id.clone(),
        source: finding.source.to_owned(),
        source_event_id: source_event_id.to_owned(),
        objectives: Vec::new(),
        opened_by: Some(by.clone()),
        opened_at: Some(to_pb(now)),
    }))
}

/// A run that ended: it failed, or it missed what it was measured against. One that somebody stopped says nothing yet.
pub fn of_run(run: &ExecutionView) -> Option<Finding> {
    let started = run.started.as_ref()?;
    let what = format!("{} of {}", started.r#type, scope(started));
    match run.state() {
        ExecutionState::Failed => {
            let failed = run.failed.clone().unwrap_or_default();
            let at = if failed.step.is_empty() { "its checks" } else { &failed.step };
            Some(Finding {
                title: format!("The {what} failed"),
                description: format!("At {at}: {}\n{}\n{}", failed.error, failed.known_state, failed.guidance),
                severity: if started.drill { drill_severity(started) } else { Severity::High },
                source: if started.drill { DRILL_FAILED } else { RUN_FAILED },
                ..about(started)
            })
        }
        ExecutionState::Succeeded => {
            let missed = missed(run);
            if missed.is_empty() {
                return None;
            }
            Some(Finding {
                title: format!("The {what} missed its objective"),
                description: missed.join("\n"),
                severity: drill_severity(started),
                source: OBJECTIVE_MISSED,
                ..about(started)
            })
        }
        ExecutionState::Unspecified | ExecutionState::Running | ExecutionState::Stopped => None,
    }
}

/// What a tier 1 system cannot do is bad, whoever looked.
fn drill_severity(started: &ExecutionStarted) -> Severity {
    let tiers = started.members.iter().map(|member| member.tier()).chain([started.tier()]);
    if tiers.into_iter().any(|tier| tier == Tier::Tier1) { Severity::High } else { Severity::Moderate }
}

fn about(started: &ExecutionStarted) -> Finding {
    Finding {
        // A group's run names no resource of its own.
        resource: if started.group.is_empty() { started.resource.clone() } else { String::new() },
        group: started.group.clone(),
        request_id: started.request_id.clone(),
        ..Finding::default()
    }
}

/// Each objective that was measured and not met, in words. What was not measured was neither met nor missed, but for a
/// loss that nothing bounds: after a move that is what an RPO is about.
pub(super) fn missed(run: &ExecutionView) -> Vec<String> {
    let (Some(started), Some(end)) = (&run.started, &run.succeeded) else { return Vec::new() };
    let mut missed = Vec::new();
    missed.extend(late("RTO", scope(started), end.rto_measured.as_ref(), started.rto_target.as_ref()));
    let alone = started.members.len() <= 1;
    for outcome in &end.members {
        let Some(member) = started.members.iter().find(|member| member.resource == outcome.resource) else { continue };
        if !alone {
            let (measured, target) = (outcome.rto_measured.as_ref(), member.rto_target.as_ref());
            missed.extend(late("RTO", &member.resource, measured, target));
        }
        missed.extend(lost(&member.resource, outcome.loss.as_ref(), member.rpo_target.as_ref()));
    }
    if end.members.is_empty() {
        missed.extend(lost(scope(started), end.loss.as_ref(), started.rpo_target.as_ref()));
    }
    for copy in &run.copies {
        let member = started.members.iter().find(|member| member.resource == copy.resource);
        let target = member.map_or(started.rpo_target.as_ref(), |member| member.rpo_target.as_ref());
        let what = format!("{} (restored from {})", copy.resource, copy.source);
        missed.extend(late("RPO", &what, copy.loss_window.as_ref(), target));
    }
    missed
}

fn late(objective: &str, what: &str, measured: Option<&PbDuration>, target: Option<&PbDuration>) -> Option<String> {
    let (measured, target) = (duration_from_pb(measured)?, duration_from_pb(target)?);
    let over = target > SignedDuration::ZERO && measured > target;
    over.then(|| format!("{objective} of {what}: {} measured, {} is the target.", humane(measured), humane(target)))
}

fn lost(what: &str, loss: Option<&LossStatement>, target: Option<&PbDuration>) -> Option<String> {
    let loss = loss?;
    match loss.certainty() {
        LossCertainty::Bounded => late("RPO", what, loss.window.as_ref(), target),
        LossCertainty::Unknown => {
            let target = duration_from_pb(target).filter(|target| *target > SignedDuration::ZERO)?;
            let text = &loss.text;
            Some(format!("RPO of {what}: nothing bounds the loss, {} is the target. {text}", humane(target)))
        }
        LossCertainty::ProvenNone | LossCertainty::Unspecified => None,
    }
}

/// The glass was broken, and nobody wrote the review in time.
pub fn of_review(view: &RequestView) -> Option<Finding> {
    let (opened, overdue) = (view.opened.as_ref()?, view.review_overdue.as_ref()?);
    let due = from_pb(overdue.due.as_ref()).map(|due| format!("{due:.0}")).unwrap_or_default();
    let glass = opened.break_glass.clone().unwrap_or_default();
    let is_group = !opened.group.is_empty();
    Some(Finding {
        title: format!("The break-glass on {} was not reviewed in time", scope_name(opened)),
        description: format!("Due {due}. Incident {}: {}", glass.incident, glass.reason),
        severity: Severity::High,
        resource: if is_group { String::new() } else { opened.resource.clone() },
        group: opened.group.clone(),
        request_id: opened.request_id.clone(),
        source: REVIEW_OVERDUE,
    })
}

/// What the record found wrong with itself.
pub fn of_record(event: &AuditLogEvent) -> Option<Finding> {
    let (title, description) = match event.event.as_ref()? {
        Kept::GapDetected(gap) => {
            (format!("The record misses sequences {} to {}", gap.first_sequence, gap.last_sequence), gap.reason.clone())
        }
        Kept::SplitDetected(split) => {
            ("The record was shown in two versions".to_owned(), format!("{} (seen by {})", split.text, split.seen_by))
        }
        Kept::StreamChanged(change) => {
            (format!("The stream {} itself was changed: {}", change.stream, change.what), change.differences.clone())
        }
        Kept::PublicationMissing(missing) => (
            format!("The record does not contain event {} as it was published", missing.event_id),
            format!("{} at sequence {}, published by {}", missing.event_type, missing.sequence, missing.producer),
        ),
        Kept::EpochOpened(_)
        | Kept::KeyRotated(_)
        | Kept::KeyRevoked(_)
        | Kept::Anchored(_)
        | Kept::Heartbeat(_)
        | Kept::WitnessesBehind(_)
        | Kept::WitnessesCaughtUp(_) => return None,
    };
    Some(Finding { title, description, severity: Severity::High, source: AUDIT, ..Finding::default() })
}
