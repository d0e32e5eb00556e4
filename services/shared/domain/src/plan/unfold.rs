//! From the text of a plan to the steps of one run.

use std::collections::{BTreeMap, BTreeSet};

use super::direction::{Direction, filled_in};
use super::graph;
use super::scope::Scope;
use crate::pb::plan::v1::{PlanSpec, PlanStep, action::Kind, plan_spec};
use crate::pb::request::v1::RequestType;
use crate::refusal::{Refusal, field_refusal};
use crate::request::{type_name, type_of};

/// One step of one run. A move is one step here; the executor puts its platform's own steps in its place.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedStep {
    pub id: String,
    /// The name of its phase.
    pub phase: String,
    /// Ids of steps of this run that must be done before: those of the text, the last ones of the phase before, and,
    /// in place of a step that does not run this time, the ones it would have waited for.
    pub after: Vec<String>,
    /// With the values of the run's direction filled in, its undo and its conditions too.
    pub definition: PlanStep,
    /// Of a move.
    pub resource: Option<String>,
}

/// The steps of one run, each after all it waits for. Phases run one after the other.
///
/// Refused when the plan does not serve that type, or does not fit the scope as it is declared now: every member is
/// moved once, after the members it depends on, between the same two sites. A plan that was published and then
/// overtaken by a change of its group is caught here.
pub fn unfold(
    spec: &PlanSpec,
    request_type: RequestType,
    direction: Direction,
    scope: &Scope<'_>,
) -> Result<Vec<PlannedStep>, Refusal> {
    must_serve(spec, request_type)?;
    must_be_its_scope(spec, scope)?;
    let steps = chosen(spec, request_type, direction)?;
    if steps.is_empty() {
        return Err(invalid(
            "the plan has steps for what is asked",
            format!("none for a {}", type_name(request_type)),
            "at least one step",
            "add steps, or remove `onlyFor` where it is too narrow",
        ));
    }
    must_fit(&steps, scope)?;
    Ok(steps)
}

/// Whether the plan is for runs of that type. Drills that touch nothing of production rehearse any plan.
pub fn serves(spec: &PlanSpec, request_type: RequestType) -> bool {
    match request_type {
        RequestType::ReadinessDrill | RequestType::IsolatedDrill | RequestType::TabletopDrill => true,
        // A rollback follows the run that it takes back.
        RequestType::Rollback | RequestType::Unspecified => false,
        _ => spec.types.is_empty() || spec.types.iter().any(|name| name == type_name(request_type)),
    }
}

/// The types whose steps run: `only_for` must name one of them, or none. A drill goes the way of what it rehearses:
/// towards `to_site` a switchover, back a failback; where the plan does not serve that, what it serves first.
pub fn acts_as(spec: &PlanSpec, request_type: RequestType, direction: Direction) -> Vec<RequestType> {
    let is_drill = matches!(
        request_type,
        RequestType::ReadinessDrill | RequestType::IsolatedDrill | RequestType::TabletopDrill | RequestType::LiveDrill
    );
    if !is_drill {
        return vec![request_type];
    }
    let natural = match direction {
        Direction::AsWritten => RequestType::Switchover,
        Direction::Reversed => RequestType::Failback,
    };
    let first = spec.types.iter().find_map(|name| type_of(name)).unwrap_or(natural);
    let rehearsed = if request_type == RequestType::LiveDrill || serves(spec, natural) { natural } else { first };
    vec![request_type, rehearsed]
}

pub(super) fn runs_for(step: &PlanStep, types: &[RequestType]) -> bool {
    step.only_for.is_empty() || step.only_for.iter().any(|name| types.iter().any(|kind| type_name(*kind) == name))
}

pub(super) fn moved(step: &PlanStep) -> Option<&str> {
    match step.action.as_ref()?.kind.as_ref()? {
        Kind::Move(action) => Some(&action.resource),
        _ => None,
    }
}

/// The steps that run for this type, as a graph without circles, whatever they move.
pub(super) fn chosen(
    spec: &PlanSpec,
    request_type: RequestType,
    direction: Direction,
) -> Result<Vec<PlannedStep>, Refusal> {
    let types = acts_as(spec, request_type, direction);
    let all = by_id(spec)?;
    let runs: BTreeSet<&str> =
        all.values().filter(|step| runs_for(step, &types)).map(|step| step.id.as_str()).collect();

    let mut steps: Vec<PlannedStep> = Vec::new();
    let mut last_of_phase: Vec<String> = Vec::new();
    for phase in &spec.phases {
        let mine: BTreeSet<&str> =
            phase.steps.iter().map(|step| step.id.as_str()).filter(|id| runs.contains(id)).collect();
        if mine.is_empty() {
            continue;
        }
        let mut waited_for: BTreeSet<String> = BTreeSet::new();
        let first = steps.len();
        for step in phase.steps.iter().filter(|step| mine.contains(step.id.as_str())) {
            let mut after = still_running(step, &all, &runs)?;
            if !after.iter().any(|id| mine.contains(id.as_str())) {
                let missing: Vec<String> = last_of_phase.iter().filter(|id| !after.contains(id)).cloned().collect();
                after.extend(missing);
            }
            waited_for.extend(after.iter().cloned());
            steps.push(PlannedStep {
                id: step.id.clone(),
                phase: phase.name.clone(),
                after,
                definition: filled_in(step, direction),
                resource: moved(step).map(str::to_owned),
            });
        }
        last_of_phase =
            steps[first..].iter().filter(|step| !waited_for.contains(&step.id)).map(|step| step.id.clone()).collect();
    }
    ordered(steps)
}

