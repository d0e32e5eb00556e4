//! Changing a gate: proposed by one person, approved by another, and taken back by a failed drill.

use jiff::{SignedDuration, Timestamp};

use super::{DEFAULT, Gate, level_name, lowest_floor, runs_by_itself};
use crate::pb::common::v1::{Actor, ActorKind};
use crate::pb::inventory::v1::AutonomyRule;
use crate::pb::plan::v1::PlanTest;
use crate::pb::request::v1::{
    GateChangeApproved, GateChangeProposed, GateChangeRejected, GateEvent, GateLevel, GateRaised, RequestType,
    gate_event::Event,
};
use crate::plan;
use crate::refusal::{Refusal, field_refusal, refusal};
use crate::request::{MAX_TEXT, type_name};
use crate::text::must_be_plain;
use crate::time::{duration_from_pb, from_pb, humane, to_pb};

type Decision = Result<Option<GateEvent>, Refusal>;

/// Where a tenant says nothing: so many clean drills in a row …
pub const CLEAN_DRILLS: u32 = 3;
/// … within so long.
pub const CLEAN_WITHIN: SignedDuration = SignedDuration::from_hours(24 * 90);

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Proposal<'a> {
    pub change_id: &'a str,
    pub kind: RequestType,
    /// Empty: every plan.
    pub plan: &'a str,
    pub to: GateLevel,
    pub reason: &'a str,
}

/// Asks for another level. Raising above the default needs no second person's proof, and still a second person.
pub fn propose(
    gate: &Gate,
    proposal: &Proposal<'_>,
    tests: &[PlanTest],
    rule: Option<&AutonomyRule>,
    actor: &Actor,
    now: Timestamp,
) -> Decision {
    must_be_a_person(actor, "changing a gate")?;
    let Proposal { change_id, kind, plan, to, reason } = *proposal;
    if kind == RequestType::Unspecified || to == GateLevel::Unspecified {
        return Err(field_refusal(
            if to == GateLevel::Unspecified { "to" } else { "request_type" },
            "FIELD_INVALID",
            "a gate is of one kind of action and has one level",
            "unspecified",
            "a request type, and L0, L1, L2 or L3",
            "name both",
        ));
    }
    required("reason", reason)?;
    if let Some(pending) = &gate.pending {
        if pending.change_id == change_id {
            return Ok(None);
        }
        return Err(refusal(
            "GATE_CHANGE_PENDING",
            "one change of a gate at a time",
            format!("{} to {} waits for a decision", pending.change_id, level_name(pending.to())),
            "no open change",
            "decide on the open change first",
        ));
    }
    let from = gate.level.unwrap_or(DEFAULT);
    if from == to {
        return Err(field_refusal(
            "to",
            "GATE_UNCHANGED",
            "a change goes to another level",
            level_name(to),
            format!("another level than {}", level_name(from)),
            "nothing has to be done",
        ));
    }
    let floor = lowest_floor(kind);
    if to < floor {
        return Err(field_refusal(
            "to",
            "GATE_BELOW_FLOOR",
            format!("the blast radius of a {} sets the lowest gate", type_name(kind)),
            level_name(to),
            format!("{} or above", level_name(floor)),
            "choose a level that is not below the floor",
        ));
    }
    let evidence = if runs_by_itself(to) && moves(kind) { earned(plan, kind, tests, rule, now)? } else { Vec::new() };
    Ok(Some(GateEvent {
        event: Some(Event::Proposed(GateChangeProposed {
            change_id: change_id.to_owned(),
            request_type: type_name(kind).to_owned(),
            plan: plan.to_owned(),
            from: from.into(),
            to: to.into(),
            floor: floor.into(),
            reason: reason.trim().to_owned(),
            actor: Some(actor.clone()),
            proposed_at: Some(to_pb(now)),
            evidence,
        })),
    }))
}

/// The second person's yes. From here the level holds. What the change rests on is asked again.
pub fn approve(
    gate: &Gate,
    change_id: &str,
    tests: &[PlanTest],
    rule: Option<&AutonomyRule>,
    note: &str,
    actor: &Actor,
    now: Timestamp,
) -> Decision {
    let pending = pending(gate, change_id)?;
    must_be_another(pending, actor)?;
    let kind = crate::request::type_of(&pending.request_type).unwrap_or(RequestType::Unspecified);
    if runs_by_itself(pending.to()) && moves(kind) {
        earned(&pending.plan, kind, tests, rule, now)?;
    }
    if !note.is_empty() {
        required("note", note)?;
    }
    Ok(Some(GateEvent {
        event: Some(Event::Approved(GateChangeApproved {
            change_id: change_id.to_owned(),
            actor: Some(actor.clone()),
            note: note.trim().to_owned(),
            approved_at: Some(to_pb(now)),
        })),
    }))
}

/// A no. The person who asked may also take it back.
pub fn reject(gate: &Gate, change_id: &str, reason: &str, actor: &Actor, now: Timestamp) -> Decision {
    pending(gate, change_id)?;
    must_be_a_person(actor, "deciding on a gate")?;
    required("note", reason)?;
    Ok(Some(GateEvent {
        event: Some(Event::Rejected(GateChangeRejected {
            change_id: change_id.to_owned(),
            actor: Some(actor.clone()),
            reason: reason.trim().to_owned(),
            rejected_at: Some(to_pb(now)),
        })),
    }))
}

