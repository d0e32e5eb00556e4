//! A policy that asks for a login made for the approval has it, whichever way the approval comes.

use super::*;

fn asks_for_step_up() -> inv::Document {
    let rule = inv::ApprovalRule { step_up: true, ..Default::default() };
    policy_document("careful", inv::PolicySpec { approvals: vec![rule], ..Default::default() })
}

fn careful(tier: Tier) -> Request {
    let facts = Facts { policies: vec![asks_for_step_up()], ..Facts::of(vec![resource(tier)]) };
    facts.opened(&command())
}

fn with_login(request: &Request, login: Login) -> Result<Option<RequestEvent>, Refusal> {
    approve(request, &ingo(), &Yes { login, ..Yes::default() }, now())
}

fn fresh() -> Login {
    Login { at: Some(now() - SignedDuration::from_secs(30)), second_factor: true }
}

#[test]
fn an_old_login_and_one_without_a_second_factor_are_refused_and_told_what_to_do() {
    let ago = |minutes| Some(now() - SignedDuration::from_mins(minutes));
    let edge = Login { at: ago(5), second_factor: true };
    for tier in [Tier::Tier1, Tier::Tier2, Tier::Tier3] {
        let request = careful(tier);
        for login in [
            Login::default(),
            Login { at: None, second_factor: true },
            Login { at: ago(1), second_factor: false },
            Login { at: ago(6), second_factor: true },
            Login { at: Some(now() + SignedDuration::from_mins(2)), second_factor: true },
        ] {
            let refused = with_login(&request, login).unwrap_err();
            assert_eq!(refused.code, "APPROVAL_STEP_UP_NEEDED", "{tier:?} {login:?}");
            assert!(refused.next_action.contains("muster login --step-up"), "{}", refused.next_action);
        }
        assert!(with_login(&request, fresh()).unwrap().is_some());
        assert!(with_login(&request, edge).unwrap().is_some(), "five minutes are fresh");
        // Whoever may not approve at all learns that first, and no login helps the requester.
        assert_eq!(code(yes(&request, &person("vera", &[Role::Viewer]))), "NOT_AN_APPROVER");
        assert_eq!(
            code(approve(&request, &olga(), &Yes { login: fresh(), ..Yes::default() }, now())),
            "APPROVER_IS_REQUESTER"
        );
        assert!(deny(&request, &ingo(), "not tonight", now()).is_ok(), "a no is never held up");
    }
}

#[test]
fn without_the_policy_any_login_does_and_nothing_is_claimed_about_it() {
    let request = opened(Tier::Tier1);
    let event = with_login(&request, fresh()).unwrap().unwrap();
    let Some(Event::Approved(approved)) = event.event else { panic!("an approval") };
    assert_eq!(approved.stepped_up_at, None);
    assert!(with_login(&request, Login::default()).is_ok());
}

#[test]
fn the_executor_finds_the_login_in_the_log_and_misses_one_that_is_not_there() {
    let mut request = careful(Tier::Tier2);
    let decision = with_login(&request, fresh());
    apply(&mut request, decision);
    let decision = go(&request, &olga(), PHRASE);
    apply(&mut request, decision);
    assert!(proven(&request).is_ok());
    let forged = |stepped_up_at: Option<Timestamp>| {
        let mut request = request.clone();
        request.view.approvals[0].stepped_up_at = stepped_up_at.map(crate::time::to_pb);
        proven(&request).map(drop)
    };
    for at in [None, Some(now() - SignedDuration::from_mins(6)), Some(now() + SignedDuration::from_mins(5))] {
        assert_eq!(forged(at).unwrap_err().code, "APPROVAL_NOT_PROVEN", "{at:?}");
    }
}

#[test]
fn one_rule_among_many_is_enough() {
    let rule = |step_up| inv::ApprovalRule { step_up, ..Default::default() };
    let document = |rules| policy_document("mixed", inv::PolicySpec { approvals: rules, ..Default::default() });
    let asks = |document: &inv::Document| {
        effective_policy(&[document], Tier::Tier2, Environment::Production, RequestType::Failover).policy.step_up
    };
    assert!(asks(&document(vec![rule(false), rule(true), rule(false)])));
    assert!(!asks(&document(vec![rule(false)])));
    let elsewhere = inv::ApprovalRule { tiers: vec![Tier::Tier1.into()], ..rule(true) };
    assert!(!asks(&document(vec![elsewhere])), "a rule for another tier is none for this one");
}
