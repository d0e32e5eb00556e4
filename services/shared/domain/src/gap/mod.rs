//! Gaps: what is not as it should be, until somebody closes it or accepts it until a date. And reviews: what people
//! looked at.

use crate::aggregate::{Aggregate, EventKind};
use crate::pb::audit::v1::{
    GapAccepted, GapClosed, GapEvent, GapOpened, GapPlanned, GapState, ReviewEvent, gap_event, review_event,
};

/// One gap. Aggregate id: the gap's own.
#[derive(Debug, Clone, Default)]
pub struct Gap {
    pub opened: Option<GapOpened>,
    pub state: GapState,
    pub planned: Option<GapPlanned>,
    pub accepted: Option<GapAccepted>,
    pub closed: Option<GapClosed>,
}

impl EventKind for GapEvent {
    fn kind(&self) -> &'static str {
        use gap_event::Event;
        match self.event {
            Some(Event::Opened(_)) => "gap.opened",
            Some(Event::Planned(_)) => "gap.planned",
            Some(Event::Closed(_)) => "gap.closed",
            Some(Event::Accepted(_)) => "gap.accepted",
            Some(Event::Reopened(_)) => "gap.reopened",
            None => "unset",
        }
    }
}

impl Aggregate for Gap {
    const KIND: &'static str = "gap";
    type Event = GapEvent;

    fn evolve(&mut self, event: &GapEvent) {
        use gap_event::Event;
        match &event.event {
            Some(Event::Opened(opened)) => {
                self.opened = Some(opened.clone());
                self.state = GapState::Open;
            }
            Some(Event::Planned(planned)) => {
                self.planned = Some(planned.clone());
                self.state = GapState::Planned;
            }
            Some(Event::Closed(closed)) => {
                self.closed = Some(closed.clone());
                self.state = GapState::Closed;
            }
            Some(Event::Accepted(accepted)) => {
                self.accepted = Some(accepted.clone());
                self.state = GapState::Accepted;
            }
            Some(Event::Reopened(_)) => self.state = GapState::Open,
            None => {}
        }
    }
}

/// One look of a person. Aggregate id: the review's own.
#[derive(Debug, Clone, Default)]
pub struct Review {
    pub made: bool,
}

impl EventKind for ReviewEvent {
    fn kind(&self) -> &'static str {
        match self.event {
            Some(review_event::Event::Drill(_)) => "drill.reviewed",
            Some(review_event::Event::Audit(_)) => "audit.reviewed",
            None => "unset",
        }
    }
}

impl Aggregate for Review {
    const KIND: &'static str = "review";
    type Event = ReviewEvent;

    fn evolve(&mut self, event: &ReviewEvent) {
        self.made |= event.event.is_some();
    }
}
