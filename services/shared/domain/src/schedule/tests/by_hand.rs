//! A drill by hand: what it ends, and what it does not.

use super::*;
use crate::pb::plan::v1::PlanRef;
use crate::pb::request::v1::{RequestOpened, RequestType};

const MONDAY: &str = "2026-06-08T02:00:00Z";
const OVERDUE: &str = "2026-06-11T02:00:00Z";

/// Mondays 02:00; nobody approved, and it is overdue since Thursday.
fn overdue() -> World {
    let spec = ScheduleSpec {
        notices: vec![duration_to_pb(hours(1))],
        window: Some(duration_to_pb(hours(24))),
        overdue_after: Some(duration_to_pb(hours(72))),
        ..rrule("FREQ=WEEKLY;BYDAY=MO;BYHOUR=2", "UTC")
    };
    let mut world = World::of(spec, "2026-06-08T01:30:00Z");
    assert_eq!(world.look(MONDAY), ["schedule.fired"]);
    assert_eq!(world.look(OVERDUE), ["schedule.lapsed", "schedule.overdue"]);
    assert!(world.schedule.is_overdue());
    world
}

fn by_hand() -> RequestOpened {
    RequestOpened {
        request_id: "r-1".into(),
        r#type: RequestType::IsolatedDrill.into(),
        resource: "orders-db".into(),
        ..RequestOpened::default()
    }
}

fn ran(world: &mut World, opened: &RequestOpened, when: &str) -> bool {
    let event = proved_by_hand(&world.schedule, &world.declaration(), opened, at(when));
    event.iter().for_each(|event| world.schedule.evolve(event));
    event.is_some()
}

#[test]
fn the_proof_is_fresh_whoever_asked_for_it() {
    let mut world = overdue();
    assert!(ran(&mut world, &by_hand(), "2026-06-12T09:00:00Z"));
    assert!(!world.schedule.is_overdue());
    assert_eq!(world.schedule.last_success_at, Some(at("2026-06-12T09:00:00Z")));
    assert!(world.look("2026-06-13T00:00:00Z").is_empty(), "and it stays so");
    // The next due time is due all the same.
    assert_eq!(world.look("2026-06-15T02:00:00Z"), ["schedule.fired"]);
    assert!(!ran(&mut world, &by_hand(), "2026-06-12T09:00:00Z"), "told again it is the same");
}

#[test]
fn run_in_time_it_keeps_the_alarm_from_coming() {
    let mut world = overdue();
    assert_eq!(world.look("2026-06-15T02:00:00Z"), ["schedule.fired"]);
    assert!(ran(&mut world, &by_hand(), "2026-06-15T12:00:00Z"));
    assert_eq!(world.look("2026-06-16T02:00:00Z"), ["schedule.lapsed"], "its own request came to nothing");
    assert!(world.look("2026-06-18T03:00:00Z").is_empty(), "and nobody is alarmed: it was proven");
    assert!(world.schedule.pending.is_empty(), "nothing is kept that nothing can happen to: {:?}", world.schedule);
}

#[test]
fn before_it_was_due_it_proves_nothing_about_the_due_time() {
    let mut world = overdue();
    assert!(ran(&mut world, &by_hand(), "2026-06-07T12:00:00Z"), "it is the last success that is known");
    assert!(world.schedule.is_overdue(), "and older than what is overdue");
}

#[test]
fn only_the_same_drill_of_the_same_scope_counts() {
    let others = [
        RequestOpened { r#type: RequestType::ReadinessDrill.into(), ..by_hand() },
        RequestOpened { r#type: RequestType::Switchover.into(), ..by_hand() },
        RequestOpened { resource: "billing-db".into(), ..by_hand() },
        RequestOpened { group: "shop".into(), ..by_hand() },
        RequestOpened { group: "shop".into(), resource: String::new(), ..by_hand() },
        // Its own: followed by its due time.
        RequestOpened { schedule: "monthly".into(), ..by_hand() },
    ];
    for other in others {
        assert!(!ran(&mut overdue(), &other, "2026-06-12T09:00:00Z"), "{other:?}");
    }
    let by_another = RequestOpened { schedule: "another".into(), ..by_hand() };
    assert!(ran(&mut overdue(), &by_another, "2026-06-12T09:00:00Z"));
}

#[test]
fn every_drill_of_every_scope_can_be_proven_by_hand_and_a_rotation_cannot() {
    let drills = [
        ("readiness-drill", RequestType::ReadinessDrill, true),
        ("isolated-drill", RequestType::IsolatedDrill, true),
        ("tabletop-drill", RequestType::TabletopDrill, true),
        ("live-drill", RequestType::LiveDrill, true),
        ("rotation", RequestType::Rotation, false),
    ];
    for (what, kind, counts) in drills {
        let spec = |scope: ScheduleSpec| ScheduleSpec { what: what.into(), ..scope };
        let opened = RequestOpened { r#type: kind.into(), target_site: "ams".into(), ..RequestOpened::default() };
        let plan = Some(PlanRef { name: "shop-to-ams".into(), ..PlanRef::default() });
        let scopes = [
            (
                ScheduleSpec { resource: "orders-db".into(), ..ScheduleSpec::default() },
                RequestOpened { resource: "orders-db".into(), ..opened.clone() },
            ),
            (
                ScheduleSpec { group: "shop".into(), ..ScheduleSpec::default() },
                RequestOpened { group: "shop".into(), ..opened.clone() },
            ),
            (
                ScheduleSpec { plan: "shop-to-ams".into(), ..ScheduleSpec::default() },
                RequestOpened { group: "shop".into(), plan, ..opened.clone() },
            ),
        ];
        for (scope, opened) in scopes {
            assert_eq!(is_of_schedule(&spec(scope.clone()), "monthly", &opened), counts, "{what} {scope:?}");
            let elsewhere = ScheduleSpec { target_site: "fra".into(), ..spec(scope) };
            assert!(!is_of_schedule(&elsewhere, "monthly", &opened), "to another site");
        }
        assert!(!is_of_schedule(&spec(ScheduleSpec::default()), "monthly", &opened), "a scope is named");
    }
}

#[test]
fn one_that_was_taken_out_of_use_waits_for_nothing() {
    let world = overdue();
    let retired = Declaration { calendar: None, ..world.declaration() };
    assert_eq!(proved_by_hand(&world.schedule, &retired, &by_hand(), at("2026-06-12T09:00:00Z")), None);
}
