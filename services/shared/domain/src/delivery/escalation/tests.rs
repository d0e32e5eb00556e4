#![expect(clippy::unwrap_used, clippy::panic, reason = "a test panics to fail")]

use jiff::SignedDuration;
use proptest::prelude::*;

use super::*;
use crate::delivery::message::kind;
use crate::pb::common::v1::{Actor, Environment, Tier};
use crate::pb::inventory::v1::{AlertRule, EscalationStep};
use crate::pb::notification::v1::EscalationStepped;
use crate::time::duration_to_pb;

const OPENED: Timestamp = Timestamp::constant(1_800_000_000, 0);

fn after(minutes: i64) -> Timestamp {
    OPENED + SignedDuration::from_mins(minutes)
}

fn begun(renotify_minutes: Option<i64>, steps: &[i64]) -> EscalationStarted {
    let minutes = |m: i64| Some(duration_to_pb(SignedDuration::from_mins(m)));
    let escalate = steps.iter().map(|m| EscalationStep { after: minutes(*m), routes: vec![format!("after-{m}")] });
    EscalationStarted {
        alert_id: "a1".into(),
        resource: "orders-db".into(),
        message_kind: kind::RPO_BREACHED.into(),
        severity: "critical".into(),
        tier: Tier::Tier2.into(),
        environment: Environment::Production.into(),
        rule: Some(AlertRule {
            renotify_every: renotify_minutes.and_then(minutes),
            escalate: escalate.collect(),
            ..AlertRule::default()
        }),
        opened_at: Some(to_pb(OPENED)),
        ..EscalationStarted::default()
    }
}

fn running(started: EscalationStarted) -> Escalation {
    let mut state = Escalation::default();
    state.evolve(&start(&state, &started).unwrap());
    state
}

fn ingo() -> Actor {
    Actor { id: "idp|ingo".into(), name: "Ingo".into(), ..Actor::default() }
}

/// Everything that is due at `now`, as words.
fn told(state: &mut Escalation, now: Timestamp) -> Vec<String> {
    let mut said = Vec::new();
    while let Some(event) = due(state, now) {
        said.push(match event.event.as_ref().unwrap() {
            Event::Stepped(e) => format!("step {} {}", e.step, e.routes.join(",")),
            Event::Renotified(e) => format!("again {}", e.repetition),
            _ => "?".into(),
        });
        state.evolve(&event);
        assert!(said.len() < 1_000, "it never ends");
    }
    said
}

#[test]
fn steps_come_by_their_time_and_repetitions_between_them() {
    let mut state = running(begun(Some(10), &[5, 15]));
    assert_eq!(next_at(&state, OPENED), Some(after(5)));
    assert!(told(&mut state, after(4)).is_empty());
    assert_eq!(told(&mut state, after(5)), ["step 1 after-5"]);
    assert_eq!(told(&mut state, after(10)), ["again 1"]);
    assert_eq!(told(&mut state, after(15)), ["step 2 after-15"]);
    assert_eq!(told(&mut state, after(20)), ["again 2"]);
    assert_eq!(next_at(&state, after(20)), Some(after(30)));
}

#[test]
fn who_is_told_next_is_named_before_a_step_and_nobody_before_a_repetition() {
    let mut state = running(begun(Some(10), &[5, 15]));
    let next = |state: &Escalation, now: Timestamp| {
        let view = state.view(now).unwrap();
        (from_pb(view.next_at.as_ref()), view.next_routes)
    };
    assert_eq!(next(&state, OPENED), (Some(after(5)), vec!["after-5".to_owned()]));
    told(&mut state, after(5));
    assert_eq!(next(&state, after(5)), (Some(after(10)), vec![]), "the same again, to the same");
    told(&mut state, after(10));
    assert_eq!(next(&state, after(10)), (Some(after(15)), vec!["after-15".to_owned()]));
}

#[test]
fn after_an_outage_each_missed_step_is_told_and_the_repetition_once() {
    let mut state = running(begun(Some(10), &[5, 15]));
    assert_eq!(told(&mut state, after(120)), ["step 1 after-5", "again 1", "step 2 after-15"]);
    assert_eq!(next_at(&state, after(120)), Some(after(130)));
}

