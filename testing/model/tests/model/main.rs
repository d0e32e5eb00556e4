//! The rules of requests and runs, in every order that people, processes and the network can bring about, within
//! bounds. docs/adr/0007-model.md says what is modelled and what is not.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test panics to fail")]

mod deeds;
mod flaws;
mod glue;
mod logs;
mod properties;
mod state;
mod transitions;
mod world;

use std::time::Instant;

use muster_domain::pb::plan::v1::FailurePolicy;
use stateright::{Checker, HasDiscoveries, Model};

use crate::{
    flaws::Flaw,
    properties::{
        ALONE, APPROVED, CHANGE_FAILS, COMES_TO_AN_END, DIFFERENT_PEOPLE, END_IS_FINAL, FORGERY_FAILS, IN_ORDER,
        LAPSED, NO_RETURN, NOT_KNOWN, ONCE, ONE_AFTER_THE_OTHER, OVERDUE, OWNER_ONLY, RACED, REVIEW_OWED, REVIEWED,
        STOP_IS_FINAL, STOPPED_MIDWAY, SUCCEEDS, SUCCEEDS_AFTER_PAUSE, SUCCEEDS_AFTER_TAKEOVER, TAKEN_BACK, TOLERATED,
        all, told,
    },
    state::{Budget, Scenario},
};

/// Checks every property in every state, and that each of `seen` happens.
fn holds(name: &str, scenario: Scenario, seen: &[&str]) {
    let begun = Instant::now();
    let known: Vec<&str> = all().iter().map(|property| property.name).collect();
    let checker = scenario.checker().threads(2).spawn_dfs().join();
    println!(
        "{name}: {} states, {} steps between them, {:.1} s",
        checker.unique_state_count(),
        checker.state_count(),
        begun.elapsed().as_secs_f64()
    );
    assert!(checker.is_done(), "not every state was looked at");
    let found = checker.discoveries();
    for property in all() {
        let is_example = property.expectation == stateright::Expectation::Sometimes;
        if let Some(path) = found.get(property.name).filter(|_| !is_example) {
            panic!("{name}: {} does not hold:\n{}", property.name, told(&path.clone().into_actions()));
        }
    }
    for name in seen {
        assert!(known.contains(name) && found.contains_key(name), "never seen: {name}");
    }
}

/// With the flaw, a shortest way to a state in which the property does not hold.
fn breaks(flaw: Flaw, scenario: Scenario, property: &'static str) {
    let begun = Instant::now();
    let wanted = HasDiscoveries::AllOf([property].into());
    let checker = Scenario { flaw: Some(flaw), ..scenario }.checker().finish_when(wanted).spawn_bfs().join();
    let found = checker.discovery(property);
    let actions = found.map(|path| path.into_actions()).unwrap_or_default();
    println!(
        "{flaw:?} breaks \"{property}\" ({} states, {:.1} s):\n{}",
        checker.unique_state_count(),
        begun.elapsed().as_secs_f64(),
        told(&actions)
    );
    assert!(!actions.is_empty(), "{flaw:?} goes unnoticed: no counterexample to \"{property}\"");
}

fn approvals() -> Scenario {
    let budget = Budget { delays: 1, plan_changes: 1, hours: 2, forgeries: 1, ..Budget::default() };
    Scenario::new(&[false], false, 1, budget)
}

fn broken_glass() -> Scenario {
    let budget = Budget { delays: 1, hours: 2, forgeries: 1, ..Budget::default() };
    Scenario::new(&[true], false, 1, budget)
}

/// One run whose approvals are past.
fn run(steps: usize, budget: Budget) -> Scenario {
    Scenario::new(&[false], true, steps, budget)
}

/// `dns` takes everything back when it fails.
fn undone_run() -> Scenario {
    let budget = Budget { takeovers: 1, delays: 1, failures: 1, ..Budget::default() };
    Scenario { dns_fails: FailurePolicy::Undo, ..run(3, budget) }
}

fn two_runs() -> Scenario {
    let budget = Budget { crashes: 1, takeovers: 1, delays: 1, ..Budget::default() };
    Scenario::new(&[false, false], true, 1, budget)
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
    let none = Budget::default();
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
