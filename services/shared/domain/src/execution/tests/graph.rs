//! Steps side by side, each after what it waits for.

use super::super::*;
use super::given::*;
use crate::aggregate::Aggregate;
use crate::pb::execution::v1::{DrillCopy, ExecutionStarted, IntegrityResult, Step};
use crate::pb::plan::v1::FailurePolicy;

#[test]
fn what_waits_for_nothing_begins_side_by_side_and_what_waits_begins_after_all_of_it() {
    let mut execution = ready(vec![step("a", &[]), step("b", &[]), step("c", &["a", "b"]), step("d", &["a"])]);
    assert_eq!(can(&execution), ["run a", "run b"]);
    claim(&mut execution, "a");
    assert_eq!(can(&execution), ["settle a", "run b"]);
    assert!(matches!(claim_step(&execution, "one", "c", false, now()), Err(ClaimRefused::NotNext(_))));
    finish(&mut execution, "a", &[]);
    claim(&mut execution, "b");
    assert_eq!(can(&execution), ["settle b", "run d"]);
    finish(&mut execution, "b", &[]);
    assert_eq!(can(&execution), ["run c", "run d"]);
}

#[test]
fn a_failure_lets_what_is_under_way_come_to_its_end_and_begins_nothing() {
    let mut execution = ready(vec![step("a", &[]), step("b", &[]), step("c", &["a"])]);
    claim(&mut execution, "a");
    fails(&mut execution, "b");
    assert_eq!(can(&execution), ["settle a"]);
    finish(&mut execution, "a", &[]);
    assert!(matches!(claim_step(&execution, "one", "c", false, now()), Err(ClaimRefused::NotNext(_))));
    assert_eq!(can(&execution), ["fail at b"]);
}

#[test]
fn what_may_fail_is_noted_and_what_comes_after_it_goes_on() {
    let tolerant = Step { on_failure: FailurePolicy::Continue.into(), ..step("a", &[]) };
    let mut execution = ready(vec![tolerant, step("b", &["a"])]);
    fails(&mut execution, "a");
    assert_eq!(execution.step("a").unwrap().state(), StepState::Tolerated);
    done(&mut execution, "b");
    assert_eq!(can(&execution), ["MarkAfter"]);
}

#[test]
fn an_order_that_cannot_be_followed_is_no_run() {
    let code = |steps: Vec<Step>| {
        let started = ExecutionStarted { steps, ..Default::default() };
        start(&Execution::default(), Begin { started }).unwrap_err().code
    };
    assert_eq!(code(vec![step("a", &["b"]), step("b", &["a"])]), "PLAN_BROKEN");
    assert_eq!(code(vec![step("a", &["gone"])]), "PLAN_BROKEN");
    assert_eq!(code(vec![step("a", &[]), step("a", &[])]), "PLAN_BROKEN");
    assert_eq!(code(vec![step("", &[])]), "PLAN_BROKEN");
}

#[test]
fn two_moves_of_one_run_keep_their_facts_apart() {
    let mut execution = ready(vec![step("over/stop", &[]), step("back/stop", &["over/stop"])]);
    claim(&mut execution, "over/stop");
    finish(&mut execution, "over/stop", &[("lsn", "1")]);
    claim(&mut execution, "back/stop");
    finish(&mut execution, "back/stop", &[("lsn", "2")]);
    assert_eq!(execution.facts_of("over")["lsn"], "1");
    assert_eq!(execution.facts_of("back")["lsn"], "2");
    assert!(execution.facts_of("other").is_empty());
}

#[test]
fn the_newest_account_of_a_copy_and_of_an_answer_holds() {
    let mut execution = ready(vec![step("a", &[])]);
    for source in ["first", "second"] {
        let copy = DrillCopy { resource: "db".into(), source: source.into(), ..Default::default() };
        let event = record_copy(&execution, "one", copy).unwrap().unwrap();
        execution.evolve(&event);
        let answer =
            IntegrityResult { resource: "db".into(), name: "rows".into(), node: source.into(), ..Default::default() };
        let event = record_integrity(&execution, "one", CheckPhase::Before, vec![answer]).unwrap().unwrap();
        execution.evolve(&event);
    }
    assert_eq!(execution.view.copies.len(), 1);
    assert_eq!(execution.view.copies[0].source, "second");
    assert_eq!(execution.view.integrity.len(), 1);
    assert_eq!(execution.view.integrity[0].node, "second");
    assert!(record_integrity(&execution, "one", CheckPhase::Before, vec![]).unwrap().is_none());
}
