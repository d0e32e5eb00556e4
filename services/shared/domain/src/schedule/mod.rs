//! What falls due by the calendar, and what came of it. A schedule opens a request; it never runs anything.
//!
//! | file | is |
//! |---|---|
//! | `calendar` | when a schedule is due: rule, time zone, jitter, blackouts |
//! | `recurrence`, `parse` | rules of RFC 5545 |
//! | `words` | a calendar in words |
//! | `what` | drills and reviews that can be scheduled |
//! | `advance` | what there is to record now, and when to look again |
//! | `progress` | what became of the request that a due time opened |
//! | `occasions` | what each due time was about |
//! | `answer` | a review is recorded, a request could not be opened |
//! | `by_hand` | a drill that somebody asked for by hand |

mod advance;
mod answer;
mod by_hand;
mod calendar;
mod occasions;
mod parse;
mod progress;
mod recurrence;
mod what;
mod words;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::aggregate::{Aggregate, EventKind};
use crate::pb::inventory::v1::ScheduleSpec;
use crate::pb::schedule::v1::{ScheduleEvent, ScheduleFired, schedule_event::Event};
use crate::time::{duration_from_pb, from_pb};

pub use advance::{Declaration, LATE, MAX_LISTED, advance, request_id, wakes_at};
pub use answer::{open_failed, review};
pub use by_hand::{is_drill, is_of_schedule, proved_by_hand};
pub use calendar::{Calendar, Due, Fate, MAX_DATES, MAX_MOVE};
pub use occasions::Occasions;
pub use progress::{Progress, progress};
pub use what::{WHATS, What, what_of};

/// Approved and started within this, where the schedule says nothing.
pub const DEFAULT_WINDOW: SignedDuration = SignedDuration::from_hours(24);
/// Without a success for so long is an alarm, where the schedule says nothing.
pub const DEFAULT_OVERDUE_AFTER: SignedDuration = SignedDuration::from_hours(7 * 24);
/// The stakeholders are told so long before, where the schedule says nothing.
pub const DEFAULT_NOTICES: [SignedDuration; 3] =
    [SignedDuration::from_hours(7 * 24), SignedDuration::from_hours(24), SignedDuration::from_hours(1)];

pub fn window(spec: &ScheduleSpec) -> SignedDuration {
    duration_from_pb(spec.window.as_ref()).unwrap_or(DEFAULT_WINDOW)
}

pub fn overdue_after(spec: &ScheduleSpec) -> SignedDuration {
    duration_from_pb(spec.overdue_after.as_ref()).unwrap_or(DEFAULT_OVERDUE_AFTER)
}

pub fn notices(spec: &ScheduleSpec) -> Vec<SignedDuration> {
    if spec.notices.is_empty() {
        return DEFAULT_NOTICES.to_vec();
    }
    spec.notices.iter().filter_map(|notice| duration_from_pb(Some(notice))).collect()
}

/// The fold of its events: as much as the next decision needs.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Schedule {
    /// The newest due time that was taken care of.
    pub fired_until: Option<Timestamp>,
    /// The newest due time that was left out or moved.
    pub skipped_until: Option<Timestamp>,
    /// For which due time the stakeholders were told, and how long before.
    pub noticed: Option<(Timestamp, SignedDuration)>,
    /// Due times whose outcome is open, or whose alarm may still come.
    pub pending: BTreeMap<Timestamp, Pending>,
    pub last_success_at: Option<Timestamp>,
    /// Since when there should have been a success.
    pub overdue_since: Option<Timestamp>,
    /// The due time that is overdue: a success before it says nothing about it.
    pub overdue_due: Option<Timestamp>,
}

/// A due time that something was opened for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Pending {
    /// Empty for a review.
    pub request_id: String,
    pub lapses_at: Option<Timestamp>,
    pub lapsed: bool,
    pub overdue: bool,
    /// The code of the refusal that was told.
    pub open_failed: String,
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
        match &event.event {
            Some(Event::Noticed(noticed)) => {
                let before = noticed.before.parse().unwrap_or(SignedDuration::ZERO);
                self.noticed = from_pb(noticed.due_at.as_ref()).map(|due| (due, before));
            }
            Some(Event::Fired(fired)) => self.fired(fired),
            Some(Event::Skipped(skipped)) => {
                let due = from_pb(skipped.due_at.as_ref());
                self.skipped_until = self.skipped_until.max(due);
                if skipped.moved_to.is_none() {
                    self.fired_until = self.fired_until.max(due);
                }
            }
            Some(Event::Lapsed(lapsed)) => {
                self.settle(from_pb(lapsed.due_at.as_ref()), |pending| pending.lapsed = true)
            }
            Some(Event::Overdue(overdue)) => {
                self.overdue_since = from_pb(overdue.overdue_since.as_ref());
                self.overdue_due = from_pb(overdue.due_at.as_ref());
                self.settle(from_pb(overdue.due_at.as_ref()), |pending| pending.overdue = true);
            }
            Some(Event::Succeeded(done)) => {
                self.succeeded(from_pb(done.due_at.as_ref()), from_pb(done.succeeded_at.as_ref()));
            }
            Some(Event::Reviewed(done)) => {
                self.succeeded(from_pb(done.due_at.as_ref()), from_pb(done.reviewed_at.as_ref()));
            }
            Some(Event::OpenFailed(failed)) => {
                let code = failed.refusal.as_ref().map(|refusal| refusal.code.clone()).unwrap_or_default();
                self.settle(from_pb(failed.due_at.as_ref()), |pending| pending.open_failed = code);
            }
            None => {}
        }
    }
}

impl Schedule {
    fn fired(&mut self, fired: &ScheduleFired) {
        let Some(due) = from_pb(fired.due_at.as_ref()) else { return };
        self.fired_until = self.fired_until.max(Some(due));
        let lapses_at = from_pb(fired.lapses_at.as_ref());
        let request_id = fired.request_id.clone();
        self.pending.insert(due, Pending { request_id, lapses_at, ..Pending::default() });
    }

    /// Nothing is kept about a due time that nothing can happen to any more.
    fn settle(&mut self, due: Option<Timestamp>, change: impl FnOnce(&mut Pending)) {
        if let Some(pending) = due.and_then(|due| self.pending.get_mut(&due)) {
            change(pending);
        }
        let success = self.last_success_at;
        self.pending.retain(|due, pending| !(pending.lapsed && (pending.overdue || success >= Some(*due))));
    }

    /// A success also stands for the due times before it that came to nothing. Without a due time: it was asked for by
    /// hand, and stands for those before the moment it succeeded.
    fn succeeded(&mut self, due: Option<Timestamp>, at: Option<Timestamp>) {
        self.last_success_at = self.last_success_at.max(at);
        if due.is_some() || at >= self.overdue_due {
            (self.overdue_since, self.overdue_due) = (None, None);
        }
        let until = due.or(at);
        self.pending.retain(|earlier, pending| Some(*earlier) != due && !(Some(*earlier) < until && pending.lapsed));
    }

    pub fn is_overdue(&self) -> bool {
        self.overdue_since.is_some()
    }
}
