//! Whatever two executors and people do, in any order: the rules hold.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::super::*;
use super::given::*;
use crate::aggregate::Aggregate;
use crate::pb::common::v1::{Actor, ActorKind, Role};
use crate::pb::execution::v1::{ExecutionEvent, Step, execution_event::Event};
use crate::pb::plan::v1::FailurePolicy;

/// Acyclic by making: a step waits only for steps that were made before it.
fn any_steps() -> impl Strategy<Value = Vec<Step>> {
    let one = (any::<u8>(), 0usize..3, 0usize..4, any::<bool>());
    prop::collection::vec(one, 1..7).prop_map(|made| {
        let steps = made.iter().enumerate().map(|(index, (mask, policy, kind, idempotent))| {
            let after: Vec<String> =
                (0..index).filter(|before| mask >> before & 1 == 1).map(|before| format!("s{before}")).collect();
            let after: Vec<&str> = after.iter().map(String::as_str).collect();
            let id = format!("s{index}");
            let policy = [FailurePolicy::Stop, FailurePolicy::Continue, FailurePolicy::Undo][*policy];
            let step = match kind {
                0 => planned(&id, &after, manual(Role::Operator)),
                1 => undoable(&id, &after, policy),
                2 => planned(&id, &after, wait()),
                _ => step(&id, &after),
            };
            Step { on_failure: policy.into(), idempotent: *idempotent, ..step }
        });
        steps.collect()
    })
}

fn olga() -> Actor {
    Actor { kind: ActorKind::Person.into(), roles: vec![Role::Operator.into()], ..Actor::default() }
}

/// One thing that somebody does; most of them are refused at most times.
fn attempt(execution: &Execution, op: u8, who: &str, step: usize, again: bool) -> Option<ExecutionEvent> {
    let ids: Vec<String> =
        execution.view.steps.iter().chain(&execution.view.undo_steps).map(|step| id_of(step).to_owned()).collect();
    let id = ids.get(step % ids.len().max(1)).cloned().unwrap_or_default();
    match op {
        0..=3 => claim_step(execution, who, &id, again, now()).ok(),
        4..=6 => finish_step(execution, who, &id, "", BTreeMap::new(), false, now()).ok().flatten(),
        7 => fail_step(execution, who, &id, "x", now()).ok().flatten(),
        8 => take_over(execution, who, "", now()).ok().flatten(),
        9 => request_pause(execution, &olga(), "why", now()).ok().flatten(),
        10 => resume(execution, &olga(), "", now()).ok().flatten(),
        11 => ask_person(execution, who, &id, now()).ok().flatten(),
        12 => decide_manual(execution, &olga(), &id, again, "note", now()).ok().flatten(),
        13 => begin_undo(execution, who, now()).ok().flatten(),
        14 if again => request_stop(execution, &olga(), "why", now()).ok().flatten(),
        15 if again => fail(execution, who, Default::default()).ok().flatten(),
        _ => {
            let passed = Check { name: "c".into(), outcome: CheckOutcome::Passed.into(), ..Default::default() };
            let open = execution.view.prechecks.is_empty();
            open.then(|| record_checks(execution, who, CheckPhase::Before, vec![passed], now()).ok().flatten())
                .flatten()
        }
    }
}

fn done_or_tolerated(execution: &Execution, id: &str) -> bool {
    execution.step(id).is_some_and(|step| matches!(step.state(), StepState::Succeeded | StepState::Tolerated))
}