/// A drill or run of the plan failed: what it had earned is gone, at once and without asking.
pub fn raise_after_failure(
    gate: &Gate,
    kind: RequestType,
    plan: &str,
    request_id: &str,
    now: Timestamp,
) -> Option<GateEvent> {
    let from = gate.level.filter(|level| *level < DEFAULT)?;
    Some(GateEvent {
        event: Some(Event::Raised(GateRaised {
            request_type: type_name(kind).to_owned(),
            plan: plan.to_owned(),
            from: from.into(),
            to: DEFAULT.into(),
            reason: format!("request {request_id} did not succeed, so the plan's clean drills begin anew"),
            request_id: request_id.to_owned(),
            raised_at: Some(to_pb(now)),
        })),
    })
}

/// The newest drills and runs of the plan, as long as they passed and are not too old, in words. What does not prove a
/// plan (a tabletop, checks alone) does not count.
pub fn clean_drills(tests: &[PlanTest], within: SignedDuration, now: Timestamp) -> Vec<String> {
    let mut newest_first: Vec<(Timestamp, &PlanTest)> = tests
        .iter()
        .filter(|test| crate::request::type_of(&test.r#type).is_some_and(plan::proves))
        .filter_map(|test| Some((from_pb(test.at.as_ref())?, test)))
        .collect();
    newest_first.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    newest_first
        .into_iter()
        .take_while(|(at, test)| test.passed && now.duration_since(*at) <= within)
        .map(|(at, test)| format!("{} {} at {at:.0}", test.r#type, test.request_id))
        .collect()
}

/// Two rules of one tenant hold together: more drills, in a shorter time.
pub fn stricter(a: AutonomyRule, b: AutonomyRule) -> AutonomyRule {
    let count = |rule: &AutonomyRule| if rule.clean_drills == 0 { CLEAN_DRILLS } else { rule.clean_drills };
    let within = |rule: &AutonomyRule| duration_from_pb(rule.within.as_ref()).unwrap_or(CLEAN_WITHIN);
    AutonomyRule {
        clean_drills: count(&a).max(count(&b)),
        within: Some(crate::time::duration_to_pb(within(&a).min(within(&b)))),
    }
}

fn earned(
    plan: &str,
    kind: RequestType,
    tests: &[PlanTest],
    rule: Option<&AutonomyRule>,
    now: Timestamp,
) -> Result<Vec<String>, Refusal> {
    if plan.is_empty() {
        return Err(field_refusal(
            "plan",
            "GATE_NEEDS_PLAN",
            format!("a {} moves systems: only a plan that proved itself may run without approval", type_name(kind)),
            "every plan",
            "one plan",
            "name the plan",
        ));
    }
    let count = rule.map(|rule| rule.clean_drills).filter(|count| *count > 0).unwrap_or(CLEAN_DRILLS);
    let within = rule.and_then(|rule| duration_from_pb(rule.within.as_ref())).unwrap_or(CLEAN_WITHIN);
    let clean = clean_drills(tests, within, now);
    if clean.len() < count as usize {
        return Err(refusal(
            "GATE_NOT_EARNED",
            "a plan runs without approval only after clean drills in a row",
            format!("{} clean within {}", clean.len(), humane(within)),
            format!("{count} within {}", humane(within)),
            "run more drills of this plan; a failed one begins the count anew",
        ));
    }
    Ok(clean)
}

/// Production or its data may be elsewhere after it.
fn moves(kind: RequestType) -> bool {
    !matches!(kind, RequestType::ReadinessDrill | RequestType::TabletopDrill | RequestType::IsolatedDrill)
}

fn pending<'a>(gate: &'a Gate, change_id: &str) -> Result<&'a GateChangeProposed, Refusal> {
    gate.pending.as_ref().filter(|pending| pending.change_id == change_id).ok_or_else(|| {
        let found = gate.pending.as_ref().map_or("none".to_owned(), |pending| pending.change_id.clone());
        field_refusal(
            "change_id",
            "GATE_CHANGE_NOT_FOUND",
            "only an open change is decided on",
            change_id,
            found,
            "list the gates with `muster gate list`",
        )
    })
}

fn must_be_another(pending: &GateChangeProposed, actor: &Actor) -> Result<(), Refusal> {
    must_be_a_person(actor, "deciding on a gate")?;
    if pending.actor.as_ref().is_some_and(|proposer| proposer.id != actor.id) {
        return Ok(());
    }
    Err(refusal(
        "APPROVER_IS_REQUESTER",
        "who proposes a change of a gate does not approve it",
        actor.name.clone(),
        "another person",
        "ask another approver",
    ))
}

fn must_be_a_person(actor: &Actor, what: &str) -> Result<(), Refusal> {
    if actor.kind() == ActorKind::Person {
        return Ok(());
    }
    Err(refusal(
        "PERSON_REQUIRED",
        format!("{what} takes a person's judgement"),
        actor.id.clone(),
        "a person who logged in",
        "log in as a person",
    ))
}

fn required(field: &str, text: &str) -> Result<(), Refusal> {
    let length = text.chars().count();
    if text.trim().is_empty() || length > MAX_TEXT {
        return Err(field_refusal(
            field,
            "FIELD_INVALID",
            format!("{field} is kept with the decision for ever"),
            if text.trim().is_empty() { "empty".to_owned() } else { format!("{length} characters") },
            format!("1 to {MAX_TEXT} characters"),
            format!("give a {field}"),
        ));
    }
    must_be_plain(field, text)
}
