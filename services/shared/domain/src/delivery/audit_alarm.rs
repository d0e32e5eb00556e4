//! Messages about the record itself: its log does not fit, its stream was changed, or nobody witnesses it.

use crate::pb::audit::v1::{AuditLogEvent, CheckpointRef, audit_log_event::Event};
use crate::pb::common::v1::{Environment, Tier};
use crate::time::from_pb;

use super::message::{MAX_LIST, Message, Severity, Source, kind};

/// The message of an event of the transparency log; its everyday life makes none.
pub fn alarm(source: &Source, event: &AuditLogEvent) -> Option<Message> {
    // The record covers production: who is on call may be told.
    let mut message = Message::about(source, kind::AUDIT_ALARM, "", Tier::Tier1.into(), Environment::Production.into());
    message.severity = Severity::Critical;
    message.next_step =
        "Change nothing in the record's stream or files. Follow docs/tamper-evidence.md, and tell who audits you."
            .into();
    match event.event.as_ref()? {
        Event::SplitDetected(split) => {
            say(
                &mut message,
                "two different records",
                "The record shows two histories, or one that became shorter. Its log signs nothing more until a person has decided.",
            );
            message.fact("What was seen", &split.text);
            message.fact("Seen by", &split.seen_by);
            checkpoint(&mut message, "Ours", split.ours.as_ref());
            checkpoint(&mut message, "Theirs", split.theirs.as_ref());
        }
        Event::StreamChanged(changed) => {
            say(
                &mut message,
                "the record's stream was changed",
                "Somebody changed, emptied, deleted or recreated the stream that holds the record.",
            );
            message.fact("Stream", &changed.stream);
            message.fact("What", &changed.what);
            message.fact("By", &changed.by);
            message.fact("Differences", &changed.differences);
        }
        Event::GapDetected(gap) => {
            say(
                &mut message,
                "events are missing in the record",
                "The stream does not have events that the log accounts for.",
            );
            message.fact("Sequences", format!("{} to {}", gap.first_sequence, gap.last_sequence));
            message.fact("Reason", &gap.reason);
        }
        Event::PublicationMissing(missing) => {
            say(
                &mut message,
                "a stored event is not in the log",
                "A service was told that its event is stored, and the log does not contain it so.",
            );
            message.fact("Sequence", missing.sequence.to_string());
            message.fact("Event", format!("{} {}", missing.event_type, missing.event_id));
            message.fact("Producer", &missing.producer);
        }
        Event::KeyRevoked(revoked) => {
            say(
                &mut message,
                "the log's key was revoked",
                "The key that signs the record's log is trusted no further. A new epoch begins.",
            );
            message.fact("Reason", &revoked.reason);
            checkpoint(&mut message, "Last good", revoked.last_good.as_ref());
        }
        Event::WitnessesBehind(behind) => {
            message.severity = Severity::Warning;
            say(
                &mut message,
                "nobody witnesses the record",
                "Too few witnesses answer or agree: evidence newer than the witnessed checkpoint is not yet witnessed.",
            );
            message.next_step =
                "Find out whether the witnesses are down, or refuse what they are shown: docs/witness.md.".into();
            if let Some(since) = from_pb(behind.since.as_ref()) {
                message.fact("Since", format!("{since:.0}"));
            }
            message.reasons = behind
                .missing
                .iter()
                .take(MAX_LIST)
                .map(|name| format!("missing: {}", super::message::clip(name, 100)))
                .collect();
            checkpoint(&mut message, "Witnessed", behind.witnessed.as_ref());
        }
        Event::EpochOpened(_)
        | Event::KeyRotated(_)
        | Event::Anchored(_)
        | Event::Heartbeat(_)
        | Event::WitnessesCaughtUp(_) => return None,
    }
    Some(message)
}

fn say(message: &mut Message, headline: &str, meaning: &str) {
    let loudness = message.severity.name().to_uppercase();
    message.set_subject(&format!("{loudness}: {}: {headline}", message.tenant));
    message.set_summary(meaning);
}

fn checkpoint(message: &mut Message, name: &str, checkpoint: Option<&CheckpointRef>) {
    if let Some(at) = checkpoint {
        message.fact(name, format!("{} of size {}, root {}", at.origin, at.size, at.root));
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use jiff::Timestamp;
    use uuid::Uuid;

    use super::*;
    use crate::pb::audit::v1::{LogHeartbeat, SplitDetected, StreamChanged, WitnessesBehind};

    fn told(event: Event) -> Option<Message> {
        let occurred_at = Timestamp::from_second(1).unwrap();
        let source = Source { tenant: "acme".into(), event_id: Uuid::nil(), sequence: 1, occurred_at };
        alarm(&source, &AuditLogEvent { event: Some(event) })
    }

    #[test]
    fn what_threatens_the_record_is_told_and_its_everyday_is_not() {
        let split =
            told(Event::SplitDetected(SplitDetected { text: "root differs".into(), ..Default::default() })).unwrap();
        assert_eq!((split.kind.as_str(), split.severity), (kind::AUDIT_ALARM, Severity::Critical));
        assert_eq!(split.facts[0].value, "root differs");
        let changed =
            told(Event::StreamChanged(StreamChanged { what: "purged".into(), ..Default::default() })).unwrap();
        assert_eq!(changed.subject, "CRITICAL: acme: the record's stream was changed");
        let behind =
            told(Event::WitnessesBehind(WitnessesBehind { missing: vec!["customer".into()], ..Default::default() }));
        assert_eq!(behind.unwrap().reasons, ["missing: customer"]);
        assert_eq!(told(Event::Heartbeat(LogHeartbeat::default())), None);
    }
}
