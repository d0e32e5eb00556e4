//! The rules of requests and runs, in every order that people, processes and the network can bring about, within
//! bounds. docs/adr/0007-model.md says what is modelled and what is not.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test panics to fail")]

mod deeds;
mod flaws;
mod glue;
mod group;
mod logs;
mod properties;
mod servers;
mod state;
mod transitions;
mod world;

use std::{fmt::Debug, hash::Hash, time::Instant};

use muster_domain::{
    gate::Gate,
    pb::{plan::v1::FailurePolicy, request::v1::RequestType},
};
use stateright::{Checker, HasDiscoveries, Model};

use crate::{
    flaws::Flaw,
    properties::{
        AFTER_ITS_END, ALONE, APPROVED, BY_A_DEPUTY, BY_A_PERSON, BY_HAND, BY_LOGIN, CHANGE_FAILS, COMES_TO_AN_END,
        DEPUTY, DIFFERENT_PEOPLE, END_IS_FINAL, FORGERY_FAILS, GATE_BY_TWO, GATE_CLOSED, IN_ORDER, IN_THE_QUIET,
        LAPSED, LET_PASS, LOOKED_AT, NO_LOGIN_FAILS, NO_RETURN, NOBODY_ANSWERS, NOT_KNOWN, ONCE, ONE_AFTER_THE_OTHER,
        OVERDUE, OVERRIDDEN, OVERRIDE_FAILS, OWNER_ONLY, PEOPLE_ACT, QUIET, RACED, RESPONSIBLE, REVIEW_OWED, REVIEWED,
        ROLLED_BACK, SAID_NO, STOP_IS_FINAL, STOPPED_MIDWAY, SUCCEEDS, SUCCEEDS_AFTER_PAUSE, SUCCEEDS_AFTER_TAKEOVER,
        TAKEN_BACK, TOLERATED, TOO_LATE_FOR_A_DEPUTY,
    },
    state::{Budget, Scenario},
    world::{Ask, Begins, FREE_DISK, HIGH, LOW, SAME_SYSTEM, Shape, lowered},
};

/// Checks every property in every state, and that each of `seen` happens.
fn holds<M>(name: &str, model: M, seen: &[&str])
where
    M: Model + Send + Sync + 'static,
    M::State: Clone + Debug + Hash + PartialEq + Send + Sync + 'static,
    M::Action: Debug + Clone + PartialEq + Send + Sync,
{
    let begun = Instant::now();
    let properties = model.properties();
    let checker = model.checker().threads(2).spawn_dfs().join();
    println!(
        "{name}: {} states, {} steps between them, {:.1} s",
        checker.unique_state_count(),
        checker.state_count(),
        begun.elapsed().as_secs_f64()
    );
    assert!(checker.is_done(), "not every state was looked at");
    let found = checker.discoveries();
    for property in &properties {
        let is_example = property.expectation == stateright::Expectation::Sometimes;
        if let Some(path) = found.get(property.name).filter(|_| !is_example) {
            panic!("{name}: {} does not hold:\n{}", property.name, told(&path.clone().into_actions()));
        }
    }
    for name in seen {
        let is_known = properties.iter().any(|property| property.name == *name);
        assert!(is_known && found.contains_key(name), "never seen: {name}");
    }
}

