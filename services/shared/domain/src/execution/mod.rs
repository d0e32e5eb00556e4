//! One execution: a plan fixed at its beginning, as a graph of steps that are claimed one by one in the log, and one
//! true end.
//!
//! Architecture Invariant: only the executor named by the newest `started` or `took_over` event may
//! append steps. A successor appends `took_over` first; from then on every append of the old one is
//! refused, by this module's rules and by the log's version guard. People add what is theirs: a stop, a pause, a note,
//! the word that a manual step is done.

mod decide;
mod evolve;
mod graph;
mod next;
mod people;
mod reservation;
mod undo;

pub use decide::{
    Begin, ClaimRefused, ask_person, claim_step, fail, fail_step, finish_step, record_checks, record_copy,
    record_integrity, record_markers, start, stop, succeed, take_over,
};
pub use next::{Next, next};
pub use people::{decide_manual, give_up, manual_role, note, request_pause, request_stop, resume};
pub use reservation::{
    Reservation, acknowledge_cool_down, begin_cool_down, cool_down, release, reservation_of_group, reserve,
};
pub use undo::{begin_undo, is_way_back, undo_steps};

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::aggregate::EventKind;
use crate::pb::execution::v1::{
    Check, CheckOutcome, CheckPhase, ExecutionEvent, ExecutionState, ExecutionView, Step, StepState, StepView,
    execution_event::Event,
};

/// What the steps of one move found out, by name.
pub type Facts = BTreeMap<String, String>;

/// One execution: the fold of its events.
#[derive(Debug, Clone, Default)]
pub struct Execution {
    pub view: ExecutionView,
    /// The instance that may append.
    pub executor: String,
    /// Merged outputs of the steps that succeeded, by the step of the plan they belong to: all that a successor has to
    /// go on. Two moves of one resource in one run keep apart.
    pub facts: BTreeMap<String, Facts>,
    pub marked_before: bool,
    pub marked_after: bool,
    /// When the target was looked at after the last step.
    pub postchecked_at: Option<Timestamp>,
    /// Ids of the steps that succeeded, in the order of their success.
    pub succession: Vec<String>,
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

impl Execution {
    pub fn exists(&self) -> bool {
        self.view.started.is_some()
    }

    pub fn is_running(&self) -> bool {
        self.view.state() == ExecutionState::Running
    }

    /// The first step that is not done, in the order they are listed.
    pub fn next_step(&self) -> Option<&StepView> {
        self.view.steps.iter().find(|step| !graph::is_done(step))
    }

    /// The step of that id, of the plan or of the way back.
    pub fn step(&self, id: &str) -> Option<&StepView> {
        self.all_steps().find(|step| id_of(step) == id)
    }

    /// Steps with a claim and no outcome.
    pub fn claimed(&self) -> impl Iterator<Item = &StepView> {
        self.all_steps().filter(|step| step.state() == StepState::Running)
    }

    /// The step that ends the run as a failure: of the plan first, then of the way back.
    pub fn failed_step(&self) -> Option<&StepView> {
        self.all_steps().find(|step| step.state() == StepState::Failed)
    }

    /// A step was claimed, so the protected system may not be as it was.
    pub fn has_touched(&self) -> bool {
        self.view.steps.iter().any(|step| step.attempts > 0)
    }

    /// The prechecks are recorded and none of them holds the run up.
    pub fn prechecks_passed(&self) -> bool {
        !self.view.prechecks.is_empty() && blocking(&self.view.prechecks).is_empty()
    }

    /// What the steps of one move found out so far; `plan_step` as in [`Step::plan_step`].
    pub fn facts_of(&self, plan_step: &str) -> Facts {
        self.facts.get(plan_step).cloned().unwrap_or_default()
    }

    /// Nothing of the plan begins any more, whatever else is to be done.
    pub fn is_ending(&self) -> bool {
        self.view.stop_requested.is_some() || self.view.undo.is_some() || self.failed_step().is_some()
    }

    fn all_steps(&self) -> impl Iterator<Item = &StepView> {
        self.view.steps.iter().chain(&self.view.undo_steps)
    }
}

/// From the success of this step on, its move is not taken back by itself. Runs recorded before steps said so named
/// the one step of a platform that must not be run twice.
pub fn is_point_of_no_return(step: &Step) -> bool {
    step.point_of_no_return || (step.definition.is_none() && !step.idempotent)
}

/// The checks that hold a run up: failed or unknown, not merely advisory, and not overridden by a person who may.
pub fn blocking(checks: &[Check]) -> Vec<&Check> {
    checks
        .iter()
        .filter(|check| !check.advisory && check.overridden.is_empty())
        .filter(|check| !matches!(check.outcome(), CheckOutcome::Passed | CheckOutcome::Warning))
        .collect()
}

/// The id of a planned step; empty for a view that belongs to no plan.
pub fn id_of(step: &StepView) -> &str {
    step.step.as_ref().map(|step| step.id.as_str()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
