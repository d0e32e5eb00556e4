//! Requests to move a system: opened, decided by the right people, confirmed by the phrase.
//!
//! Architecture Invariant: nothing here looks at a clock or a store. What a decision needs comes in,
//! what it decided goes out as exactly one event, and the event carries everything that was judged,
//! so the log alone explains it.

mod approve;
mod break_glass;
mod close;
mod confirmed;
mod delegation;
mod demand;
mod draft;
mod escalate;
mod expression;
mod freeze;
pub mod intent;
mod login;
mod open;
mod overrides;
mod policy;
mod rollback;
mod seats;
mod sites;
mod start;

pub use approve::{Yes, approve, deny};
pub use break_glass::{
    BreakGlassAsk, BreakGlassTerms, MAX_LIMIT as MAX_BREAK_GLASS, ROLES as BREAK_GLASS_ROLES, lapse, review,
    review_due, review_overdue, was_broken,
};
pub use close::{expire, withdraw};
pub use confirmed::{Witness, as_approved, delegations_named, proven, proven_by, unchanged};
pub use delegation::{Delegate, Delegation, delegate, end as end_delegation};
pub use demand::{first_unusable, missing_approvals, policy_words};
pub use draft::{MAX_DRAFTS, with_drafts};
pub use escalate::{escalate, escalations_due};
pub use expression::{Unusable, expression_words};
pub use freeze::{Frozen, freeze_at, freeze_for};
pub use intent::Intent;
pub use login::{FRESH_LOGIN, Login};
pub use open::{Case, OpenRequest, Scheduled, open, same_question};
pub use overrides::{OVERRIDABLE, OVERRIDING_ROLE, apply_overrides, may_be_overridden, override_check};
pub use policy::{EffectivePolicy, MAX_ESCALATIONS, effective_policy, touches_production};
pub use rollback::Earlier;
pub use sites::{Chosen, Sites, confirmation_phrase, goes_to_the_other_side, members, sites, worst};
pub use start::{StartTerms, start};

use jiff::Timestamp;

use crate::aggregate::{Aggregate, EventKind};
use crate::pb::common::v1::{Actor, ActorKind, Role};
use crate::pb::execution::v1::ExecutionState;
use crate::pb::request::v1::{
    RequestEvent, RequestOpened, RequestState, RequestType, RequestView, request_event::Event,
};
use crate::refusal::{Refusal, refusal};
use crate::time::from_pb;

/// Longest reason or note: a paragraph, not a file.
pub const MAX_TEXT: usize = 2_000;
/// Longest ticket reference.
pub const MAX_TICKET: usize = 100;

/// One request: the fold of its events.
#[derive(Debug, Clone, Default)]
pub struct Request {
    pub view: RequestView,
}

impl EventKind for RequestEvent {
    fn kind(&self) -> &'static str {
        match &self.event {
            Some(Event::Opened(_)) => "request.created",
            Some(Event::Approved(_)) => "request.approved",
            Some(Event::Denied(_)) => "request.rejected",
            Some(Event::Withdrawn(_)) => "request.withdrawn",
            Some(Event::Expired(_)) => "request.expired",
            Some(Event::Confirmed(_)) => "request.confirmed",
            Some(Event::CheckOverridden(_)) => "request.check_overridden",
            Some(Event::Escalated(_)) => "request.escalated",
            Some(Event::BreakGlassReviewed(_)) => "request.break_glass_reviewed",
            Some(Event::BreakGlassReviewOverdue(_)) => "request.break_glass_review_overdue",
            Some(Event::BreakGlassLapsed(_)) => "request.break_glass_lapsed",
            None => "unset",
        }
    }
}

impl Aggregate for Request {
    const KIND: &'static str = "request";
    type Event = RequestEvent;

    fn evolve(&mut self, event: &RequestEvent) {
        let view = &mut self.view;
        match &event.event {
            Some(Event::Opened(opened)) => {
                view.request_id = opened.request_id.clone();
                view.opened = Some(opened.clone());
                view.set_state(if needs_nobody(opened) {
                    RequestState::Approved
                } else {
                    RequestState::PendingApproval
                });
            }
            Some(Event::Approved(approved)) => {
                view.approvals.push(approved.clone());
                if approved.completes {
                    view.set_state(RequestState::Approved);
                }
            }
            Some(Event::Denied(denied)) => {
                view.denied = Some(denied.clone());
                view.set_state(RequestState::Denied);
            }
            Some(Event::Withdrawn(withdrawn)) => {
                view.withdrawn = Some(withdrawn.clone());
                view.set_state(RequestState::Withdrawn);
            }
            Some(Event::Expired(expired)) => {
                view.expired = Some(expired.clone());
                view.set_state(RequestState::Expired);
            }
            Some(Event::Confirmed(confirmed)) => {
                view.confirmed = Some(confirmed.clone());
                view.set_state(RequestState::Confirmed);
            }
            Some(Event::CheckOverridden(overridden)) => view.overrides.push(overridden.clone()),
            Some(Event::Escalated(escalated)) => view.escalations.push(escalated.clone()),
            Some(Event::BreakGlassReviewed(review)) => view.review = Some(review.clone()),
            Some(Event::BreakGlassReviewOverdue(overdue)) => view.review_overdue = Some(*overdue),
            Some(Event::BreakGlassLapsed(lapsed)) => {
                view.break_glass_lapsed = Some(*lapsed);
                view.set_state(RequestState::Expired);
            }
            None => {}
        }
        view.missing = missing_approvals(view);
    }
}

