//! What people and Muster decided beside requests, for the audit list: delegations, gates, plans, preflights.

use super::describe::{Description, outcome};
use crate::access::role_name;
use crate::gate::level_name;
use crate::pb::execution::v1::{PreflightEvent, preflight_event};
use crate::pb::plan::v1::{PlanEvent, PlanRef, plan_event};
use crate::pb::request::v1::{DelegationEvent, GateEvent, delegation_event, gate_event};

pub(super) fn delegation(event: &DelegationEvent) -> Option<Description> {
    Some(match event.event.as_ref()? {
        delegation_event::Event::Delegated(delegated) => {
            let to = if delegated.to_name.is_empty() { &delegated.to } else { &delegated.to_name };
            outcome("delegated", format!("{} to {to}: {}", role_name(delegated.role()), delegated.reason))
        }
        delegation_event::Event::Ended(_) => outcome("ended", ""),
    })
}

pub(super) fn preflight(event: &PreflightEvent) -> Option<Description> {
    let preflight_event::Event::Checked(checked) = event.event.as_ref()?;
    let report = checked.report.clone().unwrap_or_default();
    let of = if report.group.is_empty() { &report.resource } else { &report.group };
    Some(Description {
        resource: of.clone(),
        site: report.target_site.clone(),
        ..outcome("checked", format!("{} of {of}: {}", report.r#type, report.verdict().as_str_name()))
    })
}

pub(super) fn gate(event: &GateEvent) -> Option<Description> {
    Some(match event.event.as_ref()? {
        gate_event::Event::Proposed(change) => {
            let of = of_gate(&change.request_type, &change.plan);
            let (from, to) = (level_name(change.from()), level_name(change.to()));
            outcome("proposed", format!("{of} from {from} to {to}: {}", change.reason))
        }
        gate_event::Event::Approved(approved) => outcome("approved", &approved.note),
        gate_event::Event::Rejected(rejected) => outcome("rejected", &rejected.reason),
        gate_event::Event::Raised(raised) => Description {
            request_id: raised.request_id.clone(),
            ..outcome("raised", format!("{}: {}", of_gate(&raised.request_type, &raised.plan), raised.reason))
        },
    })
}

fn of_gate(request_type: &str, plan: &str) -> String {
    if plan.is_empty() { request_type.to_owned() } else { format!("{request_type} by plan {plan}") }
}

pub(super) fn plan(event: &PlanEvent) -> Option<Description> {
    use plan_event::Event;
    let of = |plan: Option<&PlanRef>| plan.map(|p| format!("{} version {}", p.name, p.version)).unwrap_or_default();
    Some(match event.event.as_ref()? {
        Event::Submitted(e) => outcome("submitted", of(e.plan.as_ref())),
        Event::Returned(e) => outcome("returned", format!("{}: {}", of(e.plan.as_ref()), e.reason)),
        Event::Published(e) => outcome("published", of(e.plan.as_ref())),
        Event::Proven(e) => Description {
            request_id: e.request_id.clone(),
            ..outcome("proven", format!("{} by {}", of(e.plan.as_ref()), e.r#type))
        },
        Event::ProofFailed(e) => Description {
            request_id: e.request_id.clone(),
            ..outcome("proof failed", format!("{} in {}: {}", of(e.plan.as_ref()), e.r#type, e.reason))
        },
        Event::ProofLapsed(e) => outcome("proof lapsed", format!("{}: {}", of(e.plan.as_ref()), e.reason)),
    })
}
