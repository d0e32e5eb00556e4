#![expect(clippy::unwrap_used, reason = "a test panics to fail")]

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::*;
use crate::pb::common::v1::{Actor, ActorKind};
use crate::pb::inventory::v1::AutonomyRule;
use crate::pb::plan::v1::PlanTest;
use crate::request::TYPES;
use crate::time::to_pb;

fn now() -> Timestamp {
    Timestamp::from_second(1_790_000_000).unwrap()
}

fn person(name: &str) -> Actor {
    Actor { id: name.into(), name: name.into(), kind: ActorKind::Person.into(), ..Actor::default() }
}

fn test(days_ago: i64, kind: &str, passed: bool) -> PlanTest {
    PlanTest {
        request_id: format!("r{days_ago}"),
        r#type: kind.into(),
        at: Some(to_pb(now() - SignedDuration::from_hours(24 * days_ago))),
        passed,
        ..PlanTest::default()
    }
}

fn proposal<'a>(kind: RequestType, plan: &'a str, to: GateLevel) -> Proposal<'a> {
    Proposal { change_id: "c1", kind, plan, to, reason: "three clean drills" }
}

/// The gate after what was decided on it.
fn after(gate: &Gate, event: Option<GateEvent>) -> Gate {
    let mut next = gate.clone();
    next.evolve(&event.unwrap());
    next
}

fn clean() -> Vec<PlanTest> {
    vec![test(1, "live-drill", true), test(20, "isolated-drill", true), test(40, "switchover", true)]
}

#[test]
fn nothing_decided_is_l2_for_every_kind() {
    for kind in TYPES {
        let met = effective(kind, "", Tier::Tier1, Environment::Production, &Gate::default(), &Gate::default());
        assert_eq!(met.level, GateLevel::L2, "{kind:?}");
    }
}

#[test]
fn a_plan_earns_l1_by_clean_drills_and_two_people_and_loses_it_by_a_failure() {
    let mut gate = Gate::default();
    let ask = proposal(RequestType::Switchover, "shop", GateLevel::L1);
    gate = after(&gate, propose(&gate, &ask, &clean(), None, &person("ada"), now()).unwrap());
    assert_eq!(gate.level, None, "proposed is not decided");
    let own = approve(&gate, "c1", &clean(), None, "", &person("ada"), now()).unwrap_err();
    assert_eq!(own.code, "APPROVER_IS_REQUESTER");
    gate = after(&gate, approve(&gate, "c1", &clean(), None, "", &person("ingo"), now()).unwrap());
    assert_eq!(gate.level, Some(GateLevel::L1));
    let met = |tier, environment| {
        effective(RequestType::Switchover, "shop", tier, environment, &Gate::default(), &gate).level
    };
    assert_eq!(met(Tier::Tier3, Environment::Test), GateLevel::L1);
    assert_eq!(met(Tier::Tier1, Environment::Test), GateLevel::L2, "the floor of tier 1");
    assert_eq!(met(Tier::Tier3, Environment::Production), GateLevel::L2, "the floor of production");
    assert_eq!(met(Tier::Tier3, Environment::Unspecified), GateLevel::L2, "unknown is the worst");
    let raised = raise_after_failure(&gate, RequestType::Switchover, "shop", "r9", now());
    gate = after(&gate, raised);
    assert_eq!(gate.level, Some(GateLevel::L2));
    assert_eq!(raise_after_failure(&gate, RequestType::Switchover, "shop", "r9", now()), None, "only once");
}

#[test]
fn a_plan_without_enough_clean_drills_earns_nothing() {
    let gate = Gate::default();
    let ask = proposal(RequestType::Switchover, "shop", GateLevel::L1);
    let refused = |tests: &[PlanTest], rule: Option<&AutonomyRule>| {
        propose(&gate, &ask, tests, rule, &person("ada"), now()).map(drop).unwrap_err().code
    };
    let mut failed_since = clean();
    failed_since.insert(0, test(0, "isolated-drill", false));
    let tabletop = vec![test(1, "tabletop-drill", true), test(2, "readiness-drill", true), test(3, "live-drill", true)];
    let old = vec![test(1, "live-drill", true), test(2, "live-drill", true), test(400, "live-drill", true)];
    for tests in [vec![], failed_since, tabletop, old] {
        assert_eq!(refused(&tests, None), "GATE_NOT_EARNED", "{tests:?}");
    }
    let four = AutonomyRule { clean_drills: 4, within: None };
    assert_eq!(refused(&clean(), Some(&four)), "GATE_NOT_EARNED");
    // Earned when it was asked for, not any more when it is decided on.
    let asked = after(&gate, propose(&gate, &ask, &clean(), None, &person("ada"), now()).unwrap());
    let late = approve(&asked, "c1", &[test(0, "live-drill", false)], None, "", &person("ingo"), now()).unwrap_err();
    assert_eq!(late.code, "GATE_NOT_EARNED");
}

