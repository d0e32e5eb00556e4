//! Opening a request: what, where to, why, by which plan, and what was known at that moment.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::approve::unusable_policy;
use super::break_glass::{self, BreakGlassAsk};
use super::demand::Demand;
use super::rollback::Earlier;
use super::sites::{Sites, confirmation_phrase, members, sites, worst};
use super::{EffectivePolicy, MAX_TEXT, MAX_TICKET, Request, holds, optional_text, required_text, type_name};
use crate::access::{role_list, role_name};
use crate::gate::{self, runs_by_itself};
use crate::inventory::platform::{credentials, needs_agents, nodes};
use crate::pb::common::v1::{Actor, Role};
use crate::pb::inventory::v1::{Document, ResourceSpec};
use crate::pb::request::v1::{
    ApprovalPolicy, Evidence, RequestEvent, RequestOpened, RequestType, request_event::Event,
};
use crate::plan::{self, Scope};
use crate::refusal::{Refusal, field_refusal, refusal};
use crate::time::to_pb;

/// What the operator asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OpenRequest {
    pub request_id: String,
    pub kind: RequestType,
    /// One of the two, unless a run is taken back.
    pub resource: String,
    pub group: String,
    pub target_site: String,
    /// Empty: the published plan of the scope, or the built-in one.
    pub plan: String,
    pub reason: String,
    pub ticket: String,
    pub break_glass: Option<BreakGlassAsk>,
    /// The request whose run is taken back.
    pub rollback_of: String,
    pub preflight_id: String,
    /// The calendar asks, and not a person at the screen.
    pub scheduled: Option<Scheduled>,
}

/// The due time of a schedule that opens a request. The requester is then whoever declared the schedule: to declare it
/// was to ask, and who asks does not approve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scheduled {
    pub schedule: String,
    pub due_at: Timestamp,
    /// The end of the schedule's window.
    pub expires_at: Timestamp,
}

/// Everything that an opening is judged by, as the log has it at this moment.
#[derive(Debug, Clone)]
pub struct Case<'a> {
    pub scope: &'a Scope<'a>,
    /// `None`: the built-in plan.
    pub plan: Option<&'a Document>,
    pub policy: &'a EffectivePolicy,
    pub gate: &'a gate::Effective,
    /// What approvers shall have in front of them.
    pub evidence: Option<Evidence>,
    /// Where each resource's primary was seen just now. Nothing about those that nobody saw.
    pub seen_at: &'a BTreeMap<String, String>,
    /// Where each resource's primary was seen last, however long ago: the other side is what a drill without a target is
    /// about. The checks before the first step look for themselves.
    pub last_seen: &'a BTreeMap<String, String>,
    /// The run that is taken back.
    pub earlier: Option<&'a Earlier>,
}

/// Opens a request on what is declared. Asking again with the same id changes nothing.
pub fn open(
    request: &Request,
    command: &OpenRequest,
    case: &Case<'_>,
    requester: &Actor,
    now: Timestamp,
) -> Result<Option<RequestEvent>, Refusal> {
    if request.exists() {
        return Ok(None);
    }
    must_be_a_type(command.kind)?;
    let sites = direction(command, case)?;
    for member in &case.scope.members {
        must_be_able(command.kind, &member.document.name, member.spec)?;
    }
    must_not_be_there(command.kind, case, &sites)?;
    plan_must_fit(command.kind, case, &sites)?;
    required_text("reason", &command.reason, MAX_TEXT, "what approvers decide on, so it is needed")?;
    optional_text("ticket", &command.ticket, MAX_TICKET)?;
    if case.policy.require_ticket {
        required_text("ticket", &command.ticket, MAX_TICKET, "required by the tenant's policy")?;
    }
    let policy = policy_of(case)?;
    let glass = match &command.break_glass {
        Some(ask) => {
            let terms = &case.policy.break_glass;
            Some(break_glass::state(ask, command.kind, terms, &policy, requester, now)?)
        }
        None => {
            match &command.scheduled {
                Some(scheduled) => must_be_in_its_window(scheduled, now)?,
                None => must_be_an_operator(requester)?,
            }
            None
        }
    };

    let (tier, environment) = worst(case.scope);
    let single = case.scope.group.is_none().then(|| case.scope.members.first()).flatten();
    let (resource, resource_version) =
        single.map(|member| (member.document.name.clone(), member.document.version)).unwrap_or_default();
    let group = case.scope.group.map(|(document, _)| document.name.clone()).unwrap_or_default();
    let name = if group.is_empty() { &resource } else { &group };
    Ok(Some(RequestEvent {
        event: Some(Event::Opened(RequestOpened {
            request_id: command.request_id.clone(),
            r#type: command.kind.into(),
            confirmation_phrase: confirmation_phrase(command.kind, name, &sites),
            resource,
            members: members(case.scope, &sites),
            from_site: sites.from,
            target_site: sites.target,
            reason: command.reason.trim().to_owned(),
            ticket: command.ticket.trim().to_owned(),
            tier: tier.into(),
            environment: environment.into(),
            requester: Some(requester.clone()),
            policy: Some(policy),
            // A broken glass is open for its own short time, and the request with it.
            expires_at: match &glass {
                Some(glass) => glass.until,
                None => {
                    let window = command.scheduled.as_ref().map(|scheduled| scheduled.expires_at);
                    Some(to_pb(window.unwrap_or(now + case.policy.expires_after)))
                }
            },
            resource_version,
            opened_at: Some(to_pb(now)),
            group,
            plan: Some(plan::hash(case.plan, case.scope)),
            break_glass: glass,
            gate: case.gate.level.into(),
            gate_source: case.gate.source.clone(),
            evidence: case.evidence.clone(),
            rollback_of: command.rollback_of.clone(),
            escalations: case.policy.escalations.clone(),
            schedule: command.scheduled.as_ref().map(|scheduled| scheduled.schedule.clone()).unwrap_or_default(),
            due_at: command.scheduled.as_ref().map(|scheduled| to_pb(scheduled.due_at)),
        })),
    }))
}

