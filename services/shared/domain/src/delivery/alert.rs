//! Messages from readiness: an alert opened, changed, resolved.

use crate::pb::common::v1::Reason;
use crate::pb::readiness::v1::{
    AlertKind, AlertResolved, Assessment, ReadinessEvent, Severity as AlertSeverity, Status, readiness_event::Event,
};
use crate::time::{duration_from_pb, from_pb, humane};

use super::message::{MAX_LIST, MAX_TEXT_BYTES, Message, Severity, Source, clip, kind};

/// The message of a readiness event; a status change alone makes none, its alert does.
pub fn message(source: &Source, event: &ReadinessEvent) -> Option<Message> {
    match event.event.as_ref()? {
        Event::StatusChanged(_) => None,
        Event::AlertOpened(e) => {
            let alert = Alert {
                id: &e.alert_id,
                resource: &e.resource,
                kind: e.kind(),
                severity: e.severity(),
                assessment: e.assessment.as_ref(),
            };
            let mut message = alert.message(source, e.tier, e.environment, "");
            message.opens_thread = true;
            if let Some(limit) = e.thresholds.as_ref().and_then(|t| duration_from_pb(t.rpo_breach.as_ref())) {
                message.fact("RPO limit", humane(limit));
            }
            if let Some(since) = from_pb(e.condition_since.as_ref()) {
                message.fact("Condition since", format!("{since:.0}"));
            }
            Some(message)
        }
        Event::AlertUpdated(e) => {
            let alert = Alert {
                id: &e.alert_id,
                resource: &e.resource,
                kind: e.kind(),
                severity: e.severity(),
                assessment: e.assessment.as_ref(),
            };
            Some(alert.message(source, e.tier, e.environment, "UPDATE "))
        }
        Event::AlertResolved(e) => Some(resolved(source, e)),
    }
}

/// The alert that a resolution ends, so that it follows only where the alert was told.
pub fn resolved_alert(event: &ReadinessEvent) -> Option<&str> {
    match event.event.as_ref()? {
        Event::AlertResolved(e) => Some(&e.alert_id),
        _ => None,
    }
}

struct Alert<'a> {
    id: &'a str,
    resource: &'a str,
    kind: AlertKind,
    severity: AlertSeverity,
    assessment: Option<&'a Assessment>,
}

impl Alert<'_> {
    fn message(&self, source: &Source, tier: i32, environment: i32, prefix: &str) -> Message {
        let words = words(self.kind);
        let mut message = Message::about(source, words.message_kind, self.resource, tier, environment);
        message.alert_id = self.id.to_owned();
        message.alert_kind = words.message_kind.to_owned();
        // An unset severity is taken for the worse one.
        message.severity = if self.severity == AlertSeverity::Warning { Severity::Warning } else { Severity::Critical };
        let loudness = if message.severity == Severity::Critical { "CRITICAL" } else { "WARNING" };
        message.set_subject(&format!("{prefix}{loudness}: {}: {}", message.place(), words.headline));
        message.set_summary(&format!("System {}: {}", message.place(), words.meaning));
        message.next_step = words.next_step.into();
        judge(&mut message, self.assessment);
        message
    }
}

fn resolved(source: &Source, e: &AlertResolved) -> Message {
    let words = words(e.kind());
    let mut message = Message::about(source, kind::ALERT_RESOLVED, &e.resource, e.tier, e.environment);
    message.alert_id = e.alert_id.clone();
    message.alert_kind = words.message_kind.to_owned();
    message.set_subject(&format!("RESOLVED: {}: {}", message.place(), words.headline));
    message.set_summary(&format!("System {}: the alert '{}' is over.", message.place(), words.headline));
    message.next_step = "Nothing has to be done now. The page shows the time line.".into();
    if let (Some(opened), Some(ended)) = (from_pb(e.opened_at.as_ref()), from_pb(e.resolved_at.as_ref())) {
        message.fact("Alert lasted", humane(ended.duration_since(opened)));
    }
    judge(&mut message, e.assessment.as_ref());
    message
}

