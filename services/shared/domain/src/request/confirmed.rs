//! What an executor checks again before it touches anything: that the log shows every approval, and that everything is
//! still what people approved. It holds without trusting the service that took the command.

use std::collections::BTreeMap;

use super::demand::{Demand, missing_for};
use super::login::was_stepped_up;
use super::seats::{all_different, voices};
use super::{Delegation, Request, scope_name};
use crate::gate::{self, runs_by_itself};
use crate::inventory::TenantInventory;
use crate::pb::common::v1::ActorKind;
use crate::pb::inventory::v1::{Document, Kind};
use crate::pb::request::v1::{RequestApproved, RequestConfirmed, RequestOpened, RequestState};
use crate::plan;
use crate::refusal::{Refusal, refusal};
use crate::time::from_pb;

/// What a proof needs beside the request itself, read from the log again.
#[derive(Debug, Clone, Default)]
pub struct Witness {
    /// By their ids: those that [`delegations_named`] lists.
    pub delegations: BTreeMap<String, Delegation>,
    /// The gate as it holds now. Needed for requests that nobody had to approve: without it they are not proven.
    pub gate: Option<gate::Effective>,
}

/// The delegations that approvals of this request rest on.
pub fn delegations_named(request: &Request) -> Vec<String> {
    let ids = request.view.approvals.iter().map(|approval| approval.delegation_id.clone());
    let mut ids: Vec<String> = ids.filter(|id| !id.is_empty()).collect();
    ids.sort();
    ids.dedup();
    ids
}

/// [`proven_by`] without a witness: what rests on a delegation or on a gate is not proven.
pub fn proven(request: &Request) -> Result<(&RequestOpened, &RequestConfirmed), Refusal> {
    proven_by(request, &Witness::default())
}

/// The request as it was opened and confirmed, when the log shows that its policy was satisfied, or that the glass was
/// broken within its time.
pub fn proven_by<'a>(
    request: &'a Request,
    witness: &Witness,
) -> Result<(&'a RequestOpened, &'a RequestConfirmed), Refusal> {
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
    people_are_different(request, opened)?;
    for approval in &view.approvals {
        approval_is_proven(approval, opened, witness)?;
    }
    let policy = opened.policy.clone().unwrap_or_default();
    let missing = missing_for(&policy, &voices(view));
    if confirmed.break_glass {
        return glass_was_broken(opened, confirmed, &missing).map(|()| (opened, confirmed));
    }
    if !missing.is_empty() {
        return Err(not_proven("approvals are missing", &missing.join(", ")));
    }
    if Demand::of(&policy).is_ok_and(|demand| demand.is_empty()) {
        gate_let_it_pass(opened, witness)?;
    }
    Ok((opened, confirmed))
}

fn people_are_different(request: &Request, opened: &RequestOpened) -> Result<(), Refusal> {
    let voices = voices(&request.view);
    let requester = opened.requester.as_ref().map(|actor| actor.id.as_str()).unwrap_or_default();
    let involved = requester.is_empty() || voices.iter().any(|voice| voice.people.contains(&requester));
    if involved || !all_different(&voices) {
        return Err(not_proven("an approval is the requester's own, or counted twice", requester));
    }
    Ok(())
}

/// By a person, for the plan that was asked about, and for somebody away only by a delegation that held then.
fn approval_is_proven(approval: &RequestApproved, opened: &RequestOpened, witness: &Witness) -> Result<(), Refusal> {
    let approver = approval.approver.clone().unwrap_or_default();
    if approver.kind() != ActorKind::Person {
        return Err(not_proven("an approval is not a person's", &approver.name));
    }
    let hash = opened.plan.as_ref().map(|plan| plan.hash.as_str()).unwrap_or_default();
    if approval.plan_hash != hash {
        return Err(not_proven("an approval is for another plan", &approval.plan_hash));
    }
    let asks = opened.policy.as_ref().is_some_and(|policy| policy.step_up);
    let (stepped_up_at, approved_at) =
        (from_pb(approval.stepped_up_at.as_ref()), from_pb(approval.approved_at.as_ref()));
    if asks && !was_stepped_up(stepped_up_at, approved_at) {
        return Err(not_proven("an approval was made without the login that its policy asks for", &approver.name));
    }
    let Some(away) = &approval.on_behalf_of else {
        return if approval.delegation_id.is_empty() {
            Ok(())
        } else {
            Err(not_proven("a delegation without the person who was away", &approval.delegation_id))
        };
    };
    let held = witness.delegations.get(&approval.delegation_id).is_some_and(|delegation| {
        let role = delegation.delegated.as_ref().map(|delegated| delegated.role());
        let at = from_pb(approval.approved_at.as_ref());
        delegation.is_from_to(&away.id, &approver.id)
            && role == Some(approval.as_role())
            && at.is_some_and(|at| delegation.held_at(at))
    });
    if held {
        Ok(())
    } else {
        Err(not_proven("an approval rests on a delegation that did not hold", &approval.delegation_id))
    }
}

