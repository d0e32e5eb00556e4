#![expect(clippy::unwrap_used, reason = "a test panics to fail")]

use proptest::prelude::*;

use super::*;
use crate::delivery::Source;

const G: Uuid = Uuid::from_u128(7);

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

fn before(phase: Phase) -> Before {
    Before { phase, outcome_unknown: false, due: None, told_by: None }
}

fn grouped(phase: Phase) -> Before {
    Before { told_by: Some((G, phase)), ..before(Phase::Grouped) }
}

#[test]
fn an_end_waits_for_what_is_on_its_way() {
    for phase in [Phase::Queued, Phase::Attempting, Phase::Waiting, Phase::Held] {
        assert_eq!(Told::of(&[before(Phase::Accepted), before(phase)]).pending, Some(None), "{phase:?}");
        assert_eq!(Told::of(&[grouped(phase)]).pending, Some(None), "told with others: {phase:?}");
    }
    let due = |second| Before { due: Some(at(second)), ..before(Phase::Waiting) };
    assert_eq!(Told::of(&[due(5), due(60), before(Phase::Queued)]).pending, Some(Some(at(60))));
    for phase in [Phase::Accepted, Phase::GaveUp, Phase::Suppressed] {
        assert_eq!(Told::of(&[before(phase)]).pending, None, "{phase:?}");
    }
}

#[test]
fn an_end_after_nothing_is_known_as_such() {
    for phase in [Phase::GaveUp, Phase::Suppressed, Phase::None] {
        assert!(!Told::of(&[before(phase), grouped(phase)]).is_told(), "{phase:?}");
    }
    let unknown = Before { outcome_unknown: true, ..before(Phase::GaveUp) };
    assert!(Told::of(&[unknown]).by_itself, "it may have opened something");
    let told = Told::of(&[grouped(Phase::Accepted), grouped(Phase::Accepted), before(Phase::Accepted)]);
    assert_eq!((told.by_itself, told.among_others), (true, vec![G]));
}

#[test]
fn only_a_pager_keeps_what_it_was_told() {
    let source = Source { tenant: "acme".into(), event_id: G, sequence: 1, occurred_at: at(0) };
    let resolved = Message::about(&source, kind::ALERT_RESOLVED, "orders-db", 1, 1);
    assert!(closes_incident(&resolved, PAGERDUTY) && !closes_incident(&resolved, "email"));
    let breached = Message::about(&source, kind::RPO_BREACHED, "orders-db", 1, 1);
    assert!(!closes_incident(&breached, PAGERDUTY), "what opens waits for its window");
    assert!(OVER.iter().all(|kind| ENDS.contains(kind)));
}

#[test]
fn the_end_of_a_group_is_one_message_and_about_no_single_system() {
    let source = Source { tenant: "acme".into(), event_id: Uuid::from_u128(1), sequence: 1, occurred_at: at(0) };
    let mut last = Message::about(&source, kind::ALERT_RESOLVED, "orders-db", 1, 1);
    last.alert_id = "a1".into();
    let end = of_group(G, "pager", &last);
    let mut other = last.clone();
    (other.resource, other.event_id) = ("billing".into(), Uuid::from_u128(2));
    assert_eq!(end.event_id, of_group(G, "pager", &other).event_id, "whichever came last");
    assert_eq!((end.resource.as_str(), end.alert_id.as_str(), end.environment), ("", "", last.environment));
    assert_ne!(end.event_id, of_group(Uuid::from_u128(8), "pager", &last).event_id);
}

fn any_phase() -> impl Strategy<Value = Phase> {
    prop::sample::select(vec![
        Phase::None,
        Phase::Queued,
        Phase::Attempting,
        Phase::Waiting,
        Phase::Held,
        Phase::Accepted,
        Phase::GaveUp,
        Phase::Suppressed,
        Phase::Grouped,
    ])
}

proptest! {
    /// Whatever went before: an end goes on only when nothing of it can arrive later any more.
    #[test]
    fn nothing_is_overtaken(phases in prop::collection::vec((any_phase(), any_phase(), any::<bool>()), 0..20)) {
        let all: Vec<Before> = phases
            .iter()
            .map(|(phase, group, outcome_unknown)| Before {
                phase: *phase,
                outcome_unknown: *outcome_unknown,
                due: None,
                told_by: (*phase == Phase::Grouped).then_some((G, *group)),
            })
            .collect();
        let told = Told::of(&all);
        let open = |phase: Phase| !phase.is_final() && phase != Phase::None;
        let on_its_way = all.iter().any(|one| open(one.phase) || one.told_by.is_some_and(|(_, group)| open(group)));
        if on_its_way {
            prop_assert!(told.pending.is_some());
        }
        prop_assert!(all.iter().any(|one| one.phase == Phase::Accepted) <= told.by_itself);
    }
}