#[test]
fn an_acknowledgement_stops_everything_and_leaves_the_alert_open() {
    let mut state = running(begun(Some(10), &[5]));
    let event = acknowledge(&state, &ingo(), "cli", " on\n it ", after(3), after(3)).unwrap().unwrap();
    state.evolve(&event);
    assert!(told(&mut state, after(600)).is_empty());
    let view = state.view(after(4)).unwrap();
    assert_eq!((view.acknowledged.unwrap().note.as_str(), view.ended_at, view.next_at), ("on it", None, None));
    assert_eq!(acknowledge(&state, &ingo(), "cli", "", after(4), after(4)), Ok(None));
}

#[test]
fn what_was_said_before_the_alert_is_about_another_one() {
    let state = running(begun(None, &[]));
    let early = OPENED - SignedDuration::from_secs(1);
    let refused = acknowledge(&state, &ingo(), "pagerduty", "", early, after(1)).unwrap_err();
    assert_eq!(refused.code, "ACKNOWLEDGED_BEFORE_ALERT");
}

#[test]
fn a_silence_delays_and_forgets_nothing() {
    let mut state = running(begun(Some(10), &[5]));
    let event = silence(&state, &ingo(), "disk is being changed", Some(SignedDuration::from_hours(1)), OPENED);
    state.evolve(&event.unwrap().unwrap());
    assert!(told(&mut state, after(59)).is_empty());
    assert_eq!(next_at(&state, after(59)), Some(after(60)));
    assert_eq!(told(&mut state, after(60)), ["step 1 after-5", "again 1"]);
}

#[test]
fn a_silence_has_a_reason_and_an_end() {
    let state = running(begun(None, &[]));
    let ask = |reason: &str, seconds: Option<i64>| {
        let refused = silence(&state, &ingo(), reason, seconds.map(SignedDuration::from_secs), OPENED).unwrap_err();
        (refused.field, refused.code)
    };
    let invalid = |field: &str| (field.to_owned(), "FIELD_INVALID".to_owned());
    assert_eq!(ask(" ", Some(60)), invalid("reason"));
    assert_eq!(ask(&"x".repeat(900), Some(60)), invalid("reason"));
    for seconds in [None, Some(0), Some(-1), Some(24 * 3600 + 1)] {
        assert_eq!(ask("why", seconds), invalid("duration"), "{seconds:?}");
    }
    assert!(silence(&state, &ingo(), "why", Some(MAX_SILENCE), OPENED).unwrap().is_some());
}

#[test]
fn a_breach_of_tier_one_in_production_is_never_silenced_but_blindness_is() {
    let ask = |kind: &str, environment: Environment| {
        let started = EscalationStarted {
            message_kind: kind.into(),
            tier: Tier::Tier1.into(),
            environment: environment.into(),
            ..begun(None, &[])
        };
        silence(&running(started), &ingo(), "why", Some(SignedDuration::from_mins(1)), OPENED).map_err(|r| r.code)
    };
    let refused = Err("ALERT_NOT_SILENCEABLE".to_owned());
    assert_eq!(ask(kind::RPO_BREACHED, Environment::Production), refused);
    assert_eq!(ask(kind::INTEGRITY_VIOLATED, Environment::Production), refused);
    assert!(ask(kind::VISIBILITY_LOST, Environment::Production).is_ok());
    assert!(ask(kind::RPO_BREACHED, Environment::Test).is_ok());
}

#[test]
fn what_is_not_open_is_not_answered_for() {
    let absent = acknowledge(&Escalation::default(), &ingo(), "cli", "", OPENED, OPENED).unwrap_err();
    assert_eq!(absent.code, "ALERT_NOT_FOUND");
    let mut state = running(begun(Some(10), &[5]));
    state.evolve(&end(&state, "resolved", after(1)).unwrap());
    assert_eq!(end(&state, "resolved", after(2)), None);
    assert_eq!(acknowledge(&state, &ingo(), "cli", "", after(2), after(2)).unwrap_err().code, "ALERT_ENDED");
    assert!(told(&mut state, after(600)).is_empty());
    assert_eq!(start(&state, &begun(None, &[])), None, "an alert's id is used once");
}

