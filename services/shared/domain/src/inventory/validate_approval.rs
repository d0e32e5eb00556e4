//! The approvals of a policy: who must say yes, and who is asked again when nobody does.

use jiff::SignedDuration;

use super::TenantInventory;
use super::validate::{Finding, duration, shorten, text};
use crate::pb::common::v1::Role;
use crate::pb::inventory::v1::{
    ApprovalExpression, ApprovalRequirement, ApprovalRule, ApproverGroup, Escalation, Kind as DocumentKind,
    approval_expression::Kind,
};
use crate::request::{TYPES, type_name, type_of};
use crate::time::{duration_from_pb, humane};

/// More approvers than this for one request is a committee.
const MAX_APPROVERS: u32 = 10;
/// Roles, persons, groups and what puts them together, in one expression. Finding who fills which place takes time.
const MAX_PARTS: usize = 50;
const MAX_DEPTH: usize = 4;
const MAX_PEOPLE: usize = 50;
const MAX_EXPIRY: SignedDuration = SignedDuration::from_hours(24 * 30);
/// How long a request lives when its rule does not say: the same as in `request::policy`.
const DEFAULT_EXPIRY: SignedDuration = SignedDuration::from_hours(4);
/// Whoever did not hear five calls hears no sixth.
const MAX_ESCALATIONS: usize = 5;
/// A stable id is an issuer's address and a subject.
const MAX_PERSON: usize = 500;

pub(super) fn approval_rule(found: &mut Finding, field: &str, rule: &ApprovalRule, others: &TenantInventory) {
    duration(found, &format!("{field}.expiresAfter"), rule.expires_after.as_ref(), MAX_EXPIRY);
    request_types(found, &format!("{field}.requestTypes"), &rule.request_types);
    for (index, requirement) in rule.require.iter().enumerate() {
        self::requirement(found, &format!("{field}.require[{index}]"), requirement);
    }
    if let Some(root) = &rule.expression {
        let field = format!("{field}.expression");
        let (parts, depth) = size(root);
        if parts > MAX_PARTS || depth > MAX_DEPTH {
            found.fault(
                &field,
                "an expression that people can follow",
                format!("{parts} parts, {depth} levels"),
                format!("at most {MAX_PARTS} parts and {MAX_DEPTH} levels"),
                "use groups, or a second rule",
            );
        } else {
            expression(found, &field, root);
        }
    }
    escalations(found, &format!("{field}.escalations"), rule, others);
}

pub(super) fn request_types(found: &mut Finding, field: &str, types: &[String]) {
    for (index, kind) in types.iter().enumerate().filter(|(_, kind)| type_of(kind).is_none()) {
        let all = TYPES.map(type_name).join(", ");
        found.fault(format!("{field}[{index}]"), "request types", shorten(kind), all, "use one of these");
    }
}

fn requirement(found: &mut Finding, field: &str, requirement: &ApprovalRequirement) {
    approver_role(found, &format!("{field}.role"), requirement.role());
    if requirement.count == 0 || requirement.count > MAX_APPROVERS {
        found.fault(
            format!("{field}.count"),
            "how many different people",
            requirement.count.to_string(),
            format!("1 to {MAX_APPROVERS}"),
            "the built-in rule cannot be lowered, only raised",
        );
    }
}

fn approver_role(found: &mut Finding, field: &str, role: Role) {
    if !matches!(role, Role::ApproverIt | Role::ApproverBusiness) {
        found.fault(
            field,
            "only approver roles approve",
            crate::access::role_name(role),
            "Approver-IT, Approver-Business",
            "use an approver role",
        );
    }
}

fn expression(found: &mut Finding, field: &str, expression: &ApprovalExpression) {
    match &expression.kind {
        Some(Kind::Role(role)) => {
            approver_role(found, &format!("{field}.role"), Role::try_from(*role).unwrap_or_default());
        }
        Some(Kind::Person(id)) => person(found, &format!("{field}.person"), id),
        Some(Kind::Group(group)) => self::group(found, &format!("{field}.group"), group),
        Some(Kind::All(all)) => parts(found, &format!("{field}.all"), &all.of),
        Some(Kind::Any(any)) => parts(found, &format!("{field}.any"), &any.of),
        Some(Kind::AtLeast(least)) => {
            parts(found, &format!("{field}.atLeast.of"), &least.of);
            if least.count == 0 || usize::try_from(least.count).unwrap_or(usize::MAX) > least.of.len() {
                found.fault(
                    format!("{field}.atLeast.count"),
                    "so many of the list must say yes",
                    least.count.to_string(),
                    format!("1 to {}", least.of.len()),
                    "correct the count, or the list",
                );
            }
        }
        None => found.fault(
            field,
            "an expression says who",
            "nothing",
            "role, person, group, all, any or atLeast",
            "add one of these",
        ),
    }
}

