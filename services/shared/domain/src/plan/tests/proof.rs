#![expect(clippy::unwrap_used, reason = "a test panics to fail")]

use jiff::SignedDuration;

use super::given::now;
use crate::aggregate::{Aggregate, EventKind};
use crate::pb::plan::v1::{PlanEvent, PlanRef, PlanSpec, ProofState};
use crate::pb::request::v1::RequestType;
use crate::plan::{DEFAULT_PROOF_VALID_FOR, MAX_TESTS, Plan, Test, fail_proof, lapse, proof, prove, proves, valid_for};
use crate::refusal::Refusal;
use crate::request::TYPES;
use crate::time::duration_to_pb;

const VALID: SignedDuration = DEFAULT_PROOF_VALID_FOR;

fn text(version: u64, hash: &str) -> PlanRef {
    PlanRef { name: "shop-move".into(), version, hash: hash.into() }
}

fn test<'a>(plan: &'a PlanRef, request_id: &'a str, request_type: RequestType) -> Test<'a> {
    Test { plan, request_id, request_type, rto_measured: Some(SignedDuration::from_mins(7)), rto_met: true }
}

fn apply(plan: &mut Plan, decision: Result<Option<PlanEvent>, Refusal>) -> &'static str {
    let event = decision.unwrap().unwrap();
    plan.evolve(&event);
    event.kind()
}

fn proven() -> Plan {
    let mut plan = Plan::default();
    let decision = prove(&plan, &test(&text(1, "a"), "r1", RequestType::LiveDrill), VALID, now());
    assert_eq!(apply(&mut plan, decision), "plan.proven");
    plan
}

#[test]
fn a_plan_is_untested_until_a_test_proves_it() {
    let (state, words) = proof(&Plan::default(), &text(1, "a"), VALID, now());
    assert_eq!(state, ProofState::Untested);
    assert!(words.contains("a tabletop or a readiness drill does not"), "{words}");
    let (state, words) = proof(&proven(), &text(1, "a"), VALID, now());
    assert_eq!(state, ProofState::Proven);
    assert!(words.contains("live-drill of request r1") && words.contains("7 min"), "{words}");
}

#[test]
fn talking_and_looking_prove_nothing() {
    for kind in TYPES {
        let decision = prove(&Plan::default(), &test(&text(1, "a"), "r1", kind), VALID, now());
        match decision {
            Ok(Some(_)) => assert!(proves(kind), "{kind:?}"),
            Ok(None) => unreachable!("nothing was proven before"),
            Err(refusal) => {
                assert_eq!(refusal.code, "TEST_DOES_NOT_PROVE");
                assert!(!proves(kind), "{kind:?}");
            }
        }
    }
    for kind in [RequestType::TabletopDrill, RequestType::ReadinessDrill, RequestType::Rollback] {
        assert!(!proves(kind), "{kind:?}");
    }
}

#[test]
fn a_change_of_the_text_or_of_a_member_ends_the_proof() {
    for (current, why) in
        [(text(2, "b"), "it is version 2 now and was version 1"), (text(1, "b"), "its group or a resource")]
    {
        let (state, words) = proof(&proven(), &current, VALID, now());
        assert_eq!(state, ProofState::Untested);
        assert!(words.contains(why), "{words}");
    }
    // Another plan with the same hash cannot be; its name would say so all the same.
    let other = PlanRef { name: "other".into(), ..text(1, "a") };
    assert_eq!(proof(&proven(), &other, VALID, now()).0, ProofState::Untested);
}

#[test]
fn a_proof_ages_to_the_moment() {
    let end = now() + VALID;
    assert_eq!(proof(&proven(), &text(1, "a"), VALID, end - SignedDuration::from_nanos(1)).0, ProofState::Proven);
    let (state, words) = proof(&proven(), &text(1, "a"), VALID, end);
    assert_eq!(state, ProofState::Stale);
    assert!(words.contains("too long ago"), "{words}");
    // A shorter limit counts from now on, a longer one does not bring a proof back.
    let day = SignedDuration::from_hours(24);
    assert_eq!(proof(&proven(), &text(1, "a"), day, now() + day).0, ProofState::Stale);
    assert_eq!(proof(&proven(), &text(1, "a"), VALID * 2, end).0, ProofState::Stale);
    assert_eq!(proof(&proven(), &text(1, "a"), SignedDuration::MAX, now()).0, ProofState::Proven);
}

