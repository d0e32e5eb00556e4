//! `kind: Policy`: who must approve, and the limits of a tier.

use muster_domain::access::role_name;
use muster_domain::pb::common::v1::Role;
use muster_domain::pb::inventory::v1::{ApprovalRequirement, ApprovalRule, PolicySpec, ReadinessRule};

use super::{
    fault::Faults,
    fields::Fields,
    node::Node,
    resource::{ENVIRONMENTS, TIERS, thresholds},
};

/// The names the domain uses; which of them may approve is its rule.
fn roles() -> Vec<(&'static str, Role)> {
    [Role::ApproverIt, Role::ApproverBusiness, Role::Operator, Role::Admin, Role::Viewer]
        .map(|role| (role_name(role), role))
        .to_vec()
}

pub(super) fn read(mut fields: Fields<'_, '_>) -> PolicySpec {
    let spec = PolicySpec {
        description: fields.text("description"),
        approvals: fields.list("approvals", approval_rule),
        readiness: fields.list("readiness", readiness_rule),
        ..PolicySpec::default()
    };
    fields.finish();
    spec
}

fn approval_rule(node: &Node, path: &str, faults: &Faults) -> Option<ApprovalRule> {
    let mut fields = Fields::of(node, path, faults)?;
    let rule = ApprovalRule {
        tiers: fields.choices("tiers", TIERS).into_iter().map(i32::from).collect(),
        environments: fields.choices("environments", ENVIRONMENTS).into_iter().map(i32::from).collect(),
        request_types: fields.texts("requestTypes"),
        require: fields.list("require", requirement),
        expires_after: fields.duration("expiresAfter"),
        require_ticket: fields.flag("requireTicket"),
        ..ApprovalRule::default()
    };
    fields.finish();
    Some(rule)
}

fn requirement(node: &Node, path: &str, faults: &Faults) -> Option<ApprovalRequirement> {
    let mut fields = Fields::of(node, path, faults)?;
    let role = fields.choice("role", &roles());
    if !fields.has("role") {
        fields.missing("role", "Approver-IT, Approver-Business", "name the role that approves");
    }
    let counted = fields.has("count");
    let count = fields.whole("count").unwrap_or(u32::from(!counted));
    let requirement = ApprovalRequirement { role: role.unwrap_or_default().into(), count };
    fields.finish();
    Some(requirement)
}

fn readiness_rule(node: &Node, path: &str, faults: &Faults) -> Option<ReadinessRule> {
    let mut fields = Fields::of(node, path, faults)?;
    let rule = ReadinessRule {
        tier: fields.choice("tier", TIERS).unwrap_or_default().into(),
        thresholds: fields.block("thresholds").map(thresholds),
    };
    fields.finish();
    Some(rule)
}
