//! The emergency path around approvers who cannot be reached. It is short, loud and always reviewed: stated when the
//! request is opened, usable for an hour at most, told to everybody, and owing a review from then on.

use jiff::{SignedDuration, Timestamp};

use super::policy::{policy_specs, touches_production};
use super::{MAX_TEXT, MAX_TICKET, Request, demand, holds, must_be_a_person, required_text, type_name};
use crate::access::{role_list, role_name};
use crate::pb::common::v1::{Actor, Role};
use crate::pb::inventory::v1::Document;
use crate::pb::request::v1::{
    ApprovalPolicy, BreakGlass, BreakGlassLapsed, BreakGlassReviewOverdue, BreakGlassReviewed, RequestEvent,
    RequestType, RequestView, request_event::Event,
};
use crate::refusal::{Refusal, field_refusal, refusal};
use crate::time::{duration_from_pb, from_pb, humane, to_pb};

/// An emergency that lasts longer has had time to find an approver.
pub const MAX_LIMIT: SignedDuration = SignedDuration::from_hours(1);
/// Three days: a weekend does not excuse it, and people have slept.
pub(super) const DEFAULT_REVIEW: SignedDuration = SignedDuration::from_hours(72);
/// Whom a policy may let break the glass. Approvers decide; whoever could do both would be alone in it.
pub const ROLES: [Role; 2] = [Role::Operator, Role::Admin];

/// Who may break the glass, for how long, and when the review is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreakGlassTerms {
    pub roles: Vec<Role>,
    pub limit: SignedDuration,
    pub review_within: SignedDuration,
}

impl Default for BreakGlassTerms {
    fn default() -> Self {
        Self { roles: ROLES.to_vec(), limit: MAX_LIMIT, review_within: DEFAULT_REVIEW }
    }
}

impl BreakGlassTerms {
    /// The built-in terms, made narrower by every policy that has its own.
    pub fn of(policies: &[&Document]) -> Self {
        let mut terms = Self::default();
        for rule in policy_specs(policies).filter_map(|(_, spec)| spec.break_glass.as_ref()) {
            if !rule.roles.is_empty() {
                terms.roles.retain(|role| rule.roles().any(|named| named == *role));
            }
            if let Some(limit) = duration_from_pb(rule.limit.as_ref()) {
                terms.limit = terms.limit.min(limit);
            }
            if let Some(within) = duration_from_pb(rule.review_within.as_ref()) {
                terms.review_within = terms.review_within.min(within);
            }
        }
        terms
    }

    /// Only these people, and only people.
    pub(super) fn permit(&self, actor: &Actor) -> Result<(), Refusal> {
        must_be_a_person(actor, "breaking the glass")?;
        if self.roles.iter().any(|role| holds(actor, *role)) {
            return Ok(());
        }
        Err(refusal(
            "BREAK_GLASS_ROLE",
            "the emergency path is for the roles that the tenant's policies name",
            role_list(&actor.roles().collect::<Vec<_>>()),
            role_list(&self.roles),
            "ask somebody who holds one of these roles",
        ))
    }
}

/// What the operator states.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BreakGlassAsk {
    pub incident: String,
    pub reason: String,
    /// `None`: as long as the policy allows.
    pub limit: Option<SignedDuration>,
}

/// Breaks the glass for a request that is being opened.
pub(super) fn state(
    ask: &BreakGlassAsk,
    kind: RequestType,
    terms: &BreakGlassTerms,
    policy: &ApprovalPolicy,
    requester: &Actor,
    now: Timestamp,
) -> Result<BreakGlass, Refusal> {
    if !touches_production(kind) || kind == RequestType::LiveDrill {
        return Err(field_refusal(
            "break_glass",
            "BREAK_GLASS_FOR_DRILL",
            "the emergency path is for emergencies",
            type_name(kind),
            "a move, or taking one back",
            "open the drill as an ordinary request",
        ));
    }
    terms.permit(requester)?;
    required_text("break_glass.incident", &ask.incident, MAX_TICKET, "what everybody is told, so it is needed")?;
    required_text("break_glass.reason", &ask.reason, MAX_TEXT, "what the review begins with, so it is needed")?;
    let limit = ask.limit.unwrap_or(terms.limit);
    if limit <= SignedDuration::ZERO || limit > terms.limit {
        return Err(field_refusal(
            "break_glass.limit",
            "BREAK_GLASS_LIMIT",
            "the emergency path is open for a short time only",
            humane(limit),
            format!("above 0 s, at most {}", humane(terms.limit)),
            "ask for less time; a new request can be opened afterwards",
        ));
    }
    let until = now + limit;
    Ok(BreakGlass {
        incident: ask.incident.trim().to_owned(),
        reason: ask.reason.trim().to_owned(),
        until: Some(to_pb(until)),
        review_due: Some(to_pb(until + terms.review_within)),
        skipped: demand::missing_for(policy, &[]),
    })
}

