//! What may be written next. Every function returns exactly one event, or says why not.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::people::{manual_of, manual_role};
use super::{Execution, blocking, graph, id_of};
use crate::pb::common::v1::Marker;
use crate::pb::execution::v1::{
    Check, CheckPhase, ChecksRecorded, DrillCopy, DrillCopyRecorded, ExecutionEvent, ExecutionFailed, ExecutionStarted,
    ExecutionStopped, ExecutionSucceeded, ExecutorTookOver, IntegrityRecorded, IntegrityResult, MarkersCaptured,
    StepClaimed, StepFailed, StepState, StepSucceeded, StepView, StepWaiting, execution_event::Event,
};
use crate::refusal::{Refusal, refusal};
use crate::time::to_pb;

/// Longest error or account kept in an event: enough for a command's output, not for a log file.
const MAX_TEXT: usize = 4_000;

pub(super) type Decision = Result<Option<ExecutionEvent>, Refusal>;

/// Why a step was not claimed.
#[derive(Debug, Clone, PartialEq)]
pub enum ClaimRefused {
    /// Another executor owns the run: leave at once.
    NotOwner(String),
    /// Somebody asked to stop: end the run before this step.
    StopRequested,
    /// Somebody paused the run: wait until somebody resumes it.
    Paused,
    /// It is not this step's turn, or nothing is to be run any more.
    NotNext(String),
    /// A claim without an outcome: probe the target before anything else.
    OutcomeUnknown { attempt: u32 },
}

/// The plan with its objectives, fixed before the first effect.
pub struct Begin {
    pub started: ExecutionStarted,
}

/// Begins the run. A second begin changes nothing. A run that could not be planned begins without steps, so
/// that its failure has a place to be recorded; it can never succeed.
pub fn start(execution: &Execution, begin: Begin) -> Decision {
    if execution.exists() {
        return Ok(None);
    }
    graph::must_be_sound(&begin.started.steps)?;
    Ok(event(Event::Started(begin.started)))
}

/// A successor takes the run over. From here every append of the previous owner is refused.
pub fn take_over(execution: &Execution, executor: &str, note: &str, now: Timestamp) -> Decision {
    must_run(execution)?;
    if execution.executor == executor {
        return Ok(None);
    }
    Ok(event(Event::TookOver(ExecutorTookOver {
        executor: executor.into(),
        previous: execution.executor.clone(),
        at: Some(to_pb(now)),
        note: clip(note),
    })))
}

pub fn record_checks(
    execution: &Execution,
    executor: &str,
    phase: CheckPhase,
    checks: Vec<Check>,
    now: Timestamp,
) -> Decision {
    must_own(execution, executor)?;
    Ok(event(Event::ChecksRecorded(ChecksRecorded { phase: phase.into(), checks, checked_at: Some(to_pb(now)) })))
}

pub fn record_markers(
    execution: &Execution,
    executor: &str,
    phase: CheckPhase,
    markers: Vec<Marker>,
    unavailable: Vec<String>,
) -> Decision {
    must_own(execution, executor)?;
    Ok(event(Event::MarkersCaptured(MarkersCaptured { phase: phase.into(), markers, unavailable })))
}

/// What was asked of the data, and what it answered.
pub fn record_integrity(
    execution: &Execution,
    executor: &str,
    phase: CheckPhase,
    results: Vec<IntegrityResult>,
) -> Decision {
    must_own(execution, executor)?;
    if results.is_empty() {
        return Ok(None);
    }
    Ok(event(Event::IntegrityRecorded(IntegrityRecorded { phase: phase.into(), results })))
}

/// What an isolated drill's copy held, and what was left of it.
pub fn record_copy(execution: &Execution, executor: &str, copy: DrillCopy) -> Decision {
    must_own(execution, executor)?;
    if execution.view.copies.contains(&copy) {
        return Ok(None);
    }
    Ok(event(Event::DrillCopyRecorded(DrillCopyRecorded { copy: Some(copy) })))
}

