//! The emergency path: short, loud, reviewed, and never the way of an ordinary request.

use proptest::prelude::*;

use super::*;
use crate::pb::inventory::v1::BreakGlassRule;
use crate::time::{duration_to_pb, from_pb};

fn emergency() -> OpenRequest {
    let glass = BreakGlassAsk { incident: "INC-7".into(), reason: "fra is on fire".into(), limit: None };
    OpenRequest { kind: RequestType::Failover, break_glass: Some(glass), ..command() }
}

const GLASS_PHRASE: &str = "failover orders-db from fra to ams";

fn ada() -> Actor {
    person("ada", &[Role::Admin])
}

fn broken() -> Request {
    let mut request = Facts::of(vec![resource(Tier::Tier1)]).opened(&emergency());
    let decision = go(&request, &olga(), GLASS_PHRASE);
    apply(&mut request, decision);
    request
}

fn rule(rule: BreakGlassRule) -> inv::Document {
    policy_document("emergencies", inv::PolicySpec { break_glass: Some(rule), ..Default::default() })
}

#[test]
fn it_starts_without_the_missing_approvals_by_the_phrase_within_its_hour() {
    let request = Facts::of(vec![resource(Tier::Tier1)]).opened(&emergency());
    let opened = request.view.opened.clone().unwrap();
    let glass = opened.break_glass.clone().unwrap();
    assert_eq!(glass.skipped, ["one approval by Approver-IT", "one approval by Approver-Business"]);
    assert_eq!(glass.until, opened.expires_at, "the request lives as long as the glass is broken");
    assert_eq!(from_pb(glass.until.as_ref()), Some(now() + SignedDuration::from_hours(1)));

    assert_eq!(code(go(&request, &olga(), "failover")), "PHRASE_WRONG");
    assert_eq!(code(go(&request, &ingo(), GLASS_PHRASE)), "BREAK_GLASS_ROLE");
    let late = now() + SignedDuration::from_hours(1);
    assert_eq!(code(start(&request, &olga(), GLASS_PHRASE, &StartTerms::default(), late)), "REQUEST_EXPIRED");

    let request = broken();
    let confirmed = request.view.confirmed.clone().unwrap();
    assert!(confirmed.break_glass && was_broken(&request.view));
    assert_eq!(confirmed.missing, glass.skipped);
    assert!(proven(&request).is_ok());
}

#[test]
fn an_ordinary_request_never_takes_this_way() {
    let request = opened(Tier::Tier1);
    assert_eq!(code(go(&request, &olga(), PHRASE)), "NOT_APPROVED");
    assert_eq!(code(go(&request, &ada(), PHRASE)), "ROLE_MISSING", "an admin starts by break-glass only");
    assert_eq!(Facts::of(vec![resource(Tier::Tier1)]).open(&command(), &ada()).unwrap_err().code, "ROLE_MISSING");
    assert!(Facts::of(vec![resource(Tier::Tier1)]).open(&emergency(), &ada()).is_ok());
}

#[test]
fn approvals_that_came_make_it_an_ordinary_start_without_a_review() {
    let mut request = Facts::of(vec![resource(Tier::Tier2)]).opened(&emergency());
    let decision = yes(&request, &ingo());
    apply(&mut request, decision);
    assert_eq!(code(go(&request, &ada(), GLASS_PHRASE)), "ROLE_MISSING");
    let decision = go(&request, &olga(), GLASS_PHRASE);
    apply(&mut request, decision);
    assert!(!was_broken(&request.view) && review_due(&request.view).is_none());
    assert!(proven(&request).is_ok());
}

#[test]
fn who_breaks_it_says_why_and_for_how_long_and_may_do_so() {
    let facts = Facts::of(vec![resource(Tier::Tier1)]);
    let refused = |change: fn(&mut OpenRequest)| {
        let mut command = emergency();
        change(&mut command);
        let refusal = facts.open(&command, &olga()).unwrap_err();
        (refusal.field, refusal.code)
    };
    let glass =
        |command: &mut OpenRequest, change: fn(&mut BreakGlassAsk)| change(command.break_glass.as_mut().unwrap());
    assert_eq!(refused(|c| c.break_glass.as_mut().unwrap().incident = " ".into()).0, "break_glass.incident");
    assert_eq!(refused(|c| c.break_glass.as_mut().unwrap().reason = String::new()).0, "break_glass.reason");
    for limit in [SignedDuration::ZERO, SignedDuration::from_secs(-1), SignedDuration::from_secs(3601)] {
        let mut command = emergency();
        command.break_glass.as_mut().unwrap().limit = Some(limit);
        assert_eq!(facts.open(&command, &olga()).unwrap_err().code, "BREAK_GLASS_LIMIT", "{limit}");
    }
    let mut short = emergency();
    glass(&mut short, |ask| ask.limit = Some(SignedDuration::from_mins(10)));
    assert!(facts.open(&short, &olga()).is_ok());
    for kind in [RequestType::ReadinessDrill, RequestType::TabletopDrill, RequestType::LiveDrill] {
        let command = OpenRequest { kind, ..emergency() };
        assert_eq!(facts.open(&command, &olga()).unwrap_err().code, "BREAK_GLASS_FOR_DRILL");
    }
    assert_eq!(facts.open(&emergency(), &ingo()).unwrap_err().code, "BREAK_GLASS_ROLE");
    let mut machine = olga();
    machine.set_kind(ActorKind::Machine);
    assert_eq!(facts.open(&emergency(), &machine).unwrap_err().code, "PERSON_REQUIRED");
}

