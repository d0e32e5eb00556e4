//! What others say about a due time: a person reviewed, a request could not be opened.

use jiff::Timestamp;

use super::Schedule;
use crate::pb::common::v1::Actor;
use crate::pb::schedule::v1::{ScheduleEvent, ScheduleOpenFailed, ScheduleReviewed, schedule_event::Event};
use crate::refusal::{Refusal, refusal};
use crate::request::{MAX_TEXT, must_be_a_person, required_text};
use crate::time::to_pb;

/// Records a review that is due, or was due and is overdue. Without `due_at` the newest one.
pub fn review(
    schedule: &Schedule,
    name: &str,
    due_at: Option<Timestamp>,
    findings: &str,
    by: &Actor,
    now: Timestamp,
) -> Result<Option<ScheduleEvent>, Refusal> {
    must_be_a_person(by, "a review")?;
    required_text("findings", findings, MAX_TEXT, "what the review found, so it is needed")?;
    let mut reviews = schedule.pending.iter().filter(|(_, pending)| pending.request_id.is_empty());
    let due = match due_at {
        Some(at) => reviews.find(|(due, _)| **due == at),
        None => reviews.next_back(),
    };
    let Some((due, _)) = due else {
        let found = due_at.map_or_else(|| format!("no open review of {name}"), |at| format!("{at:.0}"));
        return Err(refusal(
            "REVIEW_NOT_DUE",
            "a review is recorded for a time at which one was due, once",
            found,
            "a due review that nobody recorded yet",
            "look at `muster schedule show` for what is due",
        ));
    };
    Ok(Some(ScheduleEvent {
        event: Some(Event::Reviewed(ScheduleReviewed {
            due_at: Some(to_pb(*due)),
            by: Some(by.clone()),
            findings: findings.trim().to_owned(),
            reviewed_at: Some(to_pb(now)),
        })),
    }))
}

/// The request of a due time was refused. Told once for each reason; nothing to tell when it is over already.
pub fn open_failed(schedule: &Schedule, due: Timestamp, why: &Refusal, now: Timestamp) -> Option<ScheduleEvent> {
    let pending = schedule.pending.get(&due)?;
    if pending.lapsed || pending.open_failed == why.code {
        return None;
    }
    Some(ScheduleEvent {
        event: Some(Event::OpenFailed(ScheduleOpenFailed {
            due_at: Some(to_pb(due)),
            refusal: Some(why.clone()),
            failed_at: Some(to_pb(now)),
        })),
    })
}
