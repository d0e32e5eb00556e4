//! Whether the plan is a graph of steps that all can run.

use std::collections::BTreeSet;

use super::Judged;
use super::code::Code;
use super::findings::Findings;
use crate::pb::plan::v1::{PlanSpec, PlanStep};
use crate::pb::request::v1::RequestType;
use crate::plan::graph::{self, Node};
use crate::plan::unfold::{acts_as, runs_for};
use crate::plan::{Direction, MAX_AFTER, MAX_CONDITIONS, MAX_PHASES, MAX_STEPS};
use crate::request::{TYPES, type_name, type_of};

/// Types of runs that a plan can be written for.
pub(crate) const PLAN_TYPES: [RequestType; 5] = [
    RequestType::Switchover,
    RequestType::Failover,
    RequestType::Failback,
    RequestType::Rotation,
    RequestType::LiveDrill,
];

const DRILLS: [RequestType; 3] = [RequestType::ReadinessDrill, RequestType::IsolatedDrill, RequestType::TabletopDrill];

/// Types that a step can be kept for: all but a rollback, which follows the run that it takes back.
pub(crate) fn step_types() -> impl Iterator<Item = RequestType> {
    TYPES.into_iter().filter(|kind| *kind != RequestType::Rollback)
}

/// The types the plan serves, as far as their names are known.
pub(super) fn served(spec: &PlanSpec) -> Vec<RequestType> {
    PLAN_TYPES.into_iter().filter(|kind| crate::plan::serves(spec, *kind)).collect()
}

pub(super) fn judge(found: &mut Findings, judged: &Judged<'_>) {
    let spec = judged.spec;
    size(found, spec);
    ids(found, spec);
    types(found, spec);
    waiting(found, spec);
    reachable(found, spec);
    for step in judged.steps() {
        if step.action.as_ref().is_none_or(|action| action.kind.is_none()) {
            found.add(
                Code::NoAction,
                &step.id,
                "a step does exactly one thing",
                "nothing",
                "one of move, wait, http, dns, command, notify, manual",
                "say what it does, or remove the step",
            );
        }
    }
}

fn size(found: &mut Findings, spec: &PlanSpec) {
    let steps = spec.phases.iter().map(|phase| phase.steps.len()).sum::<usize>();
    if steps == 0 {
        found.add(
            Code::EmptyPlan,
            "",
            "a plan has steps",
            &format!("{} phases, no step", spec.phases.len()),
            &format!("1 to {MAX_STEPS} steps"),
            "add a phase with the move of each resource",
        );
        return;
    }
    for phase in spec.phases.iter().filter(|phase| phase.steps.is_empty()) {
        found.add(
            Code::EmptyPhase,
            "",
            "a phase has steps",
            &format!("phase {} has none", phase.name),
            "at least one step",
            "add its steps or remove the phase",
        );
    }
}

/// Whether the plan is small enough to be judged.
pub(super) fn within_limits(found: &mut Findings, spec: &PlanSpec) -> bool {
    let steps = spec.phases.iter().map(|phase| phase.steps.len()).sum::<usize>();
    if spec.phases.len() > MAX_PHASES {
        found.add(
            Code::TooManyPhases,
            "",
            "people follow a plan while it runs",
            &format!("{} phases", spec.phases.len()),
            &format!("at most {MAX_PHASES}"),
            "join phases that follow each other",
        );
    }
    if steps > MAX_STEPS {
        found.add(
            Code::TooManySteps,
            "",
            "people follow a plan while it runs, and the record keeps each run's plan whole",
            &format!("{steps} steps"),
            &format!("at most {MAX_STEPS}"),
            "join steps, or split the group into two",
        );
    }
    let all = || spec.phases.iter().flat_map(|phase| &phase.steps);
    for step in all().take(MAX_STEPS) {
        let parts = [
            ("steps in `after`", step.after.len(), MAX_AFTER),
            ("prechecks", step.prechecks.len(), MAX_CONDITIONS),
            ("postchecks", step.postchecks.len(), MAX_CONDITIONS),
        ];
        for (what, count, limit) in parts.into_iter().filter(|(_, count, limit)| count > limit) {
            found.add(
                Code::TooManyParts,
                &step.id,
                "a step is one thing, with a few conditions",
                &format!("{count} {what}"),
                &format!("at most {limit}"),
                "make what it waits for a phase of its own, or split the step",
            );
        }
    }
    found.is_empty()
}

