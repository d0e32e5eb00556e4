//! One function from stored bytes to an auditor's columns. Every kind of event has an arm; an event
//! that this version does not know is an error, never an empty line.

use prost::Message;
use serde::Serialize;

use super::{custody, decisions, messages};
use crate::delivery::{ChatBinding, Delivery, Escalation};
use crate::execution::{Execution, Reservation, blocking};
use crate::gap::{Gap, Review};
use crate::gate::Gate;
use crate::inventory::Declared;
use crate::pb::{
    audit::v1::{ExportEvent, ParkedEvent, export_event, parked_event},
    common::v1::{Reason, Refusal},
    execution::v1::{ExecutionEvent, ReservationEvent, execution_event, reservation_event},
    identity::v1::{DenialEvent, denial_event},
    inventory::v1::{Document, FieldChange, InventoryEvent, inventory_event},
    notification::v1::{DeliveryEvent, delivery_event},
    readiness::v1::{Assessment, ReadinessEvent, readiness_event},
    request::v1::{ApprovalPolicy, RequestEvent, request_event},
};
use crate::plan::Plan;
use crate::preflight::Preflight;
use crate::readiness::Readiness;
use crate::request::{Delegation, Intent, Request, scope_name};
use crate::schedule::Schedule;
use crate::{Aggregate, denial::Denial, inventory::kind_token};

/// The kind of the log's own events about what could not be taken in.
const PARKED: &str = "parked";

/// The columns of one record, beside those that its headers carry.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Description {
    pub resource: String,
    pub request_id: String,
    pub site: String,
    pub outcome: String,
    pub reason: String,
    pub policy: String,
    /// The event as proto3 JSON.
    pub payload_json: String,
}

