//! What people looked at: a run, or a period of the record. Once a person, by a person who did not do it.

use jiff::Timestamp;

use crate::aggregate::{Aggregate, EventKind};
use crate::ids::{AggregateId, derived_id};
use crate::pb::audit::v1::{AuditReviewed, DrillReviewed, ReviewEvent, review_event};
use crate::pb::common::v1::Actor;
use crate::pb::execution::v1::ExecutionState;
use crate::pb::request::v1::RequestView;
use crate::refusal::{Refusal, field_refusal, refusal};
use crate::request::{MAX_TEXT, must_be_a_person, required_text};
use crate::time::to_pb;

/// More gaps than this are one gap with a longer text.
const MAX_GAPS: usize = 20;

type Decision = Result<Option<ReviewEvent>, Refusal>;

/// One look of a person. Aggregate id: see [`review_id`] for runs; its own for periods.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Review {
    pub drill: Option<DrillReviewed>,
    pub audit: Option<AuditReviewed>,
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
        match &event.event {
            Some(review_event::Event::Drill(drill)) => self.drill = Some(drill.clone()),
            Some(review_event::Event::Audit(audit)) => self.audit = Some(audit.clone()),
            None => {}
        }
    }
}

/// One for each request and person, so that the log itself lets a person review a run once.
pub fn review_id(request_id: &str, actor: &Actor) -> AggregateId {
    AggregateId::from(derived_id(&["review", request_id, &actor.id]))
}

/// What the reviewer says about a run.
#[derive(Debug, Clone, Copy)]
pub struct DrillReview<'a> {
    pub accepted: bool,
    pub note: &'a str,
    /// That they exist is for the caller to know.
    pub gap_ids: &'a [String],
}

/// A person who had no hand in the run looks at its record. `view` is the request with its run.
pub fn review_drill(
    review: &Review,
    view: &RequestView,
    ask: &DrillReview<'_>,
    actor: &Actor,
    now: Timestamp,
) -> Decision {
    must_be_a_person(actor, "reviewing")?;
    must_have_ended(view)?;
    if had_a_hand(view, &actor.id) {
        return Err(refusal(
            "REVIEWER_INVOLVED",
            "who started a run, or did a step of it by hand, does not review it",
            actor.name.clone(),
            "another approver or admin",
            "ask somebody else to review it",
        ));
    }
    required_text("note", ask.note, MAX_TEXT, "what was looked at and found, so it is needed")?;
    if ask.gap_ids.len() > MAX_GAPS {
        return Err(field_refusal(
            "gap_ids",
            "FIELD_INVALID",
            "a review names few gaps",
            ask.gap_ids.len().to_string(),
            format!("at most {MAX_GAPS}"),
            "put related ones into one gap",
        ));
    }
    let said = DrillReviewed {
        request_id: view.request_id.clone(),
        accepted: ask.accepted,
        note: ask.note.trim().to_owned(),
        gap_ids: ask.gap_ids.to_vec(),
        reviewer: Some(actor.clone()),
        reviewed_at: Some(to_pb(now)),
    };
    match &review.drill {
        None => Ok(Some(ReviewEvent { event: Some(review_event::Event::Drill(said)) })),
        Some(before) => {
            let again = DrillReviewed { reviewer: before.reviewer.clone(), reviewed_at: before.reviewed_at, ..said };
            if again == *before { Ok(None) } else { Err(recorded()) }
        }
    }
}

fn recorded() -> Refusal {
    refusal(
        "REVIEW_RECORDED",
        "one person reviews one run once",
        "recorded",
        "one review",
        "open a gap for what was found since, or ask another person to review it",
    )
}

fn must_have_ended(view: &RequestView) -> Result<(), Refusal> {
    let state = view.execution.as_ref().map(|run| run.state());
    match state {
        Some(ExecutionState::Succeeded | ExecutionState::Failed | ExecutionState::Stopped) => Ok(()),
        Some(ExecutionState::Running) => Err(refusal(
            "REVIEW_TOO_EARLY",
            "a review judges what was done, so the run has ended",
            "the run has not ended",
            "a run that has ended",
            "wait for its end, or stop it",
        )),
        Some(ExecutionState::Unspecified) | None => Err(refusal(
            "NOTHING_TO_REVIEW",
            "a review judges what was done",
            if view.opened.is_some() { "nothing was run" } else { "no such request" },
            "a request with a run that has ended",
            "list them with `muster request list`",
        )),
    }
}

fn had_a_hand(view: &RequestView, id: &str) -> bool {
    let started = view.confirmed.as_ref().and_then(|confirmed| confirmed.actor.as_ref());
    let by_hand = view.execution.iter().flat_map(|run| &run.manual_decisions).filter_map(|step| step.actor.as_ref());
    started.into_iter().chain(by_hand).any(|person| person.id == id)
}

/// A person looked at a period of the record.
pub fn review_audit(
    review: &Review,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    note: &str,
    actor: &Actor,
    now: Timestamp,
) -> Decision {
    must_be_a_person(actor, "reviewing")?;
    required_text("note", note, MAX_TEXT, "what was looked at and found, so it is needed")?;
    let (Some(from), Some(to)) = (from, to) else {
        return Err(period("", "two times"));
    };
    if from >= to || to > now {
        return Err(period(&format!("{from:.0} to {to:.0}"), &format!("from before to, and to not after {now:.0}")));
    }
    let said = AuditReviewed {
        from: Some(to_pb(from)),
        to: Some(to_pb(to)),
        note: note.trim().to_owned(),
        reviewer: Some(actor.clone()),
        reviewed_at: Some(to_pb(now)),
    };
    match &review.audit {
        None => Ok(Some(ReviewEvent { event: Some(review_event::Event::Audit(said)) })),
        Some(before) if (before.from, before.to, &before.note) == (said.from, said.to, &said.note) => Ok(None),
        Some(_) => Err(recorded()),
    }
}

fn period(value: &str, limit: &str) -> Refusal {
    let rule = "a review is of a period that is over";
    field_refusal(
        "to",
        "FIELD_INVALID",
        rule,
        if value.is_empty() { "none" } else { value },
        limit,
        "correct the period",
    )
}