/// Claims a step before its effect. Appending this event is the lock: only one version can win.
///
/// `again` says that the target was probed and the step is provably safe to run another time.
pub fn claim_step(
    execution: &Execution,
    executor: &str,
    step: &str,
    again: bool,
    now: Timestamp,
) -> Result<ExecutionEvent, ClaimRefused> {
    if !execution.is_running() {
        return Err(ClaimRefused::NotNext("the run has ended".into()));
    }
    if execution.executor != executor {
        return Err(ClaimRefused::NotOwner(execution.executor.clone()));
    }
    if !execution.prechecks_passed() {
        return Err(ClaimRefused::NotNext("the prechecks are not recorded as passed".into()));
    }
    let found = its_turn(execution, step)?;
    match found.state() {
        StepState::Failed => return Err(ClaimRefused::NotNext("the step failed; a retry is a new request".into())),
        StepState::Running if !again => return Err(ClaimRefused::OutcomeUnknown { attempt: found.attempts }),
        StepState::Pending | StepState::Running => {}
        _ => return Err(ClaimRefused::NotNext("the step is not to be begun any more".into())),
    }
    if execution.view.stop_requested.is_some() {
        return Err(ClaimRefused::StopRequested);
    }
    if execution.view.paused.is_some() {
        return Err(ClaimRefused::Paused);
    }
    Ok(ExecutionEvent {
        event: Some(Event::StepClaimed(StepClaimed {
            step: step.into(),
            attempt: found.attempts + 1,
            executor: executor.into(),
            claimed_at: Some(to_pb(now)),
        })),
    })
}

/// The step, if nothing that must come before it is open and nothing has ended its part of the run.
fn its_turn<'a>(execution: &'a Execution, id: &str) -> Result<&'a StepView, ClaimRefused> {
    let view = &execution.view;
    let undoing = view.undo_steps.iter().any(|step| id_of(step) == id);
    let part = if undoing { &view.undo_steps } else { &view.steps };
    let step = part.iter().find(|step| id_of(step) == id);
    let Some(step) = step else { return Err(ClaimRefused::NotNext("it is not a step of this run".into())) };
    if let Some(open) = graph::waits_for(part, id) {
        return Err(ClaimRefused::NotNext(format!("{open} comes first")));
    }
    if !undoing && view.undo.is_some() {
        return Err(ClaimRefused::NotNext("what was done is being taken back".into()));
    }
    if let Some(failed) = part.iter().find(|step| step.state() == StepState::Failed && id_of(step) != id) {
        return Err(ClaimRefused::NotNext(format!("{} failed", id_of(failed))));
    }
    Ok(step)
}

/// The claimed step is for a person: from here on it waits for one of its role.
pub fn ask_person(execution: &Execution, executor: &str, step: &str, now: Timestamp) -> Decision {
    if execution.step(step).is_some_and(|step| step.state() == StepState::Waiting) {
        must_own(execution, executor)?;
        return Ok(None);
    }
    let attempt = claimed_attempt(execution, executor, step, &[StepState::Running])?;
    let manual = manual_of(execution, step);
    Ok(event(Event::StepWaiting(StepWaiting {
        step: step.into(),
        attempt,
        role: manual_role(manual).into(),
        instructions: manual.map(|manual| clip(&manual.instructions)).unwrap_or_default(),
        asked_at: Some(to_pb(now)),
    })))
}

/// The claimed step's effect is there.
pub fn finish_step(
    execution: &Execution,
    executor: &str,
    step: &str,
    note: &str,
    outputs: BTreeMap<String, String>,
    found_done: bool,
    now: Timestamp,
) -> Decision {
    let attempt = claimed_attempt(execution, executor, step, &[StepState::Running])?;
    Ok(event(Event::StepSucceeded(StepSucceeded {
        step: step.into(),
        attempt,
        executor: executor.into(),
        finished_at: Some(to_pb(now)),
        note: clip(note),
        outputs: outputs.into_iter().collect(),
        found_done,
    })))
}

