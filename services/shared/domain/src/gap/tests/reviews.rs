//! Reviews: by somebody else, after the end, once a person.

use super::*;
use crate::pb::audit::v1::ReviewEvent;
use crate::pb::execution::v1::ManualStepDecided;
use crate::pb::request::v1::{RequestConfirmed, RequestOpened, RequestView};

const ASK: DrillReview<'static> = DrillReview { accepted: true, note: "read it all", gap_ids: &[] };

/// Started by Olga, one step by hand by Ingo.
fn view(state: ExecutionState) -> RequestView {
    let mut run = drill("r1", 0, state);
    run.manual_decisions = vec![ManualStepDecided { actor: Some(ingo()), ..Default::default() }];
    RequestView {
        request_id: "r1".into(),
        opened: Some(RequestOpened { request_id: "r1".into(), ..Default::default() }),
        confirmed: Some(RequestConfirmed { actor: Some(person("olga", &[Role::Operator])), ..Default::default() }),
        execution: Some(run),
        ..Default::default()
    }
}

fn code(decided: Result<Option<ReviewEvent>, Refusal>) -> String {
    decided.unwrap_err().code
}

fn after(decided: Result<Option<ReviewEvent>, Refusal>) -> Review {
    let mut review = Review::default();
    review.evolve(&decided.unwrap().unwrap());
    review
}

#[test]
fn who_had_a_hand_in_it_does_not_review_it() {
    let (none, ended) = (Review::default(), view(ExecutionState::Failed));
    let by = |who: Actor| review_drill(&none, &ended, &ASK, &who, now());
    assert_eq!(code(by(person("olga", &[Role::Admin]))), "REVIEWER_INVOLVED");
    assert_eq!(code(by(ingo())), "REVIEWER_INVOLVED", "a step by hand is a hand in it");
    assert_eq!(code(by(Actor { kind: ActorKind::Machine.into(), ..bea() })), "PERSON_REQUIRED");
    let said = after(by(bea())).drill.unwrap();
    assert_eq!((said.accepted, said.reviewer.unwrap().id.as_str()), (true, "bea"));
}

#[test]
fn a_review_comes_after_the_end_and_says_what_was_seen() {
    let none = Review::default();
    let on = |view: &RequestView, ask: &DrillReview<'_>| review_drill(&none, view, ask, &bea(), now());
    assert_eq!(code(on(&view(ExecutionState::Running), &ASK)), "REVIEW_TOO_EARLY");
    assert_eq!(code(on(&RequestView { execution: None, ..view(ExecutionState::Running) }, &ASK)), "NOTHING_TO_REVIEW");
    assert_eq!(code(on(&RequestView::default(), &ASK)), "NOTHING_TO_REVIEW");
    let ended = view(ExecutionState::Stopped);
    assert_eq!(on(&ended, &DrillReview { note: "", ..ASK }).unwrap_err().field, "note");
    let many = vec!["g".to_owned(); 21];
    assert_eq!(on(&ended, &DrillReview { gap_ids: &many, ..ASK }).unwrap_err().field, "gap_ids");
}

#[test]
fn one_person_reviews_one_run_once() {
    let ended = view(ExecutionState::Succeeded);
    let review = after(review_drill(&Review::default(), &ended, &ASK, &bea(), now()));
    assert_eq!(review_drill(&review, &ended, &ASK, &bea(), in_days(1)), Ok(None), "the same words again");
    let other = DrillReview { accepted: false, ..ASK };
    assert_eq!(code(review_drill(&review, &ended, &other, &bea(), now())), "REVIEW_RECORDED");
    assert_eq!(review_id("r1", &bea()), review_id("r1", &bea()));
    assert_ne!(review_id("r1", &bea()), review_id("r1", &ada()));
    assert_ne!(review_id("r1", &bea()), review_id("r2", &bea()));
}

#[test]
fn a_period_of_the_record_is_over_when_it_is_reviewed() {
    let on = |from, to| review_audit(&Review::default(), from, to, "all read", &ada(), now());
    for (from, to) in [(None, Some(now())), (Some(now()), Some(now())), (Some(in_days(-1)), Some(in_days(1)))] {
        assert_eq!(on(from, to).unwrap_err().field, "to");
    }
    let review = after(on(Some(in_days(-7)), Some(now())));
    let again = review_audit(&review, Some(in_days(-7)), Some(now()), "all read", &ada(), in_days(1));
    assert_eq!(again, Ok(None));
}