fn parts(found: &mut Finding, field: &str, of: &[ApprovalExpression]) {
    if of.is_empty() {
        // "All of nobody" would always hold, "any of nobody" never.
        found.fault(field, "a list of approvers has members", "empty", "1 or more", "add who must say yes");
    }
    for (index, part) in of.iter().enumerate() {
        expression(found, &format!("{field}[{index}]"), part);
    }
}

fn group(found: &mut Finding, field: &str, group: &ApproverGroup) {
    text(found, &format!("{field}.name"), &group.name);
    if group.name.trim().is_empty() {
        let next = "name the group as people call it";
        found.fault(format!("{field}.name"), "requests show the group's name", "empty", "a name", next);
    }
    if group.people.is_empty() || group.people.len() > MAX_PEOPLE {
        found.fault(
            format!("{field}.people"),
            "a group has people",
            group.people.len().to_string(),
            format!("1 to {MAX_PEOPLE}"),
            "list their stable ids",
        );
    }
    for (index, id) in group.people.iter().enumerate() {
        person(found, &format!("{field}.people[{index}]"), id);
    }
}

/// A name that is no stable id is nobody's, and the rule could never be met.
fn person(found: &mut Finding, field: &str, id: &str) {
    let whole = id.split_once('|').is_some_and(|(issuer, subject)| !issuer.is_empty() && !subject.is_empty());
    if !whole || id.len() > MAX_PERSON || id.chars().any(char::is_control) {
        found.fault(
            field,
            "people are named by their stable id",
            shorten(id),
            "issuer|subject",
            "use the id that `muster whoami` shows to that person",
        );
    }
}

fn escalations(found: &mut Finding, field: &str, rule: &ApprovalRule, others: &TenantInventory) {
    if rule.escalations.len() > MAX_ESCALATIONS {
        let (value, limit) = (rule.escalations.len().to_string(), format!("at most {MAX_ESCALATIONS}"));
        found.fault(field, "escalations are few", value, limit, "remove some");
    }
    let expiry = duration_from_pb(rule.expires_after.as_ref()).unwrap_or(DEFAULT_EXPIRY);
    let mut earlier = SignedDuration::ZERO;
    for (index, escalation) in rule.escalations.iter().enumerate() {
        let field = format!("{field}[{index}]");
        earlier = after(found, &format!("{field}.after"), escalation, earlier, expiry);
        for (index, route) in escalation.routes.iter().enumerate() {
            if others.get(DocumentKind::NotificationRoute, route).is_none() {
                found.fault(
                    format!("{field}.routes[{index}]"),
                    "routes are declared",
                    shorten(route),
                    "a notification route of this tenant",
                    "declare the route first, or in the same manifest",
                );
            }
        }
    }
}

/// Later than the one before, and before the request lapses: then nobody is asked any more.
fn after(
    found: &mut Finding,
    field: &str,
    escalation: &Escalation,
    earlier: SignedDuration,
    expiry: SignedDuration,
) -> SignedDuration {
    let after = duration_from_pb(escalation.after.as_ref()).unwrap_or(SignedDuration::ZERO);
    if after <= earlier || after >= expiry {
        found.fault(
            field,
            "escalations follow one another until the request lapses",
            humane(after),
            format!("above {}, below {}", humane(earlier), humane(expiry)),
            "order them by time, or let requests live longer (expiresAfter)",
        );
        return earlier;
    }
    after
}

/// How many parts, and how many levels.
fn size(expression: &ApprovalExpression) -> (usize, usize) {
    let of: &[ApprovalExpression] = match &expression.kind {
        Some(Kind::All(all)) => &all.of,
        Some(Kind::Any(any)) => &any.of,
        Some(Kind::AtLeast(least)) => &least.of,
        _ => &[],
    };
    let (mut parts, mut depth) = (1, 0);
    for part in of {
        let (inner, levels) = size(part);
        parts += inner;
        depth = depth.max(levels);
    }
    (parts, depth + 1)
}
