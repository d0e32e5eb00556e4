//! Who must say yes. ADR-001 is the floor: a tenant's policies can ask for more, never for less.

use jiff::SignedDuration;

use super::type_name;
use crate::pb::common::v1::{Environment, Role, Tier};
use crate::pb::inventory::v1::{ApprovalRequirement, ApprovalRule, Document, document};
use crate::pb::request::v1::{ApprovalPolicy, RequestState, RequestType, RequestView};
use crate::{access::role_name, time::duration_from_pb};

/// A request that nobody finished by then lapses: yesterday's yes is not a yes today.
pub(super) const DEFAULT_EXPIRY: SignedDuration = SignedDuration::from_hours(4);

/// The rule as it holds for one request.
#[derive(Debug, Clone, PartialEq)]
pub struct EffectivePolicy {
    pub policy: ApprovalPolicy,
    pub expires_after: SignedDuration,
    pub require_ticket: bool,
}

/// ADR-001: tier 1 needs IT and business, two different people; everything else one from IT.
fn built_in(tier: Tier) -> Vec<(Role, u32)> {
    match tier {
        Tier::Tier2 | Tier::Tier3 => vec![(Role::ApproverIt, 1)],
        // An unknown tier is treated as the most critical one.
        Tier::Tier1 | Tier::Unspecified => vec![(Role::ApproverIt, 1), (Role::ApproverBusiness, 1)],
    }
}

/// The built-in rule, raised by every rule of the tenant's policies that matches.
pub fn effective_policy(
    policies: &[&Document],
    tier: Tier,
    environment: Environment,
    kind: RequestType,
) -> EffectivePolicy {
    let mut needed = built_in(tier);
    let mut expires_after = DEFAULT_EXPIRY;
    let mut require_ticket = false;
    let mut source = String::from("built-in ADR-001");

    for document in policies.iter().filter(|document| !document.retired) {
        let Some(document::Spec::PolicySpec(spec)) = &document.spec else { continue };
        let mut matched = false;
        for rule in spec.approvals.iter().filter(|rule| matches(rule, tier, environment, kind)) {
            matched = true;
            for requirement in &rule.require {
                raise(&mut needed, requirement.role(), requirement.count);
            }
            if let Some(limit) = duration_from_pb(rule.expires_after.as_ref()) {
                expires_after = expires_after.min(limit);
            }
            require_ticket |= rule.require_ticket;
        }
        if matched {
            source.push_str(&format!(", policy {} version {}", document.name, document.version));
        }
    }

    let require = needed.into_iter().map(|(role, count)| ApprovalRequirement { role: role.into(), count }).collect();
    EffectivePolicy {
        policy: ApprovalPolicy { source, require, expressions: Vec::new() },
        expires_after,
        require_ticket,
    }
}

fn matches(rule: &ApprovalRule, tier: Tier, environment: Environment, kind: RequestType) -> bool {
    (rule.tiers.is_empty() || rule.tiers().any(|t| t == tier))
        && (rule.environments.is_empty() || rule.environments().any(|e| e == environment))
        && (rule.request_types.is_empty() || rule.request_types.iter().any(|t| t == type_name(kind)))
}

fn raise(needed: &mut Vec<(Role, u32)>, role: Role, count: u32) {
    match needed.iter_mut().find(|(held, _)| *held == role) {
        Some((_, least)) => *least = (*least).max(count),
        None => needed.push((role, count)),
    }
}

/// The requirements as single places to fill, in the policy's order.
pub(super) fn places(policy: &ApprovalPolicy) -> Vec<Role> {
    policy
        .require
        .iter()
        .flat_map(|requirement| std::iter::repeat_n(requirement.role(), requirement.count as usize))
        .collect()
}

/// Seats people on places so that as many places as possible are filled, each person on one.
/// Returns for each place the index of the person on it.
///
/// A person who is both Approver-IT and Approver-Business must not block the only other one, so this
/// is a bipartite matching and not first come, first served.
pub(super) fn seat(places: &[Role], people: &[Vec<Role>]) -> Vec<Option<usize>> {
    let mut seats: Vec<Option<usize>> = vec![None; places.len()];
    for person in 0..people.len() {
        let mut visited = vec![false; places.len()];
        place_person(person, places, people, &mut seats, &mut visited);
    }
    seats
}

fn place_person(
    person: usize,
    places: &[Role],
    people: &[Vec<Role>],
    seats: &mut [Option<usize>],
    visited: &mut [bool],
) -> bool {
    for place in 0..places.len() {
        if visited[place] || !people[person].contains(&places[place]) {
            continue;
        }
        visited[place] = true;
        let free = match seats[place] {
            None => true,
            Some(other) => place_person(other, places, people, seats, visited),
        };
        if free {
            seats[place] = Some(person);
            return true;
        }
    }
    false
}

/// The roles each approver held when approving.
pub(super) fn approver_roles(view: &RequestView) -> Vec<Vec<Role>> {
    view.approvals
        .iter()
        .map(|approval| approval.approver.as_ref().map(|a| a.roles().collect()).unwrap_or_default())
        .collect()
}

/// What is still missing before the request can be started, in words.
pub fn missing_approvals(view: &RequestView) -> Vec<String> {
    let open = matches!(view.state(), RequestState::PendingApproval | RequestState::Approved);
    let Some(policy) = view.opened.as_ref().and_then(|opened| opened.policy.as_ref()).filter(|_| open) else {
        return Vec::new();
    };
    missing_for(policy, &approver_roles(view))
}

pub(super) fn missing_for(policy: &ApprovalPolicy, people: &[Vec<Role>]) -> Vec<String> {
    let places = places(policy);
    let seats = seat(&places, people);
    places
        .iter()
        .zip(seats)
        .filter(|(_, seat)| seat.is_none())
        .map(|(role, _)| format!("one approval by {}", role_name(*role)))
        .collect()
}
