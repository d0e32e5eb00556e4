//! Opened, planned, accepted, closed, opened again.

use super::*;
use crate::pb::audit::v1::GapState;

fn code(decided: Result<Option<GapEvent>, Refusal>) -> String {
    let refusal = decided.unwrap_err();
    assert!(!refusal.next_action.is_empty(), "{refusal:?}");
    refusal.code
}

fn field(decided: Result<Option<GapEvent>, Refusal>) -> String {
    decided.unwrap_err().field
}

const PLAN: PlanGap<'static> = PlanGap { plan: "lay a second cable", owner: "network team", due: None };
const RISK: Acceptance<'static> = Acceptance { reason: "moves out in spring", until: None };
const NOTHING: Evidence<'static> = Evidence { request_id: "", run: None, shown_by: None };

fn due_in(days: i64) -> PlanGap<'static> {
    PlanGap { due: Some(in_days(days)), ..PLAN }
}

fn until_in(days: i64) -> Acceptance<'static> {
    Acceptance { until: Some(in_days(days)), ..RISK }
}

#[test]
fn a_gap_has_a_title_a_severity_and_one_thing_it_is_of() {
    let none = Gap::default();
    let refused = |ask: OpenGap<'_>| field(open(&none, &ask, &ada(), now()));
    assert_eq!(refused(OpenGap { title: " ", ..ask(Severity::Low) }), "title");
    assert_eq!(refused(OpenGap { title: "two\nlines", ..ask(Severity::Low) }), "title");
    assert_eq!(refused(ask(Severity::Unspecified)), "severity");
    assert_eq!(refused(OpenGap { group: "shop", ..ask(Severity::Low) }), "group");
    let odd = ["CP-4 (a)".to_owned()];
    assert_eq!(refused(OpenGap { objectives: &odd, ..ask(Severity::Low) }), "objectives");
    let machine = Actor { kind: ActorKind::Machine.into(), ..ada() };
    assert_eq!(code(open(&none, &ask(Severity::Low), &machine, now())), "PERSON_REQUIRED");
    let gap = opened(Severity::Low);
    assert_eq!((gap.state, gap.view(now()).opened_by.as_str()), (GapState::Open, "ada"));
}

#[test]
fn the_same_gap_again_changes_nothing_and_another_under_its_key_is_refused() {
    let gap = opened(Severity::Low);
    assert_eq!(open(&gap, &ask(Severity::Low), &ada(), in_days(1)), Ok(None));
    assert_eq!(code(open(&gap, &ask(Severity::High), &ada(), now())), "IDEMPOTENCY_KEY_REUSED");
}

#[test]
fn a_plan_has_an_owner_and_a_date_in_the_future() {
    let gap = opened(Severity::Low);
    let refused = |ask: PlanGap<'_>| field(plan(&gap, &ask, &ingo(), now()));
    assert_eq!(refused(PLAN), "due");
    assert_eq!(refused(due_in(0)), "due", "now is not the future");
    assert_eq!(refused(due_in(800)), "due");
    assert_eq!(refused(PlanGap { owner: "", ..due_in(7) }), "owner");
    assert_eq!(refused(PlanGap { plan: "", ..due_in(7) }), "plan");
    let planned = after(&gap, plan(&gap, &due_in(7), &ingo(), now()));
    assert_eq!(plan(&planned, &due_in(7), &ada(), now()), Ok(None), "the same promise");
    assert!(!planned.is_overdue(in_days(6)) && planned.is_overdue(in_days(7)));
    let later = after(&planned, plan(&planned, &due_in(14), &ingo(), in_days(8)));
    assert!(!later.is_overdue(in_days(8)));
    let closed = after(&later, close(&later, "done", &NOTHING, &ingo(), in_days(20)));
    assert!(!closed.is_overdue(in_days(20)), "what is closed is not overdue");
}

#[test]
fn the_business_accepts_for_a_year_at_most_and_then_it_opens_by_itself() {
    let gap = opened(Severity::Moderate);
    assert_eq!(code(accept(&gap, &until_in(30), &ingo(), now())), "ROLE_MISSING");
    assert_eq!(field(accept(&gap, &RISK, &bea(), now())), "until");
    assert_eq!(field(accept(&gap, &until_in(-1), &bea(), now())), "until");
    assert_eq!(field(accept(&gap, &until_in(367), &bea(), now())), "until");
    let accepted = after(&gap, accept(&gap, &until_in(366), &bea(), now()));
    assert_eq!(accept(&accepted, &until_in(366), &bea(), now()), Ok(None));
    let until = accepted_until(&accepted).unwrap();
    assert_eq!(lapse(&accepted, &muster(), until - SignedDuration::from_secs(1)), None, "too early");
    let open_again = after(&accepted, Ok(lapse(&accepted, &muster(), until)));
    assert_eq!((open_again.state, &open_again.accepted), (GapState::Open, &None));
    assert_eq!(lapse(&open_again, &muster(), until), None, "once");
    // An acceptance that was made longer is not over at its old end.
    let longer = after(&accepted, accept(&accepted, &until_in(400), &bea(), in_days(100)));
    assert_eq!(lapse(&longer, &muster(), until), None);
    // What is planned now is not accepted any more.
    let planned = after(&accepted, plan(&accepted, &due_in(9), &ingo(), now()));
    assert_eq!((accepted_until(&planned), lapse(&planned, &muster(), in_days(500))), (None, None));
}