/// Stated when it was opened, started by a person of a role that may, within its time.
fn glass_was_broken(opened: &RequestOpened, confirmed: &RequestConfirmed, missing: &[String]) -> Result<(), Refusal> {
    let Some(glass) = &opened.break_glass else {
        return Err(not_proven("the glass was not broken when the request was opened", &missing.join(", ")));
    };
    let (until, at) = (from_pb(glass.until.as_ref()), from_pb(confirmed.confirmed_at.as_ref()));
    let in_time = until.zip(at).is_some_and(|(until, at)| at < until);
    if !in_time {
        return Err(not_proven("the glass was broken for another time", &missing.join(", ")));
    }
    if glass.incident.is_empty() || glass.reason.is_empty() || glass.review_due.is_none() {
        return Err(not_proven("a broken glass names its incident, its reason and its review", &missing.join(", ")));
    }
    let starter = confirmed.actor.clone().unwrap_or_default();
    let may = super::break_glass::ROLES.into_iter().any(|role| super::holds(&starter, role));
    if starter.kind() != ActorKind::Person || !may {
        return Err(not_proven("the glass was broken by somebody who may not", &starter.name));
    }
    Ok(())
}

/// Nobody had to approve it, then and now.
fn gate_let_it_pass(opened: &RequestOpened, witness: &Witness) -> Result<(), Refusal> {
    let now = witness.gate.as_ref().map(|gate| gate.level);
    if runs_by_itself(opened.gate()) && now.is_some_and(runs_by_itself) {
        return Ok(());
    }
    let level = now.map_or("not known", gate::level_name);
    Err(not_proven("no approval is there, and no gate lets it run by itself", level))
}

/// People approved one version of each resource, and one text of the plan. Another one needs them again.
///
/// `inventory` holds the documents of the request's scope as they are now; `plan` is the text that the request names,
/// in the version it names (`None`: the built-in plan, or a version that is not there).
pub fn as_approved(
    opened: &RequestOpened,
    inventory: &TenantInventory,
    plan: Option<&Document>,
) -> Result<(), Refusal> {
    for (resource, version) in versions(opened) {
        resource_unchanged(resource, version, inventory.get(Kind::Resource, resource))?;
    }
    // Opened before plans were: the version of its one resource is all that was approved.
    let Some(approved) = &opened.plan else { return Ok(()) };
    let refuse = |found: String| {
        Err(refusal(
            "PLAN_CHANGED",
            "a request runs on exactly the plan and the group that were approved",
            found,
            format!("plan hash {}", approved.hash),
            "open a new request; it needs fresh approvals",
        ))
    };
    let name = if approved.name.is_empty() { "built-in".to_owned() } else { approved.name.clone() };
    if !approved.name.is_empty() && plan.is_none_or(|plan| plan.retired || plan.name != approved.name) {
        return refuse(format!("plan {name} version {} is not there any more", approved.version));
    }
    let scope = match plan::scope(inventory, &opened.group, if opened.group.is_empty() { &opened.resource } else { "" })
    {
        Ok(scope) => scope,
        Err(changed) => return refuse(changed.value),
    };
    let now = plan::hash(plan.filter(|_| !approved.name.is_empty()), &scope);
    if now.hash == approved.hash {
        return Ok(());
    }
    refuse(format!("{} has plan {name} with hash {} now", scope_name(opened), now.hash))
}

fn versions(opened: &RequestOpened) -> Vec<(&str, u64)> {
    if opened.members.is_empty() {
        return vec![(&opened.resource, opened.resource_version)];
    }
    opened.members.iter().map(|member| (member.resource.as_str(), member.resource_version)).collect()
}

/// The one resource of a request is in the version that was approved. Groups and plans: [`as_approved`].
pub fn unchanged(opened: &RequestOpened, resource: Option<&Document>) -> Result<(), Refusal> {
    resource_unchanged(&opened.resource, opened.resource_version, resource)
}

fn resource_unchanged(resource: &str, approved: u64, document: Option<&Document>) -> Result<(), Refusal> {
    let found = match document {
        Some(document) if document.retired => "retired".to_owned(),
        Some(document) if document.version == approved => return Ok(()),
        Some(document) => format!("version {}", document.version),
        None => "not declared".to_owned(),
    };
    Err(refusal(
        "RESOURCE_CHANGED",
        "a request runs on the version of each resource that was approved",
        format!("{resource} is {found} now"),
        format!("version {approved}"),
        "open a new request; it needs fresh approvals",
    ))
}

fn not_proven(rule: &str, found: &str) -> Refusal {
    refusal(
        "APPROVAL_NOT_PROVEN",
        rule,
        found,
        "a confirmed request with every approval of its policy, or a glass broken within its time",
        "open a new request; report this one",
    )
}
