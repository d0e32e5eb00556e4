//! Judges a plan before people do: whether it can run, does what the group needs, and leaves a way back.
//!
//! A finding is an error (it cannot be published), a warning (the publisher sees it) or a note. Each names the step,
//! what was found, what is allowed, and what to do. The table of codes is in docs/plans.md.

mod action;
mod code;
mod condition;
mod findings;
mod objective;
mod people;
mod placement;
mod secrets;
mod shape;
mod step;
mod url;

pub use code::Code;
pub use objective::{CriticalPath, critical_path};
pub(crate) use shape::{PLAN_TYPES, step_types};
pub(crate) use url::secret_in_url;

use std::collections::BTreeSet;

use action::kind_word;
use findings::Findings;
use secrets::Secrets;

use super::scope::{Scope, scope};
use super::unfold::moved;
use crate::Refusal;
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
    /// `None`: it cannot be said what the plan moves; `unknown_scope` says why.
    scope: Option<Scope<'a>>,
    unknown_scope: Option<Refusal>,
}

impl<'a> Judged<'a> {
    fn new(spec: &'a PlanSpec, inventory: &'a TenantInventory) -> Self {
        let (group, resource) = match &spec.scope {
            Some(plan_spec::Scope::Group(name)) => (name.as_str(), ""),
            Some(plan_spec::Scope::Resource(name)) => ("", name.as_str()),
            None => ("", ""),
        };
        match scope(inventory, group, resource) {
            Ok(scope) => Self { spec, scope: Some(scope), unknown_scope: None },
            Err(refusal) => Self { spec, scope: None, unknown_scope: Some(refusal) },
        }
    }

    fn steps(&self) -> impl Iterator<Item = &'a PlanStep> + use<'a> {
        self.spec.phases.iter().flat_map(|phase| &phase.steps)
    }

    /// The first step that moves a resource.
    fn mover(&self, resource: &str) -> Option<&'a PlanStep> {
        self.steps().find(|step| moved(step) == Some(resource))
    }

    /// One tier-1 member makes it a tier-1 plan; an unknown tier is treated as the most critical one.
    fn is_tier_1(&self) -> bool {
        let mut members = self.scope.iter().flat_map(|scope| &scope.members);
        members.any(|member| matches!(member.spec.tier(), Tier::Tier1 | Tier::Unspecified))
    }
}

/// Every finding, worst first, then in the order of the plan.
pub fn lint(spec: &PlanSpec, surroundings: &Surroundings<'_>) -> Vec<Lint> {
    let judged = Judged::new(spec, surroundings.inventory);
    let mut found = Findings::default();
    let mut secrets = Secrets::new(surroundings);
    // What is beyond all measure is not looked into: judging it would take as long as somebody likes.
    if !shape::within_limits(&mut found, spec) {
        return found.into_sorted();
    }
    unknown_scope(&mut found, &judged);
    shape::judge(&mut found, &judged);
    placement::judge(&mut found, &judged);
    step::judge(&mut found, &judged);
    action::judge(&mut found, &judged, surroundings, &mut secrets);
    condition::judge(&mut found, &judged);
    secrets::judge(&mut found, &judged, &mut secrets);
    objective::judge(&mut found, &judged);
    people::judge(&mut found, &judged, surroundings);
    secrets.report(&mut found);
    found.into_sorted()
}

fn unknown_scope(found: &mut Findings, judged: &Judged<'_>) {
    let Some(refusal) = &judged.unknown_scope else { return };
    let code = if refusal.code == Code::GroupCycle.name() { Code::GroupCycle } else { Code::ScopeUnknown };
    found.add(code, "", &refusal.rule, &refusal.value, &refusal.limit, &refusal.next_action);
}

/// The findings that keep a plan from being published.
pub fn errors(findings: &[Lint]) -> Vec<&Lint> {
    findings.iter().filter(|lint| lint.severity() == LintSeverity::Error).collect()
}

/// "step switch-dns: MISSING_UNDO: rule (found: …; allowed: …). Next: …"
pub fn describe(lint: &Lint) -> String {
    let place = if lint.step.is_empty() { "plan".to_owned() } else { format!("step {}", lint.step) };
    format!("{place}: {}: {}. Next: {}", lint.code, lint.text, lint.next_action)
}