fn by_id(spec: &PlanSpec) -> Result<BTreeMap<&str, &PlanStep>, Refusal> {
    let mut all = BTreeMap::new();
    for step in spec.phases.iter().flat_map(|phase| &phase.steps) {
        if all.insert(step.id.as_str(), step).is_some() {
            return Err(invalid(
                "each step has an id of its own",
                format!("{} twice", step.id),
                "once",
                "give one of the two another id",
            ));
        }
    }
    Ok(all)
}

/// What a step waits for among those that run, looking through those that do not.
fn still_running(
    step: &PlanStep,
    all: &BTreeMap<&str, &PlanStep>,
    runs: &BTreeSet<&str>,
) -> Result<Vec<String>, Refusal> {
    let mut found: Vec<String> = Vec::new();
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let mut open: Vec<&str> = step.after.iter().rev().map(String::as_str).collect();
    while let Some(id) = open.pop() {
        let Some(other) = all.get(id) else {
            return Err(invalid(
                "a step waits for steps of the plan",
                format!("{} waits for {id}", step.id),
                "the id of a step",
                "correct `after`",
            ));
        };
        if !seen.insert(id) {
            continue;
        }
        if runs.contains(id) {
            found.push(id.to_owned());
        } else {
            open.extend(other.after.iter().rev().map(String::as_str));
        }
    }
    Ok(found)
}

pub(super) fn nodes(steps: &[PlannedStep]) -> Vec<graph::Node<'_>> {
    steps.iter().map(|step| (step.id.as_str(), step.after.iter().map(String::as_str).collect())).collect()
}

fn ordered(steps: Vec<PlannedStep>) -> Result<Vec<PlannedStep>, Refusal> {
    let nodes = nodes(&steps);
    let order = graph::in_order(&nodes).map_err(|_| {
        invalid(
            "steps have an order, and a phase begins when the one before has ended",
            format!("{} wait for each other", graph::circle(&nodes).join(", ")),
            "no circle",
            "remove one of these from `after`",
        )
    })?;
    Ok(order.into_iter().filter_map(|index| steps.get(index).cloned()).collect())
}

fn must_serve(spec: &PlanSpec, request_type: RequestType) -> Result<(), Refusal> {
    if serves(spec, request_type) {
        return Ok(());
    }
    Err(field_refusal(
        "type",
        "PLAN_TYPE_NOT_SERVED",
        "a plan is used for the types it was written and reviewed for",
        type_name(request_type),
        if spec.types.is_empty() { "every type but rollback".to_owned() } else { spec.types.join(", ") },
        "ask for one of these, or add the type to the plan and have it published",
    ))
}

fn must_be_its_scope(spec: &PlanSpec, scope: &Scope<'_>) -> Result<(), Refusal> {
    let written = match &spec.scope {
        Some(plan_spec::Scope::Group(name)) => format!("group {name}"),
        Some(plan_spec::Scope::Resource(name)) => format!("resource {name}"),
        None => "nothing".to_owned(),
    };
    if written != scope.name() {
        return Err(misfit("a plan is used for what it was written for", scope.name(), &written));
    }
    let sites = |one: &str, other: &str| {
        (one == spec.from_site && other == spec.to_site) || (one == spec.to_site && other == spec.from_site)
    };
    match scope.members.iter().find(|member| !sites(&member.spec.primary_site, &member.spec.dr_site)) {
        None => Ok(()),
        Some(member) => Err(misfit(
            "everything that a plan moves is at its two sites",
            format!("{} is at {} and {}", member.document.name, member.spec.primary_site, member.spec.dr_site),
            &format!("{} and {}", spec.from_site, spec.to_site),
        )),
    }
}

fn must_fit(steps: &[PlannedStep], scope: &Scope<'_>) -> Result<(), Refusal> {
    if let Some(stranger) = steps.iter().find(|step| step.resource.as_ref().is_some_and(|r| scope.member(r).is_none()))
    {
        let resource = stranger.resource.as_deref().unwrap_or_default();
        return Err(misfit(
            "a plan moves members of its scope and nothing else",
            format!("step {} moves {resource}", stranger.id),
            &scope.member_names(),
        ));
    }
    let nodes = nodes(steps);
    let mover = |resource: &str| steps.iter().find(|step| step.resource.as_deref() == Some(resource));
    for member in &scope.members {
        let name = member.document.name.as_str();
        let times = steps.iter().filter(|step| step.resource.as_deref() == Some(name)).count();
        let Some(step) = mover(name).filter(|_| times == 1) else {
            return Err(misfit("each member is moved once", format!("{name}: {times} times"), "once"));
        };
        let before = graph::before(&nodes, &step.id);
        for needed in &member.depends_on {
            if !mover(needed).is_some_and(|needed| before.contains(needed.id.as_str())) {
                return Err(misfit(
                    "a member is moved after those it depends on",
                    format!("step {} does not wait for the move of {needed}", step.id),
                    &format!("{name} after {}", member.depends_on.join(", ")),
                ));
            }
        }
    }
    Ok(())
}

fn misfit(rule: &str, value: impl Into<String>, limit: &str) -> Refusal {
    field_refusal(
        "plan",
        "PLAN_DOES_NOT_FIT",
        rule,
        value,
        limit,
        "correct the plan for the scope as it is declared now, and have it published",
    )
}

fn invalid(rule: &str, value: impl Into<String>, limit: &str, next: &str) -> Refusal {
    field_refusal("plan", "PLAN_INVALID", rule, value, limit, next)
}
