//! Judges a plan before people do: whether it can run, does what the group needs, and leaves a way back.
//!
//! A finding is an error (it cannot be published), a warning (the publisher sees it) or a note. Each names the step,
//! what was found, what is allowed, and what to do. The table of codes is in docs/plans.md.

mod code;
mod findings;
mod shape;

pub use code::Code;
pub(crate) use shape::{PLAN_TYPES, step_types};

use std::collections::BTreeSet;

use findings::Findings;

use super::scope::{Scope, scope};
use crate::inventory::TenantInventory;
use crate::pb::common::v1::{Environment, Tier};
use crate::pb::plan::v1::{Lint, LintSeverity, PlanSpec, PlanStep, plan_spec};
use crate::pb::request::v1::{ApprovalPolicy, RequestType};

/// What a plan is judged against.
pub struct Surroundings<'a> {
    pub inventory: &'a TenantInventory,
    /// Who must say yes to a request of that kind: `request::effective_policy` over the tenant's policies.
    pub policy: &'a dyn Fn(Tier, Environment, RequestType) -> ApprovalPolicy,
    /// The commands of the executor's configuration. `None`: not known here.
    pub commands: Option<&'a BTreeSet<String>>,
    /// Whether a reference to a secret leads to one. `None`: cannot be said here.
    pub secret_resolves: &'a dyn Fn(&str) -> Option<bool>,
}

/// A plan with what it moves, looked up once.
struct Judged<'a> {
    spec: &'a PlanSpec,
    /// `None`: it cannot be said what the plan moves; a finding says so.
    scope: Option<Scope<'a>>,
}

impl<'a> Judged<'a> {
    fn steps(&self) -> impl Iterator<Item = &'a PlanStep> + use<'a> {
        self.spec.phases.iter().flat_map(|phase| &phase.steps)
    }

    /// One tier-1 member makes it a tier-1 plan; an unknown tier is treated as the most critical one.
    fn is_tier_1(&self) -> bool {
        let members = self.scope.iter().flat_map(|scope| &scope.members);
        members.into_iter().any(|member| matches!(member.spec.tier(), Tier::Tier1 | Tier::Unspecified))
    }
}

/// Every finding, worst first, then in the order of the plan.
pub fn lint(spec: &PlanSpec, surroundings: &Surroundings<'_>) -> Vec<Lint> {
    let mut found = Findings::default();
    let (group, resource) = match &spec.scope {
        Some(plan_spec::Scope::Group(name)) => (name.as_str(), ""),
        Some(plan_spec::Scope::Resource(name)) => ("", name.as_str()),
        None => ("", ""),
    };
    let scope = scope(surroundings.inventory, group, resource);
    let judged = Judged { spec, scope: scope.ok() };
    shape::judge(&mut found, &judged);
    found.into_sorted()
}

/// The findings that keep a plan from being published.
pub fn errors(findings: &[Lint]) -> Vec<&Lint> {
    findings.iter().filter(|lint| lint.severity() == LintSeverity::Error).collect()
}