#[test]
fn what_moves_systems_runs_by_itself_only_as_one_plan() {
    for kind in [RequestType::Switchover, RequestType::Failback, RequestType::Rotation, RequestType::LiveDrill] {
        let ask = proposal(kind, "", GateLevel::L1);
        let no = propose(&Gate::default(), &ask, &clean(), None, &person("ada"), now()).unwrap_err();
        assert_eq!(no.code, "GATE_NEEDS_PLAN", "{kind:?}");
    }
    let ask = proposal(RequestType::Failover, "shop", GateLevel::L1);
    let no = propose(&Gate::default(), &ask, &clean(), None, &person("ada"), now()).unwrap_err();
    assert_eq!(no.code, "GATE_BELOW_FLOOR", "a failover may lose data");
}

#[test]
fn a_type_that_is_for_people_only_is_so_for_every_plan() {
    let raised = Gate { level: Some(GateLevel::L3), ..Gate::default() };
    let plan = Gate { level: Some(GateLevel::L1), ..Gate::default() };
    let met = effective(RequestType::Switchover, "shop", Tier::Tier3, Environment::Test, &raised, &plan);
    assert_eq!(met.level, GateLevel::L3);
}

#[test]
fn one_change_at_a_time_and_a_machine_changes_nothing() {
    let mut gate = Gate::default();
    let ask = proposal(RequestType::Switchover, "", GateLevel::L3);
    let machine = Actor { kind: ActorKind::Machine.into(), ..person("bot") };
    assert_eq!(propose(&gate, &ask, &[], None, &machine, now()).unwrap_err().code, "PERSON_REQUIRED");
    gate = after(&gate, propose(&gate, &ask, &[], None, &person("ada"), now()).unwrap());
    assert_eq!(propose(&gate, &ask, &[], None, &person("ada"), now()).unwrap(), None, "asked again");
    let other = Proposal { change_id: "c2", ..ask };
    assert_eq!(propose(&gate, &other, &[], None, &person("ada"), now()).unwrap_err().code, "GATE_CHANGE_PENDING");
    assert_eq!(approve(&gate, "c9", &[], None, "", &person("ingo"), now()).unwrap_err().code, "GATE_CHANGE_NOT_FOUND");
    gate = after(&gate, reject(&gate, "c1", "not now", &person("ingo"), now()).unwrap());
    assert_eq!((gate.level, gate.pending), (None, None));
}

#[test]
fn each_gate_has_its_own_id() {
    let mut seen = std::collections::BTreeSet::new();
    for kind in TYPES {
        for plan in ["", "shop", "drill-shop"] {
            assert!(seen.insert(gate_id(kind, plan).unwrap().as_str().to_owned()), "{kind:?} {plan}");
        }
    }
}

fn level() -> impl Strategy<Value = Option<GateLevel>> {
    prop_oneof![
        Just(None),
        Just(Some(GateLevel::L0)),
        Just(Some(GateLevel::L1)),
        Just(Some(GateLevel::L2)),
        Just(Some(GateLevel::L3))
    ]
}

proptest! {
    /// Whatever is in the log, nothing is below its floor, and a type for people only stays so.
    #[test]
    fn never_below_the_floor(
        kind in 0..TYPES.len(), tier in 0..4, environment in 0..5, of_type in level(), of_plan in level(), named in any::<bool>(),
    ) {
        let (kind, tier) = (TYPES[kind], Tier::try_from(tier).unwrap());
        let environment = Environment::try_from(environment).unwrap();
        let gate = |level| Gate { level, ..Gate::default() };
        let plan = if named { "shop" } else { "" };
        let met = effective(kind, plan, tier, environment, &gate(of_type), &gate(of_plan));
        prop_assert!(met.level >= floor(kind, tier, environment));
        prop_assert!(floor(kind, tier, environment) >= lowest_floor(kind));
        if of_type == Some(GateLevel::L3) {
            prop_assert_eq!(met.level, GateLevel::L3);
        }
        if kind == RequestType::Failover {
            prop_assert!(!runs_by_itself(met.level));
        }
    }
}