#[derive(Debug, thiserror::Error)]
pub enum DescribeError {
    #[error("this version of Muster knows no events of the kind '{0}'")]
    UnknownKind(String),
    #[error("the stored bytes are no event of the kind '{kind}': {source}")]
    Decode { kind: String, source: prost::DecodeError },
    #[error("an event of the kind '{kind}' without content: written by a newer version of Muster")]
    Empty { kind: String },
    #[error("the event cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// Describes one event. `aggregate_id` is the request's id for requests and executions.
pub fn describe(kind: &str, aggregate_id: &str, payload: &[u8]) -> Result<Description, DescribeError> {
    match kind {
        Declared::KIND => read(kind, payload, inventory),
        Readiness::KIND => read(kind, payload, readiness),
        Request::KIND => read(kind, payload, |event| of_request(aggregate_id, request(event))),
        Execution::KIND => read(kind, payload, |event| of_request(aggregate_id, execution(event))),
        Reservation::KIND => read(kind, payload, reservation),
        Delivery::KIND => read(kind, payload, delivery),
        Denial::KIND => read(kind, payload, denial),
        Escalation::KIND => read(kind, payload, messages::escalation),
        ChatBinding::KIND => read(kind, payload, messages::chat_binding),
        Intent::KIND => read(kind, payload, messages::intent),
        Schedule::KIND => read(kind, payload, messages::schedule),
        Delegation::KIND => read(kind, payload, decisions::delegation),
        Gate::KIND => read(kind, payload, decisions::gate),
        Plan::KIND => read(kind, payload, decisions::plan),
        Preflight::KIND => read(kind, payload, decisions::preflight),
        super::AuditDomain::KIND => read(kind, payload, custody::audit_domain),
        super::AuditLog::KIND => read(kind, payload, custody::audit_log),
        super::PayloadKey::KIND => read(kind, payload, custody::payload_key),
        super::Producer::KIND => read(kind, payload, custody::producer),
        Gap::KIND => read(kind, payload, custody::gap),
        Review::KIND => read(kind, payload, custody::review),
        super::Export::KIND => read(kind, payload, export),
        PARKED => read(kind, payload, parked),
        other => Err(DescribeError::UnknownKind(other.to_owned())),
    }
}

fn read<E: Message + Default + Serialize>(
    kind: &str,
    payload: &[u8],
    describe: impl FnOnce(&E) -> Option<Description>,
) -> Result<Description, DescribeError> {
    let event = E::decode(payload).map_err(|source| DescribeError::Decode { kind: kind.to_owned(), source })?;
    let description = describe(&event).ok_or_else(|| DescribeError::Empty { kind: kind.to_owned() })?;
    Ok(Description { payload_json: serde_json::to_string(&event)?, ..description })
}

fn of_request(id: &str, description: Option<Description>) -> Option<Description> {
    description.map(|description| Description { request_id: id.to_owned(), ..description })
}

pub(super) fn outcome(outcome: &str, reason: impl Into<String>) -> Description {
    Description { outcome: outcome.to_owned(), reason: reason.into(), ..Description::default() }
}

fn inventory(event: &InventoryEvent) -> Option<Description> {
    Some(match event.event.as_ref()? {
        inventory_event::Event::Declared(declared) => {
            let document = declared.document.as_ref()?;
            Description {
                resource: about(document),
                ..outcome(if document.version == 1 { "created" } else { "changed" }, changes(&declared.changes))
            }
        }
        inventory_event::Event::Retired(retired) => {
            let name = format!("{}/{}", kind_token(retired.kind()), retired.name);
            let resource = if kind_token(retired.kind()) == "resource" { retired.name.clone() } else { name };
            Description { resource, ..outcome("retired", &retired.reason) }
        }
    })
}

/// A resource by its name; other documents with their kind, so that they are not mistaken for one.
fn about(document: &Document) -> String {
    match kind_token(document.kind()) {
        "resource" => document.name.clone(),
        kind => format!("{kind}/{}", document.name),
    }
}

fn changes(changes: &[FieldChange]) -> String {
    let texts = changes.iter().map(|change| match change.from.as_str() {
        "" => format!("{} = {}", change.field, change.to),
        from => format!("{}: {from} -> {}", change.field, if change.to.is_empty() { "(none)" } else { &change.to }),
    });
    texts.collect::<Vec<_>>().join("; ")
}

fn readiness(event: &ReadinessEvent) -> Option<Description> {
    let (resource, word, assessment) = match event.event.as_ref()? {
        readiness_event::Event::StatusChanged(changed) => {
            let status = changed.assessment.as_ref().map(|assessment| assessment.status()).unwrap_or_default();
            (&changed.resource, status.as_str_name().trim_start_matches("STATUS_").to_lowercase(), &changed.assessment)
        }
        readiness_event::Event::AlertOpened(alert) => (&alert.resource, "opened".into(), &alert.assessment),
        readiness_event::Event::AlertUpdated(alert) => (&alert.resource, "updated".into(), &alert.assessment),
        readiness_event::Event::AlertResolved(alert) => (&alert.resource, "resolved".into(), &alert.assessment),
    };
    Some(Description { resource: resource.clone(), ..outcome(&word, reasons(assessment.as_ref())) })
}

fn reasons(assessment: Option<&Assessment>) -> String {
    let text = |reason: &Reason| format!("{}: {}", reason.code, reason.text);
    assessment.map(|assessment| assessment.reasons.iter().map(text).collect::<Vec<_>>().join("; ")).unwrap_or_default()
}

fn request(event: &RequestEvent) -> Option<Description> {
    Some(match event.event.as_ref()? {
        request_event::Event::Opened(opened) => Description {
            resource: scope_name(opened).to_owned(),
            site: opened.target_site.clone(),
            policy: policy(opened.policy.as_ref()),
            ..outcome("pending approval", &opened.reason)
        },
        request_event::Event::Approved(approved) => {
            outcome(if approved.completes { "approved" } else { "partly approved" }, &approved.note)
        }
        request_event::Event::Denied(denied) => outcome("rejected", &denied.reason),
        request_event::Event::Withdrawn(withdrawn) => outcome("withdrawn", &withdrawn.reason),
        request_event::Event::Expired(expired) => outcome("expired", &expired.note),
        request_event::Event::Confirmed(confirmed) => {
            let word = if confirmed.break_glass { "confirmed by break-glass" } else { "confirmed" };
            Description { policy: policy(confirmed.policy.as_ref()), ..outcome(word, &confirmed.phrase) }
        }
        request_event::Event::CheckOverridden(overridden) => {
            outcome("overridden", format!("{} {}: {}", overridden.resource, overridden.check, overridden.reason))
        }
        request_event::Event::Escalated(escalated) => {
            outcome("escalated", format!("stage {}: {}", escalated.stage, escalated.missing.join(", ")))
        }
        request_event::Event::BreakGlassReviewed(review) => {
            outcome(if review.justified { "justified" } else { "not justified" }, &review.findings)
        }
        request_event::Event::BreakGlassReviewOverdue(_) => outcome("overdue", "the review is not recorded"),
        request_event::Event::BreakGlassLapsed(_) => outcome("lapsed", "it was not used in its time"),
    })
}

fn policy(policy: Option<&ApprovalPolicy>) -> String {
    policy.map(|policy| policy.source.clone()).unwrap_or_default()
}

fn execution(event: &ExecutionEvent) -> Option<Description> {
    use execution_event::Event;
    Some(match event.event.as_ref()? {
        Event::Started(started) => Description {
            resource: started.resource.clone(),
            site: started.target_site.clone(),
            ..outcome("started", &started.r#type)
        },
        Event::ChecksRecorded(recorded) => {
            let bad: Vec<&str> = blocking(&recorded.checks).iter().map(|check| check.name.as_str()).collect();
            outcome(if bad.is_empty() { "passed" } else { "not passed" }, bad.join(", "))
        }
        Event::MarkersCaptured(captured) => {
            let markers = captured.markers.iter().map(|marker| {
                format!("{} {} timeline {} at {}", marker.node, marker.role, marker.timeline, marker.lsn)
            });
            outcome("captured", markers.chain(captured.unavailable.iter().cloned()).collect::<Vec<_>>().join("; "))
        }
        Event::StepClaimed(step) => {
            outcome("claimed", format!("{}, attempt {}, by {}", step.step, step.attempt, step.executor))
        }
        Event::StepSucceeded(step) => outcome("succeeded", format!("{}: {}", step.step, step.note)),
        Event::StepFailed(step) => outcome("failed", format!("{}: {}", step.step, step.error)),
        Event::StopRequested(stop) => outcome("stop requested", &stop.reason),
        Event::TookOver(took) => {
            outcome("taken over", format!("{} after {}: {}", took.executor, took.previous, took.note))
        }
        Event::Succeeded(end) => {
            outcome("succeeded", end.loss.as_ref().map(|loss| loss.text.clone()).unwrap_or_default())
        }
        Event::Failed(end) => outcome(
            "failed",
            format!(
                "{}: {}; {}",
                if end.step.is_empty() { "prechecks" } else { &end.step },
                end.error,
                end.known_state
            ),
        ),
        Event::Stopped(end) => {
            outcome("stopped", format!("before {}: {}; {}", end.before_step, end.reason, end.known_state))
        }
        Event::PauseRequested(pause) => outcome("pause requested", &pause.reason),
        Event::Resumed(resumed) => outcome("resumed", &resumed.note),
        Event::StepWaiting(step) => outcome("waiting for a person", format!("{}: {}", step.step, step.instructions)),
        Event::ManualStepDecided(decided) => {
            let word = if decided.done { "done by hand" } else { "not possible by hand" };
            outcome(word, format!("{}: {}", decided.step, decided.note))
        }
        Event::UndoBegun(undo) => outcome("taking back", format!("after {}: {}", undo.because_of_step, undo.reason)),
        Event::IntegrityRecorded(recorded) => {
            let unanswered = recorded.results.iter().filter(|result| result.answer.is_none()).count();
            outcome("recorded", format!("{} answers, {unanswered} without", recorded.results.len() - unanswered))
        }
        Event::DrillCopyRecorded(recorded) => {
            outcome("recorded", recorded.copy.as_ref().map(|copy| copy.source.clone()).unwrap_or_default())
        }
        Event::Noted(note) => outcome("noted", format!("{} {}", note.step, note.text)),
    })
}

fn reservation(event: &ReservationEvent) -> Option<Description> {
    let (resource, request_id, word) = match event.event.as_ref()? {
        reservation_event::Event::Reserved(reserved) => (&reserved.resource, &reserved.request_id, "reserved"),
        reservation_event::Event::Released(released) => (&released.resource, &released.request_id, "released"),
        reservation_event::Event::CoolDownBegun(begun) => (&begun.resource, &begun.request_id, "cool-down begun"),
        reservation_event::Event::CoolDownAcknowledged(acknowledged) => {
            let described = outcome("cool-down acknowledged", &acknowledged.note);
            return Some(Description { resource: acknowledged.resource.clone(), ..described });
        }
    };
    Some(Description { resource: resource.clone(), request_id: request_id.clone(), ..outcome(word, "") })
}

fn delivery(event: &DeliveryEvent) -> Option<Description> {
    use delivery_event::Event;
    Some(match event.event.as_ref()? {
        Event::Queued(queued) => Description {
            resource: queued.resource.clone(),
            request_id: queued.request_id.clone(),
            ..outcome("queued", format!("{} by {} to {}", queued.message_kind, queued.channel, queued.recipient))
        },
        Event::Attempted(attempted) => outcome("attempted", format!("attempt {}", attempted.attempt)),
        Event::Accepted(accepted) => outcome("accepted", &accepted.receipt),
        Event::AttemptFailed(failed) => outcome("attempt failed", &failed.error),
        Event::GaveUp(gave_up) => outcome("gave up", &gave_up.error),
        Event::Suppressed(suppressed) => Description {
            resource: suppressed.resource.clone(),
            request_id: suppressed.request_id.clone(),
            ..outcome("suppressed", format!("{} on {}: {}", suppressed.message_kind, suppressed.route, suppressed.rule))
        },
        Event::Held(held) => outcome("held", &held.rule),
        Event::Grouped(grouped) => outcome("grouped", format!("told with {}", grouped.into_delivery_id)),
        Event::Requeued(_) => outcome("sent again", "by hand, after it was given up"),
    })
}

fn denial(event: &DenialEvent) -> Option<Description> {
    let denial_event::Event::Denied(denied) = event.event.as_ref()?;
    let why = |refusal: &Refusal| format!("{} {}: {}", denied.method, refusal.code, crate::refusal::describe(refusal));
    Some(Description {
        resource: denied.resource.clone(),
        request_id: denied.request_id.clone(),
        ..outcome("denied", denied.refusal.as_ref().map(why).unwrap_or_default())
    })
}

fn export(event: &ExportEvent) -> Option<Description> {
    let export_event::Event::Created(created) = event.event.as_ref()?;
    Some(outcome("created", &created.format))
}

fn parked(event: &ParkedEvent) -> Option<Description> {
    let parked_event::Event::Parked(parked) = event.event.as_ref()?;
    Some(outcome(
        "parked",
        format!("{} could not take in sequence {}: {}", parked.handler, parked.sequence, parked.error),
    ))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use super::*;
    use crate::pb::request::v1::RequestDenied;

    #[test]
    fn a_denial_of_a_request_carries_its_id_and_reason() {
        let event = RequestEvent {
            event: Some(request_event::Event::Denied(RequestDenied { reason: "no".into(), ..Default::default() })),
        };
        let described = describe("request", "r-1", &event.encode_to_vec()).unwrap();
        assert_eq!(
            (described.request_id.as_str(), described.outcome.as_str(), described.reason.as_str()),
            ("r-1", "rejected", "no")
        );
        assert!(described.payload_json.contains("\"denied\""));
    }

    #[test]
    fn what_is_not_known_is_an_error_and_not_an_empty_line() {
        assert!(matches!(describe("request", "r", b""), Err(DescribeError::Empty { .. })));
        assert!(matches!(describe("request", "r", b"\xff\xff"), Err(DescribeError::Decode { .. })));
        assert!(matches!(describe("weather", "r", b""), Err(DescribeError::UnknownKind(_))));
    }
}
