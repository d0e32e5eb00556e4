//! Which documents a document names.

use muster_domain::pb::inventory::v1::{
    Document, Kind, NotificationRouteSpec, PolicySpec, ScheduleSpec, document::Spec,
};
use muster_domain::pb::plan::v1::{Action, Condition, PlanSpec, PlanStep, action, condition, plan_spec::Scope};

/// Each once, sorted.
pub(crate) fn references(document: &Document) -> Vec<(Kind, String)> {
    let mut named: Vec<(Kind, String)> = match &document.spec {
        Some(Spec::ResourceSpec(spec)) => {
            [&spec.primary_site, &spec.dr_site].map(|site| (Kind::Site, site.clone())).to_vec()
        }
        Some(Spec::GroupSpec(spec)) => {
            spec.members.iter().map(|member| (Kind::Resource, member.resource.clone())).collect()
        }
        Some(Spec::PlanSpec(spec)) => of_plan(spec),
        Some(Spec::PolicySpec(spec)) => of_policy(spec),
        Some(Spec::NotificationRouteSpec(spec)) => of_route(spec),
        Some(Spec::ScheduleSpec(spec)) => of_schedule(spec),
        Some(Spec::TenantSpec(_) | Spec::SiteSpec(_) | Spec::ContactSpec(_) | Spec::MessageTemplateSpec(_)) | None => {
            Vec::new()
        }
    };
    // Absent names are a fault of the document, not a reference.
    named.retain(|(_, name)| !name.is_empty());
    named.sort();
    named.dedup();
    named
}

fn of_plan(spec: &PlanSpec) -> Vec<(Kind, String)> {
    let scope = match &spec.scope {
        Some(Scope::Group(group)) => Some((Kind::Group, group.clone())),
        Some(Scope::Resource(resource)) => Some((Kind::Resource, resource.clone())),
        None => None,
    };
    let sites = [&spec.from_site, &spec.to_site].map(|site| (Kind::Site, site.clone()));
    let steps = spec.phases.iter().flat_map(|phase| &phase.steps);
    let resources = steps.flat_map(resources_of).map(|resource| (Kind::Resource, resource.to_owned()));
    scope.into_iter().chain(sites).chain(resources).collect()
}

/// What a step moves or asks.
fn resources_of(step: &PlanStep) -> impl Iterator<Item = &str> {
    let actions = step.action.iter().chain(&step.undo);
    let waited_for = actions.clone().filter_map(|action| match &action.kind {
        Some(action::Kind::Wait(wait)) => wait.until.as_ref(),
        _ => None,
    });
    let conditions = step.prechecks.iter().chain(&step.postchecks).chain(waited_for);
    actions.filter_map(moved).chain(conditions.filter_map(asked))
}

fn moved(action: &Action) -> Option<&str> {
    match &action.kind {
        Some(action::Kind::Move(to_move)) => Some(&to_move.resource),
        _ => None,
    }
}

fn asked(condition: &Condition) -> Option<&str> {
    match &condition.kind {
        Some(condition::Kind::Resource(asked)) => Some(&asked.resource),
        Some(condition::Kind::Sql(asked)) => Some(&asked.resource),
        _ => None,
    }
}

fn of_policy(spec: &PolicySpec) -> Vec<(Kind, String)> {
    let escalations = spec.approvals.iter().flat_map(|rule| &rule.escalations);
    let steps = spec.alerts.iter().flat_map(|rule| &rule.escalate);
    let routes = escalations.flat_map(|escalation| &escalation.routes).chain(steps.flat_map(|step| &step.routes));
    let maintained = spec.maintenance.iter().flat_map(|planned| {
        let resources = planned.resources.iter().map(|name| (Kind::Resource, name.clone()));
        resources.chain(planned.groups.iter().map(|name| (Kind::Group, name.clone())))
    });
    routes.map(|route| (Kind::NotificationRoute, route.clone())).chain(maintained).collect()
}

fn of_route(spec: &NotificationRouteSpec) -> Vec<(Kind, String)> {
    let fallback = [(Kind::NotificationRoute, spec.fallback_route.clone())];
    fallback.into_iter().chain(spec.groups.iter().map(|group| (Kind::Group, group.clone()))).collect()
}

fn of_schedule(spec: &ScheduleSpec) -> Vec<(Kind, String)> {
    let named = [
        (Kind::Resource, &spec.resource),
        (Kind::Group, &spec.group),
        (Kind::Plan, &spec.plan),
        (Kind::Site, &spec.target_site),
    ];
    named.map(|(kind, name)| (kind, name.clone())).to_vec()
}
