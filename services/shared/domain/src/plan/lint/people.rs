//! Who answers for the plan, who is called, who must say yes.

use super::code::Code;
use super::findings::Findings;
use super::shape::served;
use super::{Judged, Surroundings};
use crate::pb::common::v1::{Role, Tier};
use crate::pb::inventory::v1::{ApprovalExpression, approval_expression::Kind};
use crate::pb::request::v1::ApprovalPolicy;
use crate::request::type_name;

pub(super) fn judge(found: &mut Findings, judged: &Judged<'_>, surroundings: &Surroundings<'_>) {
    if judged.spec.owner.trim().is_empty() {
        found.add(
            Code::OwnerMissing,
            "",
            "somebody answers for every plan",
            "no owner",
            "a team or a person",
            "name the owner",
        );
    }
    let reachable = judged.spec.contacts.iter().any(|contact| !contact.reach.trim().is_empty());
    if judged.is_tier_1() && !reachable {
        found.add(
            Code::ContactMissing,
            "",
            "the run-card of a tier-1 plan says whom to call",
            "no contact that can be reached",
            "at least one contact with `reach`",
            "add the people who are needed when it runs",
        );
    }
    business_approver(found, judged, surroundings);
}

fn business_approver(found: &mut Findings, judged: &Judged<'_>, surroundings: &Surroundings<'_>) {
    for member in judged.scope.iter().flat_map(|scope| &scope.members) {
        // An unknown tier is treated as the most critical one.
        if !matches!(member.spec.tier(), Tier::Tier1 | Tier::Unspecified) {
            continue;
        }
        let (tier, environment) = (member.spec.tier(), member.spec.environment());
        let without: Vec<&str> = served(judged.spec)
            .into_iter()
            .filter(|kind| !asks_business(&(surroundings.policy)(tier, environment, *kind)))
            .map(type_name)
            .collect();
        if !without.is_empty() {
            found.add(
                Code::NoBusinessApprover,
                "",
                "somebody from the business says yes before a tier-1 system is moved",
                &format!("{}: the policy does not ask for one in a {}", member.document.name, without.join(", ")),
                "Approver-Business",
                "have the tenant's policy ask for Approver-Business in these types",
            );
        }
    }
}

/// No set of people can satisfy the policy without somebody from the business.
fn asks_business(policy: &ApprovalPolicy) -> bool {
    let required = policy.require.iter().any(|place| place.role() == Role::ApproverBusiness && place.count > 0);
    required || policy.expressions.iter().any(needs_business)
}

fn needs_business(expression: &ApprovalExpression) -> bool {
    match &expression.kind {
        Some(Kind::Role(role)) => *role == i32::from(Role::ApproverBusiness),
        Some(Kind::All(all)) => all.of.iter().any(needs_business),
        Some(Kind::Any(any)) => !any.of.is_empty() && any.of.iter().all(needs_business),
        Some(Kind::AtLeast(least)) => {
            let others = least.of.iter().filter(|part| !needs_business(part)).count();
            others < least.count as usize
        }
        // Which roles these people have is not known here.
        Some(Kind::Person(_) | Kind::Group(_)) | None => false,
    }
}