/// The claimed step's effect is not there, and it will not be tried again. Also for a person who did not answer in time.
pub fn fail_step(execution: &Execution, executor: &str, step: &str, error: &str, now: Timestamp) -> Decision {
    let attempt = claimed_attempt(execution, executor, step, &[StepState::Running, StepState::Waiting])?;
    Ok(event(Event::StepFailed(StepFailed {
        step: step.into(),
        attempt,
        executor: executor.into(),
        failed_at: Some(to_pb(now)),
        error: clip(error),
    })))
}

/// Every step and every postcheck is good.
pub fn succeed(execution: &Execution, executor: &str, end: ExecutionSucceeded) -> Decision {
    must_own(execution, executor)?;
    if execution.view.steps.is_empty() {
        return Err(refusal(
            "PLAN_EMPTY",
            "a success has steps",
            "0 steps",
            "at least one",
            "check the platform of the resource",
        ));
    }
    if let Some(open) = execution.next_step() {
        let id = open.step.as_ref().map(|step| step.id.clone()).unwrap_or_default();
        return Err(refusal(
            "STEPS_OPEN",
            "a success has every step done",
            id,
            "no open step",
            "run the remaining steps",
        ));
    }
    let bad = blocking(&execution.view.postchecks);
    if execution.view.postchecks.is_empty() || !bad.is_empty() {
        let names = bad.iter().map(|check| check.name.as_str()).collect::<Vec<_>>().join(", ");
        return Err(refusal(
            "POSTCHECKS_OPEN",
            "a success has every postcheck passed",
            names,
            "all passed",
            "look at the postchecks",
        ));
    }
    Ok(event(Event::Succeeded(end)))
}

/// The run ended badly; what is known is said.
pub fn fail(execution: &Execution, executor: &str, mut end: ExecutionFailed) -> Decision {
    must_own(execution, executor)?;
    end.error = clip(&end.error);
    end.known_state = clip(&end.known_state);
    Ok(event(Event::Failed(end)))
}

/// The run ended before its last step, on purpose or because nobody can say what happened.
pub fn stop(execution: &Execution, executor: &str, mut end: ExecutionStopped) -> Decision {
    must_own(execution, executor)?;
    end.known_state = clip(&end.known_state);
    Ok(event(Event::Stopped(end)))
}

pub(super) fn event(event: Event) -> Option<ExecutionEvent> {
    Some(ExecutionEvent { event: Some(event) })
}

pub(super) fn must_run(execution: &Execution) -> Result<(), Refusal> {
    if execution.is_running() {
        return Ok(());
    }
    Err(refusal(
        "EXECUTION_NOT_RUNNING",
        "this needs a run that is under way",
        format!("{:?}", execution.view.state()).to_lowercase(),
        "running",
        "look at `muster request show`; a retry is a new request",
    ))
}

pub(super) fn must_own(execution: &Execution, executor: &str) -> Result<(), Refusal> {
    must_run(execution)?;
    if execution.executor == executor {
        return Ok(());
    }
    Err(refusal(
        "EXECUTOR_REPLACED",
        "only the run's newest executor may write",
        executor,
        execution.executor.clone(),
        "leave the run to its owner",
    ))
}

/// The attempt that is under way, of a step in one of these states.
fn claimed_attempt(execution: &Execution, executor: &str, step: &str, states: &[StepState]) -> Result<u32, Refusal> {
    must_own(execution, executor)?;
    let claimed = execution.step(step).filter(|step| states.contains(&step.state()));
    claimed.map(|step| step.attempts).ok_or_else(|| {
        refusal(
            "STEP_NOT_CLAIMED",
            "an outcome belongs to a claimed step",
            step,
            "the running step",
            "claim the step first",
        )
    })
}

pub(super) fn clip(text: &str) -> String {
    text.chars().take(MAX_TEXT).collect()
}
