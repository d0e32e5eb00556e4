//! Stories over time: what is recorded, when, and what is not.

use super::given::{Story, at, healthy, orders_db, secs};
use crate::pb::common::v1::Tier;
use crate::pb::observation::v1::ErrorClass;
use crate::pb::readiness::v1::{Status, readiness_event::Event};
use crate::readiness::state::{Readiness, decide};
use crate::readiness::watch::{self, Watch};
use crate::time::from_pb;
use crate::{Aggregate, EventKind};

#[test]
fn a_severed_standby_of_tier_1_is_red_and_told_within_five_seconds_of_the_breach() {
    let mut story = Story::new();
    story.healthy_until(0.0, 20.0);
    story.looks(22.0, 60.0, |p| p.severed_at(21.0));
    // Back again.
    story.looks(62.0, 90.0, |_| {});
    insta::assert_snapshot!(story.told());

    let opened = story.events.iter().find_map(|(time, e)| match &e.event {
        Some(Event::AlertOpened(e)) if e.kind().as_str_name() == "ALERT_KIND_RPO_BREACH" => Some((*time, e.clone())),
        _ => None,
    });
    let (time, alert) = opened.expect("an RPO alert");
    // The newest position held is that of 20 s, rounded up to 0.1 s; the limit is 10 s.
    let breached_at = from_pb(alert.condition_since.as_ref()).unwrap();
    assert_eq!(breached_at, at(29.9));
    assert_eq!(from_pb(alert.due_at.as_ref()).unwrap(), at(31.9));
    assert!(at(time).duration_since(breached_at) <= secs(5.0));
    assert_eq!(alert.tier(), Tier::Tier1);
    assert_eq!(alert.assessment.unwrap().reasons[0].code, "RPO_BREACH", "what the alert is about comes first");
}

#[test]
fn collection_stops() {
    let mut story = Story::new();
    story.healthy_until(0.0, 20.0);
    for half_seconds in 0..240 {
        story.tick(22.0 + f64::from(half_seconds) * 0.5);
    }
    story.healthy_until(142.0, 170.0);
    insta::assert_snapshot!(story.told());
}

#[test]
fn sight_of_one_side_is_lost() {
    let mut story = Story::new();
    story.healthy_until(0.0, 20.0);
    story.looks(22.0, 80.0, |p| p.b = Err(ErrorClass::Unreachable));
    insta::assert_snapshot!(story.told());
}

#[test]
fn a_blink_changes_the_status_and_alerts_nobody() {
    let mut story = Story::new();
    story.healthy_until(0.0, 20.0);
    story.looks(22.0, 22.0, |p| p.b = Err(ErrorClass::Unreachable));
    story.healthy_until(24.0, 40.0);
    insta::assert_snapshot!(story.told());
}

#[test]
fn a_problem_that_comes_and_goes_keeps_the_worst_status() {
    let mut story = Story::new();
    story.healthy_until(0.0, 20.0);
    for round in 0..10 {
        let time = 22.0 + f64::from(round) * 4.0;
        story.looks(time, time, |p| p.severed_at(p.time - 1.0));
        story.healthy_until(time + 2.0, time + 2.0);
    }
    assert_eq!(story.status(), Status::Red);
    assert_eq!(story.events.len(), 2, "green, then red, and nothing more:\n{}", story.told());
}

#[test]
fn blindness_resolves_nothing_and_improves_nothing() {
    let mut story = Story::new();
    story.healthy_until(0.0, 20.0);
    story.looks(22.0, 60.0, |p| p.severed_at(21.0));
    let open = story.state.alerts.len();
    assert_eq!((story.status(), open), (Status::Red, 2));
    // The standby is not seen any more while the primary claims to send to somebody.
    story.looks(62.0, 200.0, |p| p.b = Err(ErrorClass::Unreachable));
    // And then nothing at all.
    for seconds in 0..200 {
        story.tick(203.0 + f64::from(seconds));
    }
    assert_eq!(story.status(), Status::Red);
    assert!(!story.events.iter().any(|(_, e)| e.kind() == "alert.resolved"), "{}", story.told());
}

#[test]
fn blindness_in_between_lets_a_recovery_begin_anew() {
    let mut story = Story::new();
    story.healthy_until(0.0, 20.0);
    story.looks(22.0, 60.0, |p| p.severed_at(21.0));
    // Healthy for 6 s, blind for one look, healthy for 6 s: never 10 s without a break.
    story.healthy_until(62.0, 68.0);
    story.looks(70.0, 70.0, |p| p.b = Err(ErrorClass::Unreachable));
    story.healthy_until(72.0, 78.0);
    assert_eq!(story.status(), Status::Red);
    assert!(!story.events.iter().any(|(_, e)| e.kind() == "alert.resolved"), "{}", story.told());
    story.healthy_until(80.0, 84.0);
    assert_eq!((story.status(), story.state.alerts.len()), (Status::Green, 0), "{}", story.told());
}

