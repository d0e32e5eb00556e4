#![expect(clippy::unwrap_used, reason = "a test panics to fail")]

use super::given::{now, person};
use crate::aggregate::{Aggregate, EventKind};
use crate::pb::common::v1::{Actor, ActorKind};
use crate::pb::inventory::v1::Document;
use crate::pb::plan::v1::{Lint, LintSeverity, PlanEvent, PlanRef, PlanState};
use crate::plan::{Plan, Publication, publish, return_, state, submit};
use crate::refusal::Refusal;

fn text(version: u64, hash: &str) -> PlanRef {
    PlanRef { name: "shop-move".into(), version, hash: hash.into() }
}

fn written_by(author: &str, version: u64) -> Document {
    Document { declared_by: author.into(), version, ..Document::default() }
}

fn finding(severity: LintSeverity) -> Vec<Lint> {
    vec![Lint { severity: severity.into(), code: "MISSING_UNDO".into(), step: "s".into(), ..Lint::default() }]
}

fn apply(plan: &mut Plan, decision: Result<Option<PlanEvent>, Refusal>) -> &'static str {
    let event = decision.unwrap().unwrap();
    plan.evolve(&event);
    event.kind()
}

fn submitted() -> Plan {
    let mut plan = Plan::default();
    let decision = submit(&plan, &text(1, "a"), 1, vec![], &person("olga"), now());
    assert_eq!(apply(&mut plan, decision), "plan.submitted");
    plan
}

fn publishing(plan: &Plan, newest: &PlanRef, hash: &str, actor: &Actor) -> Result<Option<PlanEvent>, Refusal> {
    let document = written_by("ada", newest.version);
    let publication = Publication { newest, document: &document, hash, findings: vec![], note: "" };
    publish(plan, publication, actor, now())
}

fn published() -> Plan {
    let mut plan = submitted();
    let decision = publishing(&plan, &text(1, "a"), "a", &person("ingo"));
    assert_eq!(apply(&mut plan, decision), "plan.published");
    plan
}

#[test]
fn a_plan_is_published_by_a_third_person() {
    let plan = submitted();
    for author in ["olga", "ada"] {
        let refusal = publishing(&plan, &text(1, "a"), "a", &person(author)).unwrap_err();
        assert_eq!(refusal.code, "PUBLISHER_IS_AUTHOR", "{author}");
        assert!(refusal.value.contains(author));
    }
    assert!(publishing(&plan, &text(1, "a"), "a", &person("ingo")).unwrap().is_some());
    let machine = Actor { kind: ActorKind::Machine.into(), ..person("ci") };
    assert_eq!(publishing(&plan, &text(1, "a"), "a", &machine).unwrap_err().code, "PERSON_REQUIRED");
}

#[test]
fn what_is_published_is_what_was_submitted_and_reviewed() {
    let plan = submitted();
    // The reviewer read something else.
    assert_eq!(publishing(&plan, &text(1, "a"), "b", &person("ingo")).unwrap_err().code, "PLAN_CHANGED");
    // A member was changed in between, then the text.
    for newest in [text(1, "b"), text(2, "b")] {
        let refusal = publishing(&plan, &newest, "a", &person("ingo")).unwrap_err();
        assert_eq!((refusal.code.as_str(), refusal.limit.as_str()), ("PLAN_CHANGED", "a"));
        assert_eq!(publishing(&plan, &newest, "b", &person("ingo")).unwrap_err().code, "PLAN_CHANGED");
    }
    assert_eq!(
        publishing(&Plan::default(), &text(1, "a"), "a", &person("ingo")).unwrap_err().code,
        "PLAN_NOT_IN_REVIEW"
    );
}

