//! One person of a named role takes the responsibility for one check that says no.

use jiff::Timestamp;

use super::{MAX_TEXT, Request, holds, must_be_a_person, must_be_open, required_text};
use crate::access::{role_list, role_name};
use crate::pb::common::v1::{Actor, Role};
use crate::pb::execution::v1::{Check, CheckOutcome};
use crate::pb::request::v1::{CheckOverridden, RequestConfirmed, RequestEvent, RequestOpened, request_event::Event};
use crate::refusal::{Refusal, field_refusal, refusal};
use crate::time::to_pb;

/// The role that answers for systems.
pub const OVERRIDING_ROLE: Role = Role::ApproverIt;
/// Responsibility for more than this is not taken knowingly.
pub(super) const MAX_OVERRIDES: usize = 20;

/// Checks that a person may take the responsibility for, and what each weighs. Everything else proves that a step does
/// what it says, on what it says, alone, as it was approved, now: no person can make that true by deciding it.
pub const OVERRIDABLE: &[(&str, &str)] = &[
    ("bytes_behind", "how long writes pause while the target catches up"),
    ("integrity", "one question about the data (`integrity/NAME`) whose answer is not the expected one"),
    ("keys_have_not_collapsed", "that one side holds far fewer keys than the other"),
    ("newest_backup_age", "that a drill restores from an older backup than wished"),
    ("other_standbys", "that further standbys do not follow the new primary by themselves"),
    ("rewind_possible", "that the old primary has to be rebuilt instead of rewound"),
    ("target_free_disk", "that the target may run out of room"),
    ("target_uses_slot", "that log which the target needs may be removed"),
    ("way_back", "that the old primary cannot follow by itself afterwards"),
];

/// Whether that check may be overridden. One of several of a kind has its name behind: "integrity/orders-count".
pub fn may_be_overridden(check: &str) -> bool {
    let kind = check.split_once('/').map_or(check, |(kind, _)| kind);
    OVERRIDABLE.iter().any(|(name, _)| *name == kind)
}

/// Takes the responsibility. For the same check and resource once.
pub fn override_check(
    request: &Request,
    actor: &Actor,
    check: &str,
    resource: &str,
    reason: &str,
    now: Timestamp,
) -> Result<Option<RequestEvent>, Refusal> {
    must_be_open(request, now)?;
    must_be_a_person(actor, "overriding a check")?;
    let Some(opened) = &request.view.opened else { return Ok(None) };
    if !holds(actor, OVERRIDING_ROLE) {
        return Err(refusal(
            "ROLE_MISSING",
            "overriding a check takes the role that answers for systems",
            role_list(&actor.roles().collect::<Vec<_>>()),
            role_name(OVERRIDING_ROLE),
            "ask somebody who holds it",
        ));
    }
    if opened.requester.as_ref().is_none_or(|requester| requester.id == actor.id) {
        return Err(refusal(
            "APPROVER_IS_REQUESTER",
            "the requester never overrides a check of the own request",
            actor.name.clone(),
            "another Approver-IT",
            "ask another approver",
        ));
    }
    if !may_be_overridden(check) {
        return Err(field_refusal(
            "check",
            "CHECK_NOT_OVERRIDABLE",
            "approvals, freshness, identity, fence and reservation are never overridden",
            check.chars().take(80).collect::<String>(),
            OVERRIDABLE.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", "),
            "remove the cause that the check names",
        ));
    }
    must_be_a_member(opened, resource)?;
    required_text("reason", reason, MAX_TEXT, "what the responsibility rests on, so it is needed")?;
    let view = &request.view;
    if view.overrides.iter().any(|earlier| earlier.check == check && earlier.resource == resource) {
        return Ok(None);
    }
    if view.overrides.len() >= MAX_OVERRIDES {
        return Err(refusal(
            "TOO_MANY_OVERRIDES",
            "a run that needs so many exceptions is not ready",
            view.overrides.len().to_string(),
            format!("at most {MAX_OVERRIDES}"),
            "remove the causes",
        ));
    }
    Ok(Some(RequestEvent {
        event: Some(Event::CheckOverridden(CheckOverridden {
            check: check.to_owned(),
            resource: resource.to_owned(),
            reason: reason.trim().to_owned(),
            actor: Some(actor.clone()),
            as_role: OVERRIDING_ROLE.into(),
            overridden_at: Some(to_pb(now)),
        })),
    }))
}

fn must_be_a_member(opened: &RequestOpened, resource: &str) -> Result<(), Refusal> {
    let known = resource.is_empty()
        || opened.resource == resource
        || opened.members.iter().any(|member| member.resource == resource);
    if known {
        return Ok(());
    }
    let names = opened.members.iter().map(|member| member.resource.as_str()).collect::<Vec<_>>().join(", ");
    Err(field_refusal(
        "resource",
        "FIELD_INVALID",
        "a check is about a resource of the request, or about the run as a whole",
        resource.chars().take(80).collect::<String>(),
        names,
        "name one of these, or none",
    ))
}

/// Marks the checks that somebody took the responsibility for. What may not be overridden stays as it is, whatever the
/// confirmation carries; so does a check that passed.
pub fn apply_overrides(checks: &mut [Check], confirmed: &RequestConfirmed) {
    for check in checks {
        let said_no =
            matches!(check.outcome(), CheckOutcome::Failed | CheckOutcome::Unknown | CheckOutcome::Unspecified);
        if !said_no || check.advisory || !may_be_overridden(&check.name) {
            continue;
        }
        // An override of one resource's check is not one of another's; without a resource it is the run's own check.
        let decided = confirmed.overrides.iter().find(|o| o.check == check.name && o.resource == check.resource);
        if let Some(decided) = decided {
            let who = decided.actor.as_ref().map(|actor| actor.name.as_str()).unwrap_or_default();
            check.overridden = format!("{who} as {}: {}", role_name(decided.as_role()), decided.reason);
        }
    }
}
