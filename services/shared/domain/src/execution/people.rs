//! What people add to a run: a stop, a pause, a note, the word that a manual step is done.

use jiff::Timestamp;

use super::decide::{Decision, event, must_own, must_run};
use super::{Execution, id_of};
use crate::pb::common::v1::{Actor, ActorKind, Role};
use crate::pb::execution::v1::{
    ManualStepDecided, PauseRequested, Resumed, RunNoted, StepState, StopRequested, execution_event::Event,
};
use crate::pb::plan::v1::{ManualAction, action};
use crate::refusal::{Refusal, field_refusal, refusal};
use crate::time::to_pb;

/// Longest reason or note of a person: a paragraph, not a file.
const MAX_TEXT: usize = 2_000;
/// Notes kept of one run: a long tabletop's findings, and an end to what a run's page has to show.
const MAX_NOTES: usize = 500;

/// Somebody asks to stop before the next step. Final: no later word takes it back.
pub fn request_stop(execution: &Execution, actor: &Actor, reason: &str, now: Timestamp) -> Decision {
    must_run(execution)?;
    must_say("reason", reason, "a stop has a reason", "say why it is stopped")?;
    if execution.view.stop_requested.is_some() {
        return Ok(None);
    }
    Ok(event(Event::StopRequested(StopRequested {
        actor: Some(actor.clone()),
        reason: reason.trim().into(),
        requested_at: Some(to_pb(now)),
    })))
}

/// The executor's own stop: what it cannot know it does not guess. Only the run's newest one may.
pub fn give_up(execution: &Execution, executor: &str, actor: &Actor, reason: &str, now: Timestamp) -> Decision {
    must_own(execution, executor)?;
    request_stop(execution, actor, reason, now)
}

/// Nothing is claimed until somebody resumes; what is under way comes to its end.
pub fn request_pause(execution: &Execution, actor: &Actor, reason: &str, now: Timestamp) -> Decision {
    must_not_be_stopping(execution)?;
    must_say("reason", reason, "a pause has a reason", "say why it is paused")?;
    if execution.view.paused.is_some() {
        return Ok(None);
    }
    Ok(event(Event::PauseRequested(PauseRequested {
        actor: Some(actor.clone()),
        reason: reason.trim().into(),
        requested_at: Some(to_pb(now)),
    })))
}

pub fn resume(execution: &Execution, actor: &Actor, note: &str, now: Timestamp) -> Decision {
    must_not_be_stopping(execution)?;
    may_say("note", note)?;
    if execution.view.paused.is_none() {
        return Ok(None);
    }
    Ok(event(Event::Resumed(Resumed {
        actor: Some(actor.clone()),
        note: note.trim().into(),
        resumed_at: Some(to_pb(now)),
    })))
}

/// A person of the step's role says what became of it. Not done: the step failed.
pub fn decide_manual(
    execution: &Execution,
    actor: &Actor,
    step: &str,
    done: bool,
    note: &str,
    now: Timestamp,
) -> Decision {
    must_run(execution)?;
    if execution.step(step).is_none_or(|step| step.state() != StepState::Waiting) {
        let waiting: Vec<&str> =
            execution.view.steps.iter().filter(|step| step.state() == StepState::Waiting).map(id_of).collect();
        return Err(field_refusal(
            "step",
            "STEP_NOT_WAITING",
            "only a manual step that waits for a person is decided",
            step,
            if waiting.is_empty() { "no step waits now".to_owned() } else { waiting.join(", ") },
            "look at `muster request show` for the step that waits",
        ));
    }
    let role = manual_role(manual_of(execution, step));
    if actor.kind() != ActorKind::Person || !actor.roles().any(|held| held == role) {
        return Err(refusal(
            "MANUAL_STEP_ROLE",
            "a manual step is confirmed by a person of its role",
            actor.roles().map(|held| held.as_str_name()).collect::<Vec<_>>().join(", "),
            role.as_str_name(),
            "ask somebody with that role to look and confirm",
        ));
    }
    must_say("note", note, "a manual step is confirmed with what was done or seen", "say what was done")?;
    Ok(event(Event::ManualStepDecided(ManualStepDecided {
        step: step.into(),
        actor: Some(actor.clone()),
        done,
        note: note.trim().into(),
        decided_at: Some(to_pb(now)),
    })))
}

/// A note for the record. `step` may be empty: the run as a whole.
pub fn note(execution: &Execution, actor: &Actor, step: &str, text: &str, now: Timestamp) -> Decision {
    must_run(execution)?;
    must_say("text", text, "a note says something", "write the note")?;
    if !step.is_empty() && execution.step(step).is_none() {
        return Err(field_refusal(
            "step",
            "FIELD_INVALID",
            "a note belongs to a step of the run, or to the run",
            step,
            "a step of this run, or nothing",
            "look at `muster request show` for the steps",
        ));
    }
    if execution.view.notes.len() >= MAX_NOTES {
        return Err(refusal(
            "TOO_MANY_NOTES",
            "a run keeps a bounded number of notes",
            format!("{} notes", execution.view.notes.len()),
            MAX_NOTES.to_string(),
            "keep further notes in the incident, and name it here",
        ));
    }
    Ok(event(Event::Noted(RunNoted {
        actor: Some(actor.clone()),
        text: text.trim().into(),
        step: step.into(),
        noted_at: Some(to_pb(now)),
    })))
}

/// Who may confirm a manual step: the role it names. One that names none, or only the right to look, is an operator's.
pub fn manual_role(manual: Option<&ManualAction>) -> Role {
    match manual.map(ManualAction::role) {
        None | Some(Role::Unspecified | Role::Viewer) => Role::Operator,
        Some(role) => role,
    }
}

pub(super) fn manual_of<'a>(execution: &'a Execution, step: &str) -> Option<&'a ManualAction> {
    let definition = execution.step(step)?.step.as_ref()?.definition.as_ref()?;
    match definition.action.as_ref()?.kind.as_ref()? {
        action::Kind::Manual(manual) => Some(manual),
        _ => None,
    }
}

fn must_not_be_stopping(execution: &Execution) -> Result<(), Refusal> {
    must_run(execution)?;
    if execution.view.stop_requested.is_none() {
        return Ok(());
    }
    Err(refusal(
        "EXECUTION_STOPPING",
        "a stop is final",
        "a stop was asked for",
        "a run that nobody stopped",
        "wait for its end; going on means a new request",
    ))
}

fn must_say(field: &str, text: &str, rule: &str, next_action: &str) -> Result<(), Refusal> {
    if text.trim().is_empty() || text.chars().count() > MAX_TEXT {
        return Err(field_refusal(
            field,
            "FIELD_INVALID",
            rule,
            format!("{} characters", text.chars().count()),
            format!("1 to {MAX_TEXT} characters"),
            next_action,
        ));
    }
    crate::text::must_be_plain(field, text)
}

fn may_say(field: &str, text: &str) -> Result<(), Refusal> {
    if text.is_empty() { Ok(()) } else { must_say(field, text, "a note has a limit", "shorten the note") }
}
