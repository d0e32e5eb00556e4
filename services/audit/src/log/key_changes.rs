//! Which log key follows which, for readers who have only an older one: the events that say so, as they are stored, and the
//! last checkpoint that each key which has ended signed.

use muster_domain::{
    TenantId,
    audit::AuditLog,
    pb::audit::v1::{AuditLogEvent, audit_log_event::Event},
};
use muster_eventlog::{EventLog, RawEntry};
use muster_logstore::LogFiles;
use muster_tlog::{
    Checkpoint, VerifierKey,
    key::KeyId,
    verify::{StoredEvent, package::last_of},
};
use prost::Message as _;

use super::{
    fault::Fault,
    publish::{CHECKPOINT, PENDING},
    record,
    signer::Ended,
};
use crate::package::stored_event;

/// The events of the epoch with this origin that name a next key, oldest first.
pub(crate) async fn of_epoch(log: &EventLog, tenant: &TenantId, origin: &str) -> Result<Vec<StoredEvent>, Fault> {
    let life = log.raw_of::<AuditLog>(tenant, &record::life()?).await?;
    Ok(life.into_iter().filter(|entry| names_a_key(entry, origin)).map(stored_event).collect())
}

fn names_a_key(entry: &RawEntry, origin: &str) -> bool {
    let event = AuditLogEvent::decode(entry.payload.clone()).ok().and_then(|event| event.event);
    let Some(Event::KeyRotated(rotated)) = event else { return false };
    rotated.old_verifier_key.parse::<VerifierKey>().is_ok_and(|key| key.name() == origin)
}

/// As a file of the log: one event a line. Nothing when no key has changed.
pub(crate) fn lines(events: &[StoredEvent]) -> Result<Vec<u8>, serde_json::Error> {
    let mut lines = Vec::new();
    for event in events {
        serde_json::to_writer(&mut lines, event)?;
        lines.push(b'\n');
    }
    Ok(lines)
}

/// `checkpoint.last.0c996205`
pub(crate) fn is_last_of_a_key(path: &str) -> bool {
    path.rsplit_once('.').is_some_and(|(_, id)| id.parse::<KeyId>().is_ok_and(|id| last_of(id) == path))
}

/// Keeps what the keys that have ended signed last, before anything is published without them. Written once.
pub(crate) async fn keep_last(files: &LogFiles, ended: &[Ended]) -> Result<(), Fault> {
    for one in ended {
        let key: VerifierKey = one.verifier_key.parse()?;
        let path = last_of(key.id());
        if files.read(&path).await?.is_some() {
            continue;
        }
        // The witnessed one first: it is the better evidence, and at most some seconds older.
        for file in [CHECKPOINT, PENDING] {
            let Some(note) = files.read(file).await? else { continue };
            if Checkpoint::open(&note, std::slice::from_ref(&key)).is_ok() {
                files.create(&path, note).await?;
                break;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_name_of_a_key_is_one() {
        assert!(is_last_of_a_key("checkpoint.last.0c996205"));
        for path in
            ["checkpoint.last.", "checkpoint.last.0c99620", "checkpoint.last.../signer", "checkpoint.0c996205", "x"]
        {
            assert!(!is_last_of_a_key(path), "{path}");
        }
    }
}
