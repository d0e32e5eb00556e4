//! What the owner of a run does next. It follows from the log alone, so a successor after a crash goes on
//! exactly where the log ends.

use super::{Execution, blocking, graph};
use crate::pb::execution::v1::{Check, StepState, StepView};
use crate::pb::plan::v1::FailurePolicy;

/// One thing to do now.
#[derive(Debug, Clone, PartialEq)]
pub enum Next<'a> {
    /// Record the prechecks: nothing is touched before all of them are to be seen.
    Precheck,
    /// Prechecks are in the way: the run ends with nothing changed.
    EndUnready(Vec<&'a Check>),
    /// Record where every node is before the first effect.
    MarkBefore,
    /// Claim this step, of the plan or of the way back, and run it.
    Run(&'a StepView),
    /// The step has a claim and no outcome. Who has it under way lets it come to its end; who has not looks at the
    /// target before anything else.
    Settle(&'a StepView),
    /// A person was asked; the step's time may run out.
    AwaitPerson(&'a StepView),
    /// Somebody paused the run: nothing is claimed until somebody resumes it.
    AwaitResume,
    /// The step failed, and its policy is to take back what was done.
    BeginUndo(&'a StepView),
    /// The step failed: the run ends with it.
    EndFailedStep(&'a StepView),
    /// Somebody asked to stop: the run ends before this step.
    EndStopped(&'a StepView),
    /// Record where every node is after the last effect.
    MarkAfter,
    Postcheck,
    /// Postchecks are in the way: every step is done, and it is not a success.
    EndUnhealthy(Vec<&'a Check>),
    Succeed,
    /// It began without a plan, because none could be made.
    EndUnplanned,
}

/// Everything that can be done now, side by side. Empty: it has ended, or never began. Never empty for a run that is
/// under way, so a run always comes to an end.
pub fn next(execution: &Execution) -> Vec<Next<'_>> {
    let view = &execution.view;
    if !execution.is_running() {
        return Vec::new();
    }
    if view.steps.is_empty() {
        return vec![Next::EndUnplanned];
    }
    let claimed: Vec<Next<'_>> = execution.claimed().map(Next::Settle).collect();
    if execution.is_ending() {
        // A claim comes before an end: what it did must be known to say how things stand.
        return if claimed.is_empty() { vec![ending(execution)] } else { claimed };
    }
    if execution.next_step().is_none() {
        return vec![finishing(execution)];
    }
    if let Some(first) = before_the_first_step(execution).filter(|_| claimed.is_empty()) {
        return vec![first];
    }
    let waiting = view.steps.iter().filter(|step| step.state() == StepState::Waiting).map(Next::AwaitPerson);
    let fresh: Vec<Next<'_>> = match view.paused {
        Some(_) => vec![Next::AwaitResume],
        None => graph::ready(&view.steps).map(Next::Run).collect(),
    };
    claimed.into_iter().chain(waiting).chain(fresh).collect()
}

fn before_the_first_step(execution: &Execution) -> Option<Next<'_>> {
    let view = &execution.view;
    if view.prechecks.is_empty() {
        return Some(Next::Precheck);
    }
    if !execution.prechecks_passed() {
        return Some(Next::EndUnready(blocking(&view.prechecks)));
    }
    (!execution.marked_before).then_some(Next::MarkBefore)
}

/// Nothing of the plan begins any more, and nothing is under way.
fn ending(execution: &Execution) -> Next<'_> {
    let view = &execution.view;
    let failed = execution.failed_step();
    if view.stop_requested.is_some() {
        return match failed.or_else(|| execution.next_step()) {
            Some(step) if step.state() == StepState::Failed => Next::EndFailedStep(step),
            Some(step) => Next::EndStopped(step),
            // Nothing is left to stop.
            None => finishing(execution),
        };
    }
    let Some(failed) = failed else { return finishing(execution) };
    let undoes = |step: &StepView| step.step.as_ref().is_some_and(|step| step.on_failure() == FailurePolicy::Undo);
    if view.undo.is_none() {
        return if view.steps.iter().any(|step| step.state() == StepState::Failed && undoes(step)) {
            Next::BeginUndo(failed)
        } else {
            Next::EndFailedStep(failed)
        };
    }
    let back_is_open = !view.undo_steps.iter().any(|step| step.state() == StepState::Failed);
    match graph::ready(&view.undo_steps).next().filter(|_| back_is_open) {
        Some(_) if view.paused.is_some() => Next::AwaitResume,
        Some(step) => Next::Run(step),
        None => Next::EndFailedStep(failed),
    }
}

/// Every step is done.
fn finishing(execution: &Execution) -> Next<'_> {
    let view = &execution.view;
    if !execution.marked_after {
        return Next::MarkAfter;
    }
    if view.postchecks.is_empty() {
        return Next::Postcheck;
    }
    match blocking(&view.postchecks) {
        bad if !bad.is_empty() => Next::EndUnhealthy(bad),
        _ => Next::Succeed,
    }
}
