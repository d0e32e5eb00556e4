#![expect(clippy::unwrap_used, clippy::panic, reason = "a test panics to fail")]

use proptest::prelude::*;

use super::*;
use crate::delivery::message::{Source, kind};
use crate::delivery::recipient;
use crate::delivery::routing::{EMAIL, Verdict, WEBHOOK};
use crate::pb::inventory::v1::{EmailChannel, notification_route_spec::Channel};

const LIMIT: SignedDuration = SignedDuration::from_secs(30);

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

fn message() -> Message {
    let source = Source { tenant: "acme".into(), event_id: Uuid::from_u128(9), sequence: 3, occurred_at: at(0) };
    Message::about(&source, kind::RPO_BREACHED, "orders-db", 1, 1)
}

fn decision(channel: &'static str) -> Decision {
    let recipient = recipient::email("a@example.com").unwrap();
    let declared = std::sync::Arc::new(Channel::Email(EmailChannel::default()));
    Decision {
        route: "team".into(),
        route_version: 4,
        person: String::new(),
        channel,
        recipient,
        secret_ref: String::new(),
        declared,
        verdict: Verdict::Send,
    }
}

fn queued(channel: &'static str) -> Delivery {
    let mut state = Delivery::default();
    let event = queue(&state, Uuid::from_u128(1), &message(), &decision(channel), at(0)).unwrap();
    state.evolve(&event);
    state
}

fn claim(state: &mut Delivery, now: Timestamp) -> DeliveryAttempted {
    let event = attempt(state, now, LIMIT).unwrap().unwrap();
    state.evolve(&event);
    match event.event.unwrap() {
        Event::Attempted(e) => e,
        other => panic!("{other:?}"),
    }
}

fn fail(state: &mut Delivery, now: Timestamp, code: FailureCode) -> Event {
    let event = failed(state, state.attempts, now, &Failure::new(code, "why"), false, 0).unwrap();
    state.evolve(&event);
    event.event.unwrap()
}

#[test]
fn accepted_at_the_first_attempt() {
    let mut state = queued(WEBHOOK);
    let first = claim(&mut state, at(0));
    assert_eq!((first.attempt, first.possibly_duplicate), (1, false));
    state.evolve(&accepted(&state, 1, at(1), "202\r\nAccepted").unwrap());
    assert_eq!(state.phase, Phase::Accepted);
    assert_eq!(attempt(&state, at(9999), LIMIT), Ok(None));
    assert!(queue(&state, Uuid::from_u128(1), &message(), &decision(WEBHOOK), at(2)).is_none());
}

#[test]
fn a_failed_attempt_waits_for_its_time() {
    let mut state = queued(WEBHOOK);
    claim(&mut state, at(0));
    let Event::AttemptFailed(e) = fail(&mut state, at(1), FailureCode::Unreachable) else { panic!("retried") };
    let due = from_pb(e.retry_at.as_ref()).unwrap();
    assert!(due > at(5) && due < at(7), "{due}");
    assert_eq!(attempt(&state, at(2), LIMIT), Err(NotYet { until: due }));
    let second = claim(&mut state, due);
    assert_eq!((second.attempt, second.possibly_duplicate), (2, false));
}

#[test]
fn killed_between_attempt_and_result_is_tried_again_and_marked() {
    let mut state = queued(EMAIL);
    claim(&mut state, at(0));
    // The one who claimed may still be at it.
    assert_eq!(attempt(&state, at(29), LIMIT), Err(NotYet { until: at(30) }));
    let second = claim(&mut state, at(30));
    assert_eq!((second.attempt, second.possibly_duplicate), (2, true));
}

#[test]
fn an_unknown_outcome_marks_the_next_attempt_and_a_clean_failure_does_not() {
    for (code, expected) in [(FailureCode::OutcomeUnknown, true), (FailureCode::Deferred, false)] {
        let mut state = queued(EMAIL);
        claim(&mut state, at(0));
        fail(&mut state, at(1), code);
        let next = claim(&mut state, at(100));
        assert_eq!(next.possibly_duplicate, expected, "{code:?}");
    }
}