#[test]
fn a_plan_with_errors_is_neither_submitted_nor_published() {
    let errors = finding(LintSeverity::Error);
    let refusal = submit(&Plan::default(), &text(1, "a"), 1, errors.clone(), &person("olga"), now()).unwrap_err();
    assert_eq!(refusal.code, "PLAN_HAS_ERRORS");
    assert!(refusal.value.contains("MISSING_UNDO") && refusal.value.contains("step s"), "{refusal:?}");

    // What was fine when it was submitted need not be fine when it is published: a secret was taken away.
    let plan = submitted();
    let document = written_by("ada", 1);
    let publication = Publication { newest: &text(1, "a"), document: &document, hash: "a", findings: errors, note: "" };
    assert_eq!(publish(&plan, publication, &person("ingo"), now()).unwrap_err().code, "PLAN_HAS_ERRORS");

    let warnings = finding(LintSeverity::Warning);
    assert!(submit(&Plan::default(), &text(1, "a"), 1, warnings, &person("olga"), now()).unwrap().is_some());
}

#[test]
fn what_is_submitted_is_the_newest_text() {
    let refusal = submit(&Plan::default(), &text(2, "b"), 1, vec![], &person("olga"), now()).unwrap_err();
    assert_eq!((refusal.code.as_str(), refusal.limit.as_str()), ("PLAN_VERSION_OLD", "version 2"));
}

#[test]
fn doing_it_again_changes_nothing() {
    let plan = submitted();
    assert_eq!(submit(&plan, &text(1, "a"), 1, vec![], &person("olga"), now()), Ok(None));
    let plan = published();
    assert_eq!(submit(&plan, &text(1, "a"), 1, vec![], &person("olga"), now()), Ok(None));
    assert_eq!(publishing(&plan, &text(1, "a"), "a", &person("ingo")), Ok(None));
    // Of another text it is not "already done".
    assert_eq!(publishing(&plan, &text(2, "b"), "b", &person("ingo")).unwrap_err().code, "PLAN_NOT_IN_REVIEW");
}

#[test]
fn a_returned_plan_says_why_and_can_be_submitted_again() {
    let mut plan = submitted();
    assert_eq!(return_(&plan, "  ", &person("ingo"), now()).unwrap_err().field, "reason");
    assert_eq!(return_(&plan, "a\0", &person("ingo"), now()).unwrap_err().code, "FIELD_INVALID");
    let decision = return_(&plan, "the cart is missing", &person("ingo"), now());
    assert_eq!(apply(&mut plan, decision), "plan.returned");
    assert_eq!(plan.returned.as_ref().unwrap().reason, "the cart is missing");
    assert_eq!(state(&plan, &text(1, "a")).0, PlanState::Draft);
    assert_eq!(return_(&plan, "again", &person("ingo"), now()).unwrap_err().code, "PLAN_NOT_IN_REVIEW");
    let decision = submit(&plan, &text(2, "b"), 2, vec![], &person("olga"), now());
    apply(&mut plan, decision);
    assert_eq!(state(&plan, &text(2, "b")).0, PlanState::InReview);
}

#[test]
fn a_published_text_stays_in_use_until_the_next_is_published() {
    let mut plan = published();
    assert_eq!(state(&plan, &text(1, "a")).0, PlanState::Published);
    // A member was changed: the text is the published one still, its proof is another question.
    assert_eq!(state(&plan, &text(1, "a2")).0, PlanState::Published);

    let (draft, words) = state(&plan, &text(2, "b"));
    assert_eq!(draft, PlanState::Draft);
    assert!(words.contains("Version 1 is published and in use; version 2 is newer"), "{words}");
    let decision = submit(&plan, &text(2, "b"), 2, vec![], &person("olga"), now());
    apply(&mut plan, decision);
    assert_eq!(plan.published_ref().unwrap().version, 1);
    // Changed while it is read: the review is void, and says so.
    let (draft, words) = state(&plan, &text(3, "c"));
    assert_eq!(draft, PlanState::Draft);
    assert!(words.contains("that review is void"), "{words}");
}

#[test]
fn a_plan_that_nobody_published_is_not_used() {
    let (draft, words) = state(&Plan::default(), &text(1, "a"));
    assert_eq!(draft, PlanState::Draft);
    assert!(words.contains("built-in plan"), "{words}");
}
