//! The record's own keeping, for the audit list: the log, its keys, gaps and reviews.

use super::describe::{Description, outcome};
use crate::pb::audit::v1::{
    AuditDomainEvent, AuditLogEvent, CheckpointRef, GapEvent, PayloadKeyEvent, ProducerEvent, ReviewEvent,
    audit_domain_event, audit_log_event, gap_event, payload_key_event, producer_event, review_event,
};

pub(super) fn audit_domain(event: &AuditDomainEvent) -> Option<Description> {
    let audit_domain_event::Event::Set(set) = event.event.as_ref()?;
    Some(outcome("set", &set.domain))
}

pub(super) fn audit_log(event: &AuditLogEvent) -> Option<Description> {
    use audit_log_event::Event;
    Some(match event.event.as_ref()? {
        Event::EpochOpened(e) => outcome("opened", format!("{}: {}", e.origin, e.reason)),
        Event::KeyRotated(e) => outcome("rotated", &e.reason),
        Event::KeyRevoked(e) => outcome("revoked", &e.reason),
        Event::Anchored(e) => {
            outcome("anchored", format!("{} at {} ({})", at(e.checkpoint.as_ref()), e.location, e.kind))
        }
        Event::Heartbeat(e) => outcome("alive", at(e.checkpoint.as_ref())),
        Event::GapDetected(e) => {
            outcome("missing", format!("{} to {}: {}", e.first_sequence, e.last_sequence, e.reason))
        }
        Event::SplitDetected(e) => outcome("split", &e.text),
        Event::StreamChanged(e) => outcome(&e.what, format!("{}: {}", e.stream, e.differences)),
        Event::WitnessesBehind(e) => {
            outcome("behind", format!("{}; missing: {}", at(e.pending.as_ref()), e.missing.join(", ")))
        }
        Event::WitnessesCaughtUp(e) => outcome("caught up", at(e.witnessed.as_ref())),
        Event::PublicationMissing(e) => {
            outcome("missing", format!("{} at {}, by {}", e.event_type, e.sequence, e.producer))
        }
    })
}

fn at(checkpoint: Option<&CheckpointRef>) -> String {
    checkpoint.map(|c| format!("size {} of {}", c.size, c.origin)).unwrap_or_default()
}

pub(super) fn payload_key(event: &PayloadKeyEvent) -> Option<Description> {
    Some(match event.event.as_ref()? {
        payload_key_event::Event::Created(e) => outcome("created", format!("{} in {}", e.key_id, e.keyring)),
        payload_key_event::Event::DestructionBegun(e) => {
            outcome("being destroyed", format!("{}: {}", e.key_id, e.reason))
        }
        payload_key_event::Event::Destroyed(e) => outcome("destroyed", format!("{}: {}", e.key_id, e.reason)),
    })
}

pub(super) fn producer(event: &ProducerEvent) -> Option<Description> {
    let producer_event::Event::Announced(announced) = event.event.as_ref()?;
    Some(outcome("announced", &announced.producer))
}

pub(super) fn gap(event: &GapEvent) -> Option<Description> {
    use gap_event::Event;
    Some(match event.event.as_ref()? {
        Event::Opened(e) => Description {
            resource: if e.resource.is_empty() { e.group.clone() } else { e.resource.clone() },
            request_id: e.request_id.clone(),
            ..outcome("opened", &e.title)
        },
        Event::Planned(e) => outcome("planned", format!("{} by {}", e.plan, e.owner)),
        Event::Closed(e) => Description { request_id: e.evidence_request_id.clone(), ..outcome("closed", &e.note) },
        Event::Accepted(e) => outcome("accepted", &e.reason),
        Event::Reopened(e) => outcome("reopened", &e.reason),
    })
}

pub(super) fn review(event: &ReviewEvent) -> Option<Description> {
    Some(match event.event.as_ref()? {
        review_event::Event::Drill(e) => Description {
            request_id: e.request_id.clone(),
            ..outcome(if e.accepted { "accepted" } else { "not accepted" }, &e.note)
        },
        review_event::Event::Audit(e) => outcome("reviewed", &e.note),
    })
}
