//! Steps with every attempt, in the order of the plan; then those that took back what others did.

use std::collections::BTreeMap;

use jiff::Timestamp;
use muster_domain::{
    pb::{
        audit::v1::AuditRecord,
        execution::v1::{ExecutionEvent, ExecutionView, StepState, StepView, execution_event::Event},
    },
    time::from_pb,
};

use super::model::{Attempt, Step};

pub(super) fn of(run: &ExecutionView, records: &[AuditRecord]) -> Vec<Step> {
    let mut attempts = attempts(records);
    let mut step = |view: &StepView, undo: bool| {
        let planned = view.step.clone().unwrap_or_default();
        Step {
            attempts: attempts.remove(&planned.id).unwrap_or_default(),
            id: planned.id,
            title: planned.title,
            resource: planned.resource,
            node: planned.node,
            phase: planned.phase,
            state: state(view.state()),
            undo,
            duration_seconds: between(from_pb(view.started_at.as_ref()), from_pb(view.finished_at.as_ref())),
        }
    };
    let forward: Vec<Step> = run.steps.iter().map(|view| step(view, false)).collect();
    forward.into_iter().chain(run.undo_steps.iter().map(|view| step(view, true))).collect()
}

fn state(state: StepState) -> &'static str {
    match state {
        StepState::Unspecified | StepState::Pending => "not run",
        StepState::Running => "outcome not known",
        StepState::Succeeded => "succeeded",
        StepState::Failed => "failed",
        StepState::Tolerated => "failed, and the run went on",
        StepState::Undone => "taken back",
        StepState::Waiting => "waits for a person",
    }
}

fn between(from: Option<Timestamp>, to: Option<Timestamp>) -> Option<f64> {
    from.zip(to).map(|(from, to)| to.duration_since(from).as_secs_f64())
}

/// Each claim with what became of it, by step.
fn attempts(records: &[AuditRecord]) -> BTreeMap<String, Vec<Attempt>> {
    let mut attempts: BTreeMap<String, Vec<Attempt>> = BTreeMap::new();
    for record in records.iter().filter(|record| record.r#type.starts_with("execution.")) {
        let event = serde_json::from_str::<ExecutionEvent>(&record.payload_json).unwrap_or_default().event;
        match event {
            Some(Event::StepClaimed(claim)) => {
                let attempt = Attempt {
                    number: claim.attempt,
                    executor: claim.executor,
                    claimed_at: at(claim.claimed_at.as_ref()),
                    outcome: "outcome not known",
                    sequence: record.sequence,
                    ..Attempt::default()
                };
                attempts.entry(claim.step).or_default().push(attempt);
            }
            Some(Event::StepSucceeded(end)) => {
                let outcome = if end.found_done { "found done" } else { "succeeded" };
                close(&mut attempts, &end.step, end.attempt, end.finished_at.as_ref(), outcome, end.note);
            }
            Some(Event::StepFailed(end)) => {
                close(&mut attempts, &end.step, end.attempt, end.failed_at.as_ref(), "failed", end.error);
            }
            Some(Event::StepWaiting(wait)) => {
                let text = wait.instructions;
                if let Some(attempt) = find(&mut attempts, &wait.step, wait.attempt) {
                    (attempt.outcome, attempt.text) = ("waited for a person", text);
                }
            }
            Some(Event::ManualStepDecided(decided)) => {
                let number = attempts.get(&decided.step).and_then(|of| of.last()).map_or(0, |last| last.number);
                let outcome = if decided.done { "done by hand" } else { "not possible by hand" };
                let ended = decided.decided_at.as_ref();
                close(&mut attempts, &decided.step, number, ended, outcome, decided.note);
            }
            _ => {}
        }
    }
    attempts
}

fn find<'a>(attempts: &'a mut BTreeMap<String, Vec<Attempt>>, step: &str, number: u32) -> Option<&'a mut Attempt> {
    attempts.get_mut(step)?.iter_mut().rev().find(|attempt| attempt.number == number)
}

fn close(
    attempts: &mut BTreeMap<String, Vec<Attempt>>,
    step: &str,
    number: u32,
    ended: Option<&muster_domain::time::PbTimestamp>,
    outcome: &'static str,
    text: String,
) {
    let Some(attempt) = find(attempts, step, number) else { return };
    let claimed = attempt.claimed_at.as_ref().and_then(|at| at.parse().ok());
    attempt.duration_seconds = between(claimed, from_pb(ended));
    attempt.ended_at = at(ended);
    attempt.outcome = outcome;
    attempt.text = text;
}

fn at(time: Option<&muster_domain::time::PbTimestamp>) -> Option<String> {
    super::make::time(time)
}