#[test]
fn a_policy_makes_it_narrower_and_never_wider() {
    let narrow = rule(BreakGlassRule {
        roles: vec![Role::Admin.into()],
        limit: Some(duration_to_pb(SignedDuration::from_mins(15))),
        review_within: Some(duration_to_pb(SignedDuration::from_hours(24))),
    });
    let facts = Facts { policies: vec![narrow.clone()], ..Facts::of(vec![resource(Tier::Tier1)]) };
    assert_eq!(facts.open(&emergency(), &olga()).unwrap_err().code, "BREAK_GLASS_ROLE");
    let mut request = Request::default();
    let decision = facts.open(&emergency(), &ada());
    apply(&mut request, decision);
    let terms = StartTerms { break_glass: BreakGlassTerms::of(&[&narrow]), ..Default::default() };
    assert_eq!(code(start(&request, &olga(), GLASS_PHRASE, &terms, now())), "BREAK_GLASS_ROLE");
    let later = now() + SignedDuration::from_mins(14);
    let decision = start(&request, &ada(), GLASS_PHRASE, &terms, later);
    apply(&mut request, decision);
    assert_eq!(review_due(&request.view), Some(later + SignedDuration::from_hours(24)));

    let wide = rule(BreakGlassRule {
        roles: vec![Role::Viewer.into(), Role::Operator.into()],
        limit: Some(duration_to_pb(SignedDuration::from_hours(9))),
        review_within: Some(duration_to_pb(SignedDuration::from_hours(900))),
    });
    let terms = BreakGlassTerms::of(&[&wide]);
    assert_eq!((terms.roles, terms.limit), (vec![Role::Operator], MAX_BREAK_GLASS));
    assert_eq!(terms.review_within, SignedDuration::from_hours(72));
    assert!(BreakGlassTerms::of(&[&wide, &narrow]).roles.is_empty(), "together they leave nobody");
}

#[test]
fn a_freeze_is_passed_and_named() {
    let frozen = Frozen { name: "year-end".into(), reason: "books".into(), policy: "changes".into(), until: None };
    let terms = StartTerms { freeze: Some(frozen), ..Default::default() };
    let mut request = Facts::of(vec![resource(Tier::Tier1)]).opened(&emergency());
    let decision = start(&request, &olga(), GLASS_PHRASE, &terms, now());
    apply(&mut request, decision);
    assert!(request.view.confirmed.as_ref().unwrap().freeze.starts_with("year-end without an end"));
}

#[test]
fn what_nobody_used_in_its_time_closes() {
    let mut request = Facts::of(vec![resource(Tier::Tier1)]).opened(&emergency());
    let end = now() + SignedDuration::from_hours(1);
    assert!(expire(&request, end - SignedDuration::from_secs(1)).is_none());
    let event = expire(&request, end).unwrap();
    assert_eq!(EventKind::kind(&event), "request.break_glass_lapsed");
    request.evolve(&event);
    assert_eq!(request.view.state(), RequestState::Expired);
    assert!(request.view.break_glass_lapsed.is_some() && expire(&request, end).is_none());
    assert_eq!(code(go(&request, &olga(), GLASS_PHRASE)), "REQUEST_CLOSED");
    // What was used does not lapse, and an ordinary request has no glass.
    assert!(expire(&broken(), end).is_none() && lapse(&opened(Tier::Tier1), end).is_none());
}

