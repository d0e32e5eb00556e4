//! Yes and no, by the people the policy names.

use jiff::Timestamp;

use super::demand::{Demand, Filled, missing_for};
use super::login::{Login, step_up};
use super::seats::{Voice, voices};
use super::{Delegation, MAX_TEXT, Request, must_be_a_person, must_be_open, optional_text, required_text};
use crate::access::role_list;
use crate::pb::common::v1::Actor;
use crate::pb::request::v1::{
    ApprovalPolicy, Delegated, RequestApproved, RequestDenied, RequestEvent, RequestOpened, request_event::Event,
};
use crate::refusal::{Refusal, field_refusal, refusal};
use crate::time::to_pb;

/// What somebody who says yes says beside it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Yes<'a> {
    pub note: &'a str,
    /// The hash of the plan that was looked at. Empty: the request's.
    pub plan_hash: &'a str,
    /// The delegation by which somebody decides for a person who is away.
    pub delegation: Option<&'a Delegation>,
    /// How whoever decides logged in. Unknown is not enough where the policy asks for a login made for the decision.
    pub login: Login,
}

/// One person's yes. Never the requester's, never the same person's twice.
pub fn approve(
    request: &Request,
    approver: &Actor,
    yes: &Yes<'_>,
    now: Timestamp,
) -> Result<Option<RequestEvent>, Refusal> {
    must_be_open(request, now)?;
    let (opened, policy) = asked(request);
    must_be_a_person(approver, "approving")?;
    same_plan(opened, yes.plan_hash)?;
    let delegated = yes.delegation.map(|delegation| holding(delegation, approver, now)).transpose()?;
    let voice = match delegated {
        Some((delegated, away)) => Voice::for_another(approver, away, delegated.role()),
        None => Voice::own(approver),
    };
    must_not_be_involved(opened, request, &voice, approver)?;
    let demand = Demand::of(&policy).map_err(|unusable| unusable_policy(&policy, unusable))?;
    may_ever_decide(&demand, &voice, approver)?;
    optional_text("note", yes.note, MAX_TEXT)?;

    let mut people = voices(&request.view);
    people.push(voice);
    let Some(place) = demand.place_of_last(&people) else {
        return Err(refusal(
            "APPROVAL_NOT_NEEDED",
            "each approval fills one open place of the policy",
            role_list(&approver.roles().collect::<Vec<_>>()),
            request.view.missing.join(", "),
            if request.view.missing.is_empty() {
                "nothing is missing: the operator can start it"
            } else {
                "ask someone who is missing"
            },
        ));
    };
    let stepped_up_at = step_up(&policy, yes.login, now)?;
    let missing = missing_for(&policy, &people);
    Ok(Some(RequestEvent {
        event: Some(Event::Approved(RequestApproved {
            approver: Some(approver.clone()),
            as_role: place.role.into(),
            note: yes.note.trim().to_owned(),
            approved_at: Some(to_pb(now)),
            completes: missing.is_empty(),
            missing,
            plan_hash: opened.plan.as_ref().map(|plan| plan.hash.clone()).unwrap_or_default(),
            on_behalf_of: delegated.map(|(_, away)| away.clone()),
            delegation_id: delegated.map(|(delegated, _)| delegated.delegation_id.clone()).unwrap_or_default(),
            place: place.words,
            stepped_up_at: stepped_up_at.map(to_pb),
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
    let (_, policy) = asked(request);
    must_be_a_person(approver, "denying")?;
    let demand = Demand::of(&policy).map_err(|unusable| unusable_policy(&policy, unusable))?;
    let place = may_ever_decide(&demand, &Voice::own(approver), approver)?;
    required_text("reason", reason, MAX_TEXT, "what the requester needs to know, so it is needed")?;
    Ok(Some(RequestEvent {
        event: Some(Event::Denied(RequestDenied {
            approver: Some(approver.clone()),
            as_role: place.role.into(),
            reason: reason.trim().to_owned(),
            denied_at: Some(to_pb(now)),
        })),
    }))
}

fn asked(request: &Request) -> (&RequestOpened, ApprovalPolicy) {
    static NOTHING: std::sync::LazyLock<RequestOpened> = std::sync::LazyLock::new(RequestOpened::default);
    let opened = request.view.opened.as_ref().unwrap_or(&NOTHING);
    (opened, opened.policy.clone().unwrap_or_default())
}

/// An approval binds to what was looked at.
fn same_plan(opened: &RequestOpened, seen: &str) -> Result<(), Refusal> {
    let hash = opened.plan.as_ref().map(|plan| plan.hash.as_str()).unwrap_or_default();
    if seen.is_empty() || seen == hash {
        return Ok(());
    }
    Err(field_refusal(
        "plan_hash",
        "PLAN_HASH_MISMATCH",
        "an approval is for exactly the plan that the request names",
        seen.chars().take(80).collect::<String>(),
        hash,
        "look at the request and its plan again, then approve that hash",
    ))
}

/// The delegation is to this person and holds now.
fn holding<'a>(
    delegation: &'a Delegation,
    approver: &Actor,
    now: Timestamp,
) -> Result<(&'a Delegated, &'a Actor), Refusal> {
    let found = delegation.delegated.as_ref().and_then(|delegated| Some((delegated, delegated.from.as_ref()?)));
    match found.filter(|(delegated, _)| delegated.to == approver.id && delegation.held_at(now)) {
        Some(found) => Ok(found),
        None => Err(refusal(
            "DELEGATION_NOT_HOLDING",
            "somebody decides for another only by a delegation to them that holds now",
            "no such delegation, or not now",
            "a delegation that has begun, is not over and was not ended",
            "list them with `muster delegate list`, or approve in your own name",
        )),
    }
}

fn must_not_be_involved(
    opened: &RequestOpened,
    request: &Request,
    voice: &Voice<'_>,
    approver: &Actor,
) -> Result<(), Refusal> {
    let requester = opened.requester.as_ref();
    if requester.is_none_or(|requester| voice.people.contains(&requester.id.as_str())) {
        return Err(refusal(
            "APPROVER_IS_REQUESTER",
            "the requester never approves the own request, neither alone nor through a delegation",
            requester.map(|requester| requester.name.clone()).unwrap_or_default(),
            "any eligible person other than the requester",
            "ask another approver",
        ));
    }
    let before = voices(&request.view);
    if before.iter().any(|earlier| earlier.people.iter().any(|id| voice.people.contains(id))) {
        return Err(refusal(
            "ALREADY_APPROVED",
            "one person counts once, whatever roles they hold; a deputy and who is away count as one",
            approver.name.clone(),
            "different people for each approval",
            "ask another approver",
        ));
    }
    Ok(())
}

fn may_ever_decide(demand: &Demand<'_>, voice: &Voice<'_>, approver: &Actor) -> Result<Filled, Refusal> {
    demand.any_place(voice).ok_or_else(|| {
        refusal(
            "NOT_AN_APPROVER",
            "only the people that the policy names decide on this request",
            role_list(&approver.roles().collect::<Vec<_>>()),
            demand.words(),
            "ask someone whom the policy names",
        )
    })
}

pub(super) fn unusable_policy(policy: &ApprovalPolicy, unusable: super::expression::Unusable) -> Refusal {
    refusal(
        "POLICY_UNUSABLE",
        "the tenant's policies together can be satisfied by people",
        format!("{} is {unusable}", policy.source),
        "policies within their limits",
        "an admin makes the policies that are named simpler and applies them",
    )
}
