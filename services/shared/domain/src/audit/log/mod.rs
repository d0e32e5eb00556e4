//! The life of a tenant's transparency log: epochs, keys, what was found wrong with it.

mod rules;
#[cfg(test)]
mod tests;

pub use rules::{detect_gap, detect_split, is_sealing, open_epoch, revoke_key, rotate_key, set_domain};

use jiff::Timestamp;

use crate::aggregate::{Aggregate, EventKind};
use crate::pb::audit::v1::{
    AuditDomainEvent, AuditLogEvent, CheckpointRef, EpochOpened, LogKeyRevoked, SplitDetected, audit_domain_event,
    audit_log_event,
};
use crate::time::from_pb;

/// The first part of every origin. Aggregate id [`AuditDomain::ID`], in the operating tenant.
#[derive(Debug, Clone, Default)]
pub struct AuditDomain {
    pub domain: Option<String>,
}

impl AuditDomain {
    pub const ID: &'static str = "installation";
}

impl EventKind for AuditDomainEvent {
    fn kind(&self) -> &'static str {
        match self.event {
            Some(audit_domain_event::Event::Set(_)) => "audit.domain.set",
            None => "unset",
        }
    }
}

impl Aggregate for AuditDomain {
    const KIND: &'static str = "audit-domain";
    type Event = AuditDomainEvent;

    fn evolve(&mut self, event: &AuditDomainEvent) {
        if let Some(audit_domain_event::Event::Set(set)) = &event.event {
            self.domain.get_or_insert_with(|| set.domain.clone());
        }
    }
}

/// One tenant's log. What happens once in its life is in the aggregate [`AuditLog::ID`]; what comes back (heartbeats,
/// anchors, alarms) is in one for each month ([`AuditLog::monthly`]), so that none grows without end.
#[derive(Debug, Clone, Default)]
pub struct AuditLog {
    /// Oldest first.
    pub epochs: Vec<EpochOpened>,
    /// The keys of the present epoch, oldest first.
    pub keys: Vec<LogKey>,
    /// Why nothing may be signed any more, until a new epoch opens.
    pub stopped: Option<Stopped>,
}

/// A key that signs the present epoch, or did.
#[derive(Debug, Clone, PartialEq)]
pub struct LogKey {
    pub verifier_key: String,
    /// A rotated key signs until then, beside its successor.
    pub until: Option<Timestamp>,
    pub revoked: bool,
}

impl LogKey {
    pub fn signs_at(&self, now: Timestamp) -> bool {
        !self.revoked && self.until.is_none_or(|until| now < until)
    }
}

#[derive(Debug, Clone, PartialEq)]
pub enum Stopped {
    /// Somebody has to find out what happened; then the key is revoked, which opens a new epoch.
    Split(SplitDetected),
    /// The signer opens a new epoch with a new key by itself.
    KeyRevoked(LogKeyRevoked),
}

impl Stopped {
    /// For people.
    pub fn text(&self) -> String {
        match self {
            Self::Split(split) => split.text.clone(),
            Self::KeyRevoked(revoked) => format!("the key was revoked ({}); a new epoch opens", revoked.reason),
        }
    }
}

impl AuditLog {
    /// The stream's logical name.
    pub const ID: &'static str = "record";

    /// The aggregate of what comes back, "record-2026-11".
    pub fn monthly(now: Timestamp) -> String {
        format!("{}-{}", Self::ID, now.strftime("%Y-%m"))
    }

    pub fn epoch(&self) -> Option<&EpochOpened> {
        self.epochs.last()
    }

    /// The checkpoint that the next epoch continues from as far as the events know.
    pub fn last_good(&self) -> Option<&CheckpointRef> {
        match &self.stopped {
            Some(Stopped::KeyRevoked(revoked)) => revoked.last_good.as_ref(),
            _ => None,
        }
    }
}

impl EventKind for AuditLogEvent {
    fn kind(&self) -> &'static str {
        use audit_log_event::Event;
        match self.event {
            Some(Event::EpochOpened(_)) => "audit.epoch.opened",
            Some(Event::KeyRotated(_)) => "audit.key.rotated",
            Some(Event::KeyRevoked(_)) => "audit.key.revoked",
            Some(Event::Anchored(_)) => "audit.checkpoint.anchored",
            Some(Event::Heartbeat(_)) => "audit.heartbeat",
            Some(Event::GapDetected(_)) => "audit.gap.detected",
            Some(Event::SplitDetected(_)) => "audit.split.detected",
            Some(Event::StreamChanged(_)) => "audit.stream.changed",
            Some(Event::WitnessesBehind(_)) => "audit.witnesses.behind",
            Some(Event::WitnessesCaughtUp(_)) => "audit.witnesses.caught-up",
            Some(Event::PublicationMissing(_)) => "audit.publication.missing",
            None => "unset",
        }
    }
}

impl Aggregate for AuditLog {
    const KIND: &'static str = "audit-log";
    type Event = AuditLogEvent;

    fn evolve(&mut self, event: &AuditLogEvent) {
        use audit_log_event::Event;
        match &event.event {
            Some(Event::EpochOpened(opened)) => {
                self.keys = vec![LogKey { verifier_key: opened.verifier_key.clone(), until: None, revoked: false }];
                self.epochs.push(opened.clone());
                self.stopped = None;
            }
            Some(Event::KeyRotated(rotated)) => {
                let until = from_pb(rotated.old_until.as_ref());
                for key in self.keys.iter_mut().filter(|key| key.verifier_key == rotated.old_verifier_key) {
                    key.until = until;
                }
                let verifier_key = rotated.new_verifier_key.clone();
                self.keys.push(LogKey { verifier_key, until: None, revoked: false });
            }
            Some(Event::KeyRevoked(revoked)) => {
                for key in self.keys.iter_mut().filter(|key| key.verifier_key == revoked.verifier_key) {
                    key.revoked = true;
                }
                self.stopped = Some(Stopped::KeyRevoked(revoked.clone()));
            }
            Some(Event::SplitDetected(split)) => self.stopped = Some(Stopped::Split(split.clone())),
            _ => {}
        }
    }
}