#[test]
fn the_review_is_by_somebody_else_once_after_the_run() {
    let request = broken();
    let judge = |who: &Actor, runs| review(&request, runs, who, true, "nobody was on call", now());
    assert_eq!(code(judge(&olga(), false)), "REVIEWER_INVOLVED");
    assert_eq!(code(judge(&ingo(), true)), "REVIEW_TOO_EARLY");
    assert_eq!(code(judge(&person("otto", &[Role::Operator]), false)), "ROLE_MISSING");
    assert_eq!(code(review(&request, false, &ingo(), true, " ", now())), "FIELD_INVALID");
    assert_eq!(code(review(&opened(Tier::Tier1), false, &ingo(), true, "x", now())), "NOTHING_TO_REVIEW");
    let mut reviewed = request.clone();
    apply(&mut reviewed, judge(&bea(), false));
    assert!(reviewed.view.review.as_ref().unwrap().justified);
    assert_eq!(code(review(&reviewed, false, &ingo(), true, "again", now())), "REVIEW_RECORDED");

    // Who started it without having asked for it is involved as well.
    let mut by_ada = Facts::of(vec![resource(Tier::Tier1)]).opened(&emergency());
    let decision = go(&by_ada, &ada(), GLASS_PHRASE);
    apply(&mut by_ada, decision);
    assert_eq!(code(review(&by_ada, false, &ada(), true, "fine", now())), "REVIEWER_INVOLVED");
}

#[test]
fn a_review_that_nobody_wrote_is_an_alarm_once_and_can_still_be_written() {
    let mut request = broken();
    let due = now() + SignedDuration::from_hours(72);
    assert_eq!(review_due(&request.view), Some(due));
    assert!(review_overdue(&request, due - SignedDuration::from_secs(1)).is_none());
    request.evolve(&review_overdue(&request, due).unwrap());
    assert!(request.view.review_overdue.is_some() && review_overdue(&request, due).is_none());
    let decision = review(&request, false, &ingo(), false, "too late", due);
    apply(&mut request, decision);

    let mut reviewed = broken();
    let decision = review(&reviewed, false, &ingo(), true, "fine", now());
    apply(&mut reviewed, decision);
    assert!(review_overdue(&reviewed, due).is_none());
}

#[test]
fn an_executor_acts_on_no_glass_that_was_not_broken_rightly() {
    let forged = |forge: fn(&mut RequestView)| {
        let mut request = broken();
        forge(&mut request.view);
        proven(&request).map(drop).map_err(|refusal| refusal.code)
    };
    let no = Err("APPROVAL_NOT_PROVEN".to_owned());
    assert_eq!(forged(|_| ()), Ok(()));
    assert_eq!(forged(|view| view.opened.as_mut().unwrap().break_glass = None), no);
    assert_eq!(forged(|view| view.confirmed.as_mut().unwrap().break_glass = false), no);
    assert_eq!(
        forged(|view| view.confirmed.as_mut().unwrap().confirmed_at = view.opened.as_ref().unwrap().expires_at),
        no
    );
    assert_eq!(forged(|view| view.confirmed.as_mut().unwrap().actor = Some(ingo())), no);
    assert_eq!(forged(|view| view.confirmed.as_mut().unwrap().actor = None), no);
    let incident = |view: &mut RequestView| {
        view.opened.as_mut().unwrap().break_glass.as_mut().unwrap().incident.clear();
    };
    assert_eq!(forged(incident), no);
}

proptest! {
    /// Whatever people do in whatever order: what is confirmed without its approvals was stated as an emergency, came
    /// within its time, and owes a review that neither of its two people can write.
    #[test]
    fn a_broken_glass_always_ends_in_somebody_elses_review(
        is_emergency: bool, steps in prop::collection::vec((0usize..5, 0usize..5, 0i64..4000), 1..30)
    ) {
        let command = if is_emergency { emergency() } else { OpenRequest { kind: RequestType::Failover, ..command() } };
        let mut request = Facts::of(vec![resource(Tier::Tier1)]).opened(&command);
        let mut clock = now();
        for (what, who, later) in steps {
            clock += SignedDuration::from_secs(later / 8);
            let people = [olga(), ingo(), bea(), ada(), person("otto", &[Role::Operator])];
            let who = &people[who];
            let decision = match what {
                0 | 1 => approve(&request, who, &Yes::default(), clock),
                2 => start(&request, who, GLASS_PHRASE, &StartTerms::default(), clock),
                3 => review(&request, false, who, true, "seen", clock),
                _ => Ok(expire(&request, clock)),
            };
            if let Ok(Some(event)) = decision {
                request.evolve(&event);
            }
            let view = &request.view;
            if let Some(confirmed) = &view.confirmed {
                let complete = view.approvals.iter().any(|approval| approval.completes);
                prop_assert_eq!(confirmed.break_glass, !complete);
                prop_assert!(complete || is_emergency);
                prop_assert!(proven(&request).is_ok());
                prop_assert_eq!(review_due(view).is_some(), confirmed.break_glass);
            }
            if let Some(review) = &view.review {
                let reviewer = review.actor.as_ref().unwrap().id.clone();
                prop_assert!(was_broken(view));
                prop_assert!(reviewer != olga().id && Some(reviewer) != view.confirmed.as_ref().and_then(|c| Some(c.actor.as_ref()?.id.clone())));
            }
        }
    }
}
