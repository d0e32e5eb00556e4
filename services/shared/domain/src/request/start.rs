//! The last gate before anything is touched: everything approved, in time, and the phrase typed.

use jiff::Timestamp;

use super::{Request, holds, must_be_a_person, must_be_open, state_name};
use crate::access::role_list;
use crate::pb::common::v1::{Actor, Role};
use crate::pb::request::v1::{RequestConfirmed, RequestEvent, RequestState, request_event::Event};
use crate::refusal::{Refusal, field_refusal, refusal};
use crate::time::to_pb;

/// Confirms the request. From here the executor takes over.
pub fn start(request: &Request, actor: &Actor, phrase: &str, now: Timestamp) -> Result<Option<RequestEvent>, Refusal> {
    must_be_open(request, now)?;
    must_be_a_person(actor, "starting")?;
    if !holds(actor, Role::Operator) {
        return Err(refusal(
            "ROLE_MISSING",
            "starting needs the Operator role",
            role_list(&actor.roles().collect::<Vec<_>>()),
            "Operator",
            "ask an operator to start it",
        ));
    }
    let view = &request.view;
    if view.state() != RequestState::Approved || !view.missing.is_empty() {
        return Err(refusal(
            "NOT_APPROVED",
            "nothing starts before everyone required has approved",
            format!("{}; missing: {}", state_name(view.state()), view.missing.join(", ")),
            "every approval of the policy",
            "ask the missing approvers",
        ));
    }
    let Some(opened) = &view.opened else {
        return Err(refusal("REQUEST_NOT_FOUND", "there is no such request", "", "", "list the requests"));
    };
    if phrase.trim() != opened.confirmation_phrase {
        // The phrase itself is shown by the request; repeating it here would make typing it a copy.
        let shown: String = phrase.trim().chars().take(200).collect();
        return Err(field_refusal(
            "confirmation",
            "PHRASE_WRONG",
            "the confirmation phrase must be typed exactly as the request shows it",
            format!("\"{shown}\""),
            "the phrase of this request",
            "read it in `muster request show` and type it again; nothing was started",
        ));
    }
    Ok(Some(RequestEvent {
        event: Some(Event::Confirmed(RequestConfirmed {
            actor: Some(actor.clone()),
            phrase: opened.confirmation_phrase.clone(),
            confirmed_at: Some(to_pb(now)),
            policy: opened.policy.clone(),
            approvals: view.approvals.clone(),
            break_glass: false,
            overrides: view.overrides.clone(),
        })),
    }))
}
