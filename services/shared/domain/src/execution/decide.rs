//! What may be written next. Every function returns exactly one event, or says why not.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Execution, blocking};
use crate::pb::common::v1::{Actor, Marker};
use crate::pb::execution::v1::{
    Check, CheckPhase, ChecksRecorded, ExecutionEvent, ExecutionFailed, ExecutionStarted, ExecutionStopped,
    ExecutionSucceeded, ExecutorTookOver, MarkersCaptured, StepClaimed, StepFailed, StepState, StepSucceeded,
    StopRequested, execution_event::Event,
};
use crate::refusal::{Refusal, refusal};
use crate::time::to_pb;

/// Longest error or account kept in an event: enough for a command's output, not for a log file.
const MAX_TEXT: usize = 4_000;

type Decision = Result<Option<ExecutionEvent>, Refusal>;

/// Why a step was not claimed.
#[derive(Debug, Clone, PartialEq)]
pub enum ClaimRefused {
    /// Another executor owns the run: leave at once.
    NotOwner(String),
    /// Somebody asked to stop: end the run before this step.
    StopRequested,
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
    let next = execution.next_step().ok_or_else(|| ClaimRefused::NotNext("every step is done".into()))?;
    let next_id = next.step.as_ref().map(|step| step.id.as_str()).unwrap_or_default();
    if next_id != step {
        return Err(ClaimRefused::NotNext(format!("the next step is {next_id}")));
    }
    match next.state() {
        StepState::Failed => return Err(ClaimRefused::NotNext("the step failed; a retry is a new request".into())),
        StepState::Running if !again => return Err(ClaimRefused::OutcomeUnknown { attempt: next.attempts }),
        _ => {}
    }
    if execution.view.stop_requested.is_some() {
        return Err(ClaimRefused::StopRequested);
    }
    Ok(ExecutionEvent {
        event: Some(Event::StepClaimed(StepClaimed {
            step: step.into(),
            attempt: next.attempts + 1,
            executor: executor.into(),
            claimed_at: Some(to_pb(now)),
        })),
    })
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
    let attempt = running_attempt(execution, executor, step)?;
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

/// The claimed step's effect is not there, and it will not be tried again.
pub fn fail_step(execution: &Execution, executor: &str, step: &str, error: &str, now: Timestamp) -> Decision {
    let attempt = running_attempt(execution, executor, step)?;
    Ok(event(Event::StepFailed(StepFailed {
        step: step.into(),
        attempt,
        executor: executor.into(),
        failed_at: Some(to_pb(now)),
        error: clip(error),
    })))
}

/// Somebody asks to stop before the next step.
pub fn request_stop(execution: &Execution, actor: &Actor, reason: &str, now: Timestamp) -> Decision {
    must_run(execution)?;
    if reason.trim().is_empty() || reason.chars().count() > 2_000 {
        return Err(crate::refusal::field_refusal(
            "reason",
            "FIELD_INVALID",
            "a stop has a reason",
            format!("{} characters", reason.chars().count()),
            "1 to 2000 characters",
            "say why it is stopped",
        ));
    }
    crate::text::must_be_plain("reason", reason)?;
    if execution.view.stop_requested.is_some() {
        return Ok(None);
    }
    Ok(event(Event::StopRequested(StopRequested {
        actor: Some(actor.clone()),
        reason: reason.trim().into(),
        requested_at: Some(to_pb(now)),
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

fn event(event: Event) -> Option<ExecutionEvent> {
    Some(ExecutionEvent { event: Some(event) })
}

fn must_run(execution: &Execution) -> Result<(), Refusal> {
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

fn must_own(execution: &Execution, executor: &str) -> Result<(), Refusal> {
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

fn running_attempt(execution: &Execution, executor: &str, step: &str) -> Result<u32, Refusal> {
    must_own(execution, executor)?;
    let running = execution.next_step().filter(|next| {
        next.state() == StepState::Running && next.step.as_ref().is_some_and(|planned| planned.id == step)
    });
    running.map(|step| step.attempts).ok_or_else(|| {
        refusal(
            "STEP_NOT_CLAIMED",
            "an outcome belongs to a claimed step",
            step,
            "the running step",
            "claim the step first",
        )
    })
}

fn clip(text: &str) -> String {
    text.chars().take(MAX_TEXT).collect()
}
