//! `approvals` of a policy: who must say yes, and who is asked again when nobody does.

use muster_domain::pb::inventory::v1::{
    ApprovalAll, ApprovalAny, ApprovalAtLeast, ApprovalExpression, ApprovalRequirement, ApprovalRule, ApproverGroup,
    Escalation, approval_expression::Kind,
};

use super::{
    fault::Faults,
    fields::Fields,
    node::Node,
    policy::roles,
    resource::{ENVIRONMENTS, TIERS},
};

pub(super) fn rule(node: &Node, path: &str, faults: &Faults) -> Option<ApprovalRule> {
    let mut fields = Fields::of(node, path, faults)?;
    let rule = ApprovalRule {
        tiers: fields.choices("tiers", TIERS).into_iter().map(i32::from).collect(),
        environments: fields.choices("environments", ENVIRONMENTS).into_iter().map(i32::from).collect(),
        request_types: fields.texts("requestTypes"),
        require: fields.list("require", requirement),
        expires_after: fields.duration("expiresAfter"),
        require_ticket: fields.flag("requireTicket"),
        expression: fields.block("expression").and_then(expression),
        escalations: fields.list("escalations", escalation),
        step_up: fields.flag("stepUp"),
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

/// One key: who, or how others are put together. The depth of a manifest bounds how far these nest.
fn expression(mut fields: Fields<'_, '_>) -> Option<ApprovalExpression> {
    let rule = "an expression is one role, person or group, or others put together";
    let kind = match fields.one_of(&["role", "person", "group", "all", "any", "atLeast"], rule) {
        Some("role") => fields.choice("role", &roles()).map(|role| Kind::Role(role.into())),
        Some("person") => Some(Kind::Person(fields.text("person"))),
        Some("group") => fields.block("group").map(group),
        Some("all") => Some(Kind::All(ApprovalAll { of: fields.list("all", item) })),
        Some("any") => Some(Kind::Any(ApprovalAny { of: fields.list("any", item) })),
        Some(_) => fields.block("atLeast").map(at_least),
        None => None,
    };
    fields.finish();
    kind.map(|kind| ApprovalExpression { kind: Some(kind) })
}

fn item(node: &Node, path: &str, faults: &Faults) -> Option<ApprovalExpression> {
    expression(Fields::of(node, path, faults)?)
}

fn group(mut fields: Fields<'_, '_>) -> Kind {
    let group = ApproverGroup { name: fields.text("name"), people: fields.texts("people") };
    fields.finish();
    Kind::Group(group)
}

fn at_least(mut fields: Fields<'_, '_>) -> Kind {
    let at_least = ApprovalAtLeast { count: fields.whole("count").unwrap_or_default(), of: fields.list("of", item) };
    fields.finish();
    Kind::AtLeast(at_least)
}

fn escalation(node: &Node, path: &str, faults: &Faults) -> Option<Escalation> {
    let mut fields = Fields::of(node, path, faults)?;
    let escalation = Escalation { after: fields.duration("after"), routes: fields.texts("routes") };
    fields.finish();
    Some(escalation)
}
