//! A run without an order between its steps: one after the other, as every run was before plans.

use std::collections::BTreeMap;

use jiff::Timestamp;
use proptest::prelude::*;

use super::super::*;
use crate::aggregate::Aggregate;
use crate::pb::common::v1::Actor;
use crate::pb::execution::v1::{Check, ExecutionStarted, ExecutionStopped, ExecutionSucceeded, Step};

fn now() -> Timestamp {
    Timestamp::from_second(1_790_000_000).unwrap()
}

fn check(outcome: CheckOutcome) -> Check {
    Check { name: "c".into(), outcome: outcome.into(), ..Default::default() }
}

fn begun() -> Execution {
    let steps = ["stop", "promote"].map(|id| Step { id: id.into(), ..Default::default() }).to_vec();
    let started = ExecutionStarted { request_id: "r".into(), executor: "one".into(), steps, ..Default::default() };
    let mut execution = Execution::default();
    let event = start(&execution, Begin { started }).unwrap().unwrap();
    execution.evolve(&event);
    execution
}

fn ready() -> Execution {
    let mut execution = begun();
    let event = record_checks(&execution, "one", CheckPhase::Before, vec![check(CheckOutcome::Passed)], now());
    execution.evolve(&event.unwrap().unwrap());
    execution
}

fn claim(execution: &mut Execution, executor: &str, step: &str) {
    let event = claim_step(execution, executor, step, false, now()).unwrap();
    execution.evolve(&event);
}

fn mark(execution: &mut Execution, phase: CheckPhase) {
    let event = record_markers(execution, "one", phase, vec![], vec!["db-b: no answer".into()]).unwrap().unwrap();
    execution.evolve(&event);
}

fn done(execution: &mut Execution, executor: &str, step: &str) {
    let event = finish_step(execution, executor, step, "", BTreeMap::new(), false, now()).unwrap().unwrap();
    execution.evolve(&event);
}

#[test]
fn what_comes_next_follows_from_the_log() {
    assert_eq!(next(&Execution::default()), []);
    let mut execution = begun();
    assert_eq!(next(&execution), [Next::Precheck]);
    let mut unready = execution.clone();
    let event = record_checks(&unready, "one", CheckPhase::Before, vec![check(CheckOutcome::Unknown)], now());
    unready.evolve(&event.unwrap().unwrap());
    assert!(matches!(&next(&unready)[..], [Next::EndUnready(checks)] if checks.len() == 1));
    execution = ready();
    assert_eq!(next(&execution), [Next::MarkBefore]);
    mark(&mut execution, CheckPhase::Before);
    assert!(matches!(next(&execution)[..], [Next::Run(_)]));
    claim(&mut execution, "one", "stop");
    assert!(matches!(next(&execution)[..], [Next::Settle(_)]));
    done(&mut execution, "one", "stop");
    claim(&mut execution, "one", "promote");
    done(&mut execution, "one", "promote");
    assert_eq!(next(&execution), [Next::MarkAfter]);
    mark(&mut execution, CheckPhase::After);
    assert_eq!(next(&execution), [Next::Postcheck]);
    let event = record_checks(&execution, "one", CheckPhase::After, vec![check(CheckOutcome::Passed)], now());
    execution.evolve(&event.unwrap().unwrap());
    assert_eq!(next(&execution), [Next::Succeed]);
    assert_eq!(execution.postchecked_at, Some(now()));
}

#[test]
fn a_stop_waits_for_the_claimed_step_and_for_no_other() {
    let mut execution = ready();
    mark(&mut execution, CheckPhase::Before);
    claim(&mut execution, "one", "stop");
    let event = request_stop(&execution, &Default::default(), "why", now()).unwrap().unwrap();
    execution.evolve(&event);
    assert!(matches!(next(&execution)[..], [Next::Settle(_)]));
    done(&mut execution, "one", "stop");
    assert!(matches!(next(&execution)[..], [Next::EndStopped(step)] if step.step.as_ref().unwrap().id == "promote"));
}

#[test]
fn a_run_without_a_plan_begins_and_never_succeeds() {
    let started = ExecutionStarted { request_id: "r".into(), executor: "one".into(), ..Default::default() };
    let mut execution = Execution::default();
    let event = start(&execution, Begin { started }).unwrap().unwrap();
    execution.evolve(&event);
    assert_eq!(next(&execution), [Next::EndUnplanned]);
    let event = record_checks(&execution, "one", CheckPhase::After, vec![check(CheckOutcome::Passed)], now());
    execution.evolve(&event.unwrap().unwrap());
    assert_eq!(succeed(&execution, "one", ExecutionSucceeded::default()).unwrap_err().code, "PLAN_EMPTY");
}

#[test]
fn no_step_before_the_prechecks_passed() {
    let mut execution = begun();
    assert!(matches!(claim_step(&execution, "one", "stop", false, now()), Err(ClaimRefused::NotNext(_))));
    for outcome in [CheckOutcome::Failed, CheckOutcome::Unknown, CheckOutcome::Unspecified] {
        let event = record_checks(
            &execution,
            "one",
            CheckPhase::Before,
            vec![check(CheckOutcome::Passed), check(outcome)],
            now(),
        );
        execution.evolve(&event.unwrap().unwrap());
        assert!(
            matches!(claim_step(&execution, "one", "stop", false, now()), Err(ClaimRefused::NotNext(_))),
            "{outcome:?}"
        );
    }
}

