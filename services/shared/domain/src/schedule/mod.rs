//! What falls due by the calendar, and what came of it. A schedule opens a request; it never runs anything.

use crate::aggregate::{Aggregate, EventKind};
use crate::pb::schedule::v1::{ScheduleEvent, schedule_event::Event};

/// The fold of its events.
#[derive(Debug, Clone, Default)]
pub struct Schedule {
    pub exists: bool,
}

impl EventKind for ScheduleEvent {
    fn kind(&self) -> &'static str {
        match &self.event {
            Some(Event::Noticed(_)) => "schedule.noticed",
            Some(Event::Fired(_)) => "schedule.fired",
            Some(Event::Skipped(_)) => "schedule.skipped",
            Some(Event::Lapsed(_)) => "schedule.lapsed",
            Some(Event::Succeeded(_)) => "schedule.succeeded",
            Some(Event::Overdue(_)) => "schedule.overdue",
            Some(Event::Reviewed(_)) => "schedule.reviewed",
            Some(Event::OpenFailed(_)) => "schedule.open_failed",
            None => "unset",
        }
    }
}

impl Aggregate for Schedule {
    const KIND: &'static str = "schedule";
    type Event = ScheduleEvent;

    fn evolve(&mut self, event: &ScheduleEvent) {
        self.exists |= event.event.is_some();
    }
}
