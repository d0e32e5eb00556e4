//! The fold: what each event means for the run. Total: an event that does not fit leaves the state as it is.

use super::{Execution, graph};
use crate::aggregate::Aggregate;
use crate::pb::execution::v1::{
    CheckPhase, ChecksRecorded, ExecutionEvent, ExecutionState, ExecutionView, IntegrityRecorded, ManualStepDecided,
    MarkersCaptured, Step, StepState, StepSucceeded, StepView, execution_event::Event,
};
use crate::pb::plan::v1::FailurePolicy;
use crate::time::from_pb;

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
            Some(Event::ChecksRecorded(recorded)) => self.take_in_checks(recorded),
            Some(Event::MarkersCaptured(captured)) => self.take_in_markers(captured),
            Some(Event::StepClaimed(claimed)) => {
                if let Some(step) = step_mut(view, &claimed.step) {
                    step.set_state(StepState::Running);
                    step.attempts = claimed.attempt;
                    // Of the first attempt: what it did counts from there, whoever finishes it.
                    step.started_at = step.started_at.or(claimed.claimed_at);
                }
            }
            Some(Event::StepSucceeded(done)) => self.succeeded(done),
            Some(Event::StepFailed(failed)) => {
                if let Some(step) = step_mut(view, &failed.step) {
                    step.finished_at = failed.failed_at;
                    step.note = failed.error.clone();
                    fail(step);
                }
            }
            Some(Event::StepWaiting(waiting)) => {
                if let Some(step) = step_mut(view, &waiting.step) {
                    step.set_state(StepState::Waiting);
                    step.note = waiting.instructions.clone();
                }
            }
            Some(Event::ManualStepDecided(decided)) => self.decided(decided),
            Some(Event::StopRequested(stop)) => view.stop_requested = Some(stop.clone()),
            Some(Event::TookOver(took)) => self.executor = took.executor.clone(),
            Some(Event::PauseRequested(pause)) => view.paused = Some(pause.clone()),
            Some(Event::Resumed(_)) => self.resumed(),
            Some(Event::UndoBegun(undo)) => {
                view.undo_steps = undo.steps.iter().map(pending).collect();
                view.undo = Some(undo.clone());
            }
            Some(Event::IntegrityRecorded(recorded)) => take_in_integrity(view, recorded),
            Some(Event::DrillCopyRecorded(recorded)) => {
                if let Some(copy) = &recorded.copy {
                    // The newest account of a copy holds: the one with its tear-down comes last.
                    view.copies.retain(|known| known.resource != copy.resource);
                    view.copies.push(copy.clone());
                }
            }
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
    fn take_in_checks(&mut self, recorded: &ChecksRecorded) {
        match recorded.phase() {
            CheckPhase::After => {
                self.view.postchecks = recorded.checks.clone();
                self.postchecked_at = from_pb(recorded.checked_at.as_ref());
            }
            CheckPhase::Before | CheckPhase::Unspecified => self.view.prechecks = recorded.checks.clone(),
        }
    }

    fn take_in_markers(&mut self, captured: &MarkersCaptured) {
        match captured.phase() {
            CheckPhase::After => {
                self.view.markers_after = captured.markers.clone();
                self.marked_after = true;
            }
            CheckPhase::Before | CheckPhase::Unspecified => {
                self.view.markers_before = captured.markers.clone();
                self.marked_before = true;
            }
        }
        self.view.markers_unavailable.extend(captured.unavailable.iter().cloned());
    }

    fn succeeded(&mut self, done: &StepSucceeded) {
        let Some(step) = step_mut(&mut self.view, &done.step) else { return };
        step.set_state(StepState::Succeeded);
        step.finished_at = done.finished_at;
        step.note = done.note.clone();
        let plan_step = step.step.as_ref().map(|step| step.plan_step.clone()).unwrap_or_default();
        if self.view.undo_steps.iter().any(|step| super::id_of(step) == done.step) {
            self.undone(&plan_step);
            return;
        }
        self.succession.push(done.step.clone());
        self.facts.entry(plan_step).or_default().extend(done.outputs.clone());
    }

    /// What belonged to that step of the plan is taken back.
    fn undone(&mut self, plan_step: &str) {
        let of_it = |step: &Step| step.plan_step == plan_step;
        let undone =
            |step: &&mut StepView| step.state() == StepState::Succeeded && step.step.as_ref().is_some_and(of_it);
        self.view.steps.iter_mut().filter(undone).for_each(|step| step.set_state(StepState::Undone));
    }

    fn decided(&mut self, decided: &ManualStepDecided) {
        self.view.manual_decisions.push(decided.clone());
        let Some(step) = step_mut(&mut self.view, &decided.step) else { return };
        if step.state() != StepState::Waiting {
            return;
        }
        step.finished_at = decided.decided_at;
        step.note = decided.note.clone();
        if decided.done {
            step.set_state(StepState::Succeeded);
            self.succession.push(decided.step.clone());
        } else {
            fail(step);
        }
    }

    /// Before the first claim a pause takes the checks' freshness away: they are made again.
    fn resumed(&mut self) {
        self.view.paused = None;
        if !self.has_touched() {
            self.view.prechecks.clear();
            self.view.markers_before.clear();
            self.view.markers_unavailable.clear();
            self.marked_before = false;
        }
    }
}

/// A step whose policy is to go on is noted; every other one ends the run.
fn fail(step: &mut StepView) {
    let goes_on = step.step.as_ref().is_some_and(|step| step.on_failure() == FailurePolicy::Continue);
    step.set_state(if goes_on { StepState::Tolerated } else { StepState::Failed });
}

/// The newest answer to a question holds.
fn take_in_integrity(view: &mut ExecutionView, recorded: &IntegrityRecorded) {
    for result in &recorded.results {
        view.integrity.retain(|known| {
            (&known.resource, &known.name, known.phase) != (&result.resource, &result.name, result.phase)
        });
        view.integrity.push(result.clone());
    }
}

fn pending(step: &Step) -> StepView {
    StepView { step: Some(step.clone()), state: StepState::Pending.into(), ..StepView::default() }
}

/// Every id occurs once in a run: see [`graph::must_be_sound`].
fn step_mut<'a>(view: &'a mut ExecutionView, id: &str) -> Option<&'a mut StepView> {
    graph::find(&mut view.steps, id).or_else(|| graph::find(&mut view.undo_steps, id))
}