fn ids(found: &mut Findings, spec: &PlanSpec) {
    let mut seen = BTreeSet::new();
    for step in spec.phases.iter().flat_map(|phase| &phase.steps).filter(|step| !seen.insert(step.id.as_str())) {
        found.add(
            Code::DuplicateId,
            &step.id,
            "each step has an id of its own",
            &format!("{} again", step.id),
            "once in the plan",
            "give one of the two another id",
        );
    }
    let mut seen = BTreeSet::new();
    for phase in spec.phases.iter().filter(|phase| !seen.insert(phase.name.as_str())) {
        found.add(
            Code::DuplicateId,
            "",
            "each phase has a name of its own",
            &format!("phase {} again", phase.name),
            "once in the plan",
            "give one of the two another name",
        );
    }
}

fn types(found: &mut Findings, spec: &PlanSpec) {
    for name in spec.types.iter().filter(|name| !type_of(name).is_some_and(|kind| PLAN_TYPES.contains(&kind))) {
        found.add(
            Code::UnknownType,
            "",
            "a plan serves types of runs",
            name,
            &names(PLAN_TYPES.into_iter()),
            "use one of these in `types`; a drill that moves nothing uses every plan",
        );
    }
    for step in spec.phases.iter().flat_map(|phase| &phase.steps) {
        for name in unknown_types(step) {
            found.add(
                Code::UnknownType,
                &step.id,
                "a step is kept for types of runs",
                name,
                &names(step_types()),
                "use one of these in `onlyFor`",
            );
        }
    }
}

fn unknown_types(step: &PlanStep) -> impl Iterator<Item = &String> {
    step.only_for.iter().filter(|name| !type_of(name).is_some_and(|kind| step_types().any(|known| known == kind)))
}

fn names(types: impl Iterator<Item = RequestType>) -> String {
    types.map(type_name).collect::<Vec<_>>().join(", ")
}

/// Unknown names, circles, and steps that wait for a phase that begins after them.
fn waiting(found: &mut Findings, spec: &PlanSpec) {
    let phase_of = |id: &str| spec.phases.iter().position(|phase| phase.steps.iter().any(|step| step.id == id));
    let mut nodes: Vec<Node<'_>> = Vec::new();
    for (index, phase) in spec.phases.iter().enumerate() {
        for step in &phase.steps {
            let mut waits_for = Vec::new();
            for other in &step.after {
                match phase_of(other) {
                    None => found.add(
                        Code::UnknownAfter,
                        &step.id,
                        "a step waits for steps of the plan",
                        other,
                        "the id of a step",
                        "correct `after`, or add that step",
                    ),
                    Some(theirs) if theirs > index => found.add(
                        Code::UnreachableStep,
                        &step.id,
                        "a phase begins when the one before has ended, so nothing waits for a later one",
                        &format!("in phase {}, it waits for {other} of a later phase", phase.name),
                        "steps of the same or an earlier phase",
                        "move the step to that phase, or remove it from `after`",
                    ),
                    Some(_) => waits_for.push(other.as_str()),
                }
            }
            nodes.push((&step.id, waits_for));
        }
    }
    let circle = graph::circle(&nodes);
    if let Some(first) = circle.first() {
        found.add(
            Code::StepCycle,
            first,
            "steps have an order",
            &format!("{} waits for {first}", circle.join(" waits for ")),
            "no circle",
            "remove one of these from `after`",
        );
    }
}

/// A step kept for types that the plan does not serve never runs.
fn reachable(found: &mut Findings, spec: &PlanSpec) {
    let runs = |step: &PlanStep| {
        served(spec).into_iter().chain(DRILLS).any(|kind| {
            [Direction::AsWritten, Direction::Reversed]
                .into_iter()
                .any(|direction| runs_for(step, &acts_as(spec, kind, direction)))
        })
    };
    for step in spec.phases.iter().flat_map(|phase| &phase.steps) {
        if unknown_types(step).next().is_none() && spec.types.iter().all(|name| type_of(name).is_some()) && !runs(step)
        {
            found.add(
                Code::UnreachableStep,
                &step.id,
                "every step runs in some run of the plan",
                &format!("only for {}", step.only_for.join(", ")),
                &format!("the plan serves {}", spec.types.join(", ")),
                "add the type to the plan's `types`, or correct `onlyFor`",
            );
        }
    }
}
