#![expect(clippy::unwrap_used, reason = "a test panics to fail")]

use jiff::Timestamp;

use super::*;
use crate::pb::common::v1::Tier;
use crate::pb::inventory::v1::WeeklyWindow;
use crate::time::to_pb;

fn begins() -> Timestamp {
    "2026-06-01T22:00:00Z".parse().unwrap()
}

fn lasting(length: SignedDuration) -> TimeWindow {
    TimeWindow {
        name: "night".into(),
        reason: "people sleep".into(),
        from: Some(to_pb(begins())),
        until: Some(to_pb(begins() + length)),
        weekly: None,
    }
}

fn weekly_window() -> TimeWindow {
    let weekly = WeeklyWindow {
        days: vec![1, 7],
        start: "22:00".into(),
        end: "06:00".into(),
        time_zone: "Europe/Berlin".into(),
    };
    TimeWindow { name: "nights".into(), weekly: Some(weekly), ..TimeWindow::default() }
}

fn of(windows: &[TimeWindow]) -> Vec<String> {
    let mut found = Finding::default();
    super::windows(&mut found, "w", windows);
    found.faults.into_iter().map(|fault| fault.field).collect()
}

fn of_work(rule: MaintenanceWindow) -> Vec<String> {
    let mut found = Finding::default();
    maintenance(&mut found, "m", &[rule]);
    found.faults.into_iter().map(|fault| fault.field).collect()
}

fn nothing() -> Vec<String> {
    Vec::new()
}

#[test]
fn it_ends_after_it_begins_and_within_a_month() {
    let nanosecond = SignedDuration::from_nanos(1);
    for good in [nanosecond, SignedDuration::from_hours(8), MAX_WINDOW] {
        assert_eq!(of(&[lasting(good)]), nothing(), "{good}");
    }
    for bad in [SignedDuration::ZERO, -nanosecond, MAX_WINDOW + nanosecond] {
        assert_eq!(of(&[lasting(bad)]), ["w[0].until"], "{bad}");
    }
}

#[test]
fn it_is_once_or_weekly_and_never_both_or_half() {
    assert_eq!(of(&[weekly_window()]), nothing());
    let hour = SignedDuration::from_hours(1);
    let never = TimeWindow { name: "never".into(), ..TimeWindow::default() };
    let without_end = TimeWindow { until: None, ..lasting(hour) };
    let without_beginning = TimeWindow { from: None, ..lasting(hour) };
    let both = TimeWindow { weekly: weekly_window().weekly, ..lasting(hour) };
    let half_and_weekly = TimeWindow { from: lasting(hour).from, ..weekly_window() };
    for bad in [never, without_end, without_beginning, both, half_and_weekly] {
        assert_eq!(of(std::slice::from_ref(&bad)), ["w[0]"], "{bad:?}");
    }
}

#[test]
fn the_days_the_times_and_the_zone_of_a_weekly_one_are_readable() {
    let with = |change: fn(&mut WeeklyWindow)| {
        let mut window = weekly_window();
        change(window.weekly.as_mut().unwrap());
        of(&[window])
    };
    assert_eq!(with(|week| week.days = vec![1, 2, 3, 4, 5, 6, 7]), nothing());
    assert_eq!(with(|week| (week.start, week.end) = ("00:00".into(), "23:59".into())), nothing());
    for days in [vec![], vec![0], vec![8], vec![1, 1]] {
        let mut window = weekly_window();
        window.weekly.as_mut().unwrap().days = days.clone();
        assert_eq!(of(&[window]), ["w[0].weekly.days"], "{days:?}");
    }
    assert_eq!(with(|week| week.start = "24:00".into()), ["w[0].weekly.start"]);
    assert_eq!(with(|week| week.end = "6".into()), ["w[0].weekly.end"]);
    assert_eq!(with(|week| week.end = "22:00".into()), ["w[0].weekly.end"], "it has a length");
    assert_eq!(with(|week| week.time_zone = "Europe/Munich".into()), ["w[0].weekly.timeZone"]);
    assert_eq!(with(|week| week.time_zone = String::new()), ["w[0].weekly.timeZone"]);
}

#[test]
fn it_has_a_name_and_there_are_few() {
    let hour = SignedDuration::from_hours(1);
    for bad in ["", "  "] {
        assert_eq!(of(&[TimeWindow { name: bad.into(), ..lasting(hour) }]), ["w[0].name"]);
    }
    assert_eq!(of(&[TimeWindow { reason: "a\nb".into(), ..lasting(hour) }]), ["w[0].reason"]);
    assert_eq!(of(&vec![weekly_window(); MAX_WINDOWS]), nothing());
    assert_eq!(of(&vec![weekly_window(); MAX_WINDOWS + 1]), ["w"]);
}

#[test]
fn maintenance_says_when_and_for_which_systems() {
    let window = Some(lasting(SignedDuration::from_hours(4)));
    let fine = MaintenanceWindow { window, resources: vec!["orders-db".into()], ..MaintenanceWindow::default() };
    assert_eq!(of_work(fine.clone()), nothing());
    let by_tier = MaintenanceWindow { resources: Vec::new(), tiers: vec![Tier::Tier3.into()], ..fine.clone() };
    assert_eq!(of_work(by_tier), nothing());
    assert_eq!(of_work(MaintenanceWindow { window: None, ..fine.clone() }), ["m[0]"]);
    assert_eq!(of_work(MaintenanceWindow { resources: Vec::new(), ..fine.clone() }), ["m[0]"], "for everything");
    let named = |count: usize| MaintenanceWindow { groups: vec!["g".into(); count - 1], ..fine.clone() };
    assert_eq!(of_work(named(MAX_NAMED)), nothing());
    assert_eq!(of_work(named(MAX_NAMED + 1)), ["m[0]"]);
    let backwards = MaintenanceWindow { window: Some(lasting(SignedDuration::ZERO)), ..fine };
    assert_eq!(of_work(backwards), ["m[0].window.until"]);
}
