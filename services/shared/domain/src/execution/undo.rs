//! Taking back what a failed run did: which steps, in which order, and what stays as it is.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::decide::{Decision, clip, event, must_own};
use super::{Execution, graph, id_of, is_point_of_no_return};
use crate::pb::execution::v1::{Step, StepState, StepView, UndoBegun, execution_event::Event};
use crate::pb::plan::v1::{FailurePolicy, PlanStep};
use crate::plan::{self, Direction};
use crate::refusal::refusal;
use crate::time::{duration_to_pb, to_pb};

/// A platform's way back is a stop, a start and a restart of the other side, each within its own limit.
const TAKE_BACK_LIMIT: SignedDuration = SignedDuration::from_mins(15);
/// Steps of a live drill's second half belong to "back/<step of the plan>"; no plan can name a step like that.
const WAY_BACK: &str = "back/";

/// The step belongs to the second half of a live drill: it goes from the target site to the original one.
pub fn is_way_back(step: &Step) -> bool {
    step.plan_step.starts_with(WAY_BACK)
}

/// From here the succeeded steps are taken back, newest first.
pub fn begin_undo(execution: &Execution, executor: &str, now: Timestamp) -> Decision {
    must_own(execution, executor)?;
    if execution.view.undo.is_some() {
        return Ok(None);
    }
    let asks = |view: &&StepView| {
        view.state() == StepState::Failed
            && view.step.as_ref().is_some_and(|step| step.on_failure() == FailurePolicy::Undo)
    };
    let Some(failed) = execution.view.steps.iter().find(asks) else {
        return Err(refusal(
            "NOTHING_TO_UNDO",
            "steps are taken back when one failed whose policy is undo",
            "no such step",
            "a failed step with on_failure: undo",
            "look at the steps of the run",
        ));
    };
    Ok(event(Event::UndoBegun(UndoBegun {
        because_of_step: id_of(failed).to_owned(),
        reason: clip(&failed.note),
        steps: undo_steps(execution),
        begun_at: Some(to_pb(now)),
    })))
}

/// What takes back, newest first. A move past its point of no return stays, and so does everything before and after it:
/// clients are not sent to a site that the data has left.
pub fn undo_steps(execution: &Execution) -> Vec<Step> {
    let steps = &execution.view.steps;
    let before = graph::ancestors(steps);
    let committed: Vec<&str> = steps.iter().filter(|view| is_committed(view)).map(id_of).collect();
    let is_bound = |id: &str| {
        let after = |one: &str, other: &str| before.get(one).is_some_and(|set| set.contains(other));
        committed.iter().any(|point| *point == id || after(id, point) || after(point, id))
    };
    let mut seen = BTreeSet::new();
    let mut taken_back: Vec<Step> = Vec::new();
    for view in newest_first(execution) {
        let Some(step) = &view.step else { continue };
        if !seen.insert(step.plan_step.clone()) {
            continue;
        }
        let whole = steps.iter().filter(|other| other.step.as_ref().is_some_and(|s| s.plan_step == step.plan_step));
        if whole.map(id_of).any(is_bound) {
            continue;
        }
        taken_back.extend(way_back(step, view.state()));
    }
    taken_back
}

/// Steps with an effect, the newest first. One that failed may have had a part of it, and is newer than all others.
fn newest_first(execution: &Execution) -> Vec<&StepView> {
    let steps = &execution.view.steps;
    let failed = steps.iter().filter(|view| view.state() == StepState::Failed && view.attempts > 0);
    let succeeded = execution.succession.iter().rev().filter_map(|id| steps.iter().find(|view| id_of(view) == id));
    failed.chain(succeeded.filter(|view| view.state() == StepState::Succeeded)).collect()
}

/// The platform's step that cannot be taken back is done, or may be.
fn is_committed(view: &StepView) -> bool {
    let is_final = view.step.as_ref().is_some_and(is_point_of_no_return);
    view.attempts > 0 && view.state() != StepState::Undone && is_final
}

fn way_back(step: &Step, state: StepState) -> Option<Step> {
    let back = Step {
        plan_step: step.plan_step.clone(),
        resource: step.resource.clone(),
        phase: step.phase.clone(),
        owner: step.owner.clone(),
        changes_target: true,
        ..Step::default()
    };
    let Some(definition) = &step.definition else {
        let name = if step.plan_step.is_empty() { &step.resource } else { &step.plan_step };
        return Some(Step {
            id: format!("undo:{name}"),
            title: format!("Take back the move of {}", step.resource),
            node: step.node.clone(),
            idempotent: true,
            timeout: Some(duration_to_pb(TAKE_BACK_LIMIT)),
            guidance: step.guidance.clone(),
            ..back
        });
    };
    let undo = plan::undo_of(definition, Direction::AsWritten).filter(|_| state == StepState::Succeeded)?;
    let id = format!("undo:{}", step.id);
    Some(Step {
        title: format!("Take back: {}", step.title),
        idempotent: step.idempotent,
        timeout: step.timeout,
        guidance: format!("{} was not taken back. Do it by hand, then look at the whole.", step.id),
        definition: Some(PlanStep {
            id: id.clone(),
            title: format!("Take back: {}", definition.title),
            owner: definition.owner.clone(),
            timeout: definition.timeout,
            idempotent: definition.idempotent,
            action: Some(undo),
            ..PlanStep::default()
        }),
        id,
        ..back
    })
}
