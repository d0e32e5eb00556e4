//! The API's values in the words of the field.

use jiff::{SignedDuration, Timestamp};
use muster_domain::pb::common::v1::{Actor, ActorKind, Environment, LossStatement, Marker, Tier};
use muster_domain::pb::execution::v1::{CheckOutcome, StepState};
use muster_domain::pb::notification::v1::DeliveryState;
use muster_domain::pb::readiness::v1::{AlertKind, Severity, Status};
use muster_domain::time::{PbDuration, PbTimestamp, duration_from_pb, from_pb, humane};

use super::{style::Tone, table::Cell};

/// What is shown for a value that is not there. Unknown is never zero.
pub(crate) const UNKNOWN: &str = "unknown";
const LONGEST_IN_TABLE: usize = 80;

pub(crate) fn tier(tier: Tier) -> &'static str {
    match tier {
        Tier::Unspecified => "?",
        Tier::Tier1 => "1",
        Tier::Tier2 => "2",
        Tier::Tier3 => "3",
    }
}

pub(crate) fn environment(environment: Environment) -> &'static str {
    match environment {
        Environment::Unspecified => "?",
        Environment::Production => "production",
        Environment::Staging => "staging",
        Environment::Test => "test",
        Environment::Development => "development",
    }
}

pub(crate) fn actor_kind(kind: ActorKind) -> &'static str {
    match kind {
        ActorKind::Person => "person",
        ActorKind::Machine => "machine",
        ActorKind::Service => "service",
        ActorKind::Unspecified => UNKNOWN,
    }
}

/// Shape, word and colour, so that none of them is needed alone.
pub(crate) fn status(status: Status) -> Cell {
    let (tone, text) = match status {
        Status::Green => (Tone::Good, "● GREEN"),
        Status::Yellow => (Tone::Warning, "▲ YELLOW"),
        Status::Red => (Tone::Bad, "■ RED"),
        Status::Unknown | Status::Unspecified => (Tone::Dim, "? UNKNOWN"),
    };
    Cell::toned(tone, text)
}

pub(crate) fn severity(severity: Severity) -> Cell {
    match severity {
        Severity::Critical => Cell::toned(Tone::Bad, "critical"),
        Severity::Warning => Cell::toned(Tone::Warning, "warning"),
        Severity::Unspecified => UNKNOWN.into(),
    }
}

pub(crate) fn alert_kind(kind: AlertKind) -> &'static str {
    match kind {
        AlertKind::Unspecified => UNKNOWN,
        AlertKind::RpoBreach => "RPO breach",
        AlertKind::LostSight => "lost sight",
        AlertKind::ReplicationBroken => "replication broken",
        AlertKind::Integrity => "integrity",
    }
}

pub(crate) fn delivery_state(state: DeliveryState) -> Cell {
    match state {
        DeliveryState::Unspecified => UNKNOWN.into(),
        DeliveryState::Pending => "pending".into(),
        DeliveryState::Accepted => Cell::toned(Tone::Good, "accepted"),
        DeliveryState::Retrying => Cell::toned(Tone::Warning, "retrying"),
        DeliveryState::GaveUp => Cell::toned(Tone::Bad, "gave up"),
        DeliveryState::Suppressed => Cell::toned(Tone::Dim, "suppressed"),
        DeliveryState::Held => Cell::toned(Tone::Dim, "held"),
        DeliveryState::Grouped => Cell::toned(Tone::Dim, "told with others"),
    }
}

pub(crate) fn check_outcome(outcome: CheckOutcome) -> Cell {
    match outcome {
        CheckOutcome::Passed => Cell::toned(Tone::Good, "passed"),
        CheckOutcome::Failed => Cell::toned(Tone::Bad, "FAILED"),
        CheckOutcome::Warning => Cell::toned(Tone::Warning, "warning"),
        CheckOutcome::Unknown | CheckOutcome::Unspecified => Cell::toned(Tone::Warning, "UNKNOWN"),
    }
}

pub(crate) fn step_state(state: StepState) -> Cell {
    match state {
        StepState::Pending | StepState::Unspecified => Cell::toned(Tone::Dim, "pending"),
        StepState::Running => Cell::toned(Tone::Warning, "running"),
        StepState::Succeeded => Cell::toned(Tone::Good, "done"),
        StepState::Failed => Cell::toned(Tone::Bad, "FAILED"),
        StepState::Tolerated => Cell::toned(Tone::Warning, "failed, went on"),
        StepState::Undone => Cell::toned(Tone::Warning, "taken back"),
        StepState::Waiting => Cell::toned(Tone::Warning, "waiting for a person"),
    }
}

pub(crate) fn duration(value: Option<&PbDuration>) -> String {
    duration_from_pb(value).map_or_else(|| UNKNOWN.to_owned(), humane)
}

/// "2026-11-21 20:09:13Z"
pub(crate) fn time(value: Option<&PbTimestamp>) -> String {
    from_pb(value).map_or_else(|| "-".to_owned(), |at| format!("{at:.0}").replace('T', " "))
}

/// "3 min ago"
pub(crate) fn ago(value: Option<&PbTimestamp>, now: Timestamp) -> String {
    match from_pb(value) {
        None => "-".to_owned(),
        Some(at) => format!("{} ago", humane(now.duration_since(at).max(SignedDuration::ZERO))),
    }
}

pub(crate) fn bytes(value: Option<u64>) -> String {
    const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    let Some(value) = value else { return UNKNOWN.to_owned() };
    match UNITS.iter().find(|(_, size)| value >= *size) {
        Some((unit, size)) => format!("{:.1} {unit}", value as f64 / *size as f64),
        None => format!("{value} B"),
    }
}

pub(crate) fn actor(actor: Option<&Actor>) -> String {
    match actor {
        None => UNKNOWN.to_owned(),
        Some(actor) if actor.name.is_empty() => actor.id.clone(),
        Some(actor) => actor.name.clone(),
    }
}

/// Enough to recognise it in a table; `-o json` has all of it.
pub(crate) fn shortened(text: &str) -> String {
    match text.char_indices().nth(LONGEST_IN_TABLE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

pub(crate) fn or_dash(text: &str) -> String {
    if text.is_empty() { "-".to_owned() } else { text.to_owned() }
}

/// "orders-a (fra, primary): timeline 3, LSN 0/3010430, read 2026-… by node clock"
pub(crate) fn marker(marker: &Marker) -> String {
    let clock = if marker.clock.is_empty() { String::new() } else { format!(" ({} clock)", marker.clock) };
    format!(
        "{} ({}, {}): timeline {}, LSN {}, system {}, read {}{clock}",
        marker.node,
        or_dash(&marker.site),
        or_dash(&marker.role),
        marker.timeline,
        or_dash(&marker.lsn),
        or_dash(&marker.system_identifier),
        time(marker.read_at.as_ref()),
    )
}

/// The statement in words, and what it does not cover.
pub(crate) fn loss(statement: Option<&LossStatement>) -> Vec<String> {
    let Some(statement) = statement else { return vec!["no statement was made".to_owned()] };
    let mut lines = vec![statement.text.clone()];
    lines.extend(statement.limits.iter().map(|limit| format!("limit: {limit}")));
    lines
}
