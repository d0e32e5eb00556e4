//! Delegation: while one person is away, another decides in that person's approver role. Short, of the own role only,
//! never for requests of either of the two, and together they are one seat.

use jiff::{SignedDuration, Timestamp};

use super::{MAX_TEXT, holds, must_be_a_person, required_text};
use crate::access::{role_list, role_name};
use crate::aggregate::{Aggregate, EventKind};
use crate::pb::common::v1::{Actor, Role};
use crate::pb::request::v1::{Delegated, DelegationEnded, DelegationEvent, delegation_event::Event};
use crate::refusal::{Refusal, field_refusal, refusal};
use crate::time::{from_pb, humane, to_pb};

/// Whoever is away for longer needs a successor, not a deputy.
pub(super) const MAX_DURATION: SignedDuration = SignedDuration::from_hours(24 * 30);
/// How far ahead an absence can be planned.
pub(super) const MAX_AHEAD: SignedDuration = SignedDuration::from_hours(24 * 90);
/// Delegations of one person that hold now or will. More deputies than this is a role, not a delegation.
pub(super) const MAX_OF_ONE: usize = 20;
/// An issuer's address and a subject.
const MAX_PERSON: usize = 500;

/// One delegation: the fold of its events.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Delegation {
    pub delegated: Option<Delegated>,
    pub ended: Option<DelegationEnded>,
}

impl EventKind for DelegationEvent {
    fn kind(&self) -> &'static str {
        match &self.event {
            Some(Event::Delegated(_)) => "delegation.begun",
            Some(Event::Ended(_)) => "delegation.ended",
            None => "unset",
        }
    }
}

impl Aggregate for Delegation {
    const KIND: &'static str = "delegation";
    type Event = DelegationEvent;

    fn evolve(&mut self, event: &DelegationEvent) {
        match &event.event {
            // An id is used once: what it meant when somebody decided by it stays.
            Some(Event::Delegated(delegated)) if self.delegated.is_none() => self.delegated = Some(delegated.clone()),
            Some(Event::Ended(ended)) if self.ended.is_none() => self.ended = Some(ended.clone()),
            Some(Event::Delegated(_) | Event::Ended(_)) | None => {}
        }
    }
}

impl Delegation {
    /// It held at that moment: begun, not over, and not ended before.
    pub fn held_at(&self, at: Timestamp) -> bool {
        let Some(delegated) = &self.delegated else { return false };
        let begun = from_pb(delegated.starts.as_ref()).is_some_and(|starts| starts <= at);
        let over = from_pb(delegated.ends.as_ref()).is_none_or(|ends| at >= ends);
        // An end without a time ends it from the beginning.
        let ended =
            self.ended.as_ref().is_some_and(|ended| from_pb(ended.ended_at.as_ref()).is_none_or(|end| at >= end));
        begun && !over && !ended
    }

    /// It holds now or will.
    pub fn is_open(&self, now: Timestamp) -> bool {
        let ends = self.delegated.as_ref().and_then(|delegated| from_pb(delegated.ends.as_ref()));
        self.ended.is_none() && ends.is_some_and(|ends| now < ends)
    }

    pub fn is_from_to(&self, from: &str, to: &str) -> bool {
        self.delegated.as_ref().is_some_and(|delegated| {
            delegated.to == to && delegated.from.as_ref().is_some_and(|person| person.id == from)
        })
    }
}

/// What somebody who goes away asks for.
#[derive(Debug, Clone, Default)]
pub struct Delegate<'a> {
    pub delegation_id: &'a str,
    /// The stable id of the person who shall decide.
    pub to: &'a str,
    pub to_name: &'a str,
    pub role: Role,
    /// `None`: from now on.
    pub starts: Option<Timestamp>,
    pub ends: Option<Timestamp>,
    pub reason: &'a str,
}