/// With the flaw, a shortest way to a state in which the property does not hold.
fn noticed<M>(flaw: &str, model: M, property: &'static str)
where
    M: Model + Send + Sync + 'static,
    M::State: Clone + Debug + Hash + PartialEq + Send + Sync + 'static,
    M::Action: Debug + Clone + PartialEq + Send + Sync,
{
    let begun = Instant::now();
    let wanted = HasDiscoveries::AllOf([property].into());
    let checker = model.checker().finish_when(wanted).spawn_bfs().join();
    let found = checker.discovery(property);
    let actions = found.map(|path| path.into_actions()).unwrap_or_default();
    println!(
        "{flaw} breaks \"{property}\" ({} states, {:.1} s):\n{}",
        checker.unique_state_count(),
        begun.elapsed().as_secs_f64(),
        told(&actions)
    );
    assert!(!actions.is_empty(), "{flaw} goes unnoticed: no counterexample to \"{property}\"");
}

fn breaks(flaw: Flaw, scenario: Scenario, property: &'static str) {
    noticed(&format!("{flaw:?}"), Scenario { flaw: Some(flaw), ..scenario }, property);
}

/// For reading a counterexample.
fn told(actions: &[impl Debug]) -> String {
    actions.iter().map(|action| format!("  {action:?}\n")).collect()
}

const OPENED: Ask = Ask::of(RequestType::Switchover, Begins::Opened);
const CONFIRMED: Ask = Ask::of(RequestType::Switchover, Begins::Confirmed);

fn approvals() -> Scenario {
    let budget = Budget { delays: 1, plan_changes: 1, hours: 2, forgeries: 1, ..Budget::default() };
    Scenario::new(&[OPENED], HIGH, 1, budget)
}

fn broken_glass() -> Scenario {
    let budget = Budget { delays: 1, hours: 2, forgeries: 1, ..Budget::default() };
    Scenario::new(&[Ask { breaks_glass: true, ..OPENED }], HIGH, 1, budget)
}

/// Each yes takes a login made for it. Somebody who got at the log writes one without.
fn logins() -> Scenario {
    let budget = Budget { delays: 1, hours: 1, forgeries: 1, ..Budget::default() };
    Scenario { step_up: true, ..Scenario::new(&[OPENED], HIGH, 1, budget) }
}

/// A check of the target says no.
fn said_no(check: &'static str) -> Scenario {
    let forgeries = u8::from(check == SAME_SYSTEM);
    let budget = Budget { delays: 1, crashes: 1, forgeries, ..Budget::default() };
    Scenario { failing: Some(check), ..Scenario::new(&[OPENED], LOW, 1, budget) }
}

/// Ada is away, and three people may decide for her as far as the delegations go.
fn deputies() -> Scenario {
    let budget = Budget { delays: 1, hours: 1, returns: 1, ..Budget::default() };
    Scenario { ada_is_away: true, ..Scenario::new(&[OPENED], HIGH, 1, budget) }
}

/// The gate of readiness drills is changed while one is asked for, started and checked.
fn gates() -> Scenario {
    const ASKS: &[Ask] = &[Ask::of(RequestType::ReadinessDrill, Begins::Later)];
    let budget = Budget { proposals: 2, delays: 1, ..Budget::default() };
    Scenario::new(ASKS, HIGH, 1, budget)
}

/// A failover and a switchover that both wait for the one resource.
fn failover_and_after() -> Scenario {
    const ASKS: &[Ask] = &[Ask::of(RequestType::Failover, Begins::Confirmed), CONFIRMED];
    let budget = Budget { crashes: 1, delays: 1, failures: 1, ..Budget::default() };
    Scenario::new(ASKS, HIGH, 1, budget)
}

/// A move that its gate let pass, or that was approved, and the request to take it back.
fn rollback(gate: Gate) -> Scenario {
    const BACK: Ask = Ask { takes_back: Some(0), ..Ask::of(RequestType::Rollback, Begins::Later) };
    let budget = Budget { crashes: 1, plan_changes: 1, ..Budget::default() };
    Scenario { gate, ..Scenario::new(&[CONFIRMED, BACK], LOW, 2, budget) }
}

/// One run whose approvals are past.
fn run(steps: usize, budget: Budget) -> Scenario {
    Scenario::new(&[CONFIRMED], HIGH, steps, budget)
}

/// `dns` takes everything back when it fails.
fn undone_run() -> Scenario {
    let budget = Budget { takeovers: 1, delays: 1, failures: 1, ..Budget::default() };
    let scenario = run(3, budget);
    Scenario { shape: Shape { dns_fails: FailurePolicy::Undo, ..scenario.shape }, ..scenario }
}

/// An operator turns `dns` by hand.
fn run_by_hand(budget: Budget) -> Scenario {
    let scenario = run(3, budget);
    Scenario { shape: Shape { dns_is_manual: true, dns_fails: FailurePolicy::Stop }, ..scenario }
}

fn two_runs() -> Scenario {
    let budget = Budget { crashes: 1, takeovers: 1, delays: 1, ..Budget::default() };
    Scenario::new(&[CONFIRMED, CONFIRMED], HIGH, 1, budget)
}

#[test]
fn approvals_hold() {
    holds("approvals", approvals(), &[SUCCEEDS, LAPSED, FORGERY_FAILS, CHANGE_FAILS]);
}

#[test]
fn a_broken_glass_holds() {
    holds("broken glass", broken_glass(), &[SUCCEEDS, REVIEWED, OVERDUE, LAPSED]);
}

#[test]
fn an_interrupted_run_holds() {
    let budget = Budget { crashes: 1, failures: 1, stops: 1, ..Budget::default() };
    let seen = [SUCCEEDS, SUCCEEDS_AFTER_TAKEOVER, STOPPED_MIDWAY, NOT_KNOWN, TOLERATED];
    holds("interrupted run", run(4, budget), &seen);
}

/// The lease is lost while the process only sleeps: it wakes up with what it had under way.
#[test]
fn a_run_with_a_sleeper_holds() {
    let budget = Budget { takeovers: 1, failures: 1, stops: 1, ..Budget::default() };
    let seen = [SUCCEEDS_AFTER_TAKEOVER, STOPPED_MIDWAY, NOT_KNOWN, TOLERATED];
    holds("run with a sleeper", run(4, budget), &seen);
}

#[test]
fn a_raced_run_holds() {
    let budget = Budget { takeovers: 1, delays: 1, stops: 1, ..Budget::default() };
    holds("raced run", run(3, budget), &[SUCCEEDS, SUCCEEDS_AFTER_TAKEOVER, STOPPED_MIDWAY, RACED]);
}

#[test]
fn a_paused_run_holds() {
    let budget = Budget { takeovers: 1, stops: 1, pauses: 1, ..Budget::default() };
    holds("paused run", run(4, budget), &[SUCCEEDS_AFTER_PAUSE, SUCCEEDS_AFTER_TAKEOVER, STOPPED_MIDWAY]);
}

#[test]
fn an_undone_run_holds() {
    holds("undone run", undone_run(), &[SUCCEEDS, SUCCEEDS_AFTER_TAKEOVER, TAKEN_BACK]);
}

#[test]
fn a_run_with_a_manual_step_holds() {
    let budget = Budget { crashes: 1, failures: 1, stops: 1, pauses: 1, ..Budget::default() };
    let seen = [BY_HAND, NOBODY_ANSWERS, SUCCEEDS_AFTER_TAKEOVER, SUCCEEDS_AFTER_PAUSE, STOPPED_MIDWAY];
    holds("run with a manual step", run_by_hand(budget), &seen);
    let races = Budget { delays: 1, takeovers: 1, failures: 1, ..Budget::default() };
    holds("raced run with a manual step", run_by_hand(races), &[BY_HAND, NOBODY_ANSWERS, RACED]);
}

#[test]
fn logins_hold() {
    holds("logins", logins(), &[SUCCEEDS, NO_LOGIN_FAILS]);
}

#[test]
fn overrides_hold() {
    holds("a check that may be overridden", said_no(FREE_DISK), &[OVERRIDDEN, SAID_NO]);
    holds("a check that may not", said_no(SAME_SYSTEM), &[SAID_NO, OVERRIDE_FAILS]);
}

#[test]
fn deputies_hold() {
    holds("deputies", deputies(), &[SUCCEEDS, BY_A_DEPUTY, TOO_LATE_FOR_A_DEPUTY]);
}

#[test]
fn gates_hold() {
    holds("gates", gates(), &[SUCCEEDS, LET_PASS, GATE_CLOSED]);
}

#[test]
fn the_quiet_after_a_failover_holds() {
    holds("after a failover", failover_and_after(), &[IN_THE_QUIET, LOOKED_AT, SUCCEEDS_AFTER_TAKEOVER]);
}

#[test]
fn rollbacks_hold() {
    holds("rollback", rollback(Gate::default()), &[ROLLED_BACK]);
    holds("rollback of what a gate let pass", rollback(lowered(RequestType::Switchover)), &[LET_PASS, ROLLED_BACK]);
}

#[test]
fn two_runs_hold() {
    holds("two runs", two_runs(), &[SUCCEEDS, SUCCEEDS_AFTER_TAKEOVER, ONE_AFTER_THE_OTHER, RACED]);
}

#[test]
fn every_property_can_fail() {
    breaks(Flaw::ProofSkipped, approvals(), APPROVED);
    breaks(Flaw::PlanNotCompared, approvals(), APPROVED);
    breaks(Flaw::SecondAccount, approvals(), DIFFERENT_PEOPLE);
    breaks(Flaw::LogWithoutVersions, approvals(), DIFFERENT_PEOPLE);
    breaks(Flaw::NoReviewTimer, broken_glass(), REVIEW_OWED);
    breaks(Flaw::ReservationIgnored, two_runs(), ALONE);
    breaks(Flaw::DeputyUnnamed, deputies(), APPROVED);
    breaks(Flaw::DelegationFromMemory, deputies(), DEPUTY);
    breaks(Flaw::GateOfTheOpening, gates(), APPROVED);
    breaks(Flaw::GateBySecondAccount, gates(), GATE_BY_TWO);
    breaks(Flaw::GateNotAskedAtTheStart, gates(), PEOPLE_ACT);
    breaks(Flaw::CoolDownForgotten, failover_and_after(), QUIET);
    breaks(Flaw::GateOfTheMove, rollback(lowered(RequestType::Switchover)), APPROVED);
    breaks(Flaw::ApprovalsInherited, rollback(Gate::default()), APPROVED);
    breaks(Flaw::EarlierNotAwaited, rollback(Gate::default()), AFTER_ITS_END);
    breaks(Flaw::LoginTakenForNew, logins(), BY_LOGIN);
    breaks(Flaw::ProofSkipped, logins(), APPROVED);
    breaks(Flaw::OverrideRoleFromTheCall, said_no(FREE_DISK), RESPONSIBLE);
    breaks(Flaw::AnyCheckOverridden, said_no(SAME_SYSTEM), RESPONSIBLE);
    let none = Budget::default();
    breaks(Flaw::RoleFromTheCall, run_by_hand(none), BY_A_PERSON);
    breaks(Flaw::PersonNotAsked, run_by_hand(Budget { crashes: 1, ..none }), BY_A_PERSON);
    breaks(Flaw::ArrowLost, run(4, none), IN_ORDER);
    breaks(Flaw::TargetNotAsked, run(4, Budget { crashes: 1, ..none }), ONCE);
    breaks(Flaw::TargetWithoutLock, run(2, Budget { takeovers: 1, ..none }), ONCE);
    breaks(Flaw::OwnerImpersonated, run(1, Budget { takeovers: 1, ..none }), OWNER_ONLY);
    breaks(Flaw::StopNotHeard, run(1, Budget { stops: 1, takeovers: 1, ..none }), STOP_IS_FINAL);
    breaks(Flaw::NoSuccessor, run(1, Budget { crashes: 1, ..none }), COMES_TO_AN_END);
    let races = Budget { delays: 1, takeovers: 1, stops: 1, ..none };
    breaks(Flaw::LogWithoutVersions, run(1, races), STOP_IS_FINAL);
    breaks(Flaw::LogWithoutVersions, run(1, races), END_IS_FINAL);
    breaks(Flaw::LogWithoutVersions, run(1, races), OWNER_ONLY);
    breaks(Flaw::LogWithoutVersions, run(4, Budget { delays: 1, ..none }), ONCE);
    breaks(Flaw::LogWithoutVersions, undone_run(), NO_RETURN);
}
