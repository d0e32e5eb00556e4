//! Gaps: what is not as it should be, until somebody closes it or accepts it until a date. And reviews: what people
//! looked at. The rules in words: docs/gaps.md.

mod decide;
mod evidence;
mod finding;
mod open;
mod review;

pub use decide::{Acceptance, MAX_ACCEPTANCE, MAX_DUE, PlanGap, accept, accepted_until, close, lapse, plan, reopen};
pub use evidence::Evidence;
pub use finding::{Finding, found, of_record, of_review, of_run};
pub use open::{OpenGap, open};
pub use review::{DrillReview, Review, review_audit, review_drill, review_id};

use jiff::Timestamp;

use crate::aggregate::{Aggregate, EventKind};
use crate::pb::audit::v1::{
    Gap as GapView, GapAccepted, GapClosed, GapEvent, GapOpened, GapPlanned, GapReopened, GapState, Severity,
    gap_event::Event,
};
use crate::time::from_pb;

/// One gap. Aggregate id: the gap's own.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Gap {
    pub opened: Option<GapOpened>,
    pub state: GapState,
    pub planned: Option<GapPlanned>,
    pub accepted: Option<GapAccepted>,
    pub closed: Option<GapClosed>,
    /// The newest one.
    pub reopened: Option<GapReopened>,
}

impl EventKind for GapEvent {
    fn kind(&self) -> &'static str {
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
        match &event.event {
            Some(Event::Opened(opened)) => {
                self.opened = Some(opened.clone());
                self.state = GapState::Open;
            }
            Some(Event::Planned(planned)) => {
                self.planned = Some(planned.clone());
                self.accepted = None;
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
            Some(Event::Reopened(reopened)) => {
                self.reopened = Some(reopened.clone());
                (self.planned, self.accepted, self.closed) = (None, None, None);
                self.state = GapState::Open;
            }
            None => {}
        }
    }
}

impl Gap {
    pub fn exists(&self) -> bool {
        self.opened.is_some()
    }

    pub fn severity(&self) -> Severity {
        self.opened.as_ref().map(GapOpened::severity).unwrap_or_default()
    }

    /// It is planned and its date is over: nobody did what was promised.
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        let due = self.planned.as_ref().and_then(|planned| from_pb(planned.due.as_ref()));
        self.state == GapState::Planned && due.is_some_and(|due| now >= due)
    }

    /// As people see it. The caller adds when it changed and at which version it is.
    pub fn view(&self, now: Timestamp) -> GapView {
        let opened = self.opened.as_ref();
        GapView {
            opened: self.opened.clone(),
            state: self.state.into(),
            opened_at: opened.and_then(|opened| opened.opened_at),
            opened_by: opened.and_then(|o| o.opened_by.as_ref()).map(|who| who.name.clone()).unwrap_or_default(),
            planned: self.planned.clone(),
            accepted: self.accepted.clone(),
            closed: self.closed.clone(),
            reopened: self.reopened.clone(),
            overdue: self.is_overdue(now),
            ..GapView::default()
        }
    }

    /// The way back from what was stored.
    pub fn of_view(view: GapView) -> Self {
        Self {
            state: view.state(),
            opened: view.opened,
            planned: view.planned,
            accepted: view.accepted,
            closed: view.closed,
            reopened: view.reopened,
        }
    }
}

/// "accepted"
pub fn state_name(state: GapState) -> &'static str {
    match state {
        GapState::Unspecified => "unknown",
        GapState::Open => "open",
        GapState::Planned => "planned",
        GapState::Accepted => "accepted",
        GapState::Closed => "closed",
    }
}

/// "high"
pub fn severity_name(severity: Severity) -> &'static str {
    match severity {
        Severity::Unspecified => "unspecified",
        Severity::Low => "low",
        Severity::Moderate => "moderate",
        Severity::High => "high",
    }
}

#[cfg(test)]
mod tests;