/// Status, reasons, numbers and the loss statement of a judgement. What is not known is said to be not known.
fn judge(message: &mut Message, assessment: Option<&Assessment>) {
    let Some(assessment) = assessment else {
        message.fact("Status", "unknown");
        message.set_loss(None);
        return;
    };
    message.fact("Status", status_name(assessment.status()));
    let rpo = duration_from_pb(assessment.rpo_now.as_ref()).map_or_else(|| "not known".to_owned(), humane);
    message.fact("RPO now (indicator)", rpo);
    if let Some(bytes) = assessment.not_received_bytes {
        message.fact("Not received by the standby", format!("{bytes} bytes"));
    }
    if let Some(at) = from_pb(assessment.observed_at.as_ref()) {
        message.fact("Observed at", format!("{at:.0}"));
    }
    message.reasons = assessment.reasons.iter().take(MAX_LIST).map(reason_text).collect();
    if assessment.reasons.len() > MAX_LIST {
        message.reasons.push(format!("and {} more reasons on the page", assessment.reasons.len() - MAX_LIST));
    }
    message.set_loss(assessment.loss.as_ref());
}

/// "RPO_BREACH: text (rpo_seconds 95 s, limit 60 s)"
fn reason_text(reason: &Reason) -> String {
    let numbers: Vec<String> = reason
        .measurements
        .iter()
        .map(|m| {
            let value = m.value.map_or_else(|| "not known".to_owned(), |v| format!("{v} {}", m.unit));
            let limit = m.limit.map_or_else(String::new, |l| format!(", limit {l} {}", m.unit));
            format!("{} {}{limit}", m.name, value.trim_end())
        })
        .collect();
    let numbers = if numbers.is_empty() { String::new() } else { format!(" ({})", numbers.join("; ")) };
    clip(&format!("{}: {}{numbers}", reason.code, reason.text), MAX_TEXT_BYTES)
}

/// "green"
pub fn status_name(status: Status) -> &'static str {
    match status {
        Status::Green => "green",
        Status::Yellow => "yellow",
        Status::Red => "red",
        Status::Unknown | Status::Unspecified => "unknown",
    }
}

/// What an alert's subject ends with, by the kind of its message.
pub(crate) fn headline(message_kind: &str) -> &'static str {
    let kinds = [
        AlertKind::RpoBreach,
        AlertKind::LostSight,
        AlertKind::ReplicationBroken,
        AlertKind::Integrity,
        AlertKind::Unspecified,
    ];
    let found = kinds.into_iter().map(words).find(|words| words.message_kind == message_kind);
    found.map_or("alert", |words| words.headline)
}

struct Words {
    message_kind: &'static str,
    headline: &'static str,
    meaning: &'static str,
    next_step: &'static str,
}

fn words(kind: AlertKind) -> Words {
    match kind {
        AlertKind::RpoBreach => Words {
            message_kind: kind::RPO_BREACHED,
            headline: "RPO breached",
            meaning: "if the primary were lost now, more data could be missing than the RPO allows.",
            next_step: "Open the page and see which side lags. Check the link between the sites, the load on the primary and the standby's apply. While it lasts, a failover can lose more data than agreed.",
        },
        AlertKind::LostSight => Words {
            message_kind: kind::VISIBILITY_LOST,
            headline: "sight lost",
            meaning: "a side of this system cannot be seen. Whether it could be recovered now is unknown; the page shows the last known state and its age.",
            next_step: "Find out whether the server, the site, the network or only the monitor account is affected. Do not take the last known state for the present one.",
        },
        AlertKind::ReplicationBroken => Words {
            message_kind: kind::REPLICATION_BROKEN,
            headline: "replication broken",
            meaning: "the standby no longer follows the primary. Every change from now on exists on one side only.",
            next_step: "Open the page for the reason, then mend the replication connection or rebuild the standby. Do not open a failover unless the primary is lost as well.",
        },
        AlertKind::Integrity => Words {
            message_kind: kind::INTEGRITY_VIOLATED,
            headline: "integrity violated",
            meaning: "the two sides do not fit together (two primaries, a foreign system, or a timeline that does not match).",
            next_step: "Stop writes on the wrong side first. Do not start a switchover or failover before a person has decided which side holds the valid data.",
        },
        AlertKind::Unspecified => Words {
            message_kind: kind::ALERT_OPENED,
            headline: "alert",
            meaning: "an alert of a kind that this version does not know was opened.",
            next_step: "Open the page and read the reasons.",
        },
    }
}