impl Request {
    pub fn exists(&self) -> bool {
        self.view.opened.is_some()
    }

    /// Open for decisions, as far as its events say; its time may be over.
    pub fn is_open(&self) -> bool {
        matches!(self.view.state(), RequestState::PendingApproval | RequestState::Approved)
    }

    pub fn expires_at(&self) -> Option<Timestamp> {
        from_pb(self.view.opened.as_ref()?.expires_at.as_ref())
    }
}

/// Its gate lets it run by itself, so it waits for nobody.
fn needs_nobody(opened: &RequestOpened) -> bool {
    let policy = opened.policy.as_ref();
    crate::gate::runs_by_itself(opened.gate())
        && policy.is_some_and(|policy| policy.require.is_empty() && policy.expressions.is_empty())
}

/// The group or the resource that a request is about.
pub fn scope_name(opened: &RequestOpened) -> &str {
    if opened.group.is_empty() { &opened.resource } else { &opened.group }
}

/// Every resource that a request is about.
pub fn resources(opened: &RequestOpened) -> Vec<&str> {
    if opened.members.is_empty() {
        return vec![&opened.resource];
    }
    opened.members.iter().map(|member| member.resource.as_str()).collect()
}

/// Where a request stands once its execution is known too.
pub fn state_with_execution(request: RequestState, execution: Option<ExecutionState>) -> RequestState {
    match execution {
        Some(ExecutionState::Running) => RequestState::Executing,
        Some(ExecutionState::Succeeded) => RequestState::Succeeded,
        Some(ExecutionState::Failed) => RequestState::Failed,
        Some(ExecutionState::Stopped) => RequestState::Stopped,
        Some(ExecutionState::Unspecified) | None => request,
    }
}

/// "switchover"
pub fn type_name(kind: RequestType) -> &'static str {
    match kind {
        RequestType::Unspecified => "unspecified",
        RequestType::Switchover => "switchover",
        RequestType::Failover => "failover",
        RequestType::Failback => "failback",
        RequestType::Rotation => "rotation",
        RequestType::ReadinessDrill => "readiness-drill",
        RequestType::IsolatedDrill => "isolated-drill",
        RequestType::TabletopDrill => "tabletop-drill",
        RequestType::LiveDrill => "live-drill",
        RequestType::Rollback => "rollback",
    }
}

/// Every type that can be asked for, in the order people read them.
pub const TYPES: [RequestType; 9] = [
    RequestType::Switchover,
    RequestType::Failover,
    RequestType::Failback,
    RequestType::Rotation,
    RequestType::ReadinessDrill,
    RequestType::IsolatedDrill,
    RequestType::TabletopDrill,
    RequestType::LiveDrill,
    RequestType::Rollback,
];

/// The type of that name.
pub fn type_of(name: &str) -> Option<RequestType> {
    TYPES.into_iter().find(|kind| type_name(*kind) == name)
}

/// "pending approval"
pub fn state_name(state: RequestState) -> &'static str {
    match state {
        RequestState::Unspecified => "unknown",
        RequestState::PendingApproval => "pending approval",
        RequestState::Approved => "approved",
        RequestState::Denied => "denied",
        RequestState::Withdrawn => "withdrawn",
        RequestState::Expired => "expired",
        RequestState::Confirmed => "confirmed",
        RequestState::Executing => "executing",
        RequestState::Succeeded => "succeeded",
        RequestState::Failed => "failed",
        RequestState::Stopped => "stopped",
    }
}

/// The request is there, open for decisions and not past its time.
fn must_be_open(request: &Request, now: Timestamp) -> Result<(), Refusal> {
    let view = &request.view;
    if !request.exists() {
        return Err(refusal(
            "REQUEST_NOT_FOUND",
            "there is no such request in this tenant",
            view.request_id.clone(),
            "a request id of this tenant",
            "list them with `muster request list`",
        ));
    }
    if !request.is_open() {
        return Err(refusal(
            "REQUEST_CLOSED",
            "decisions and starts need a request that is still open",
            state_name(view.state()),
            "pending approval or approved",
            "open a new request; it needs fresh approvals",
        ));
    }
    if let Some(end) = request.expires_at()
        && now >= end
    {
        return Err(refusal(
            "REQUEST_EXPIRED",
            "the request was not decided and started in time",
            format!("now {now:.0}"),
            format!("before {end:.0}"),
            "open a new request; it needs fresh approvals",
        ));
    }
    Ok(())
}

pub(crate) fn must_be_a_person(actor: &Actor, what: &str) -> Result<(), Refusal> {
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

/// A text that people must give and that stays within its limit.
pub(crate) fn required_text(field: &str, text: &str, limit: usize, why: &str) -> Result<(), Refusal> {
    let length = text.chars().count();
    if text.trim().is_empty() || length > limit {
        return Err(crate::refusal::field_refusal(
            field,
            "FIELD_INVALID",
            format!("{field} is {why}"),
            if text.trim().is_empty() { "empty".to_owned() } else { format!("{length} characters") },
            format!("1 to {limit} characters"),
            format!("give a {field}"),
        ));
    }
    crate::text::must_be_plain(field, text)
}

pub(crate) fn optional_text(field: &str, text: &str, limit: usize) -> Result<(), Refusal> {
    if text.is_empty() { Ok(()) } else { required_text(field, text, limit, "limited in length") }
}

pub(crate) fn holds(actor: &Actor, role: Role) -> bool {
    actor.roles().any(|held| held == role)
}

#[cfg(test)]
mod tests;