/// A key that was used stands for what was asked then. Answering another question with that request would look like a yes.
pub fn same_question(request: &Request, command: &OpenRequest) -> Result<(), Refusal> {
    let Some(opened) = &request.view.opened else { return Ok(()) };
    let glass = opened.break_glass.as_ref();
    let kept = OpenRequest {
        request_id: command.request_id.clone(),
        kind: opened.r#type(),
        // A rollback's scope and direction follow from the run it takes back.
        resource: if opened.rollback_of.is_empty() { opened.resource.clone() } else { command.resource.clone() },
        group: if opened.rollback_of.is_empty() { opened.group.clone() } else { command.group.clone() },
        // What was left to Muster then may be left to it again.
        target_site: if command.target_site.is_empty() { String::new() } else { opened.target_site.clone() },
        plan: match &opened.plan {
            Some(plan) if !command.plan.is_empty() => plan.name.clone(),
            _ => String::new(),
        },
        reason: opened.reason.clone(),
        ticket: opened.ticket.clone(),
        break_glass: glass.map(|glass| BreakGlassAsk {
            incident: glass.incident.clone(),
            reason: glass.reason.clone(),
            limit: command.break_glass.as_ref().and_then(|ask| ask.limit),
        }),
        rollback_of: opened.rollback_of.clone(),
        preflight_id: command.preflight_id.clone(),
        scheduled: command.scheduled.clone(),
    };
    let asked = OpenRequest {
        reason: command.reason.trim().to_owned(),
        ticket: command.ticket.trim().to_owned(),
        break_glass: command.break_glass.as_ref().map(|ask| BreakGlassAsk {
            incident: ask.incident.trim().to_owned(),
            reason: ask.reason.trim().to_owned(),
            limit: ask.limit,
        }),
        ..command.clone()
    };
    if asked == kept {
        return Ok(());
    }
    Err(field_refusal(
        "idempotency_key",
        "IDEMPOTENCY_KEY_REUSED",
        "a repeated key means the same request",
        format!("the key of request {}, which asks for something else", opened.request_id),
        "the same type, scope, target, plan, reason, ticket and emergency",
        "look at that request; ask for another one with a new key (reload the page)",
    ))
}

fn must_be_a_type(kind: RequestType) -> Result<(), Refusal> {
    if kind != RequestType::Unspecified {
        return Ok(());
    }
    Err(field_refusal(
        "type",
        "FIELD_INVALID",
        "a request says what kind of run it is",
        "unspecified",
        super::TYPES.map(type_name).join(", "),
        "choose switchover when both sides are healthy, failover when the primary is lost",
    ))
}

fn must_be_an_operator(requester: &Actor) -> Result<(), Refusal> {
    if holds(requester, Role::Operator) {
        return Ok(());
    }
    Err(refusal(
        "ROLE_MISSING",
        "opening an ordinary request needs the Operator role",
        role_list(&requester.roles().collect::<Vec<_>>()),
        role_name(Role::Operator),
        "ask an operator to open it",
    ))
}

/// A request that could not be approved any more would only be noise.
fn must_be_in_its_window(scheduled: &Scheduled, now: Timestamp) -> Result<(), Refusal> {
    if now < scheduled.expires_at {
        return Ok(());
    }
    Err(refusal(
        "REQUEST_EXPIRED",
        "a schedule's request is opened within its window",
        format!("now {now:.0}"),
        format!("before {:.0}", scheduled.expires_at),
        "wait for the next due time, or open a request by hand",
    ))
}

