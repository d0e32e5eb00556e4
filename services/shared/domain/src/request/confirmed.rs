//! What an executor checks again before it touches anything: that the log shows every approval, and that the
//! resource is still what people approved. It holds without trusting the service that took the command.

use std::collections::BTreeSet;

use super::Request;
use super::policy::{approver_roles, missing_for};
use crate::pb::inventory::v1::Document;
use crate::pb::request::v1::{RequestConfirmed, RequestOpened, RequestState};
use crate::refusal::{Refusal, refusal};

/// The request as it was opened and confirmed, when the log shows that its policy was satisfied.
pub fn proven(request: &Request) -> Result<(&RequestOpened, &RequestConfirmed), Refusal> {
    let view = &request.view;
    let (Some(opened), Some(confirmed)) = (&view.opened, &view.confirmed) else {
        return Err(not_proven("the request is not confirmed", super::state_name(view.state())));
    };
    if view.state() != RequestState::Confirmed {
        return Err(not_proven("the request is not confirmed", super::state_name(view.state())));
    }
    if confirmed.phrase != opened.confirmation_phrase {
        return Err(not_proven("the confirmation is not the request's phrase", &confirmed.phrase));
    }
    let policy = opened.policy.clone().unwrap_or_default();
    let missing = missing_for(&policy, &approver_roles(view));
    if policy.require.is_empty() || !missing.is_empty() {
        return Err(not_proven("approvals are missing", &missing.join(", ")));
    }
    let requester = opened.requester.as_ref().map(|actor| actor.id.as_str()).unwrap_or_default();
    let people: BTreeSet<&str> = view
        .approvals
        .iter()
        .filter_map(|approval| approval.approver.as_ref())
        .map(|actor| actor.id.as_str())
        .collect();
    if people.len() != view.approvals.len() || people.contains(requester) {
        return Err(not_proven("an approval is the requester's own, or counted twice", requester));
    }
    Ok((opened, confirmed))
}

/// People approved one version of the resource's document: hosts, sites, accounts. Another one needs them again.
pub fn unchanged(opened: &RequestOpened, resource: Option<&Document>) -> Result<(), Refusal> {
    let found = match resource {
        Some(document) if document.retired => "retired".to_owned(),
        Some(document) if document.version == opened.resource_version => return Ok(()),
        Some(document) => format!("version {}", document.version),
        None => "not declared".to_owned(),
    };
    Err(refusal(
        "RESOURCE_CHANGED",
        "a request runs on the version of the resource that was approved",
        format!("{} is {found} now", opened.resource),
        format!("version {}", opened.resource_version),
        "open a new request; it needs fresh approvals",
    ))
}

fn not_proven(rule: &str, found: &str) -> Refusal {
    refusal(
        "APPROVAL_NOT_PROVEN",
        rule,
        found,
        "a confirmed request with every approval of its policy",
        "open a new request; report this one",
    )
}