#[test]
fn an_alert_that_is_ignored_for_ever_is_told_daily_in_the_end() {
    let mut state = running(begun(Some(1), &[]));
    let mut now = OPENED;
    for _ in 0..100 {
        now = next_at(&state, now).unwrap();
        assert_eq!(told(&mut state, now).len(), 1);
    }
    assert_eq!(now, after(100));
    assert_eq!(next_at(&state, now), Some(now + SignedDuration::from_hours(24)));
}

fn any_event() -> impl Strategy<Value = Event> {
    let at = (-100i64..5_000).prop_map(|m| Some(to_pb(after(m))));
    prop_oneof![
        (prop::option::of(0i64..100), prop::collection::vec(0i64..500, 0..4))
            .prop_map(|(again, steps)| Event::Started(begun(again, &steps))),
        (any::<u32>(), at.clone()).prop_map(|(step, stepped_at)| Event::Stepped(EscalationStepped {
            step,
            stepped_at,
            ..Default::default()
        })),
        (0u32..200, at.clone()).prop_map(|(repetition, renotified_at)| Event::Renotified(
            crate::pb::notification::v1::AlertRenotified { repetition, renotified_at }
        )),
        at.clone().prop_map(|acknowledged_at| Event::Acknowledged(AlertAcknowledged {
            acknowledged_at,
            ..AlertAcknowledged::default()
        })),
        at.clone().prop_map(|until| Event::Silenced(AlertSilenced { until, ..AlertSilenced::default() })),
        at.prop_map(|ended_at| Event::Ended(EscalationEnded { ended_at, ..EscalationEnded::default() })),
    ]
}

proptest! {
    /// Any events in any order: no panic, what is due ends, and nothing is due that is answered, ended or silent.
    #[test]
    fn folding_is_total_and_what_is_due_ends(events in prop::collection::vec(any_event(), 0..12), minutes in 0i64..6_000) {
        let mut state = Escalation::default();
        for event in events {
            state.evolve(&EscalationEvent { event: Some(event) });
        }
        let now = after(minutes);
        let quiet = !state.is_unanswered() || state.silent_until(now).is_some();
        let said = told(&mut state, now);
        prop_assert!(!quiet || said.is_empty());
        prop_assert!(said.len() <= 5, "{said:?}");
        // What comes next is in the future, or nothing comes.
        prop_assert!(next_at(&state, now).is_none_or(|next| next > now));
    }

    /// Each step and each repetition once, in order, however often and late somebody looks.
    #[test]
    fn nothing_is_told_twice(looks in prop::collection::vec(0i64..40, 1..60), steps in prop::collection::vec(1i64..300, 0..5)) {
        let mut steps = steps;
        steps.sort_unstable();
        let mut state = running(begun(Some(7), &steps));
        let (mut now, mut said) = (OPENED, Vec::new());
        for minutes in looks {
            now += SignedDuration::from_mins(minutes);
            said.extend(told(&mut state, now));
        }
        let numbers = |word: &str| -> Vec<u32> {
            said.iter().filter(|s| s.starts_with(word)).map(|s| s.split(' ').nth(1).unwrap().parse().unwrap()).collect()
        };
        for word in ["step", "again"] {
            let found = numbers(word);
            let expected: Vec<u32> = (1..=u32::try_from(found.len()).unwrap()).collect();
            prop_assert_eq!(found, expected);
        }
        let passed = steps.iter().filter(|m| after(**m) <= now).count();
        prop_assert_eq!(numbers("step").len(), passed);
    }
}

