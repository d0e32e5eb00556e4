//! A message of each kind as it could be, for previews, for templates that are tried before they are used, and for tests.

use jiff::{SignedDuration, Timestamp};

use crate::ids::derived_id;
use crate::pb::common::v1::{Environment, LossStatement, Measurement, Reason, Tier};
use crate::pb::readiness::v1::{
    AlertKind, AlertOpened, AlertResolved, Assessment, ReadinessEvent, Severity as AlertSeverity, Status,
    readiness_event::Event,
};
use crate::time::{duration_to_pb, to_pb};

use super::alert;
use super::message::{Message, Severity, Source, kind};

const RESOURCE: &str = "orders-db";

/// A message of this kind about a system that does not exist. A kind that is not known gives a plain one.
pub fn sample(tenant: &str, message_kind: &str, now: Timestamp) -> Message {
    let source = Source {
        tenant: tenant.to_owned(),
        event_id: derived_id(&["sample", tenant, message_kind]),
        sequence: 1,
        occurred_at: now,
    };
    let about_alert = alert_event(message_kind, now).and_then(|event| alert::message(&source, &event));
    about_alert.unwrap_or_else(|| plain(&source, message_kind))
}

fn alert_event(message_kind: &str, now: Timestamp) -> Option<ReadinessEvent> {
    let alert = match message_kind {
        kind::RPO_BREACHED | kind::ALERT_RESOLVED => AlertKind::RpoBreach,
        kind::VISIBILITY_LOST => AlertKind::LostSight,
        kind::REPLICATION_BROKEN => AlertKind::ReplicationBroken,
        kind::INTEGRITY_VIOLATED => AlertKind::Integrity,
        kind::ALERT_OPENED => AlertKind::Unspecified,
        _ => return None,
    };
    let (alert_id, resource) = ("0199a1b2-0000-7000-8000-000000000001".to_owned(), RESOURCE.to_owned());
    let (tier, environment) = (Tier::Tier1.into(), Environment::Production.into());
    let event = if message_kind == kind::ALERT_RESOLVED {
        Event::AlertResolved(AlertResolved {
            alert_id,
            resource,
            kind: alert.into(),
            assessment: Some(judgement(Status::Green, now)),
            opened_at: now.checked_sub(SignedDuration::from_mins(12)).ok().map(to_pb),
            resolved_at: Some(to_pb(now)),
            tier,
            environment,
        })
    } else {
        Event::AlertOpened(AlertOpened {
            alert_id,
            resource,
            kind: alert.into(),
            severity: AlertSeverity::Critical.into(),
            assessment: Some(judgement(Status::Red, now)),
            condition_since: now.checked_sub(SignedDuration::from_secs(40)).ok().map(to_pb),
            tier,
            environment,
            ..AlertOpened::default()
        })
    };
    Some(ReadinessEvent { event: Some(event) })
}

fn judgement(status: Status, now: Timestamp) -> Assessment {
    let measured = Measurement { name: "rpo_seconds".into(), value: Some(95.0), limit: Some(60.0), unit: "s".into() };
    let reason = Reason {
        code: "RPO_BREACH".into(),
        text: "more could be missing than was agreed".into(),
        measurements: vec![measured],
    };
    let loss = LossStatement { text: "potential loss window up to 95 s".into(), ..LossStatement::default() };
    Assessment {
        status: status.into(),
        reasons: if status == Status::Green { Vec::new() } else { vec![reason] },
        rpo_now: Some(duration_to_pb(SignedDuration::from_secs(95))),
        observed_at: Some(to_pb(now)),
        loss: Some(loss),
        ..Assessment::default()
    }
}

/// Requests and everything else.
fn plain(source: &Source, message_kind: &str) -> Message {
    let (tier, environment) = (Tier::Tier1.into(), Environment::Production.into());
    let mut message = Message::about(source, message_kind, RESOURCE, tier, environment);
    message.severity = Severity::Warning;
    if message_kind.starts_with("request.") || message_kind.starts_with("plan.") {
        message.request_id = "0199a1b2-0000-7000-8000-000000000002".to_owned();
    }
    if message_kind == kind::ALERT_ACKNOWLEDGED {
        message.alert_id = "0199a1b2-0000-7000-8000-000000000001".to_owned();
        message.alert_kind = kind::RPO_BREACHED.to_owned();
    }
    message.set_subject(&format!("EXAMPLE of {message_kind}: {} to site ams", message.place()));
    message.set_summary("Olga asks for a switchover of orders-db from fra to ams: patch night.");
    message.fact("Asked for by", "Olga");
    message.fact("Decide until", format!("{source_time:.0}", source_time = source.occurred_at));
    message.next_step = "Open the page and read what is known.".into();
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_of_every_kind() {
        for kind in kind::ALL {
            let message = sample("acme", kind, Timestamp::UNIX_EPOCH);
            assert_eq!(message.kind, *kind);
            assert!(
                !message.subject.is_empty() && !message.summary.is_empty() && !message.next_step.is_empty(),
                "{kind}"
            );
        }
    }
}
