//! The last gate before anything is touched: everything approved, in time, and the phrase typed.

use jiff::Timestamp;

use super::freeze::Frozen;
use super::{BreakGlassTerms, Request, holds, must_be_a_person, must_be_open, state_name};
use crate::access::role_list;
use crate::gate::{self, runs_by_itself};
use crate::pb::common::v1::{Actor, Role};
use crate::pb::request::v1::{
    GateLevel, RequestConfirmed, RequestEvent, RequestOpened, RequestState, request_event::Event,
};
use crate::refusal::{Refusal, field_refusal, refusal};
use crate::time::to_pb;

/// What a start is judged by beside the request itself, as it holds now.
#[derive(Debug, Clone, Default)]
pub struct StartTerms {
    pub break_glass: BreakGlassTerms,
    pub freeze: Option<Frozen>,
    /// `None`: nothing was decided about gates since the request was opened.
    pub gate: Option<gate::Effective>,
}

/// Confirms the request. From here the executor takes over.
pub fn start(
    request: &Request,
    actor: &Actor,
    phrase: &str,
    terms: &StartTerms,
    now: Timestamp,
) -> Result<Option<RequestEvent>, Refusal> {
    must_be_open(request, now)?;
    must_be_a_person(actor, "starting")?;
    let view = &request.view;
    let Some(opened) = &view.opened else {
        return Err(refusal("REQUEST_NOT_FOUND", "there is no such request", "", "", "list the requests"));
    };
    let approved = view.state() == RequestState::Approved && view.missing.is_empty();
    // Approvals that did come make it an ordinary start of a request that could have done without.
    let breaks_glass = !approved && opened.break_glass.is_some();
    if breaks_glass {
        terms.break_glass.permit(actor)?;
    } else {
        must_be_an_operator(actor)?;
        must_be_approved(request, approved)?;
        gate_must_hold(opened, terms.gate.as_ref())?;
    }
    if let Some(freeze) = terms.freeze.as_ref().filter(|_| opened.break_glass.is_none()) {
        return Err(freeze.refuse());
    }
    must_be_the_phrase(opened, phrase)?;
    Ok(Some(RequestEvent {
        event: Some(Event::Confirmed(RequestConfirmed {
            actor: Some(actor.clone()),
            phrase: opened.confirmation_phrase.clone(),
            confirmed_at: Some(to_pb(now)),
            policy: opened.policy.clone(),
            approvals: view.approvals.clone(),
            break_glass: breaks_glass,
            overrides: view.overrides.clone(),
            freeze: terms.freeze.as_ref().map(Frozen::words).unwrap_or_default(),
            missing: if breaks_glass { view.missing.clone() } else { Vec::new() },
        })),
    }))
}

fn must_be_an_operator(actor: &Actor) -> Result<(), Refusal> {
    if holds(actor, Role::Operator) {
        return Ok(());
    }
    Err(refusal(
        "ROLE_MISSING",
        "starting needs the Operator role",
        role_list(&actor.roles().collect::<Vec<_>>()),
        "Operator",
        "ask an operator to start it",
    ))
}

fn must_be_approved(request: &Request, approved: bool) -> Result<(), Refusal> {
    if approved {
        return Ok(());
    }
    let view = &request.view;
    Err(refusal(
        "NOT_APPROVED",
        "nothing starts before everyone required has approved",
        format!("{}; missing: {}", state_name(view.state()), view.missing.join(", ")),
        "every approval of the policy",
        "ask the missing approvers",
    ))
}

/// A request that nobody had to approve needs a gate that still says so; and at L3 nothing is started by Muster.
fn gate_must_hold(opened: &RequestOpened, gate: Option<&gate::Effective>) -> Result<(), Refusal> {
    let level = gate.map_or(opened.gate(), |gate| gate.level);
    let source = gate.map_or(opened.gate_source.as_str(), |gate| gate.source.as_str());
    let refuse = |rule: &str, limit: &str, next: &str| {
        Err(refusal("GATE_CLOSED", rule, format!("{}: {source}", gate::level_name(level)), limit, next))
    };
    if level == GateLevel::L3 {
        let next = "people act by the run-card; or lower the gate, which takes two people";
        return refuse("at gate L3 Muster advises and people act", "L0 to L2", next);
    }
    if runs_by_itself(opened.gate()) && !runs_by_itself(level) {
        let next = "open a new request; it needs approvals";
        return refuse(
            "a request without approvals needs the gate that let it pass",
            "L0 or L1, as when it was opened",
            next,
        );
    }
    Ok(())
}

fn must_be_the_phrase(opened: &RequestOpened, phrase: &str) -> Result<(), Refusal> {
    if phrase.trim() == opened.confirmation_phrase && !opened.confirmation_phrase.is_empty() {
        return Ok(());
    }
    // The phrase itself is shown by the request; repeating it here would make typing it a copy.
    let shown: String = phrase.trim().chars().take(200).collect();
    Err(field_refusal(
        "confirmation",
        "PHRASE_WRONG",
        "the confirmation phrase must be typed exactly as the request shows it",
        format!("\"{shown}\""),
        "the phrase of this request",
        "read it in `muster request show` and type it again; nothing was started",
    ))
}