#[test]
fn who_is_told_again_reads_that_nobody_answered() {
    let source = crate::delivery::Source {
        tenant: "acme".into(),
        event_id: uuid::Uuid::nil(),
        sequence: 1,
        occurred_at: after(30),
    };
    let alert = || {
        let mut alert = crate::delivery::Message::about(&source, kind::RPO_BREACHED, "orders-db", 1, 1);
        alert.set_subject("CRITICAL: orders-db: RPO breached");
        alert.set_summary("More could be lost.");
        alert.opens_thread = true;
        alert
    };
    let mut again = alert();
    words::renotified(&mut again, 2, Some(OPENED));
    assert_eq!(again.subject, "STILL OPEN (3. message): CRITICAL: orders-db: RPO breached");
    assert_eq!(again.summary, "Nobody has acknowledged this alert for 30 min. More could be lost.");
    assert!(again.only_routes.is_empty() && !again.opens_thread);
    let mut step = alert();
    let first = EscalationStepped { step: 1, routes: vec!["boss".to_owned()], ..EscalationStepped::default() };
    words::stepped(&mut step, &first, &Escalation::default());
    assert_eq!(step.subject, "ESCALATED (step 1): CRITICAL: orders-db: RPO breached");
    assert_eq!((step.only_routes, step.step), (vec!["boss".to_owned()], 1));
    assert_eq!(step.summary, "Nobody has acknowledged this alert. More could be lost.");
    let mut called = alert();
    let mut state = running(begun(None, &[5]));
    state.evolve(&acknowledge(&state, &ingo(), "cli", "", after(3), after(3)).unwrap().unwrap());
    let by_hand = EscalationStepped { by: Some(ingo()), reason: "I need a DBA.".into(), ..first };
    words::stepped(&mut called, &by_hand, &state);
    assert_eq!(called.subject, "ESCALATED by Ingo (step 1): CRITICAL: orders-db: RPO breached");
    assert_eq!(called.summary, "Ingo asks for help: I need a DBA. Ingo looks after this alert. More could be lost.");
    assert_eq!((called.only_routes, called.step), (vec!["boss".to_owned()], 1));
}

#[test]
fn a_person_calls_the_next_step_before_its_time_and_the_others_keep_theirs() {
    let mut state = running(begun(None, &[5, 15]));
    let event = escalate(&state, &ingo(), " I need\n a DBA", 1, after(2)).unwrap().unwrap();
    state.evolve(&event);
    let Some(Event::Stepped(said)) = event.event else { panic!("{event:?}") };
    assert_eq!((said.step, said.routes, said.reason.as_str()), (1, vec!["after-5".to_owned()], "I need a DBA"));
    assert_eq!(said.by, Some(ingo()));
    assert!(told(&mut state, after(14)).is_empty(), "step 1 is not called twice");
    assert_eq!(told(&mut state, after(15)), ["step 2 after-15"]);
}

#[test]
fn who_looks_after_it_can_call_for_help_and_in_a_silence_too() {
    let mut state = running(begun(Some(10), &[5]));
    state.evolve(&acknowledge(&state, &ingo(), "cli", "", after(1), after(1)).unwrap().unwrap());
    state.evolve(&silence(&state, &ingo(), "why", Some(MAX_SILENCE), after(1)).unwrap().unwrap());
    assert_eq!(state.view(after(2)).unwrap().callable_routes, ["after-5"]);
    state.evolve(&escalate(&state, &ingo(), "help", 1, after(2)).unwrap().unwrap());
    let view = state.view(after(2)).unwrap();
    assert!(view.acknowledged.is_some() && view.callable_routes.is_empty());
    assert!(told(&mut state, after(6_000)).is_empty(), "it is still looked after");
}

#[test]
fn a_step_is_called_once_in_order_with_a_reason_and_only_where_there_is_one() {
    let mut state = running(begun(None, &[5]));
    let code = |state: &Escalation, reason: &str, step: u32| {
        escalate(state, &ingo(), reason, step, after(2)).map(|event| event.is_some()).map_err(|refused| refused.code)
    };
    assert_eq!(code(&state, " ", 1), Err("FIELD_INVALID".to_owned()));
    for step in [0, 2, u32::MAX] {
        assert_eq!(code(&state, "help", step), Err("ALERT_STEP_NOT_NEXT".to_owned()), "{step}");
    }
    assert_eq!(code(&state, "help", 1), Ok(true));
    assert_eq!(told(&mut state, after(5)), ["step 1 after-5"]);
    assert_eq!(code(&state, "help", 1), Err("ALERT_STEP_NOT_NEXT".to_owned()), "the timer was first");
    assert_eq!(code(&state, "help", 2), Err("ALERT_CHAIN_ENDS".to_owned()));
    state.evolve(&end(&state, "resolved", after(6)).unwrap());
    assert_eq!(code(&state, "help", 2), Err("ALERT_ENDED".to_owned()));
    assert!(state.view(after(7)).unwrap().callable_routes.is_empty());
    assert_eq!(code(&Escalation::default(), "help", 1), Err("ALERT_NOT_FOUND".to_owned()));
}
