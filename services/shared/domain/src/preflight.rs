//! One preflight, kept: could this be run now, and every check with its value and limit. Approvers are shown the one
//! that the requester looked at.

use crate::aggregate::{Aggregate, EventKind};
use crate::pb::execution::v1::{PreflightEvent, PreflightReport, preflight_event::Event};

/// One preflight: the fold of its one event. Aggregate id: the preflight's own.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Preflight {
    pub report: Option<PreflightReport>,
}

impl EventKind for PreflightEvent {
    fn kind(&self) -> &'static str {
        match &self.event {
            Some(Event::Checked(_)) => "preflight.checked",
            None => "unset",
        }
    }
}

impl Aggregate for Preflight {
    const KIND: &'static str = "preflight";
    type Event = PreflightEvent;

    fn evolve(&mut self, event: &PreflightEvent) {
        if let Some(Event::Checked(checked)) = &event.event {
            self.report.clone_from(&checked.report);
        }
    }
}
