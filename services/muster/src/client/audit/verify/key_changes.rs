//! Which log key is said to follow which: read from the events that the log's folder, a package or the server has of it. That
//! the log really holds them is proven by the verification.

use std::io;

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use muster_domain::{
    Aggregate,
    audit::AuditLog,
    pb::audit::v1::{AuditLogEvent, audit_log_event::Event},
};
use muster_tlog::verify::{
    Files, StoredEvent,
    package::{KEY_CHANGES, KeyChange},
};
use prost::Message as _;

/// A key changes once in a while; a longer file is no list of them.
const MAX_CHANGES: usize = 1_000;

pub(super) fn read(files: &dyn Files) -> io::Result<Vec<KeyChange>> {
    let Some(content) = files.read(KEY_CHANGES)? else { return Ok(Vec::new()) };
    Ok(content.split(|byte| *byte == b'\n').take(MAX_CHANGES).filter_map(change).collect())
}

/// What is no such event is not followed.
fn change(line: &[u8]) -> Option<KeyChange> {
    let event: StoredEvent = serde_json::from_slice(line).ok()?;
    // `rec.<tenant>.audit-log.record.<version>`: written by the log itself alone.
    let mut subject = event.subject.split('.').skip(2);
    if subject.next() != Some(AuditLog::KIND) || subject.next() != Some(AuditLog::ID) {
        return None;
    }
    let payload = BASE64.decode(&event.payload_b64).ok()?;
    let Some(Event::KeyRotated(rotated)) = AuditLogEvent::decode(payload.as_slice()).ok()?.event else { return None };
    let (from, to) = (rotated.old_verifier_key.parse().ok()?, rotated.new_verifier_key.parse().ok()?);
    Some(KeyChange { event, from, to })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use muster_domain::pb::audit::v1::LogKeyRotated;
    use muster_tlog::{Algorithm, SigningKey, SoftwareKey, verify::MemoryFiles};

    use super::*;

    fn key(seed: u8) -> String {
        SoftwareKey::from_seed("a/t/record/1", Algorithm::Ed25519, &[seed; 32]).unwrap().verifier().to_string()
    }

    fn line(subject: &str) -> String {
        let rotated = LogKeyRotated { old_verifier_key: key(1), new_verifier_key: key(2), ..LogKeyRotated::default() };
        let payload = AuditLogEvent { event: Some(Event::KeyRotated(rotated)) }.encode_to_vec();
        let event = StoredEvent {
            stream: "record".into(),
            seq: 9,
            subject: subject.into(),
            time_ns: 1,
            headers: Vec::new(),
            payload_b64: BASE64.encode(payload),
        };
        serde_json::to_string(&event).unwrap()
    }

    #[test]
    fn only_the_logs_own_events_name_keys() {
        let mut files = MemoryFiles::default();
        assert!(read(&files).unwrap().is_empty());
        let (own, foreign) = (line("rec.acme.audit-log.record.3"), line("rec.acme.request.record.3"));
        let monthly = line("rec.acme.audit-log.record-2026-11.3");
        files.0.insert(KEY_CHANGES.into(), format!("{foreign}\nnot json\n{own}\n{monthly}\n").into_bytes());
        let found = read(&files).unwrap();
        assert_eq!(found.iter().map(|one| one.from.to_string()).collect::<Vec<_>>(), [key(1)]);
        assert_eq!((found[0].to.to_string(), found[0].event.seq), (key(2), 9));
    }
}
