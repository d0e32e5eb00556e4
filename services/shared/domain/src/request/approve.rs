//! Yes and no, by the people the policy names.

use jiff::Timestamp;

use super::policy::{approver_roles, missing_for, places, seat};
use super::{MAX_TEXT, Request, holds, must_be_a_person, must_be_open, optional_text, required_text};
use crate::access::{role_list, role_name};
use crate::pb::common::v1::{Actor, Role};
use crate::pb::request::v1::{ApprovalPolicy, RequestApproved, RequestDenied, RequestEvent, request_event::Event};
use crate::refusal::{Refusal, refusal};
use crate::time::to_pb;

/// One person's yes. Never the requester's, never the same person's twice.
pub fn approve(
    request: &Request,
    approver: &Actor,
    note: &str,
    now: Timestamp,
) -> Result<Option<RequestEvent>, Refusal> {
    must_be_open(request, now)?;
    let policy = policy_of(request);
    may_decide(request, &policy, approver)?;
    optional_text("note", note, MAX_TEXT)?;

    let mut people = approver_roles(&request.view);
    people.push(approver.roles().collect());
    let places = places(&policy);
    let seats = seat(&places, &people);
    let Some(place) = seats.iter().position(|seated| *seated == Some(people.len() - 1)) else {
        return Err(refusal(
            "APPROVAL_NOT_NEEDED",
            "each approval fills one open place of the policy",
            role_list(&people[people.len() - 1]),
            request.view.missing.join(", "),
            if request.view.missing.is_empty() {
                "nothing is missing: the operator can start it"
            } else {
                "ask someone who holds the missing role"
            },
        ));
    };
    let missing = missing_for(&policy, &people);
    Ok(Some(RequestEvent {
        event: Some(Event::Approved(RequestApproved {
            approver: Some(approver.clone()),
            as_role: places[place].into(),
            note: note.trim().to_owned(),
            approved_at: Some(to_pb(now)),
            completes: missing.is_empty(),
            missing,
            ..RequestApproved::default()
        })),
    }))
}

/// One person's no ends the request.
pub fn deny(
    request: &Request,
    approver: &Actor,
    reason: &str,
    now: Timestamp,
) -> Result<Option<RequestEvent>, Refusal> {
    must_be_open(request, now)?;
    let policy = policy_of(request);
    must_be_a_person(approver, "denying")?;
    let role = deciding_role(&policy, approver)?;
    required_text("reason", reason, MAX_TEXT, "what the requester needs to know, so it is needed")?;
    Ok(Some(RequestEvent {
        event: Some(Event::Denied(RequestDenied {
            approver: Some(approver.clone()),
            as_role: role.into(),
            reason: reason.trim().to_owned(),
            denied_at: Some(to_pb(now)),
        })),
    }))
}

fn policy_of(request: &Request) -> ApprovalPolicy {
    request.view.opened.as_ref().and_then(|opened| opened.policy.clone()).unwrap_or_default()
}

fn may_decide(request: &Request, policy: &ApprovalPolicy, approver: &Actor) -> Result<(), Refusal> {
    must_be_a_person(approver, "approving")?;
    let requester = request.view.opened.as_ref().and_then(|opened| opened.requester.as_ref());
    if requester.is_none_or(|requester| requester.id == approver.id) {
        return Err(refusal(
            "APPROVER_IS_REQUESTER",
            "the requester never approves the own request",
            approver.name.clone(),
            "any eligible person other than the requester",
            "ask another approver",
        ));
    }
    let before = request.view.approvals.iter().filter_map(|approval| approval.approver.as_ref());
    if before.into_iter().any(|earlier| earlier.id == approver.id) {
        return Err(refusal(
            "ALREADY_APPROVED",
            "one person counts once, whatever roles they hold",
            approver.name.clone(),
            "different people for each approval",
            "ask another approver",
        ));
    }
    deciding_role(policy, approver).map(|_| ())
}

/// The first role of the policy that this person holds.
fn deciding_role(policy: &ApprovalPolicy, approver: &Actor) -> Result<Role, Refusal> {
    let wanted: Vec<Role> = policy.require.iter().map(|requirement| requirement.role()).collect();
    wanted.iter().copied().find(|role| holds(approver, *role)).ok_or_else(|| {
        refusal(
            "NOT_AN_APPROVER",
            "only the policy's roles decide on this request",
            role_list(&approver.roles().collect::<Vec<_>>()),
            wanted.iter().map(|role| role_name(*role)).collect::<Vec<_>>().join(", "),
            "ask someone who holds one of these roles",
        )
    })
}