#[test]
fn a_failed_test_of_any_type_ends_the_proof_and_a_passed_one_brings_it_back() {
    for kind in [RequestType::LiveDrill, RequestType::TabletopDrill, RequestType::Failover] {
        let mut plan = proven();
        let decision = fail_proof(&plan, &test(&text(1, "a"), "r2", kind), "the cart did not start.", now());
        assert_eq!(apply(&mut plan, decision), "plan.proof_failed");
        let (state, words) = proof(&plan, &text(1, "a"), VALID, now());
        assert_eq!(state, ProofState::Failed);
        assert!(words.contains("the cart did not start") && words.contains("r2"), "{words}");
        // Of a text that is not the failed one nothing is known.
        assert_eq!(proof(&plan, &text(2, "b"), VALID, now()).0, ProofState::Untested);

        let decision = prove(&plan, &test(&text(1, "a"), "r3", RequestType::IsolatedDrill), VALID, now());
        apply(&mut plan, decision);
        assert_eq!(proof(&plan, &text(1, "a"), VALID, now()).0, ProofState::Proven);
    }
}

#[test]
fn one_run_is_one_test() {
    let plan = proven();
    let text = text(1, "a");
    let again = test(&text, "r1", RequestType::LiveDrill);
    assert_eq!(prove(&plan, &again, VALID, now()), Ok(None));
    assert_eq!(fail_proof(&plan, &again, "late", now()), Ok(None));
}

#[test]
fn tests_are_kept_newest_first_and_not_for_ever() {
    let mut plan = Plan::default();
    for number in 0..MAX_TESTS + 5 {
        let id = format!("r{number}");
        let decision = fail_proof(&plan, &test(&text(1, "a"), &id, RequestType::LiveDrill), "no", now());
        apply(&mut plan, decision);
    }
    assert_eq!(plan.tests.len(), MAX_TESTS);
    assert_eq!(plan.tests[0].request_id, format!("r{}", MAX_TESTS + 4));
    assert!(!plan.tests[0].passed);
}

#[test]
fn slower_than_the_objective_is_said() {
    let mut plan = Plan::default();
    let text = text(1, "a");
    let slow = Test { rto_met: false, ..test(&text, "r1", RequestType::Switchover) };
    let decision = prove(&plan, &slow, VALID, now());
    apply(&mut plan, decision);
    let (state, words) = proof(&plan, &text, VALID, now());
    assert_eq!(state, ProofState::Proven);
    assert!(words.contains("longer than its objective"), "{words}");
    assert!(!plan.tests[0].rto_met && plan.tests[0].passed);

    let unmeasured = Test { rto_measured: None, ..test(&text, "r2", RequestType::IsolatedDrill) };
    let decision = prove(&plan, &unmeasured, VALID, now());
    apply(&mut plan, decision);
    assert!(proof(&plan, &text, VALID, now()).1.contains("was not measured"));
}

#[test]
fn a_proof_lapses_once_with_the_reason() {
    let mut plan = proven();
    assert_eq!(lapse(&plan, &text(1, "a"), VALID, now()), Ok(None), "it holds");
    assert_eq!(lapse(&Plan::default(), &text(1, "a"), VALID, now()), Ok(None), "there is none");

    let decision = lapse(&plan, &text(1, "b"), VALID, now());
    assert_eq!(apply(&mut plan, decision), "plan.proof_lapsed");
    assert!(plan.proof_lapsed.as_ref().unwrap().reason.contains("a resource that it moves was changed"));
    let (state, words) = proof(&plan, &text(1, "b"), VALID, now());
    assert_eq!(state, ProofState::Untested);
    assert!(words.contains("was changed"), "{words}");
    assert_eq!(lapse(&plan, &text(1, "b"), VALID, now()), Ok(None), "once");

    let mut plan = proven();
    let decision = lapse(&plan, &text(1, "a"), VALID, now() + VALID);
    apply(&mut plan, decision);
    assert_eq!(proof(&plan, &text(1, "a"), VALID, now() + VALID).0, ProofState::Stale);
}

#[test]
fn ninety_days_unless_the_plan_says_otherwise() {
    assert_eq!(valid_for(&PlanSpec::default()), SignedDuration::from_hours(90 * 24));
    let week = SignedDuration::from_hours(7 * 24);
    let spec = PlanSpec { proof_valid_for: Some(duration_to_pb(week)), ..PlanSpec::default() };
    assert_eq!(valid_for(&spec), week);
    let never = PlanSpec { proof_valid_for: Some(duration_to_pb(-week)), ..PlanSpec::default() };
    assert_eq!(valid_for(&never), DEFAULT_PROOF_VALID_FOR);
}