#[test]
fn permanent_failures_end_it_at_once() {
    for code in FailureCode::ALL {
        let mut state = queued(WEBHOOK);
        claim(&mut state, at(0));
        let event = fail(&mut state, at(1), code);
        assert_eq!(matches!(event, Event::GaveUp(_)), code.is_permanent(), "{code:?}");
        assert_eq!(state.phase == Phase::GaveUp, code.is_permanent());
    }
}

#[test]
fn retry_after_is_honoured_up_to_a_day() {
    for (asked, from, to) in [(120, 121, 121), (1, 5, 7), (10_000_000, 86_401, 86_401)] {
        let mut state = queued(WEBHOOK);
        claim(&mut state, at(0));
        let failure = Failure::new(FailureCode::Deferred, "429").retry_after(Some(SignedDuration::from_secs(asked)));
        let event = failed(&state, 1, at(1), &failure, false, 0).unwrap();
        state.evolve(&event);
        let due = state.retry_at.unwrap();
        assert!(due >= at(from) && due <= at(to), "{asked}: {due}");
    }
}

#[test]
fn the_schedule_ends_in_giving_up() {
    let mut state = queued(EMAIL);
    let mut now = at(0);
    for n in 1..50 {
        let claimed = claim(&mut state, now);
        assert_eq!(claimed.attempt, n);
        if let Event::GaveUp(e) = fail(&mut state, now, FailureCode::Deferred) {
            assert_eq!(e.attempts, n);
            assert_eq!(e.error, "DEFERRED: why");
            assert_eq!(attempt(&state, at(1_000_000), LIMIT), Ok(None));
            return;
        }
        now = state.retry_at.unwrap();
    }
    panic!("never gave up");
}

#[test]
fn a_late_yes_of_an_older_attempt_counts_and_a_late_no_does_not() {
    let mut state = queued(WEBHOOK);
    claim(&mut state, at(0));
    claim(&mut state, at(30));
    assert!(failed(&state, 1, at(31), &Failure::new(FailureCode::Rejected, "no"), false, 0).is_none());
    state.evolve(&accepted(&state, 1, at(32), "ok").unwrap());
    assert_eq!(state.phase, Phase::Accepted);
    assert!(accepted(&state, 2, at(33), "ok").is_none());
}

#[test]
fn suppressed_is_never_sent() {
    let mut state = Delivery::default();
    state.evolve(&suppress(&state, Uuid::from_u128(1), &message(), &decision(EMAIL), "rule").unwrap());
    assert_eq!(state.phase, Phase::Suppressed);
    assert!(queue(&state, Uuid::from_u128(1), &message(), &decision(EMAIL), at(0)).is_none());
    assert_eq!(attempt(&state, at(0), LIMIT), Ok(None));
}

#[test]
fn events_that_do_not_fit_change_nothing() {
    let mut state = Delivery::default();
    state.evolve(&DeliveryEvent { event: None });
    state.evolve(&DeliveryEvent {
        event: Some(Event::Attempted(DeliveryAttempted { attempt: 1, ..Default::default() })),
    });
    state
        .evolve(&DeliveryEvent { event: Some(Event::Accepted(DeliveryAccepted { attempt: 1, ..Default::default() })) });
    assert_eq!(state.phase, Phase::None);
}

fn take(state: &mut Delivery, decide: impl Fn(&Delivery) -> Option<DeliveryEvent>) {
    let event = decide(state).unwrap();
    state.evolve(&event);
}

#[test]
fn what_is_held_waits_for_its_time_or_is_never_told() {
    let mut state = queued(EMAIL);
    take(&mut state, |s| hold(s, "quiet hours: night", Some(at(100))));
    assert!(hold(&state, "quiet hours: night", Some(at(100))).is_none(), "once");
    assert_eq!(attempt(&state, at(99), LIMIT), Err(NotYet { until: at(100) }));
    let mut ended = state.clone();
    take(&mut ended, |s| withdraw(s, "the alert ended"));
    assert_eq!((ended.phase, attempt(&ended, at(100), LIMIT)), (Phase::Suppressed, Ok(None)));
    let first = claim(&mut state, at(100));
    assert_eq!((first.attempt, first.possibly_duplicate), (1, false));
    assert!(withdraw(&state, "too late").is_none() && hold(&state, "too late", None).is_none());
}

