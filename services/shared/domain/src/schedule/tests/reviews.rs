//! Reviews: nothing is opened, a person records them.

use super::*;
use crate::pb::common::v1::{Actor, ActorKind};

const DUE: &str = "2026-06-08T02:00:00Z";

fn quarterly() -> World {
    let spec = ScheduleSpec {
        what: "access-review".into(),
        resource: String::new(),
        notices: vec![duration_to_pb(hours(1))],
        ..rrule("FREQ=WEEKLY;BYDAY=MO;BYHOUR=2", "UTC")
    };
    let mut world = World::of(spec, "2026-06-08T01:30:00Z");
    assert_eq!(world.look(DUE), ["schedule.fired"]);
    assert!(world.fired().request_id.is_empty(), "a review opens nothing");
    world
}

fn person(kind: ActorKind) -> Actor {
    Actor { id: "idp|ada".into(), name: "Ada".into(), kind: kind.into(), roles: Vec::new() }
}

fn record(
    world: &World,
    due: Option<Timestamp>,
    findings: &str,
    kind: ActorKind,
) -> Result<Option<ScheduleEvent>, crate::Refusal> {
    review(&world.schedule, "quarterly", due, findings, &person(kind), at("2026-06-08T09:00:00Z"))
}

#[test]
fn a_review_is_recorded_by_a_person_once() {
    let mut world = quarterly();
    for (due, findings, kind, code) in [
        (None, "", ActorKind::Person, "FIELD_INVALID"),
        (None, "all well", ActorKind::Machine, "PERSON_REQUIRED"),
        (Some(at("2026-06-01T02:00:00Z")), "all well", ActorKind::Person, "REVIEW_NOT_DUE"),
    ] {
        assert_eq!(record(&world, due, findings, kind).unwrap_err().code, code);
    }
    let event = record(&world, Some(at(DUE)), "two accounts removed", ActorKind::Person).unwrap().unwrap();
    world.schedule.evolve(&event);
    assert_eq!(world.schedule.last_success_at, Some(at("2026-06-08T09:00:00Z")));
    assert_eq!(record(&world, None, "again", ActorKind::Person).unwrap_err().code, "REVIEW_NOT_DUE");
    assert!(world.look("2026-06-14T00:00:00Z").is_empty(), "it neither lapses nor is overdue");
}

#[test]
fn a_review_that_lapsed_can_still_be_recorded_and_ends_the_alarm() {
    let mut world = quarterly();
    assert_eq!(world.look("2026-06-09T02:00:00Z"), ["schedule.lapsed"]);
    let event = record(&world, None, "late, but done", ActorKind::Person).unwrap().unwrap();
    world.schedule.evolve(&event);
    assert!(world.schedule.pending.is_empty());
}
