//! What people say to a run: pause, go on, a manual step is done, and that they looked after a failover.

use jiff::SignedDuration;

use super::super::*;
use super::given::*;
use crate::aggregate::Aggregate;
use crate::pb::common::v1::{Actor, ActorKind, Role};
use crate::pb::plan::v1::ManualAction;

fn person(role: Role) -> Actor {
    Actor { id: "i|s".into(), kind: ActorKind::Person.into(), roles: vec![role.into()], ..Actor::default() }
}

#[test]
fn while_paused_nothing_is_claimed_and_what_is_under_way_comes_to_its_end() {
    let olga = person(Role::Operator);
    let mut execution = ready(vec![step("a", &[]), step("b", &[]), step("c", &["a", "b"])]);
    claim(&mut execution, "a");
    execution.evolve(&request_pause(&execution, &olga, "why", now()).unwrap().unwrap());
    assert!(request_pause(&execution, &olga, "again", now()).unwrap().is_none());
    assert_eq!(claim_step(&execution, "one", "b", false, now()), Err(ClaimRefused::Paused));
    assert_eq!(claim_step(&execution, "one", "a", true, now()), Err(ClaimRefused::Paused));
    assert_eq!(can(&execution), ["settle a", "AwaitResume"]);
    finish(&mut execution, "a", &[]);
    execution.evolve(&resume(&execution, &olga, "", now()).unwrap().unwrap());
    assert_eq!(can(&execution), ["run b"]);
    assert!(execution.prechecks_passed(), "it was begun: the checks are not made again in the middle");
}

#[test]
fn a_pause_before_the_first_step_makes_the_checks_anew() {
    let olga = person(Role::Operator);
    let mut execution = ready(vec![step("a", &[])]);
    execution.evolve(&request_pause(&execution, &olga, "why", now()).unwrap().unwrap());
    execution.evolve(&resume(&execution, &olga, "", now()).unwrap().unwrap());
    assert_eq!(can(&execution), ["Precheck"]);
    assert!(!execution.marked_before);
}

#[test]
fn a_stop_is_final_and_no_pause_and_no_resume_comes_after_it() {
    let olga = person(Role::Operator);
    let mut execution = ready(vec![step("a", &[]), step("b", &[])]);
    execution.evolve(&request_pause(&execution, &olga, "why", now()).unwrap().unwrap());
    execution.evolve(&request_stop(&execution, &olga, "why", now()).unwrap().unwrap());
    for refused in [request_pause(&execution, &olga, "x", now()), resume(&execution, &olga, "", now())] {
        assert_eq!(refused.unwrap_err().code, "EXECUTION_STOPPING");
    }
    assert_eq!(can(&execution), ["stop before a"]);
}

#[test]
fn a_manual_step_waits_for_a_person_of_its_role() {
    let mut execution = ready(vec![planned("call", &[], manual(Role::ApproverIt)), step("move", &["call"])]);
    let ingo = person(Role::ApproverIt);
    let code = |execution: &Execution, actor: &Actor| {
        decide_manual(execution, actor, "call", true, "done", now()).unwrap_err().code
    };
    assert_eq!(code(&execution, &ingo), "STEP_NOT_WAITING");
    claim(&mut execution, "call");
    let asked = ask_person(&execution, "one", "call", now()).unwrap().unwrap();
    execution.evolve(&asked);
    assert!(ask_person(&execution, "one", "call", now()).unwrap().is_none());
    assert_eq!(can(&execution), ["await call"]);
    assert_eq!(code(&execution, &person(Role::Operator)), "MANUAL_STEP_ROLE");
    let machine = Actor { kind: ActorKind::Machine.into(), ..ingo.clone() };
    assert_eq!(code(&execution, &machine), "MANUAL_STEP_ROLE");
    assert_eq!(decide_manual(&execution, &ingo, "call", true, " ", now()).unwrap_err().field, "note");

    let mut refused = execution.clone();
    refused.evolve(&decide_manual(&refused, &ingo, "call", false, "nobody answers", now()).unwrap().unwrap());
    assert_eq!(can(&refused), ["fail at call"]);
    let mut late = execution.clone();
    late.evolve(&fail_step(&late, "one", "call", "too late", now()).unwrap().unwrap());
    assert_eq!(code(&late, &ingo), "STEP_NOT_WAITING");
    execution.evolve(&decide_manual(&execution, &ingo, "call", true, "called", now()).unwrap().unwrap());
    assert_eq!(can(&execution), ["run move"]);
}

#[test]
fn a_viewer_confirms_nothing_whatever_the_plan_says() {
    for named in [Role::Viewer, Role::Unspecified] {
        let action = ManualAction { role: named.into(), ..ManualAction::default() };
        assert_eq!(manual_role(Some(&action)), Role::Operator);
    }
    assert_eq!(manual_role(None), Role::Operator);
}

#[test]
fn a_note_belongs_to_the_run_or_to_one_of_its_steps() {
    let olga = person(Role::Operator);
    let execution = ready(vec![step("a", &[])]);
    assert!(note(&execution, &olga, "a", "slow", now()).unwrap().is_some());
    assert!(note(&execution, &olga, "", "slow", now()).unwrap().is_some());
    assert_eq!(note(&execution, &olga, "b", "slow", now()).unwrap_err().field, "step");
    assert_eq!(note(&execution, &olga, "", "", now()).unwrap_err().field, "text");
}

#[test]
fn after_a_failover_nothing_is_reserved_until_somebody_looked_or_the_time_is_over() {
    let olga = person(Role::Operator);
    let mut held = Reservation::default();
    assert!(begin_cool_down(&held, "db", "r1", None, now()).is_none(), "only by who holds it");
    held.evolve(&reserve(&held, "db", "r1", now()).unwrap().unwrap());
    held.evolve(&begin_cool_down(&held, "db", "r1", Some(SignedDuration::from_mins(10)), now()).unwrap());
    assert!(begin_cool_down(&held, "db", "r1", None, now()).is_none(), "once");
    held.evolve(&release(&held, "db", "r1").unwrap());
    let refused = reserve(&held, "db", "r2", now()).unwrap_err();
    assert_eq!(refused.code, "COOL_DOWN");
    assert!(refused.value.contains("r1") && refused.next_action.contains("cooldown acknowledge"));
    assert!(reserve(&held, "db", "r2", now() + SignedDuration::from_mins(10)).unwrap().is_some());
    assert_eq!(acknowledge_cool_down(&held, "db", &olga, "", now()).unwrap_err().field, "note");
    held.evolve(&acknowledge_cool_down(&held, "db", &olga, "looked", now()).unwrap().unwrap());
    assert!(reserve(&held, "db", "r2", now()).unwrap().is_some());
    assert_eq!(acknowledge_cool_down(&held, "db", &olga, "x", now()).unwrap_err().code, "NO_COOL_DOWN");
}
