//! What people decide about a gap that is there, and what its time decides.

use jiff::{SignedDuration, Timestamp};

use super::evidence::{Evidence, must_be_shown};
use super::{Gap, state_name};
use crate::access::role_list;
use crate::pb::audit::v1::{
    GapAccepted, GapClosed, GapEvent, GapPlanned, GapReopened, GapState, Severity, gap_event::Event,
};
use crate::pb::common::v1::{Actor, Role};
use crate::refusal::{Refusal, field_refusal, refusal};
use crate::request::{MAX_TEXT, holds, must_be_a_person, required_text};
use crate::time::{from_pb, to_pb};

/// A name, or the name of a team.
const MAX_OWNER: usize = 200;
/// A plan further away than two budgets is a wish.
pub const MAX_DUE: SignedDuration = SignedDuration::from_hours(24 * 731);
/// A risk is accepted for a year at most: then somebody looks again.
pub const MAX_ACCEPTANCE: SignedDuration = SignedDuration::from_hours(24 * 366);

pub(super) type Decision = Result<Option<GapEvent>, Refusal>;

pub(super) fn event(event: Event) -> Option<GapEvent> {
    Some(GapEvent { event: Some(event) })
}

/// What will be done, by whom, until when.
#[derive(Debug, Clone, Copy)]
pub struct PlanGap<'a> {
    pub plan: &'a str,
    pub owner: &'a str,
    pub due: Option<Timestamp>,
}

/// Promises what will be done about it. A new promise takes the place of the one before.
pub fn plan(gap: &Gap, ask: &PlanGap<'_>, actor: &Actor, now: Timestamp) -> Decision {
    must_stand(gap)?;
    must_be_a_person(actor, "planning a gap's end")?;
    required_text("plan", ask.plan, MAX_TEXT, "what will be done, so it is needed")?;
    required_text("owner", ask.owner, MAX_OWNER, "who sees to it, so it is needed")?;
    let due = within("due", ask.due, MAX_DUE, now)?;
    let planned = GapPlanned {
        plan: ask.plan.trim().to_owned(),
        owner: ask.owner.trim().to_owned(),
        due: Some(to_pb(due)),
        actor: Some(actor.clone()),
        planned_at: Some(to_pb(now)),
    };
    let same = gap.planned.as_ref().is_some_and(|before| {
        (&before.plan, &before.owner, before.due) == (&planned.plan, &planned.owner, planned.due)
    });
    if same && gap.state == GapState::Planned { Ok(None) } else { Ok(event(Event::Planned(planned))) }
}

/// Says that it is mended. What a run showed, a later run of the same kind has to take back.
pub fn close(gap: &Gap, note: &str, evidence: &Evidence<'_>, actor: &Actor, now: Timestamp) -> Decision {
    must_exist(gap)?;
    must_be_a_person(actor, "closing a gap")?;
    required_text("note", note, MAX_TEXT, "what was done about it, so it is needed")?;
    if let Some(closed) = &gap.closed
        && closed.note == note.trim()
        && closed.evidence_request_id == evidence.request_id
    {
        return Ok(None);
    }
    must_stand(gap)?;
    must_be_another(gap, actor, "closed")?;
    let words = must_be_shown(gap, evidence)?;
    Ok(event(Event::Closed(GapClosed {
        note: note.trim().to_owned(),
        evidence_request_id: evidence.request_id.to_owned(),
        evidence: words,
        actor: Some(actor.clone()),
        closed_at: Some(to_pb(now)),
    })))
}

/// Why, and until when, the business lives with it.
#[derive(Debug, Clone, Copy)]
pub struct Acceptance<'a> {
    pub reason: &'a str,
    pub until: Option<Timestamp>,
}

