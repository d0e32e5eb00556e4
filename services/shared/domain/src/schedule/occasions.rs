//! What each due time was about, for whoever tells people what came of it.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::Schedule;
use crate::aggregate::Aggregate;
use crate::pb::schedule::v1::{ScheduleEvent, ScheduleFired, schedule_event::Event};
use crate::time::from_pb;

/// Due times that are remembered: what is told about older ones says less.
const REMEMBERED: usize = 400;

/// The same events as [`Schedule`]; of each due time what fell due.
#[derive(Debug, Clone, Default)]
pub struct Occasions(BTreeMap<Timestamp, ScheduleFired>);

impl Aggregate for Occasions {
    const KIND: &'static str = Schedule::KIND;
    type Event = ScheduleEvent;

    fn evolve(&mut self, event: &ScheduleEvent) {
        let Some(Event::Fired(fired)) = &event.event else { return };
        let Some(due) = from_pb(fired.due_at.as_ref()) else { return };
        self.0.insert(due, fired.clone());
        if self.0.len() > REMEMBERED {
            self.0.pop_first();
        }
    }
}

impl Occasions {
    pub fn at(&self, due: Timestamp) -> Option<&ScheduleFired> {
        self.0.get(&due)
    }
}