#[test]
fn a_step_is_claimed_once_and_in_order() {
    let mut execution = ready();
    assert!(matches!(claim_step(&execution, "one", "promote", false, now()), Err(ClaimRefused::NotNext(_))));
    claim(&mut execution, "one", "stop");
    assert_eq!(claim_step(&execution, "one", "stop", false, now()), Err(ClaimRefused::OutcomeUnknown { attempt: 1 }));
    done(&mut execution, "one", "stop");
    assert!(finish_step(&execution, "one", "stop", "", BTreeMap::new(), false, now()).is_err());
    claim(&mut execution, "one", "promote");
    let failed = fail_step(&execution, "one", "promote", "no", now()).unwrap().unwrap();
    execution.evolve(&failed);
    assert!(matches!(claim_step(&execution, "one", "promote", true, now()), Err(ClaimRefused::NotNext(_))));
}

#[test]
fn after_a_takeover_the_old_executor_writes_nothing() {
    let mut execution = ready();
    claim(&mut execution, "one", "stop");
    let event = take_over(&execution, "two", "it was silent", now()).unwrap().unwrap();
    execution.evolve(&event);
    assert_eq!(
        finish_step(&execution, "one", "stop", "", BTreeMap::new(), false, now()).unwrap_err().code,
        "EXECUTOR_REPLACED"
    );
    assert_eq!(claim_step(&execution, "one", "stop", true, now()), Err(ClaimRefused::NotOwner("two".into())));
    assert!(fail(&execution, "one", Default::default()).is_err());
    let gives_up = |executor: &str| give_up(&execution, executor, &Actor::default(), "nobody can tell", now());
    assert_eq!(gives_up("one").unwrap_err().code, "EXECUTOR_REPLACED", "a run that others go on with is not stopped");
    assert!(gives_up("two").unwrap().is_some());
    done(&mut execution, "two", "stop");
}

#[test]
fn a_stop_is_final_for_the_steps_that_follow() {
    let mut execution = ready();
    claim(&mut execution, "one", "stop");
    let actor = Actor::default();
    assert_eq!(request_stop(&execution, &actor, "", now()).unwrap_err().field, "reason");
    let event = request_stop(&execution, &actor, "wrong window", now()).unwrap().unwrap();
    execution.evolve(&event);
    assert!(request_stop(&execution, &actor, "again", now()).unwrap().is_none());
    done(&mut execution, "one", "stop");
    assert_eq!(claim_step(&execution, "one", "promote", false, now()), Err(ClaimRefused::StopRequested));
    let event = stop(&execution, "one", ExecutionStopped::default()).unwrap().unwrap();
    execution.evolve(&event);
    assert!(matches!(claim_step(&execution, "one", "promote", false, now()), Err(ClaimRefused::NotNext(_))));
}

#[test]
fn success_needs_every_step_and_every_postcheck() {
    let mut execution = ready();
    assert_eq!(succeed(&execution, "one", ExecutionSucceeded::default()).unwrap_err().code, "STEPS_OPEN");
    for step in ["stop", "promote"] {
        claim(&mut execution, "one", step);
        done(&mut execution, "one", step);
    }
    assert_eq!(succeed(&execution, "one", ExecutionSucceeded::default()).unwrap_err().code, "POSTCHECKS_OPEN");
    let advisory = Check { advisory: true, ..check(CheckOutcome::Failed) };
    let event = record_checks(&execution, "one", CheckPhase::After, vec![advisory, check(CheckOutcome::Passed)], now());
    execution.evolve(&event.unwrap().unwrap());
    let event = succeed(&execution, "one", ExecutionSucceeded::default()).unwrap().unwrap();
    execution.evolve(&event);
    assert_eq!(execution.view.state(), ExecutionState::Succeeded);
    assert!(stop(&execution, "one", ExecutionStopped::default()).is_err());
}

#[test]
fn a_resource_is_held_by_one_request_at_a_time() {
    let mut reservation = Reservation::default();
    reservation.evolve(&reserve(&reservation, "db", "r1", now()).unwrap().unwrap());
    assert!(reserve(&reservation, "db", "r1", now()).unwrap().is_none());
    assert_eq!(reserve(&reservation, "db", "r2", now()).unwrap_err().code, "RESOURCE_BUSY");
    assert!(release(&reservation, "db", "r2").is_none());
    reservation.evolve(&release(&reservation, "db", "r1").unwrap());
    assert!(reserve(&reservation, "db", "r2", now()).unwrap().is_some());
}

proptest! {
    /// Two executors doing anything in any order: a step's effect is never claimed by both without a
    /// takeover and a probe in between, and never after a stop or an end.
    #[test]
    fn claims_never_overlap(ops in prop::collection::vec((0u8..7, 0usize..2, any::<bool>()), 1..60)) {
        let mut execution = ready();
        let names = ["one", "two"];
        let mut holder: Option<&str> = None;
        for (op, who, again) in ops {
            let me = names[who];
            let step = execution.next_step().and_then(|s| s.step.clone()).map(|s| s.id).unwrap_or_default();
            let event = match op {
                0 | 1 => {
                    let claimed = claim_step(&execution, me, &step, again, now()).ok();
                    if claimed.is_some() {
                        prop_assert!(execution.view.stop_requested.is_none() && execution.is_running());
                        prop_assert_eq!(&execution.executor, me);
                        if !again { prop_assert!(holder.is_none()); }
                        holder = Some(me);
                    }
                    claimed
                }
                2 => finish_step(&execution, me, &step, "", BTreeMap::new(), false, now()).ok().flatten().inspect(|_| holder = None),
                3 => fail_step(&execution, me, &step, "x", now()).ok().flatten().inspect(|_| holder = None),
                4 => take_over(&execution, me, "", now()).ok().flatten(),
                5 if again => request_stop(&execution, &Default::default(), "why", now()).ok().flatten(),
                _ => None,
            };
            if let Some(event) = event {
                execution.evolve(&event);
            }
        }
    }
}