#[test]
fn what_waits_for_its_turn_is_withdrawn_only_before_it_was_tried() {
    let mut waiting = queued(EMAIL);
    take(&mut waiting, |s| withdraw(s, "what it ends was not told"));
    assert_eq!((waiting.phase, attempt(&waiting, at(0), LIMIT)), (Phase::Suppressed, Ok(None)));
    let mut tried = queued(EMAIL);
    claim(&mut tried, at(0));
    let gone = Failure::new(FailureCode::Gone, "x");
    take(&mut tried, |s| give_up(s, &gone, at(1)));
    let requeued = requeue(&tried, Actor::default(), at(2)).unwrap().unwrap();
    tried.evolve(&requeued);
    assert!(withdraw(&tried, "too late").is_none(), "a person sent it again");
}

#[test]
fn what_another_delivery_tells_is_not_told_by_itself() {
    let mut state = queued(EMAIL);
    take(&mut state, |s| group(s, Uuid::from_u128(7), at(1)));
    assert_eq!(attempt(&state, at(9_999), LIMIT), Ok(None));
    assert!(group(&state, Uuid::from_u128(7), at(2)).is_none(), "once");
    take(&mut state, |s| group(s, Uuid::from_u128(8), at(2)));
    assert_eq!(state.grouped_into, Uuid::from_u128(8).to_string());
    assert!(give_up(&state, &Failure::new(FailureCode::Gone, "x"), at(3)).is_none());
    let mut under_way = queued(EMAIL);
    claim(&mut under_way, at(0));
    assert!(group(&under_way, Uuid::from_u128(7), at(1)).is_none(), "too late");
}

#[test]
fn a_dead_letter_is_sent_again_by_a_person_with_a_fresh_schedule() {
    let mut state = queued(WEBHOOK);
    assert_eq!(requeue(&state, Actor::default(), at(0)).unwrap_err().code, "DELIVERY_NOT_GIVEN_UP");
    claim(&mut state, at(0));
    fail(&mut state, at(1), FailureCode::Deferred);
    claim(&mut state, at(10));
    fail(&mut state, at(11), FailureCode::Rejected);
    take(&mut state, |s| requeue(s, Actor { id: "olga".into(), ..Actor::default() }, at(20)).unwrap());
    assert_eq!(requeue(&state, Actor::default(), at(21)).unwrap_err().code, "DELIVERY_NOT_GIVEN_UP");
    let again = claim(&mut state, at(22));
    assert_eq!((again.attempt, again.possibly_duplicate), (3, false), "attempts are counted on");
    fail(&mut state, at(23), FailureCode::Deferred);
    let wait = state.retry_at.unwrap().duration_since(at(23)).as_secs();
    assert!((4..=6).contains(&wait), "the schedule begins anew: {wait}");
}

#[test]
fn a_dead_letter_that_may_have_arrived_is_marked_when_it_is_sent_again() {
    for (code, marked) in [(FailureCode::NotRepeated, true), (FailureCode::Rejected, false)] {
        let mut state = queued(WEBHOOK);
        claim(&mut state, at(0));
        fail(&mut state, at(1), code);
        take(&mut state, |s| requeue(s, Actor::default(), at(2)).unwrap());
        assert_eq!(claim(&mut state, at(3)).possibly_duplicate, marked, "{code:?}");
    }
}