#[test]
fn what_is_bad_enough_takes_two_people() {
    let business = person("bea", &[Role::ApproverBusiness]);
    let gap = after(&Gap::default(), open(&Gap::default(), &ask(Severity::High), &business, now()));
    assert_eq!(code(close(&gap, "done", &NOTHING, &business, now())), "GAP_NEEDS_ANOTHER");
    assert_eq!(code(accept(&gap, &until_in(3), &business, now())), "GAP_NEEDS_ANOTHER");
    assert!(close(&gap, "done", &NOTHING, &ada(), now()).is_ok());
    let small = after(&Gap::default(), open(&Gap::default(), &ask(Severity::Moderate), &business, now()));
    assert!(close(&small, "done", &NOTHING, &business, now()).is_ok());
}

#[test]
fn a_closing_says_what_was_done_and_stays_until_somebody_opens_it_again() {
    let gap = opened(Severity::Low);
    assert_eq!(field(close(&gap, "", &NOTHING, &ingo(), now())), "note");
    let closed = after(&gap, close(&gap, "cable laid", &NOTHING, &ingo(), now()));
    assert_eq!(close(&closed, "cable laid", &NOTHING, &ingo(), now()), Ok(None));
    assert_eq!(code(close(&closed, "another note", &NOTHING, &ingo(), now())), "GAP_CLOSED");
    assert_eq!(code(plan(&closed, &due_in(7), &ingo(), now())), "GAP_CLOSED");
    assert_eq!(code(accept(&closed, &until_in(7), &bea(), now())), "GAP_CLOSED");
    assert_eq!(field(reopen(&closed, "", &ingo(), now())), "reason");
    let again = after(&closed, reopen(&closed, "cut again", &ingo(), now()));
    assert_eq!((again.state, &again.closed), (GapState::Open, &None));
    assert_eq!(reopen(&again, "cut again", &ingo(), now()), Ok(None));
}

#[test]
fn nothing_is_decided_on_a_gap_that_is_not_there() {
    let none = Gap::default();
    assert_eq!(code(plan(&none, &due_in(7), &ingo(), now())), "GAP_NOT_FOUND");
    assert_eq!(code(close(&none, "done", &NOTHING, &ingo(), now())), "GAP_NOT_FOUND");
    assert_eq!(code(accept(&none, &until_in(7), &bea(), now())), "GAP_NOT_FOUND");
    assert_eq!(code(reopen(&none, "why", &ingo(), now())), "GAP_NOT_FOUND");
}

#[test]
fn what_a_drill_showed_is_closed_by_a_later_one_of_the_same_kind_on_the_same_system() {
    let failed = drill("r1", 0, ExecutionState::Failed);
    let gap = found_by(&failed);
    let refused = |request_id: &str, run: Option<&ExecutionView>| {
        let evidence = Evidence { request_id, run, shown_by: Some(&failed) };
        code(close(&gap, "mended", &evidence, &ingo(), in_days(9)))
    };
    assert_eq!(refused("", None), "GAP_EVIDENCE");
    assert_eq!(refused("r2", None), "GAP_EVIDENCE", "a request without a run");
    assert_eq!(refused("r1", Some(&failed)), "GAP_EVIDENCE");
    for (days, state) in [(1, ExecutionState::Failed), (1, ExecutionState::Running), (-1, ExecutionState::Succeeded)] {
        assert_eq!(refused("r2", Some(&drill("r2", days, state))), "GAP_EVIDENCE", "{days} {state:?}");
    }
    let changed = |change: fn(&mut ExecutionStarted)| {
        let mut run = drill("r2", 1, ExecutionState::Succeeded);
        change(run.started.as_mut().unwrap());
        run
    };
    assert_eq!(refused("r2", Some(&changed(|run| run.resource = "cart".into()))), "GAP_EVIDENCE");
    assert_eq!(refused("r2", Some(&changed(|run| run.group = "shop".into()))), "GAP_EVIDENCE");
    assert_eq!(refused("r2", Some(&changed(|run| run.r#type = "tabletop-drill".into()))), "GAP_EVIDENCE");
    assert_eq!(refused("r2", Some(&changed(|run| run.started_at = None))), "GAP_EVIDENCE", "unknown is not later");

    let good = drill("r2", 1, ExecutionState::Succeeded);
    let evidence = Evidence { request_id: "r2", run: Some(&good), shown_by: Some(&failed) };
    let closed = after(&gap, close(&gap, "mended", &evidence, &ingo(), in_days(9)));
    assert!(closed.closed.as_ref().unwrap().evidence.starts_with("readiness-drill of orders-db, succeeded 2026-"));
    // Who opens it again says that this run did not show enough.
    let again = after(&closed, reopen(&closed, "failed at night", &ada(), in_days(10)));
    assert_eq!(code(close(&again, "mended", &evidence, &ingo(), in_days(11))), "GAP_EVIDENCE");
}

#[test]
fn a_missed_objective_is_closed_by_a_run_that_met_it() {
    let slow = failover(Some(90), loss(LossCertainty::ProvenNone, Some(0)));
    let gap = found_by(&slow);
    let later = |rto| {
        let mut run = failover(Some(rto), loss(LossCertainty::ProvenNone, Some(0)));
        run.request_id = "r2".into();
        run.started.as_mut().unwrap().started_at = Some(to_pb(in_days(1)));
        run
    };
    let closed_by = |run: &ExecutionView| {
        let evidence = Evidence { request_id: "r2", run: Some(run), shown_by: Some(&slow) };
        close(&gap, "tuned", &evidence, &ingo(), in_days(9))
    };
    assert_eq!(code(closed_by(&later(61))), "GAP_EVIDENCE");
    assert!(closed_by(&later(60)).is_ok());
}