proptest! {
    #[test]
    fn claims_keep_the_order_and_nothing_is_claimed_after_a_stop_a_pause_or_an_end(
        steps in any_steps(),
        ops in prop::collection::vec((0u8..17, 0usize..2, 0usize..12, any::<bool>()), 1..120),
    ) {
        let is_linear = steps.iter().all(|step| step.after.is_empty());
        let mut execution = ready(steps.clone());
        let mut log: Vec<ExecutionEvent> = Vec::new();
        let mut claims: BTreeSet<(String, u32)> = BTreeSet::new();
        for (op, who, step, again) in ops {
            let Some(event) = attempt(&execution, op, ["one", "two"][who], step, again) else { continue };
            if let Some(Event::StepClaimed(claimed)) = &event.event {
                prop_assert!(execution.is_running() && execution.prechecks_passed());
                prop_assert!(execution.view.stop_requested.is_none() && execution.view.paused.is_none());
                prop_assert_eq!(&execution.executor, &claimed.executor);
                prop_assert!(claims.insert((claimed.step.clone(), claimed.attempt)), "an attempt was claimed twice");
                let running = execution.step(&claimed.step).unwrap().state() == StepState::Running;
                prop_assert!(!running || again, "a claim without an outcome was repeated without a look");
                if let Some(index) = steps.iter().position(|step| step.id == claimed.step) {
                    prop_assert!(execution.view.undo.is_none());
                    for before in &steps[index].after {
                        prop_assert!(done_or_tolerated(&execution, before), "{} before {}", claimed.step, before);
                    }
                    if is_linear {
                        prop_assert!(steps[..index].iter().all(|step| done_or_tolerated(&execution, &step.id)));
                    }
                    let other = execution.view.steps.iter().any(|step| step.state() == StepState::Failed);
                    prop_assert!(!other, "something was begun after a failure");
                }
            }
            execution.evolve(&event);
            log.push(event);
        }
        // A run that is under way always has something to do, or somebody to wait for; one that ended has nothing.
        prop_assert_eq!(next(&execution).is_empty(), !execution.is_running());
        // What comes next follows from the log alone, from any prefix of it.
        for length in 0..=log.len() {
            let (mut one, mut other) = (ready(steps.clone()), ready(steps.clone()));
            for event in &log[..length] {
                one.evolve(event);
                other.evolve(event);
            }
            prop_assert_eq!(next(&one), next(&other));
        }
    }

    /// An executor that does just what comes next reaches an end, whatever fails and whoever decides.
    #[test]
    fn every_run_comes_to_an_end(steps in any_steps(), fates in prop::collection::vec(any::<bool>(), 64)) {
        let mut execution = ready(steps);
        let mut fates = fates.into_iter().cycle();
        for _ in 0..200 {
            let Some(first) = next(&execution).first().cloned() else { break };
            let ok = fates.next().unwrap_or(true);
            let event = match first {
                Next::Run(step) => claim_step(&execution, "one", id_of(step), false, now()).ok(),
                Next::Settle(step) if manual_step(step) => ask_person(&execution, "one", id_of(step), now()).unwrap(),
                Next::Settle(step) if ok => finish_step(&execution, "one", id_of(step), "", BTreeMap::new(), false, now()).unwrap(),
                Next::Settle(step) => fail_step(&execution, "one", id_of(step), "x", now()).unwrap(),
                Next::AwaitPerson(step) => decide_manual(&execution, &olga(), id_of(step), ok, "note", now()).unwrap(),
                Next::BeginUndo(_) => begin_undo(&execution, "one", now()).unwrap(),
                Next::EndFailedStep(_) => fail(&execution, "one", Default::default()).unwrap(),
                Next::MarkAfter => record_markers(&execution, "one", CheckPhase::After, vec![], vec![]).unwrap(),
                Next::Postcheck => {
                    let passed = Check { name: "c".into(), outcome: CheckOutcome::Passed.into(), ..Default::default() };
                    record_checks(&execution, "one", CheckPhase::After, vec![passed], now()).unwrap()
                }
                Next::Succeed => succeed(&execution, "one", Default::default()).unwrap(),
                other => { prop_assert!(false, "{other:?}"); None }
            };
            prop_assert!(event.is_some(), "what comes next can be written down");
            execution.evolve(&event.unwrap());
        }
        prop_assert!(!execution.is_running());
        if execution.view.state() == ExecutionState::Succeeded {
            prop_assert!(execution.view.steps.iter().all(|step| done_or_tolerated(&execution, id_of(step))));
        }
    }
}

fn manual_step(step: &StepView) -> bool {
    let definition = step.step.as_ref().and_then(|step| step.definition.as_ref());
    let kind = definition.and_then(|definition| definition.action.as_ref()?.kind.as_ref());
    matches!(kind, Some(crate::pb::plan::v1::action::Kind::Manual(_)))
}
