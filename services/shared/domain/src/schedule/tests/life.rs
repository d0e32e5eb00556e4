//! What is recorded about a schedule, in time, late and twice.

use super::*;
use crate::refusal::refusal;

/// Mondays 02:00; told a day and an hour before; a window of a day; an alarm after three.
fn mondays() -> ScheduleSpec {
    ScheduleSpec {
        notices: [24, 1].map(|before| duration_to_pb(hours(before))).to_vec(),
        window: Some(duration_to_pb(hours(24))),
        overdue_after: Some(duration_to_pb(hours(72))),
        ..rrule("FREQ=WEEKLY;BYDAY=MO;BYHOUR=2", "UTC")
    }
}

const DECLARED: &str = "2026-06-03T00:00:00Z";
const MONDAY: &str = "2026-06-08T02:00:00Z";

fn due() -> World {
    let mut world = World::of(mondays(), DECLARED);
    assert_eq!(world.look("2026-06-07T02:00:00Z"), ["schedule.noticed"]);
    assert_eq!(world.look(MONDAY), ["schedule.fired"]);
    world
}

#[test]
fn told_a_day_and_an_hour_before_and_fired_when_due() {
    let mut world = World::of(mondays(), DECLARED);
    assert!(world.look(DECLARED).is_empty());
    assert_eq!(world.wakes(DECLARED).unwrap(), "2026-06-07T02:00:00Z");
    assert_eq!(world.look("2026-06-07T02:00:00Z"), ["schedule.noticed"]);
    assert!(world.look("2026-06-07T02:00:00Z").is_empty(), "once");
    assert_eq!(world.wakes("2026-06-07T02:00:00Z").unwrap(), "2026-06-08T01:00:00Z");
    assert_eq!(world.look("2026-06-08T01:00:00Z"), ["schedule.noticed"]);
    assert_eq!(world.wakes("2026-06-08T01:00:00Z").unwrap(), MONDAY);
    assert_eq!(world.look(MONDAY), ["schedule.fired"]);
    let fired = world.fired();
    assert!(!fired.late && fired.missed.is_empty() && fired.schedule_version == 3, "{fired:?}");
    assert_eq!(fired.lapses_at, Some(to_pb(at("2026-06-09T02:00:00Z"))));
    assert_eq!(fired.request_id, request_id(&acme(), "monthly", at(MONDAY)).to_string());
    assert!(world.look(MONDAY).is_empty(), "once");
}

#[test]
fn what_was_missed_fires_once_late_and_says_so() {
    let mut world = World::of(mondays(), DECLARED);
    // It has not succeeded for so long already, too.
    assert_eq!(world.look("2026-06-25T09:00:00Z"), ["schedule.fired", "schedule.overdue"]);
    let fired = world.fired();
    assert_eq!(fired.due_at, Some(to_pb(at("2026-06-22T02:00:00Z"))));
    assert_eq!(fired.missed, [to_pb(at(MONDAY)), to_pb(at("2026-06-15T02:00:00Z"))]);
    assert!(fired.late && fired.late_because.contains("79 h"), "{}", fired.late_because);
    // Its window begins when people can act on it.
    assert_eq!(fired.lapses_at, Some(to_pb(at("2026-06-26T09:00:00Z"))));
    assert!(world.look("2026-06-25T09:00:00Z").is_empty());
}

#[test]
fn a_notice_that_was_missed_is_given_if_it_is_still_of_use() {
    let mut world = World::of(mondays(), DECLARED);
    assert_eq!(world.look("2026-06-08T01:30:00Z"), ["schedule.noticed"]);
    let Some(Event::Noticed(noticed)) = &world.events[0].event else { panic!("a notice") };
    assert_eq!(noticed.before, "1h", "the nearer one, once");
}

#[test]
fn of_daily_ones_nobody_is_told_a_week_before() {
    let spec = ScheduleSpec { notices: Vec::new(), ..rrule("FREQ=DAILY;BYHOUR=2", "UTC") };
    let mut world = World::of(spec, "2026-06-03T03:00:00Z");
    assert!(world.look("2026-06-03T04:00:00Z").is_empty());
    assert_eq!(world.look("2026-06-04T01:00:00Z"), ["schedule.noticed"]);
}

#[test]
fn nothing_before_it_was_declared_is_due() {
    let mut world = World::of(mondays(), "2026-06-08T02:00:01Z");
    assert!(world.look("2026-06-09T00:00:00Z").is_empty());
}

#[test]
fn a_request_that_succeeds_is_a_success() {
    let mut world = due();
    world.progress.insert(at(MONDAY), Progress::Open);
    assert!(world.look("2026-06-08T03:00:00Z").is_empty());
    world.progress.insert(at(MONDAY), Progress::Running);
    assert!(world.look("2026-06-10T00:00:00Z").is_empty(), "a run that goes on has no window");
    world.progress.insert(at(MONDAY), Progress::Succeeded(at("2026-06-10T01:00:00Z")));
    assert_eq!(world.look("2026-06-10T01:00:00Z"), ["schedule.succeeded"]);
    assert_eq!(world.schedule.last_success_at, Some(at("2026-06-10T01:00:00Z")));
    world.progress.clear();
    assert!(!world.look("2026-06-11T03:00:00Z").contains(&"schedule.overdue"));
}

