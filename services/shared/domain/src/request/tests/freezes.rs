//! Change freezes: once, every week, over the change of clocks, and through the emergency path.

use super::*;
use crate::pb::inventory::v1::{ChangeFreeze, WeeklyWindow};
use crate::time::to_pb;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn freeze(freeze: ChangeFreeze) -> inv::Document {
    let freeze = ChangeFreeze { name: "quiet".into(), reason: "books are closed".into(), ..freeze };
    policy_document("changes", inv::PolicySpec { freezes: vec![freeze], ..Default::default() })
}

fn weekly(days: &[u32], start: &str, end: &str, zone: &str) -> inv::Document {
    let window = WeeklyWindow { days: days.to_vec(), start: start.into(), end: end.into(), time_zone: zone.into() };
    freeze(ChangeFreeze { weekly: Some(window), ..Default::default() })
}

fn until(document: &inv::Document, when: &str) -> Option<Timestamp> {
    let frozen = freeze_at(&[document], Tier::Tier1, Environment::Production, RequestType::Switchover, at(when))?;
    frozen.until
}

#[test]
fn once_from_its_beginning_up_to_its_end() {
    let year_end = freeze(ChangeFreeze {
        from: Some(to_pb(at("2026-12-20T00:00:00Z"))),
        until: Some(to_pb(at("2027-01-04T06:00:00Z"))),
        ..Default::default()
    });
    assert_eq!(until(&year_end, "2026-12-19T23:59:59Z"), None);
    assert_eq!(until(&year_end, "2026-12-20T00:00:00Z"), Some(at("2027-01-04T06:00:00Z")));
    assert_eq!(until(&year_end, "2027-01-04T06:00:00Z"), None);
}

#[test]
fn every_week_over_midnight_in_the_peoples_own_time_zone() {
    // Friday 22:00 to Saturday 06:00 in Berlin; 2026-11-20 is a Friday.
    let nights = weekly(&[5], "22:00", "06:00", "Europe/Berlin");
    assert_eq!(until(&nights, "2026-11-20T20:59:59Z"), None);
    assert_eq!(until(&nights, "2026-11-20T21:00:00Z"), Some(at("2026-11-21T05:00:00Z")));
    assert_eq!(until(&nights, "2026-11-21T04:59:59Z"), Some(at("2026-11-21T05:00:00Z")));
    assert_eq!(until(&nights, "2026-11-21T05:00:00Z"), None);
    assert_eq!(until(&nights, "2026-11-21T21:30:00Z"), None, "Saturday night is nobody's");
    // In summer the same clock times are an hour earlier for the world.
    assert_eq!(until(&nights, "2026-07-17T20:00:00Z"), Some(at("2026-07-18T04:00:00Z")));
}

#[test]
fn a_change_of_clocks_only_makes_it_longer() {
    // Berlin, 2026-03-29: 02:00 becomes 03:00. 2026-10-25: 03:00 becomes 02:00.
    let spring = weekly(&[7], "02:30", "04:00", "Europe/Berlin");
    assert_eq!(
        until(&spring, "2026-03-29T00:45:00Z"),
        Some(at("2026-03-29T02:00:00Z")),
        "02:30 is not there: from 01:30"
    );
    let autumn = weekly(&[7], "01:00", "02:30", "Europe/Berlin");
    assert_eq!(until(&autumn, "2026-10-25T00:45:00Z"), Some(at("2026-10-25T01:30:00Z")), "until the second 02:30");
    assert_eq!(until(&autumn, "2026-10-25T01:29:59Z"), Some(at("2026-10-25T01:30:00Z")));
    assert_eq!(until(&autumn, "2026-10-25T01:30:00Z"), None);
    let twice = weekly(&[7], "02:30", "03:30", "Europe/Berlin");
    assert!(until(&twice, "2026-10-25T00:30:00Z").is_some(), "from the first 02:30");
}

#[test]
fn windows_that_follow_each_other_are_told_as_one() {
    let weekend = weekly(&[6, 7], "00:00", "00:00", "UTC");
    assert_eq!(until(&weekend, "2026-11-21T12:00:00Z"), Some(at("2026-11-23T00:00:00Z")), "until Monday");
    let always = weekly(&[1, 2, 3, 4, 5, 6, 7], "00:00", "00:00", "UTC");
    assert!(until(&always, "2026-11-21T12:00:00Z") > Some(at("2026-12-01T00:00:00Z")));
}

#[test]
fn what_cannot_be_read_holds() {
    for window in [weekly(&[6], "25:00", "06:00", "UTC"), weekly(&[6], "22:00", "06:00", "Mars/Base")] {
        assert!(until(&window, "2026-11-18T12:00:00Z").is_some());
    }
}

#[test]
fn it_matches_what_it_names_and_spares_failovers_when_it_names_no_type() {
    let frozen = |freeze_: ChangeFreeze, tier, environment, kind| {
        freeze_at(&[&freeze(freeze_)], tier, environment, kind, now()).is_some()
    };
    let plain = ChangeFreeze::default();
    use {Environment::*, RequestType::*};
    for kind in TYPES {
        assert_eq!(frozen(plain.clone(), Tier::Tier1, Production, kind), kind != Failover, "{kind:?}");
    }
    let named = ChangeFreeze { request_types: vec!["failover".into()], ..Default::default() };
    assert!(
        frozen(named.clone(), Tier::Tier1, Production, Failover) && !frozen(named, Tier::Tier1, Production, Switchover)
    );
    let production = ChangeFreeze { environments: vec![Production.into()], ..Default::default() };
    assert!(frozen(production.clone(), Tier::Tier1, Production, Switchover));
    assert!(!frozen(production, Tier::Tier1, Staging, Switchover));
    let critical = ChangeFreeze { tiers: vec![Tier::Tier1.into()], ..Default::default() };
    assert!(!frozen(critical, Tier::Tier3, Production, Switchover));
    let retired = inv::Document { retired: true, ..freeze(ChangeFreeze::default()) };
    assert!(freeze_at(&[&retired], Tier::Tier1, Production, Switchover, now()).is_none());
}

#[test]
fn opening_and_approving_go_on_and_the_start_says_until_when() {
    let document =
        freeze(ChangeFreeze { until: Some(to_pb(now() + SignedDuration::from_hours(2))), ..Default::default() });
    let mut request = opened(Tier::Tier2);
    let decision = yes(&request, &ingo());
    apply(&mut request, decision);
    let view = request.view.clone();
    let terms = StartTerms { freeze: freeze_for(&[&document], &view.opened.unwrap(), now()), ..Default::default() };
    let refused = start(&request, &olga(), PHRASE, &terms, now()).unwrap_err();
    assert_eq!(refused.code, "FREEZE");
    assert!(refused.value.contains("quiet until") && refused.value.contains("books are closed"), "{refused:?}");
    assert!(refused.next_action.contains("break-glass"), "{refused:?}");
}
