//! One execution: a fixed plan, steps claimed one by one in the log, and one true end.
//!
//! Architecture Invariant: only the executor named by the newest `started` or `took_over` event may
//! append steps. A successor appends `took_over` first; from then on every append of the old one is
//! refused, by this module's rules and by the log's version guard.

mod decide;
mod next;
mod reservation;

pub use decide::{
    Begin, ClaimRefused, claim_step, fail, fail_step, finish_step, record_checks, record_markers, request_stop, start,
    stop, succeed, take_over,
};
pub use next::{Next, next};
pub use reservation::{Reservation, release, reserve};

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::aggregate::{Aggregate, EventKind};
use crate::pb::execution::v1::{
    CheckOutcome, CheckPhase, ExecutionEvent, ExecutionState, ExecutionView, Step, StepState, StepView,
    execution_event::Event,
};
use crate::time::from_pb;

/// One execution: the fold of its events.
#[derive(Debug, Clone, Default)]
pub struct Execution {
    pub view: ExecutionView,
    /// The instance that may append.
    pub executor: String,
    /// Merged outputs of the steps that succeeded: all that a successor has to go on.
    pub facts: BTreeMap<String, String>,
    pub marked_before: bool,
    pub marked_after: bool,
    /// When the target was looked at after the last step.
    pub postchecked_at: Option<Timestamp>,
}

impl EventKind for ExecutionEvent {
    fn kind(&self) -> &'static str {
        match &self.event {
            Some(Event::Started(_)) => "execution.started",
            Some(Event::ChecksRecorded(recorded)) => match recorded.phase() {
                CheckPhase::After => "execution.postchecks_recorded",
                CheckPhase::Before | CheckPhase::Unspecified => "execution.prechecks_recorded",
            },
            Some(Event::MarkersCaptured(_)) => "execution.markers_captured",
            Some(Event::StepClaimed(_)) => "execution.step_claimed",
            Some(Event::StepSucceeded(_)) => "execution.step_succeeded",
            Some(Event::StepFailed(_)) => "execution.step_failed",
            Some(Event::StopRequested(_)) => "execution.stop_requested",
            Some(Event::TookOver(_)) => "execution.executor_took_over",
            Some(Event::Succeeded(_)) => "execution.succeeded",
            Some(Event::Failed(_)) => "execution.failed",
            Some(Event::Stopped(_)) => "execution.stopped",
            Some(Event::PauseRequested(_)) => "execution.pause_requested",
            Some(Event::Resumed(_)) => "execution.resumed",
            Some(Event::StepWaiting(_)) => "execution.step_waiting",
            Some(Event::ManualStepDecided(_)) => "execution.manual_step_decided",
            Some(Event::UndoBegun(_)) => "execution.undo_begun",
            Some(Event::IntegrityRecorded(_)) => "execution.integrity_recorded",
            Some(Event::DrillCopyRecorded(_)) => "execution.drill_copy_recorded",
            Some(Event::Noted(_)) => "execution.noted",
            None => "unset",
        }
    }
}

impl Aggregate for Execution {
    const KIND: &'static str = "execution";
    type Event = ExecutionEvent;