#[test]
fn a_request_that_comes_to_nothing_lapses_and_becomes_an_alarm_once() {
    let mut world = due();
    let over = Progress::Over { because: "Bea rejected it: not now".into(), at: Some(at("2026-06-08T05:00:00Z")) };
    world.progress.insert(at(MONDAY), over);
    assert_eq!(world.look("2026-06-08T05:00:00Z"), ["schedule.lapsed"]);
    world.progress.clear();
    assert_eq!(world.wakes("2026-06-08T05:00:00Z").unwrap(), "2026-06-11T02:00:00Z");
    assert_eq!(world.look("2026-06-11T02:00:00Z"), ["schedule.overdue"]);
    assert!(world.schedule.is_overdue());
    assert!(world.look("2026-06-13T00:00:00Z").is_empty(), "once for each due time");
    // The next one succeeds: no alarm any more.
    assert_eq!(world.look("2026-06-15T02:00:00Z"), ["schedule.fired"]);
    world.progress.insert(at("2026-06-15T02:00:00Z"), Progress::Succeeded(at("2026-06-15T04:00:00Z")));
    assert_eq!(world.look("2026-06-15T04:00:00Z"), ["schedule.succeeded"]);
    assert!(!world.schedule.is_overdue() && world.schedule.pending.is_empty(), "{:?}", world.schedule);
}

#[test]
fn without_a_request_it_lapses_when_its_window_is_over() {
    let mut world = due();
    world.progress.insert(at(MONDAY), Progress::NotOpened);
    assert_eq!(world.wakes(MONDAY).unwrap(), "2026-06-09T02:00:00Z");
    let why = refusal("PLAN_NOT_PUBLISHED", "a rule", "a value", "a limit", "publish it");
    let failed = open_failed(&world.schedule, at(MONDAY), &why, at(MONDAY)).unwrap();
    world.schedule.evolve(&failed);
    assert_eq!(open_failed(&world.schedule, at(MONDAY), &why, at(MONDAY)), None, "told once");
    assert_eq!(world.look("2026-06-09T02:00:00Z"), ["schedule.lapsed"]);
    let Some(Event::Lapsed(lapsed)) = &world.events.last().unwrap().event else { panic!("it lapsed") };
    assert!(lapsed.because.contains("PLAN_NOT_PUBLISHED"), "{}", lapsed.because);
    assert_eq!(open_failed(&world.schedule, at(MONDAY), &refusal("X", "", "", "", ""), at(MONDAY)), None);
}

#[test]
fn a_suspended_schedule_leaves_its_due_times_out_and_says_so() {
    let mut world = World::of(ScheduleSpec { suspended: true, ..mondays() }, DECLARED);
    assert_eq!(world.wakes(DECLARED).unwrap(), MONDAY);
    assert_eq!(world.look("2026-06-16T00:00:00Z"), ["schedule.skipped", "schedule.skipped"]);
    world.spec.suspended = false;
    assert_eq!(world.look("2026-06-16T00:00:00Z"), Vec::<&str>::new(), "and does not make up for them");
    assert_eq!(world.look("2026-06-22T02:00:00Z"), ["schedule.fired"]);
    assert!(world.fired().missed.is_empty());
}

#[test]
fn a_blackout_is_recorded_when_it_strikes() {
    let blackouts = vec![from_until("release", "2026-06-08T00:00:00Z", "2026-06-08T12:00:00Z")];
    let spec = ScheduleSpec { blackouts: blackouts.clone(), ..mondays() };
    let mut world = World::of(spec, DECLARED);
    assert_eq!(world.wakes("2026-06-07T12:00:00Z").unwrap(), MONDAY);
    assert_eq!(world.look(MONDAY), ["schedule.skipped"]);
    assert!(world.look("2026-06-09T00:00:00Z").is_empty());

    let spec =
        ScheduleSpec { blackouts, move_out_of_blackout: true, notices: vec![duration_to_pb(hours(1))], ..mondays() };
    let mut world = World::of(spec, DECLARED);
    assert_eq!(world.look(MONDAY), ["schedule.skipped"]);
    let Some(Event::Skipped(skipped)) = &world.events[0].event else { panic!("it was moved") };
    assert_eq!(skipped.moved_to, Some(to_pb(at("2026-06-08T12:00:00Z"))));
    assert_eq!(world.look("2026-06-08T12:00:00Z"), ["schedule.fired"]);
    assert_eq!(world.fired().due_at, skipped_to(&world));
}

fn skipped_to(world: &World) -> Option<crate::time::PbTimestamp> {
    world.events.iter().find_map(|event| match &event.event {
        Some(Event::Skipped(skipped)) => skipped.moved_to,
        _ => None,
    })
}

#[test]
fn one_that_was_taken_out_of_use_is_never_due_and_what_was_opened_is_still_followed() {
    let mut world = due();
    world.progress.insert(at(MONDAY), Progress::Succeeded(at("2026-06-08T04:00:00Z")));
    let retired = Declaration { calendar: None, ..world.declaration() };
    let event = advance(&world.schedule, &retired, &world.progress, at("2026-07-08T04:00:00Z")).unwrap();
    assert_eq!(event.kind(), "schedule.succeeded");
    let mut schedule = world.schedule.clone();
    schedule.evolve(&event);
    assert_eq!(advance(&schedule, &retired, &BTreeMap::new(), at("2026-07-08T04:00:00Z")), None);
    assert_eq!(wakes_at(&schedule, &retired, &BTreeMap::new(), at("2026-07-08T04:00:00Z")), None);
}