#[test]
fn a_long_outage_is_told_again_as_it_grows_and_not_at_every_look() {
    let mut story = Story::new();
    story.healthy_until(0.0, 20.0);
    story.looks(22.0, 7200.0, |p| p.severed_at(21.0));
    let updates = story.events.iter().filter(|(_, e)| e.kind() == "alert.updated").count();
    assert!((4..=14).contains(&updates), "{updates} updates in two hours");
}

#[test]
fn a_resource_that_is_retired_leaves_no_alert_behind() {
    let mut story = Story::new();
    story.healthy_until(0.0, 20.0);
    story.looks(22.0, 60.0, |p| p.severed_at(21.0));
    let inputs = watch::retired("acme", "orders-db", 4, story.state.assessment.clone());
    let mut resolved = 0;
    while let Some(event) = decide(&story.state, &inputs, at(62.0)) {
        assert_eq!(event.kind(), "alert.resolved");
        story.state.evolve(&event);
        resolved += 1;
        assert!(resolved < 10);
    }
    assert_eq!((resolved, story.state.alerts.len()), (2, 0));
}

#[test]
fn a_restart_neither_invents_a_green_nor_loses_an_alert() {
    let mut before = Story::new();
    before.healthy_until(0.0, 20.0);
    before.looks(22.0, 60.0, |p| p.severed_at(21.0));
    let recorded = before.events.len();

    // Away from 62 s to 400 s; only the log is left.
    let mut after = Story::new();
    for (_, event) in &before.events {
        after.state.evolve(event);
    }
    assert_eq!(after.state, before.state);
    after.watch = Watch::new(at(400.0));
    after.tick(400.0);
    after.tick(405.0);
    assert_eq!(after.events.len(), 0, "nothing was seen, so nothing changes:\n{}", after.told());
    after.looks(406.0, 430.0, |p| p.severed_at(21.0));
    assert_eq!((after.status(), after.state.alerts.len()), (Status::Red, 2), "{}", after.told());
    assert_eq!(after.events.iter().filter(|(_, e)| e.kind() == "alert.opened").count(), 0);
    assert!(recorded > 3);
}

#[test]
fn recent_observations_bring_the_working_memory_back() {
    let mut story = Story::new();
    story.healthy_until(0.0, 20.0);
    story.looks(22.0, 26.0, |p| p.severed_at(21.0));

    let mut again = Watch::new(at(0.0));
    let subject =
        watch::Subject { tenant: "acme", resource: "orders-db", version: 3, spec: &story.spec, limits: &story.limits };
    for step in 0..=13_u64 {
        let time = step as f64 * 2.0;
        let pair = if time > 20.0 { healthy(time).with(|p| p.severed_at(21.0)) } else { healthy(time) };
        again.observe(&story.spec, &pair.observation(step + 1), at(time));
        again.look(&subject, at(time));
    }
    again.resume(at(30.0));
    assert_eq!(again.assessment(&story.limits, at(30.0)), story.watch.assessment(&story.limits, at(30.0)));
}

#[test]
fn nothing_is_recorded_before_the_first_observation_may_have_come() {
    let mut story = Story::new();
    story.tick(1.0);
    story.tick(29.0);
    assert!(story.events.is_empty());
    story.tick(31.0);
    insta::assert_snapshot!(story.told(), @r"
      31.0 readiness.status_changed STATUS_UNSPECIFIED -> STATUS_UNKNOWN NEVER_OBSERVED
      31.0 alert.opened ALERT_KIND_LOST_SIGHT SEVERITY_CRITICAL
    ");
    story.see(&healthy(32.0));
    assert_eq!(story.status(), Status::Green, "the first judgement does not wait");
}

#[test]
fn an_event_without_content_or_for_another_alert_changes_nothing() {
    let mut story = Story::new();
    story.healthy_until(0.0, 20.0);
    story.looks(22.0, 60.0, |p| p.severed_at(21.0));
    let before = story.state.clone();
    story.state.evolve(&Default::default());
    for (_, event) in &story.events {
        if let Some(Event::AlertOpened(opened)) = &event.event {
            let mut foreign = opened.clone();
            foreign.alert_id = "other".into();
            let resolved = crate::pb::readiness::v1::AlertResolved {
                alert_id: "other".into(),
                kind: opened.kind,
                ..Default::default()
            };
            story
                .state
                .evolve(&crate::pb::readiness::v1::ReadinessEvent { event: Some(Event::AlertResolved(resolved)) });
        }
    }
    assert_eq!(story.state, before);
    assert_eq!(Readiness::KIND, "readiness");
}

#[test]
fn lower_tiers_wait_longer() {
    let mut spec = orders_db();
    spec.tier = Tier::Tier2.into();
    let mut story = Story::of(spec);
    story.healthy_until(0.0, 20.0);
    story.looks(22.0, 50.0, |p| p.severed_at(21.0));
    assert_eq!((story.status(), story.state.alerts.len()), (Status::Red, 0));
    story.looks(52.0, 70.0, |p| p.severed_at(21.0));
    assert_eq!(story.state.alerts.len(), 2, "{}", story.told());
}