/// The timer's answer: a broken glass that nobody went through closes, with its request.
pub fn lapse(request: &Request, now: Timestamp) -> Option<RequestEvent> {
    let glass = request.view.opened.as_ref()?.break_glass.as_ref()?;
    from_pb(glass.until.as_ref()).filter(|until| request.is_open() && now >= *until)?;
    Some(RequestEvent { event: Some(Event::BreakGlassLapsed(BreakGlassLapsed { lapsed_at: Some(to_pb(now)) })) })
}

/// It was started with approvals missing, so it owes a review.
pub fn was_broken(view: &RequestView) -> bool {
    view.confirmed.as_ref().is_some_and(|confirmed| confirmed.break_glass)
}

/// When the review is due: so long after the start as the policy said when the request was opened.
pub fn review_due(view: &RequestView) -> Option<Timestamp> {
    let glass = view.opened.as_ref()?.break_glass.as_ref()?;
    let confirmed = view.confirmed.as_ref().filter(|confirmed| confirmed.break_glass)?;
    let within = from_pb(glass.review_due.as_ref())?.duration_since(from_pb(glass.until.as_ref())?);
    from_pb(confirmed.confirmed_at.as_ref())?.checked_add(within).ok()
}

/// Records the review. By somebody who neither asked for it nor started it, and not while it still runs.
pub fn review(
    request: &Request,
    runs: bool,
    actor: &Actor,
    justified: bool,
    findings: &str,
    now: Timestamp,
) -> Result<Option<RequestEvent>, Refusal> {
    let view = &request.view;
    let refuse =
        |code: &str, rule: &str, value: &str, limit: &str, next: &str| Err(refusal(code, rule, value, limit, next));
    if !was_broken(view) {
        let found = if request.exists() { super::state_name(view.state()) } else { "no such request" };
        return refuse(
            "NOTHING_TO_REVIEW",
            "only a request that was started without its approvals is reviewed",
            found,
            "a request started by break-glass",
            "list them with `muster request list --break-glass`",
        );
    }
    must_be_a_person(actor, "reviewing")?;
    let involved = [
        view.opened.as_ref().and_then(|opened| opened.requester.as_ref()),
        view.confirmed.as_ref().and_then(|confirmed| confirmed.actor.as_ref()),
    ];
    if involved.into_iter().flatten().any(|person| person.id == actor.id) {
        return refuse(
            "REVIEWER_INVOLVED",
            "who asked for it or started it does not review it",
            &actor.name,
            "another approver or admin",
            "ask somebody else to review it",
        );
    }
    let may = [Role::ApproverIt, Role::ApproverBusiness, Role::Admin];
    if !may.into_iter().any(|role| holds(actor, role)) {
        return Err(refusal(
            "ROLE_MISSING",
            "a review takes an approver or an admin",
            role_list(&actor.roles().collect::<Vec<_>>()),
            may.map(role_name).join(", "),
            "ask somebody who holds one of these roles",
        ));
    }
    if runs {
        return refuse(
            "REVIEW_TOO_EARLY",
            "a review judges what was done, so the run has ended",
            "the run has not ended",
            "a run that has ended",
            "wait for its end, or stop it",
        );
    }
    if view.review.is_some() {
        return refuse(
            "REVIEW_RECORDED",
            "the review of a broken glass is recorded once",
            "recorded",
            "one review",
            "read it in `muster request show`",
        );
    }
    required_text("findings", findings, MAX_TEXT, "what the review is for, so they are needed")?;
    Ok(Some(RequestEvent {
        event: Some(Event::BreakGlassReviewed(BreakGlassReviewed {
            actor: Some(actor.clone()),
            justified,
            findings: findings.trim().to_owned(),
            reviewed_at: Some(to_pb(now)),
        })),
    }))
}

/// The timer's answer: nobody has reviewed it in time. Once.
pub fn review_overdue(request: &Request, now: Timestamp) -> Option<RequestEvent> {
    let view = &request.view;
    let due = review_due(view).filter(|due| now >= *due && view.review.is_none() && view.review_overdue.is_none())?;
    Some(RequestEvent {
        event: Some(Event::BreakGlassReviewOverdue(BreakGlassReviewOverdue {
            due: Some(to_pb(due)),
            noticed_at: Some(to_pb(now)),
        })),
    })
}
