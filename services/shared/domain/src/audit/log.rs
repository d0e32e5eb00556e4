//! The life of a tenant's transparency log: epochs, keys, what was found wrong with it.

use crate::aggregate::{Aggregate, EventKind};
use crate::pb::audit::v1::{
    AuditDomainEvent, AuditLogEvent, CheckpointRef, EpochOpened, audit_domain_event, audit_log_event,
};

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

/// One tenant's log. Aggregate id [`AuditLog::ID`].
#[derive(Debug, Clone, Default)]
pub struct AuditLog {
    /// Oldest first.
    pub epochs: Vec<EpochOpened>,
    /// The newest checkpoint that any event names.
    pub newest: Option<CheckpointRef>,
    /// Why nothing may be signed any more, until a new epoch opens.
    pub stopped: Option<String>,
}

impl AuditLog {
    /// The stream's logical name.
    pub const ID: &'static str = "record";
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
                self.epochs.push(opened.clone());
                self.stopped = None;
            }
            Some(Event::SplitDetected(split)) => self.stopped = Some(split.text.clone()),
            Some(Event::Anchored(anchored)) => self.newest.clone_from(&anchored.checkpoint),
            Some(Event::Heartbeat(heartbeat)) => self.newest.clone_from(&heartbeat.checkpoint),
            _ => {}
        }
    }
}
