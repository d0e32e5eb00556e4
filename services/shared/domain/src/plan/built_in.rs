//! The plan of what nobody wrote a plan for: move every member, each after what it depends on.

use super::scope::Scope;
use crate::pb::plan::v1::{Action, MoveAction, Phase, PlanSpec, PlanStep, action::Kind, plan_spec};
use crate::pb::request::v1::RequestType;
use crate::request::type_name;
use crate::time::duration_from_pb;

/// Written from the first member's primary site to its other one. What does not depend on each other moves side by
/// side. Its steps are called `move-<resource>`.
pub fn built_in(scope: &Scope<'_>, request_type: RequestType) -> PlanSpec {
    let first = scope.members.first();
    let slowest =
        scope.members.iter().filter_map(|member| member.spec.rto).max_by_key(|rto| duration_from_pb(Some(rto)));
    let strictest =
        scope.members.iter().filter_map(|member| member.spec.rpo).min_by_key(|rpo| duration_from_pb(Some(rpo)));
    PlanSpec {
        display_name: format!("Built-in {} of {}", type_name(request_type), scope.name()),
        scope: scope_of(scope),
        from_site: first.map(|member| member.spec.primary_site.clone()).unwrap_or_default(),
        to_site: first.map(|member| member.spec.dr_site.clone()).unwrap_or_default(),
        rto: slowest,
        rpo: strictest,
        phases: vec![Phase {
            name: "move".into(),
            title: "Move".into(),
            steps: scope.members.iter().map(|member| step(&member.document.name, &member.depends_on)).collect(),
        }],
        ..PlanSpec::default()
    }
}

fn scope_of(scope: &Scope<'_>) -> Option<plan_spec::Scope> {
    match (&scope.group, scope.members.first()) {
        (Some((document, _)), _) => Some(plan_spec::Scope::Group(document.name.clone())),
        (None, Some(member)) => Some(plan_spec::Scope::Resource(member.document.name.clone())),
        (None, None) => None,
    }
}

fn step(resource: &str, depends_on: &[&str]) -> PlanStep {
    PlanStep {
        id: format!("move-{resource}"),
        title: format!("Move {resource}"),
        after: depends_on.iter().map(|needed| format!("move-{needed}")).collect(),
        action: Some(Action { kind: Some(Kind::Move(MoveAction { resource: resource.to_owned() })) }),
        ..PlanStep::default()
    }
}
