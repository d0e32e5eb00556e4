//! Which policy holds for a request. ADR-001 is the floor: a tenant's policies can ask for more, never for less.

use jiff::SignedDuration;

use super::{BreakGlassTerms, draft::DRAFTED, type_name};
use crate::pb::common::v1::{Environment, Role, Tier};
use crate::pb::inventory::v1::{
    ApprovalExpression, ApprovalRequirement, ApprovalRule, Document, Escalation, PolicySpec, document,
};
use crate::pb::request::v1::{ApprovalPolicy, RequestType};
use crate::time::duration_from_pb;

/// A request that nobody finished by then lapses: yesterday's yes is not a yes today.
pub(super) const DEFAULT_EXPIRY: SignedDuration = SignedDuration::from_hours(4);
/// Times that people are asked again about one request. Each is a timer.
pub const MAX_ESCALATIONS: usize = 8;

/// The rules as they hold for one request.
#[derive(Debug, Clone, PartialEq)]
pub struct EffectivePolicy {
    pub policy: ApprovalPolicy,
    pub expires_after: SignedDuration,
    pub require_ticket: bool,
    /// Who is asked again when nobody decides; earliest first.
    pub escalations: Vec<Escalation>,
    pub break_glass: BreakGlassTerms,
}

/// ADR-001: moves of tier 1 need IT and business, two different people; everything else one from IT.
fn built_in(tier: Tier, kind: RequestType) -> Vec<(Role, u32)> {
    match tier {
        Tier::Tier2 | Tier::Tier3 => vec![(Role::ApproverIt, 1)],
        // What touches nothing that production uses needs nobody from the business.
        Tier::Tier1 | Tier::Unspecified if !touches_production(kind) => vec![(Role::ApproverIt, 1)],
        // An unknown tier is treated as the most critical one.
        Tier::Tier1 | Tier::Unspecified => vec![(Role::ApproverIt, 1), (Role::ApproverBusiness, 1)],
    }
}

/// Whether a run of this type changes the protected system itself.
pub fn touches_production(kind: RequestType) -> bool {
    !matches!(kind, RequestType::ReadinessDrill | RequestType::IsolatedDrill | RequestType::TabletopDrill)
}

/// The built-in rule, raised by every rule of the tenant's policies that matches.
pub fn effective_policy(
    policies: &[&Document],
    tier: Tier,
    environment: Environment,
    kind: RequestType,
) -> EffectivePolicy {
    let mut needed = built_in(tier, kind);
    let mut expressions: Vec<ApprovalExpression> = Vec::new();
    let mut escalations: Vec<Escalation> = Vec::new();
    let mut expires_after = DEFAULT_EXPIRY;
    let mut require_ticket = false;
    let mut step_up = false;
    let mut source = String::from("built-in ADR-001");

    for (document, spec) in policy_specs(policies) {
        let mut matched = false;
        for rule in spec.approvals.iter().filter(|rule| matches(rule, tier, environment, kind)) {
            matched = true;
            for requirement in &rule.require {
                raise(&mut needed, requirement.role(), requirement.count);
            }
            // The same expression twice is one demand, as the same role twice is one.
            expressions
                .extend(rule.expression.iter().filter(|own| !expressions.contains(own)).cloned().collect::<Vec<_>>());
            escalations.extend(rule.escalations.iter().cloned());
            if let Some(limit) = duration_from_pb(rule.expires_after.as_ref()) {
                expires_after = expires_after.min(limit);
            }
            require_ticket |= rule.require_ticket;
            step_up |= rule.step_up;
        }
        if matched {
            match document.version {
                DRAFTED => source.push_str(&format!(", policy {} as drafted", document.name)),
                version => source.push_str(&format!(", policy {} version {version}", document.name)),
            }
        }
    }

    let require = needed.into_iter().map(|(role, count)| ApprovalRequirement { role: role.into(), count }).collect();
    EffectivePolicy {
        policy: ApprovalPolicy { source, require, expressions, step_up },
        expires_after,
        require_ticket,
        escalations: in_order(escalations, expires_after),
        break_glass: BreakGlassTerms::of(policies),
    }
}

/// The policies in use among these documents.
pub(super) fn policy_specs<'a>(policies: &'a [&'a Document]) -> impl Iterator<Item = (&'a Document, &'a PolicySpec)> {
    policies.iter().filter(|document| !document.retired).filter_map(|document| match &document.spec {
        Some(document::Spec::PolicySpec(spec)) => Some((*document, spec)),
        _ => None,
    })
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

/// Earliest first, each once, and none after the request is over.
fn in_order(mut escalations: Vec<Escalation>, expires_after: SignedDuration) -> Vec<Escalation> {
    let after = |escalation: &Escalation| duration_from_pb(escalation.after.as_ref()).unwrap_or(SignedDuration::MAX);
    escalations.retain(|escalation| after(escalation) < expires_after);
    escalations.sort_by(|a, b| after(a).cmp(&after(b)).then_with(|| a.routes.cmp(&b.routes)));
    escalations.dedup();
    escalations.truncate(MAX_ESCALATIONS);
    escalations
}
