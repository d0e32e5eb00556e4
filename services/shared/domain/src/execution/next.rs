//! What the owner of a run does next. It follows from the log alone, so a successor after a crash goes on
//! exactly where the log ends.

use super::{Execution, blocking};
use crate::pb::execution::v1::{Check, StepState, StepView};

/// The one thing to do now.
#[derive(Debug, Clone, PartialEq)]
pub enum Next<'a> {
    /// Record the prechecks: nothing is touched before all of them are to be seen.
    Precheck,
    /// Prechecks are in the way: the run ends with nothing changed.
    EndUnready(Vec<&'a Check>),
    /// Record where every node is before the first effect.
    MarkBefore,
    /// Claim this step and run it.
    Run(&'a StepView),
    /// The step has a claim and no outcome: look at the target before anything else.
    Settle(&'a StepView),
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
    /// It has ended, or never began.
    Nothing,
}

pub fn next(execution: &Execution) -> Next<'_> {
    let view = &execution.view;
    if !execution.is_running() {
        return Next::Nothing;
    }
    if view.steps.is_empty() {
        return Next::EndUnplanned;
    }
    match execution.next_step() {
        Some(step) => match step.state() {
            // A claim comes before a stop: what it did must be known to say how things stand.
            StepState::Running => Next::Settle(step),
            StepState::Failed => Next::EndFailedStep(step),
            _ if view.stop_requested.is_some() => Next::EndStopped(step),
            _ if view.prechecks.is_empty() => Next::Precheck,
            _ if !execution.prechecks_passed() => Next::EndUnready(blocking(&view.prechecks)),
            _ if !execution.marked_before => Next::MarkBefore,
            _ => Next::Run(step),
        },
        // Nothing is left to stop.
        None if !execution.marked_after => Next::MarkAfter,
        None if view.postchecks.is_empty() => Next::Postcheck,
        None if !blocking(&view.postchecks).is_empty() => Next::EndUnhealthy(blocking(&view.postchecks)),
        None => Next::Succeed,
    }
}
