//! What may happen to a log, decided on its present state. Each decision is one event; `None`: it holds already.

use jiff::Timestamp;

use super::{AuditDomain, AuditLog, Stopped};
use crate::pb::audit::v1::{
    AuditDomainEvent, AuditDomainSet, AuditLogEvent, EpochOpened, LogGapDetected, LogKeyRevoked, LogKeyRotated,
    SplitDetected, audit_domain_event, audit_log_event::Event,
};
use crate::refusal::{Refusal, field_refusal, refusal};
use crate::time::to_pb;

type Decision = Result<Option<AuditLogEvent>, Refusal>;

fn event(event: Event) -> Decision {
    Ok(Some(AuditLogEvent { event: Some(event) }))
}

/// The first writer wins: every origin, and everything derived from one, hangs on it.
pub fn set_domain(state: &AuditDomain, domain: &str) -> Option<AuditDomainEvent> {
    let set = AuditDomainSet { domain: domain.to_owned() };
    state.domain.is_none().then_some(AuditDomainEvent { event: Some(audit_domain_event::Event::Set(set)) })
}

/// The first epoch, the one after a revoked key, or the one of a stream that was promoted elsewhere. A log in which two
/// trees were seen stays closed until somebody has found out and revoked its key. Numbers go up, by more than one where
/// only the store remembers an epoch.
pub fn open_epoch(state: &AuditLog, opened: &EpochOpened) -> Decision {
    let last = state.epoch().map_or(0, |epoch| epoch.epoch);
    if opened.epoch <= last {
        return Ok(None);
    }
    if let Some(Stopped::Split(split)) = &state.stopped {
        return Err(refusal(
            "LOG_STOPPED",
            "nothing is signed after two trees were seen, until the key is revoked",
            split.text.clone(),
            "a revoked key",
            "find out what happened (docs/transparency-log.md), then `muster audit revoke-key`",
        ));
    }
    event(Event::EpochOpened(opened.clone()))
}

/// Both keys sign until `old_until`.
pub fn rotate_key(
    state: &AuditLog,
    new_verifier_key: &str,
    old_until: Timestamp,
    reason: &str,
    now: Timestamp,
) -> Decision {
    let refused = |rule: &str, value: String, limit: &str, next: &str| {
        Err(refusal("LOG_KEY_NOT_ROTATABLE", rule, value, limit, next))
    };
    if let Some(stopped) = &state.stopped {
        return refused(
            "a stopped log has no key to rotate",
            stopped.text(),
            "a log that signs",
            "see `muster audit log`",
        );
    }
    if state.keys.iter().any(|key| key.verifier_key == new_verifier_key) {
        return Ok(None);
    }
    let signing: Vec<_> = state.keys.iter().filter(|key| key.signs_at(now)).collect();
    match signing.as_slice() {
        [old] => event(Event::KeyRotated(LogKeyRotated {
            old_verifier_key: old.verifier_key.clone(),
            new_verifier_key: new_verifier_key.to_owned(),
            old_until: Some(to_pb(old_until)),
            reason: reason.to_owned(),
        })),
        [] => refused("the log has not begun yet", "no key".into(), "one key", "try again in a moment"),
        more => {
            let until = more.iter().filter_map(|key| key.until).max();
            let until = until.map(|until| format!("two keys until {until}")).unwrap_or_default();
            refused(
                "one rotation at a time: auditors get to know one new key",
                until,
                "one key",
                "wait until the old one has ended; a key that got into wrong hands is revoked instead",
            )
        }
    }
}

/// From `last_good` on nothing counts that only this key signed. A new epoch follows.
pub fn revoke_key(state: &AuditLog, revoked: &LogKeyRevoked) -> Decision {
    let Some(key) = state.keys.iter().find(|key| key.verifier_key == revoked.verifier_key) else {
        return Err(field_refusal(
            "verifier_key",
            "LOG_KEY_UNKNOWN",
            "a key of the log's present epoch can be revoked",
            revoked.verifier_key.clone(),
            state.keys.iter().map(|key| key.verifier_key.as_str()).collect::<Vec<_>>().join(", "),
            "copy the key from `muster audit log`",
        ));
    };
    if key.revoked {
        return Ok(None);
    }
    event(Event::KeyRevoked(revoked.clone()))
}

/// The signer stops. What is said first stays: it names the moment from which on nothing is to be believed.
pub fn detect_split(state: &AuditLog, split: &SplitDetected) -> Decision {
    match state.stopped {
        Some(Stopped::Split(_)) => Ok(None),
        _ => event(Event::SplitDetected(split.clone())),
    }
}

pub fn detect_gap(_state: &AuditLog, gap: &LogGapDetected) -> Decision {
    event(Event::GapDetected(gap.clone()))
}

/// Events that people rely on as proof: their checkpoint is published at once, and the answer to the command waits for
/// it for a moment. No step of an execution is among them.
pub fn is_sealing(event_type: &str) -> bool {
    const ENDS: [&str; 11] = [
        "execution.succeeded",
        "execution.failed",
        "execution.stopped",
        "request.approved",
        "request.rejected",
        "request.confirmed",
        "request.break_glass_reviewed",
        "audit.gap.detected",
        "audit.split.detected",
        "drill.reviewed",
        "audit.reviewed",
    ];
    const KINDS: [&str; 3] = ["gap.", "audit.key.", "payload-key."];
    ENDS.contains(&event_type) || KINDS.iter().any(|kind| event_type.starts_with(kind))
}