/// The business accepts the risk until a date; then it opens again by itself.
pub fn accept(gap: &Gap, ask: &Acceptance<'_>, actor: &Actor, now: Timestamp) -> Decision {
    must_stand(gap)?;
    must_be_a_person(actor, "accepting a risk")?;
    if !holds(actor, Role::ApproverBusiness) {
        return Err(refusal(
            "ROLE_MISSING",
            "the business accepts a risk, nobody else",
            role_list(&actor.roles().collect::<Vec<_>>()),
            role_list(&[Role::ApproverBusiness]),
            "ask an Approver-Business",
        ));
    }
    must_be_another(gap, actor, "accepted")?;
    required_text("reason", ask.reason, MAX_TEXT, "why the risk is borne, so it is needed")?;
    let until = within("until", ask.until, MAX_ACCEPTANCE, now)?;
    let accepted = GapAccepted {
        reason: ask.reason.trim().to_owned(),
        until: Some(to_pb(until)),
        actor: Some(actor.clone()),
        accepted_at: Some(to_pb(now)),
    };
    let same = gap.accepted.as_ref().is_some_and(|a| (&a.reason, a.until) == (&accepted.reason, accepted.until));
    if same { Ok(None) } else { Ok(event(Event::Accepted(accepted))) }
}

/// A person says that it is there again, or that what was planned or accepted holds no more.
pub fn reopen(gap: &Gap, reason: &str, actor: &Actor, now: Timestamp) -> Decision {
    must_exist(gap)?;
    must_be_a_person(actor, "opening a gap again")?;
    required_text("reason", reason, MAX_TEXT, "what shows that it is not mended, so it is needed")?;
    if gap.state == GapState::Open {
        return Ok(None);
    }
    Ok(reopened(reason.trim(), actor, now))
}

/// Until when the risk is accepted; `None` while it is not.
pub fn accepted_until(gap: &Gap) -> Option<Timestamp> {
    let accepted = gap.accepted.as_ref().filter(|_| gap.state == GapState::Accepted)?;
    from_pb(accepted.until.as_ref())
}

/// The timer's answer: an acceptance is over, so it is open again.
pub fn lapse(gap: &Gap, by: &Actor, now: Timestamp) -> Option<GapEvent> {
    let until = accepted_until(gap).filter(|until| now >= *until)?;
    reopened(&format!("the acceptance ended on {until:.0}"), by, now)
}

fn reopened(reason: &str, actor: &Actor, now: Timestamp) -> Option<GapEvent> {
    event(Event::Reopened(GapReopened {
        reason: reason.to_owned(),
        actor: Some(actor.clone()),
        reopened_at: Some(to_pb(now)),
    }))
}

fn must_exist(gap: &Gap) -> Result<(), Refusal> {
    if gap.exists() {
        return Ok(());
    }
    Err(refusal(
        "GAP_NOT_FOUND",
        "there is no such gap in this tenant",
        "",
        "a gap of this tenant",
        "`muster gap list`",
    ))
}

/// It is there, and not closed.
fn must_stand(gap: &Gap) -> Result<(), Refusal> {
    must_exist(gap)?;
    if gap.state != GapState::Closed {
        return Ok(());
    }
    Err(refusal(
        "GAP_CLOSED",
        "what is closed is neither planned nor accepted nor closed again",
        state_name(gap.state),
        "open, planned, accepted",
        "open it again first, and say why",
    ))
}

/// What is bad enough takes two people: who found it does not also end it.
fn must_be_another(gap: &Gap, actor: &Actor, done: &str) -> Result<(), Refusal> {
    let opener = gap.opened.as_ref().and_then(|opened| opened.opened_by.as_ref());
    if gap.severity() != Severity::High || opener.is_none_or(|opener| opener.id != actor.id) {
        return Ok(());
    }
    Err(refusal(
        "GAP_NEEDS_ANOTHER",
        format!("a gap of high severity is {done} by somebody else than who opened it"),
        actor.name.clone(),
        "another person",
        "ask another person who may",
    ))
}

/// In the future, and not too far.
fn within(field: &str, at: Option<Timestamp>, longest: SignedDuration, now: Timestamp) -> Result<Timestamp, Refusal> {
    let latest = now.checked_add(longest).unwrap_or(Timestamp::MAX);
    match at.filter(|at| *at > now && *at <= latest) {
        Some(at) => Ok(at),
        None => Err(field_refusal(
            field,
            "FIELD_INVALID",
            format!("{field} is a time in the future"),
            at.map_or_else(|| "none".to_owned(), |at| format!("{at:.0}")),
            format!("after {now:.0}, not after {latest:.0}"),
            format!("give another {field}"),
        )),
    }
}