/// What may happen to a delivery in the world.
#[derive(Debug, Clone)]
enum Step {
    Claim,
    Accept(u32),
    Fail(u32, usize),
    Wait(i64),
    Hold(i64),
    Withdraw,
    Group(u8),
    Requeue,
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::Claim),
        1 => (0u32..5).prop_map(Step::Accept),
        3 => (0u32..5, 0usize..FailureCode::ALL.len()).prop_map(|(a, c)| Step::Fail(a, c)),
        3 => (0i64..100_000).prop_map(Step::Wait),
        1 => (0i64..1_000).prop_map(Step::Hold),
        1 => Just(Step::Withdraw),
        1 => (0u8..3).prop_map(Step::Group),
        1 => Just(Step::Requeue),
    ]
}

proptest! {
    /// In whatever order things happen: attempts are numbered without gaps, none follows an end, two never
    /// overlap within the limit, and one after an unrecorded or unknown outcome is marked.
    #[test]
    fn attempts_never_overlap_and_never_follow_an_end_but_by_hand(steps in prop::collection::vec(any_step(), 0..60), page: bool, seed: u64) {
        let mut state = queued(WEBHOOK);
        let mut now = at(0);
        let mut last: Option<(Timestamp, bool)> = None; // when, and whether its outcome is known to be "not taken"
        for step in steps {
            let before = state.phase;
            let mut by_hand = false;
            match step {
                Step::Hold(seconds) => {
                    if let Some(event) = hold(&state, "held", now.checked_add(SignedDuration::from_secs(seconds)).ok()) {
                        prop_assert!(matches!(before, Phase::Queued | Phase::Held));
                        state.evolve(&event);
                    }
                }
                Step::Withdraw => if let Some(event) = withdraw(&state, "over") {
                    prop_assert!(before == Phase::Held || (before == Phase::Queued && state.attempts == 0));
                    state.evolve(&event);
                    prop_assert_eq!(state.phase, Phase::Suppressed);
                },
                Step::Group(into) => if let Some(event) = group(&state, Uuid::from_u128(into.into()), now) {
                    prop_assert!(matches!(before, Phase::Queued | Phase::Held | Phase::Grouped));
                    state.evolve(&event);
                },
                Step::Requeue => if let Ok(Some(event)) = requeue(&state, Actor::default(), now) {
                    prop_assert_eq!(before, Phase::GaveUp);
                    state.evolve(&event);
                    by_hand = true;
                },
                Step::Wait(seconds) => now += SignedDuration::from_secs(seconds),
                Step::Claim => {
                    if let Ok(Some(event)) = attempt(&state, now, LIMIT) {
                        prop_assert!(!before.is_final());
                        let attempts = state.attempts;
                        state.evolve(&event);
                        let Some(Event::Attempted(e)) = event.event else { panic!("attempted") };
                        prop_assert_eq!(e.attempt, attempts + 1);
                        if let Some((when, clean)) = last {
                            // Sent again by hand, an older attempt than the last may have arrived: marked too often, never too seldom.
                            prop_assert!(e.possibly_duplicate || clean);
                            prop_assert!(state.attempts_before > 0 || e.possibly_duplicate != clean);
                            prop_assert!(clean || state.outcome_unknown || now >= when + LIMIT);
                        } else {
                            prop_assert!(!e.possibly_duplicate);
                        }
                        last = Some((now, false));
                    }
                }
                Step::Accept(n) => {
                    if let Some(event) = accepted(&state, n, now, "ok") {
                        prop_assert!(!before.is_final() && n >= 1 && n <= state.attempts);
                        state.evolve(&event);
                        prop_assert_eq!(state.phase, Phase::Accepted);
                    }
                }
                Step::Fail(n, code) => {
                    let code = FailureCode::ALL[code];
                    if let Some(event) = failed(&state, n, now, &Failure::new(code, "x"), page, seed) {
                        prop_assert!(before == Phase::Attempting && n == state.attempts);
                        state.evolve(&event);
                        prop_assert!(state.phase == Phase::GaveUp || state.retry_at.is_some_and(|due| due > now));
                        let unknown = [FailureCode::OutcomeUnknown, FailureCode::NotRepeated, FailureCode::RouteChanged];
                        last = last.map(|(when, _)| (when, !unknown.contains(&code)));
                    }
                }
            }
            prop_assert!(!before.is_final() || state.phase == before || by_hand);
        }
    }
}