/// Hands one own approver role over for a while. `open`: how many delegations of this person hold now or will.
pub fn delegate(
    delegation: &Delegation,
    ask: &Delegate<'_>,
    open: usize,
    from: &Actor,
    now: Timestamp,
) -> Result<Option<DelegationEvent>, Refusal> {
    if delegation.delegated.is_some() {
        return Ok(None);
    }
    must_be_a_person(from, "delegating")?;
    if !matches!(ask.role, Role::ApproverIt | Role::ApproverBusiness) {
        let approvers = role_list(&[Role::ApproverIt, Role::ApproverBusiness]);
        let next = "name an approver role";
        return Err(field_refusal(
            "role",
            "FIELD_INVALID",
            "approver roles are delegated",
            role_name(ask.role),
            approvers,
            next,
        ));
    }
    // Also what makes a chain impossible: a role that was handed over is nobody's own.
    if !holds(from, ask.role) {
        return Err(refusal(
            "DELEGATION_NOT_YOURS",
            "people delegate roles that they hold themselves",
            role_list(&from.roles().collect::<Vec<_>>()),
            role_name(ask.role),
            "delegate a role of your own",
        ));
    }
    required_text("to", ask.to, MAX_PERSON, "the stable id of the person who shall decide")?;
    if ask.to == from.id {
        return Err(field_refusal(
            "to",
            "FIELD_INVALID",
            "a delegation is to somebody else",
            "yourself",
            "another person",
            "name another person",
        ));
    }
    required_text("reason", ask.reason, MAX_TEXT, "kept with every decision that rests on it, so it is needed")?;
    if !ask.to_name.is_empty() {
        required_text("to_name", ask.to_name, 200, "shown to people")?;
    }
    let (starts, ends) = times(ask, now)?;
    if open >= MAX_OF_ONE {
        return Err(refusal(
            "TOO_MANY_DELEGATIONS",
            "one person has few delegations at a time",
            open.to_string(),
            format!("at most {MAX_OF_ONE}"),
            "end those that are not needed: `muster delegate end`",
        ));
    }
    Ok(Some(DelegationEvent {
        event: Some(Event::Delegated(Delegated {
            delegation_id: ask.delegation_id.to_owned(),
            from: Some(from.clone()),
            to: ask.to.to_owned(),
            to_name: ask.to_name.trim().to_owned(),
            role: ask.role.into(),
            starts: Some(to_pb(starts)),
            ends: Some(to_pb(ends)),
            reason: ask.reason.trim().to_owned(),
        })),
    }))
}

fn times(ask: &Delegate<'_>, now: Timestamp) -> Result<(Timestamp, Timestamp), Refusal> {
    // Nothing is decided in the past, so a beginning there is now.
    let starts = ask.starts.unwrap_or(now).max(now);
    if starts.duration_since(now) > MAX_AHEAD {
        return Err(field_refusal(
            "starts",
            "FIELD_INVALID",
            "an absence is planned for the near future",
            format!("{starts:.0}"),
            format!("at most {} from now", humane(MAX_AHEAD)),
            "delegate when it is nearer",
        ));
    }
    let length = ask.ends.map(|ends| ends.duration_since(starts));
    match (ask.ends, length) {
        (Some(ends), Some(length)) if length > SignedDuration::ZERO && length <= MAX_DURATION => Ok((starts, ends)),
        (ends, _) => Err(field_refusal(
            "ends",
            "FIELD_INVALID",
            "a delegation ends by itself",
            ends.map_or_else(|| "absent".to_owned(), |ends| format!("{ends:.0}")),
            format!("after {starts:.0}, at most {} later", humane(MAX_DURATION)),
            "say when you are back; it can be ended earlier",
        )),
    }
}

/// By whoever is back, by the deputy who does not want it, or by an admin.
pub fn end(delegation: &Delegation, actor: &Actor, now: Timestamp) -> Result<Option<DelegationEvent>, Refusal> {
    let Some(delegated) = &delegation.delegated else {
        return Err(field_refusal(
            "delegation_id",
            "DELEGATION_NOT_FOUND",
            "only a delegation that exists is ended",
            "no such delegation",
            "a delegation of this tenant",
            "list them with `muster delegate list`",
        ));
    };
    let is_from = delegated.from.as_ref().is_some_and(|from| from.id == actor.id);
    if !is_from && delegated.to != actor.id && !holds(actor, Role::Admin) {
        return Err(refusal(
            "DELEGATION_NOT_YOURS",
            "a delegation is ended by one of its two people or an admin",
            actor.name.clone(),
            delegated.from.as_ref().map(|from| from.name.clone()).unwrap_or_default(),
            "ask them, or an admin",
        ));
    }
    if !delegation.is_open(now) {
        return Ok(None);
    }
    Ok(Some(DelegationEvent {
        event: Some(Event::Ended(DelegationEnded {
            delegation_id: delegated.delegation_id.clone(),
            actor: Some(actor.clone()),
            ended_at: Some(to_pb(now)),
        })),
    }))
}
