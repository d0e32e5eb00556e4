//! What one event says to an auditor: whom it concerns, how it ended, why, under which policy.

mod custody;
mod decisions;
mod describe;
mod keys;
pub mod log;
mod messages;

pub use describe::{DescribeError, Description, describe};
pub use keys::{DestroyPayloadKey, PayloadKey, Producer, begin_destruction, finish_destruction};
pub use log::{AuditDomain, AuditLog, LogKey, Stopped};

use crate::aggregate::{Aggregate, EventKind};
use crate::pb::audit::v1::{ExportEvent, export_event};

/// One export that was made. Aggregate id: the export's own.
#[derive(Debug, Clone, Default)]
pub struct Export {
    pub created: bool,
}

impl EventKind for ExportEvent {
    fn kind(&self) -> &'static str {
        match self.event {
            Some(export_event::Event::Created(_)) => "export.created",
            None => "unset",
        }
    }
}

impl Aggregate for Export {
    const KIND: &'static str = "export";
    type Event = ExportEvent;

    fn evolve(&mut self, event: &ExportEvent) {
        self.created |= event.event.is_some();
    }
}
