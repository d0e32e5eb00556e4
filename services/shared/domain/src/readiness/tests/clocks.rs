//! Clocks go back, and nothing opens, resolves or freezes because of it.

use super::given::{Story, at, codes, healthy};
use crate::pb::common::v1::Tier;
use crate::pb::readiness::v1::Status;
use crate::readiness::rules;
use crate::{EventKind, readiness::thresholds::Limits};

const HOUR: f64 = 3600.0;

/// The whole host: monitor and collector step back together, one hour at 20 s.
#[test]
fn the_hosts_clock_goes_back_an_hour() {
    let mut story = Story::new();
    story.healthy_until(0.0, 20.0);
    let before = story.events.len();
    // The database's own clock and positions do not care.
    for step in 1..=15 {
        let real = 20.0 + f64::from(step) * 2.0;
        let mut pair = healthy(real);
        pair.time = real - HOUR;
        assert!(story.see(&pair), "a look after the step is not taken for an old one");
        if step == 1 {
            assert_eq!(codes(&story.assessment(pair.time)), "CLOCK_BACKWARDS RPO_OK");
        }
    }
    assert_eq!(story.status(), Status::Green);
    assert!(!story.events[before..].iter().any(|(_, e)| e.kind().starts_with("alert.")), "{}", story.told());

    // And staleness still runs: nothing is frozen for the hour.
    let last = 50.0 - HOUR;
    story.tick(last + 11.0);
    assert_eq!(story.status(), Status::Yellow);
    story.tick(last + 31.0);
    assert_eq!(story.status(), Status::Unknown);
}

#[test]
fn an_open_breach_is_not_resolved_and_its_window_does_not_shrink() {
    let mut story = Story::new();
    story.healthy_until(0.0, 20.0);
    story.looks(22.0, 60.0, |p| p.severed_at(21.0));
    let before = crate::time::duration_from_pb(story.assessment(60.0).rpo_now.as_ref()).unwrap();
    for step in 1..=15 {
        let real = 60.0 + f64::from(step) * 2.0;
        let mut pair = healthy(real).with(|p| p.severed_at(21.0));
        pair.time = real - HOUR;
        story.see(&pair);
        let rpo = crate::time::duration_from_pb(story.assessment(pair.time).rpo_now.as_ref()).unwrap();
        assert!(rpo >= before, "{rpo:?}");
    }
    assert_eq!(story.status(), Status::Red);
    assert!(!story.events.iter().any(|(_, e)| e.kind() == "alert.resolved"), "{}", story.told());
}

/// Set back while nobody looks, and past the old time again before the next look: no time goes backwards, and yet all that is
/// remembered is older than it seems.
#[test]
fn a_clock_that_went_back_unseen_makes_nothing_younger() {
    // How long nobody looked and how far the clock was set back; whether the monitor runs on that host.
    for (away, step, one_host) in [(68.0, 66.0, true), (68.0, 67.9, true), (3.0, 2.0, true), (68.0, 60.0, false)] {
        let mut story = Story::new();
        story.healthy_until(0.0, 20.0);
        let real = 20.0 + away;
        // Ten seconds of log are missing on the other side.
        let mut pair = healthy(real).with(|p| p.received_until(real - 10.0));
        pair.time = real - step;
        let now = if one_host { pair.time } else { real };
        if one_host {
            story.tick(20.0 - step);
        }
        story.arrive(&pair, at(now));
        let assessment = story.watch.assessment(&story.limits, at(now));
        let rpo = crate::time::duration_from_pb(assessment.rpo_now.as_ref()).unwrap();
        assert!(rpo.as_secs_f64() >= 10.0, "{away} {step} {one_host}: {rpo:?}");
        assert_ne!(assessment.status(), Status::Green);
    }
}

/// The link to the monitor hangs for a moment: how late a look comes says nothing about the two sides.
#[test]
fn a_late_delivery_alone_makes_nothing_older() {
    let rpo_at = |arrives: f64| {
        let mut story = Story::new();
        story.healthy_until(0.0, 20.0);
        story.arrive(&healthy(22.0).with(|p| p.received_until(21.0)), at(arrives));
        let assessment = story.watch.assessment(&story.limits, at(arrives));
        crate::time::duration_from_pb(assessment.rpo_now.as_ref()).unwrap().as_secs_f64()
    };
    let (in_time, late) = (rpo_at(22.0), rpo_at(30.0));
    assert!(in_time >= 1.0 && late == in_time, "{in_time} in time, {late} eight seconds late");
}

#[test]
fn only_the_monitors_clock_goes_back() {
    let mut story = Story::new();
    story.healthy_until(0.0, 20.0);
    for step in 1..=15 {
        let real = 20.0 + f64::from(step) * 2.0;
        story.arrive(&healthy(real), at(real - HOUR));
    }
    let codes = codes(&story.watch.assessment(&story.limits, at(50.0 - HOUR)));
    assert!(codes.contains("CLOCK_AHEAD"), "{codes}");
    assert_eq!(story.status(), Status::Yellow, "the age of what is seen cannot be told");
    story.tick(50.0 - HOUR + 31.0);
    assert_eq!(story.status(), Status::Unknown, "silence is noticed all the same");
}

#[test]
fn an_observation_is_taken_once_and_in_order() {
    let mut story = Story::new();
    story.healthy_until(0.0, 20.0);
    let spec = story.spec.clone();
    let repeated = healthy(20.0).observation(11);
    assert!(!story.watch.observe(&spec, &repeated, at(20.1)));
    let older = healthy(10.0).observation(3);
    assert!(!story.watch.observe(&spec, &older, at(20.2)));
    // A new collector takes over; the former one's late look does not come back in.
    let mut other = healthy(22.0).observation(1);
    other.collector = "connector/two".into();
    assert!(story.watch.observe(&spec, &other, at(22.0)));
    assert!(!story.watch.observe(&spec, &healthy(21.0).observation(11), at(22.1)));
}

#[test]
fn a_late_delivery_counts_from_when_it_was_made() {
    let mut story = Story::new();
    story.healthy_until(0.0, 20.0);
    assert!(story.arrive(&healthy(22.0), at(40.0)));
    assert_eq!(codes(&story.watch.assessment(&story.limits, at(40.0))), "OBSERVATION_STALE");
}

#[test]
fn an_answer_given_later_degrades_by_rule_with_nothing_else_running() {
    let mut story = Story::new();
    story.healthy_until(0.0, 20.0);
    let limits = Limits::effective(Tier::Tier1, None, [], None);
    let made = story.assessment(20.0);
    let shown = |time: f64| {
        let later = rules::degrade(made.clone(), &limits, at(time));
        (
            later.status(),
            codes(&later),
            crate::time::duration_from_pb(later.loss.unwrap().window.as_ref()).unwrap().as_secs(),
        )
    };
    assert_eq!(shown(25.0), (Status::Green, "RPO_OK".into(), 5));
    assert_eq!(shown(31.0), (Status::Yellow, "OBSERVATION_STALE".into(), 11));
    assert_eq!(shown(51.0), (Status::Unknown, "SIGHT_LOST".into(), 31));
    // The clock went back: how old it is cannot be told.
    assert_eq!(shown(20.0 - HOUR).0, Status::Yellow);
}