    fn evolve(&mut self, event: &ExecutionEvent) {
        let view = &mut self.view;
        match &event.event {
            Some(Event::Started(started)) => {
                self.executor = started.executor.clone();
                view.request_id = started.request_id.clone();
                view.steps = started.steps.iter().map(pending).collect();
                view.started = Some(started.clone());
                view.set_state(ExecutionState::Running);
            }
            Some(Event::ChecksRecorded(recorded)) => match recorded.phase() {
                CheckPhase::After => {
                    view.postchecks = recorded.checks.clone();
                    self.postchecked_at = from_pb(recorded.checked_at.as_ref());
                }
                CheckPhase::Before | CheckPhase::Unspecified => view.prechecks = recorded.checks.clone(),
            },
            Some(Event::MarkersCaptured(captured)) => {
                match captured.phase() {
                    CheckPhase::After => {
                        view.markers_after = captured.markers.clone();
                        self.marked_after = true;
                    }
                    CheckPhase::Before | CheckPhase::Unspecified => {
                        view.markers_before = captured.markers.clone();
                        self.marked_before = true;
                    }
                }
                view.markers_unavailable.extend(captured.unavailable.iter().cloned());
            }
            Some(Event::StepClaimed(claimed)) => {
                if let Some(step) = step_mut(view, &claimed.step) {
                    step.set_state(StepState::Running);
                    step.attempts = claimed.attempt;
                    // Of the first attempt: what it did counts from there, whoever finishes it.
                    step.started_at = step.started_at.or(claimed.claimed_at);
                }
            }
            Some(Event::StepSucceeded(done)) => {
                if let Some(step) = step_mut(view, &done.step) {
                    step.set_state(StepState::Succeeded);
                    step.finished_at = done.finished_at;
                    step.note = done.note.clone();
                }
                self.facts.extend(done.outputs.clone());
            }
            Some(Event::StepFailed(failed)) => {
                if let Some(step) = step_mut(view, &failed.step) {
                    step.set_state(StepState::Failed);
                    step.finished_at = failed.failed_at;
                    step.note = failed.error.clone();
                }
            }
            Some(Event::StopRequested(stop)) => view.stop_requested = Some(stop.clone()),
            Some(Event::TookOver(took)) => self.executor = took.executor.clone(),
            Some(Event::PauseRequested(pause)) => view.paused = Some(pause.clone()),
            Some(Event::Resumed(_)) => view.paused = None,
            Some(Event::StepWaiting(waiting)) => {
                if let Some(step) = step_mut(view, &waiting.step) {
                    step.set_state(StepState::Waiting);
                }
            }
            Some(Event::ManualStepDecided(decided)) => view.manual_decisions.push(decided.clone()),
            Some(Event::UndoBegun(undo)) => {
                view.undo_steps = undo.steps.iter().map(pending).collect();
                view.undo = Some(undo.clone());
            }
            Some(Event::IntegrityRecorded(recorded)) => view.integrity.extend(recorded.results.iter().cloned()),
            Some(Event::DrillCopyRecorded(recorded)) => view.copies.extend(recorded.copy.clone()),
            Some(Event::Noted(note)) => view.notes.push(note.clone()),
            Some(Event::Succeeded(end)) => {
                view.succeeded = Some(end.clone());
                view.set_state(ExecutionState::Succeeded);
            }
            Some(Event::Failed(end)) => {
                view.failed = Some(end.clone());
                view.set_state(ExecutionState::Failed);
            }
            Some(Event::Stopped(end)) => {
                view.stopped = Some(end.clone());
                view.set_state(ExecutionState::Stopped);
            }
            None => {}
        }
    }
}

impl Execution {
    pub fn exists(&self) -> bool {
        self.view.started.is_some()
    }

    pub fn is_running(&self) -> bool {
        self.view.state() == ExecutionState::Running
    }

    /// The first step without a success: the only one that may be claimed.
    pub fn next_step(&self) -> Option<&StepView> {
        self.view.steps.iter().find(|step| step.state() != StepState::Succeeded)
    }

    /// A step was claimed, so the protected system may not be as it was.
    pub fn has_touched(&self) -> bool {
        self.view.steps.iter().any(|step| step.attempts > 0)
    }

    /// The prechecks are recorded and none of them holds the run up.
    pub fn prechecks_passed(&self) -> bool {
        !self.view.prechecks.is_empty() && blocking(&self.view.prechecks).is_empty()
    }
}

/// The checks that hold a run up: failed or unknown, and not merely advisory.
pub fn blocking(checks: &[crate::pb::execution::v1::Check]) -> Vec<&crate::pb::execution::v1::Check> {
    checks
        .iter()
        .filter(|check| !check.advisory && !matches!(check.outcome(), CheckOutcome::Passed | CheckOutcome::Warning))
        .collect()
}

fn pending(step: &Step) -> StepView {
    StepView { step: Some(step.clone()), state: StepState::Pending.into(), ..StepView::default() }
}

fn step_mut<'a>(view: &'a mut ExecutionView, id: &str) -> Option<&'a mut StepView> {
    view.steps.iter_mut().find(|step| step.step.as_ref().is_some_and(|step| step.id == id))
}

#[cfg(test)]
mod tests;
