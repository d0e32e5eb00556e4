//! Runs as the tests need them.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::super::*;
use crate::aggregate::Aggregate;
use crate::pb::execution::v1::{ExecutionStarted, Step};
use crate::pb::plan::v1::{
    Action, CommandAction, FailurePolicy, ManualAction, PlanStep, WaitAction, action::Kind as ActionKind,
};

pub(super) fn now() -> Timestamp {
    Timestamp::from_second(1_790_000_000).unwrap()
}

/// A step of a platform.
pub(super) fn step(id: &str, after: &[&str]) -> Step {
    Step {
        id: id.into(),
        after: after.iter().map(|id| (*id).to_owned()).collect(),
        idempotent: true,
        plan_step: id.split('/').next().unwrap_or_default().into(),
        resource: "db".into(),
        ..Step::default()
    }
}

/// A step of a plan.
pub(super) fn planned(id: &str, after: &[&str], kind: ActionKind) -> Step {
    let definition = PlanStep { id: id.into(), action: Some(Action { kind: Some(kind) }), ..PlanStep::default() };
    Step { definition: Some(definition), resource: String::new(), ..step(id, after) }
}

pub(super) fn wait() -> ActionKind {
    ActionKind::Wait(WaitAction::default())
}

pub(super) fn manual(role: crate::pb::common::v1::Role) -> ActionKind {
    ActionKind::Manual(ManualAction { role: role.into(), instructions: "look".into() })
}

/// A step of a plan that can be taken back.
pub(super) fn undoable(id: &str, after: &[&str], on_failure: FailurePolicy) -> Step {
    let undo =
        Action { kind: Some(ActionKind::Command(CommandAction { name: format!("undo-{id}"), ..Default::default() })) };
    let mut step = planned(id, after, ActionKind::Command(CommandAction { name: id.into(), ..Default::default() }));
    step.definition.as_mut().unwrap().undo = Some(undo);
    Step { on_failure: on_failure.into(), ..step }
}

pub(super) fn begun(steps: Vec<Step>) -> Execution {
    let started = ExecutionStarted { request_id: "r".into(), executor: "one".into(), steps, ..Default::default() };
    let mut execution = Execution::default();
    let event = start(&execution, Begin { started }).unwrap().unwrap();
    execution.evolve(&event);
    execution
}

/// Its prechecks have passed, and every node was marked.
pub(super) fn ready(steps: Vec<Step>) -> Execution {
    let mut execution = begun(steps);
    let passed = Check { name: "c".into(), outcome: CheckOutcome::Passed.into(), ..Default::default() };
    let event = record_checks(&execution, "one", CheckPhase::Before, vec![passed], now()).unwrap().unwrap();
    execution.evolve(&event);
    let event = record_markers(&execution, "one", CheckPhase::Before, vec![], vec![]).unwrap().unwrap();
    execution.evolve(&event);
    execution
}

pub(super) fn claim(execution: &mut Execution, step: &str) {
    let event = claim_step(execution, "one", step, false, now()).unwrap();
    execution.evolve(&event);
}

pub(super) fn done(execution: &mut Execution, step: &str) {
    claim(execution, step);
    finish(execution, step, &[]);
}

pub(super) fn finish(execution: &mut Execution, step: &str, facts: &[(&str, &str)]) {
    let facts: BTreeMap<String, String> = facts.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    let event = finish_step(execution, "one", step, "", facts, false, now()).unwrap().unwrap();
    execution.evolve(&event);
}

pub(super) fn fails(execution: &mut Execution, step: &str) {
    claim(execution, step);
    let event = fail_step(execution, "one", step, "broken", now()).unwrap().unwrap();
    execution.evolve(&event);
}

/// What can be done now, in short: "run a", "settle b", "await c", "undo a".
pub(super) fn can(execution: &Execution) -> Vec<String> {
    let short = |next: &Next<'_>| match next {
        Next::Run(step) => format!("run {}", id_of(step)),
        Next::Settle(step) => format!("settle {}", id_of(step)),
        Next::AwaitPerson(step) => format!("await {}", id_of(step)),
        Next::BeginUndo(step) => format!("undo after {}", id_of(step)),
        Next::EndFailedStep(step) => format!("fail at {}", id_of(step)),
        Next::EndStopped(step) => format!("stop before {}", id_of(step)),
        other => format!("{other:?}"),
    };
    next(execution).iter().map(short).collect()
}