fn direction(command: &OpenRequest, case: &Case<'_>) -> Result<Sites, Refusal> {
    match (command.kind, case.earlier) {
        (RequestType::Rollback, Some(earlier)) => earlier.sites(command, case),
        (RequestType::Rollback, None) => Err(field_refusal(
            "rollback_of",
            "FIELD_INVALID",
            "a rollback names the request whose run it takes back",
            "empty",
            "the id of a request that was run",
            "find it with `muster request list`",
        )),
        (kind, None) if command.rollback_of.is_empty() => sites(kind, case.scope, &command.target_site, case.last_seen),
        (kind, _) => Err(field_refusal(
            "rollback_of",
            "FIELD_INVALID",
            "only a rollback takes back another request's run",
            type_name(kind),
            "rollback",
            "leave it out, or ask for a rollback",
        )),
    }
}

/// What this type of run needs of each resource.
fn must_be_able(kind: RequestType, resource: &str, spec: &ResourceSpec) -> Result<(), Refusal> {
    let refuse = |rule: &str, value: &str, limit: &str, next: &str| {
        Err(field_refusal("resource", "RESOURCE_NOT_MOVABLE", rule, format!("{resource}: {value}"), limit, next))
    };
    let Some(platform) = &spec.platform else {
        return refuse("a resource has a platform", "no platform", "a declared platform", "declare its platform");
    };
    match kind {
        // Checks and conversations take what can be had.
        RequestType::ReadinessDrill | RequestType::TabletopDrill => Ok(()),
        RequestType::IsolatedDrill if spec.isolated_drill.is_some() => Ok(()),
        RequestType::IsolatedDrill => Err(field_refusal(
            "resource",
            "NO_ISOLATED_DRILL",
            "an isolated drill starts a copy, where the manifest says how one is made",
            format!("{resource} has no `isolatedDrill`"),
            "a resource with `isolatedDrill`",
            "add `isolatedDrill` to its manifest and apply it",
        )),
        _ => {
            let rule = "only a resource with an execution account and host agents can be moved";
            let limit = "a resource with `execute` credentials and an agent on each node";
            if credentials(platform).execute.is_none() {
                let next = "add `execute` to the manifest and apply it";
                return refuse(rule, "monitoring only (no `execute` credential)", limit, next);
            }
            if needs_agents(platform) && nodes(platform).iter().any(|node| node.agent.is_empty()) {
                let next = "name an agent of the executor's configuration on each node";
                return refuse(rule, "a node without a host agent", limit, next);
            }
            Ok(())
        }
    }
}

/// A move to where everything already runs would do nothing but stop it.
fn must_not_be_there(kind: RequestType, case: &Case<'_>, sites: &Sites) -> Result<(), Refusal> {
    let moves = matches!(
        kind,
        RequestType::Switchover
            | RequestType::Failover
            | RequestType::Failback
            | RequestType::Rotation
            | RequestType::LiveDrill
    );
    let is_there = |resource: &str| case.seen_at.get(resource).is_some_and(|site| *site == sites.target);
    if !moves || !case.scope.members.iter().all(|member| is_there(&member.document.name)) {
        return Ok(());
    }
    Err(field_refusal(
        "target_site",
        "ALREADY_AT_TARGET",
        "a move goes to a site where the system does not run yet",
        format!("{} runs on {} now", case.scope.name(), sites.target),
        format!("{}, or another type of request", sites.from),
        "look at its status with `muster get readiness`; nothing has to be moved",
    ))
}

/// The plan can be unfolded for this run, so that nobody approves what cannot begin.
fn plan_must_fit(kind: RequestType, case: &Case<'_>, sites: &Sites) -> Result<(), Refusal> {
    let Some(document) = case.plan.filter(|_| kind != RequestType::Rollback) else { return Ok(()) };
    let Some(spec) = plan::spec_of(document) else { return Ok(()) };
    let direction = plan::direction(spec, &sites.target)?;
    plan::unfold(spec, kind, direction, case.scope).map(drop)
}

/// The policy that is written down: none where the gate lets it run by itself, and never one that nobody can satisfy.
fn policy_of(case: &Case<'_>) -> Result<ApprovalPolicy, Refusal> {
    let policy = &case.policy.policy;
    if runs_by_itself(case.gate.level) {
        let source = format!("gate {}: {}", gate::level_name(case.gate.level), case.gate.source);
        return Ok(ApprovalPolicy { source, ..ApprovalPolicy::default() });
    }
    Demand::of(policy).map_err(|unusable| unusable_policy(policy, unusable))?;
    Ok(policy.clone())
}
