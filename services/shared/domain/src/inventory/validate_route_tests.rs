#![expect(clippy::unwrap_used, reason = "a test panics to fail")]

use super::*;
use crate::pb::inventory::v1::{
    Document, EmailChannel, Grouping, TimeWindow, document::Spec, notification_route_spec::Channel,
};
use crate::time::{duration_to_pb, to_pb};

fn mail() -> NotificationRouteSpec {
    let channel = Some(Channel::Email(EmailChannel { to: vec!["team@example.com".into()] }));
    NotificationRouteSpec { channel, ..NotificationRouteSpec::default() }
}

/// The fields that are wrong, of a route "team" beside a declared route "managers".
fn faults(spec: &NotificationRouteSpec) -> Vec<String> {
    let mut others = TenantInventory::default();
    others.insert(Document {
        kind: Kind::NotificationRoute.into(),
        name: "managers".into(),
        spec: Some(Spec::NotificationRouteSpec(mail())),
        ..Document::default()
    });
    let mut found = Finding::default();
    validate_route(&mut found, spec, "team", &others);
    for fault in &found.faults {
        assert!(!fault.limit.is_empty() && !fault.next_action.is_empty(), "{fault:?}");
    }
    found.faults.into_iter().map(|fault| fault.field).collect()
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("n{n}")).collect()
}

fn nothing() -> Vec<String> {
    Vec::new()
}

#[test]
fn kinds_are_words_with_an_optional_star_at_the_end() {
    let with = |pattern: &str| NotificationRouteSpec { events: vec![pattern.into()], ..mail() };
    for good in ["*", "rpo.*", "rpo.breached", "request.break_glass", &"a".repeat(64)] {
        assert_eq!(faults(&with(good)), nothing(), "{good}");
    }
    for bad in ["RPO.*", "rpo.*.x", "**", "rpo breached", "rpo\n", &"a".repeat(65)] {
        assert_eq!(faults(&with(bad)), ["spec.events"], "{bad:?}");
    }
}

#[test]
fn severities_groups_owners_and_the_language_are_known_and_few() {
    let severities = |words: &[&str]| NotificationRouteSpec {
        severities: words.iter().map(|word| (*word).to_owned()).collect(),
        ..mail()
    };
    assert_eq!(faults(&severities(&["info", "warning", "critical"])), nothing());
    assert_eq!(faults(&severities(&["Critical", "info", "page"])), ["spec.severities", "spec.severities"]);

    assert_eq!(faults(&NotificationRouteSpec { groups: names(50), owners: names(50), ..mail() }), nothing());
    let many = NotificationRouteSpec { groups: names(51), owners: names(51), ..mail() };
    assert_eq!(faults(&many), ["spec.groups", "spec.owners"]);
    let hidden = NotificationRouteSpec { groups: vec!["shop\u{0}".into()], ..mail() };
    assert_eq!(faults(&hidden), ["spec.groups"]);

    for good in ["", "en", "de"] {
        assert_eq!(faults(&NotificationRouteSpec { language: good.into(), ..mail() }), nothing());
    }
    for bad in ["DE", "fr", "de-DE"] {
        assert_eq!(faults(&NotificationRouteSpec { language: bad.into(), ..mail() }), ["spec.language"], "{bad}");
    }
}

#[test]
fn grouping_stays_within_its_limits() {
    let with = |more_than, flaps, window: Option<SignedDuration>| NotificationRouteSpec {
        grouping: Some(Grouping { more_than, flaps, window: window.map(duration_to_pb) }),
        ..mail()
    };
    assert_eq!(faults(&with(0, 0, None)), nothing(), "the defaults");
    assert_eq!(faults(&with(MAX_MORE_THAN, MAX_FLAPS, Some(MAX_WINDOW))), nothing(), "the limits themselves");
    assert_eq!(faults(&with(MAX_MORE_THAN + 1, 0, None)), ["spec.grouping.moreThan"]);
    assert_eq!(faults(&with(0, MAX_FLAPS + 1, None)), ["spec.grouping.flaps"]);
    for window in [SignedDuration::ZERO, -SignedDuration::from_secs(1), MAX_WINDOW + SignedDuration::from_nanos(1)] {
        assert_eq!(faults(&with(0, 0, Some(window))), ["spec.grouping.window"], "{window}");
    }
}

#[test]
fn a_fallback_is_another_declared_route_and_has_a_time() {
    let with = |route: &str, after: Option<SignedDuration>| NotificationRouteSpec {
        fallback_route: route.into(),
        fallback_after: after.map(duration_to_pb),
        ..mail()
    };
    let (minute, second) = (SignedDuration::from_mins(1), SignedDuration::from_secs(1));
    assert_eq!(faults(&with("", None)), nothing());
    assert_eq!(faults(&with("managers", Some(minute))), nothing());
    assert_eq!(faults(&with("managers", Some(MAX_FALLBACK_AFTER))), nothing());
    assert_eq!(faults(&with("managers", Some(MAX_FALLBACK_AFTER + second))), ["spec.fallbackAfter"]);
    assert_eq!(faults(&with("managers", Some(SignedDuration::ZERO))), ["spec.fallbackAfter"]);
    for (route, after) in [("managers", None), ("", Some(minute)), ("team", Some(minute)), ("gone", Some(minute))] {
        assert_eq!(faults(&with(route, after)), ["spec.fallbackRoute"], "{route:?} {after:?}");
    }
}

#[test]
fn windows_of_a_route_are_named_by_their_place() {
    let at = |text: &str| Some(to_pb(text.parse().unwrap()));
    let backwards = TimeWindow {
        name: "night".into(),
        from: at("2026-06-02T00:00:00Z"),
        until: at("2026-06-01T00:00:00Z"),
        ..TimeWindow::default()
    };
    let fine = TimeWindow { until: at("2026-06-03T00:00:00Z"), ..backwards.clone() };
    let spec = NotificationRouteSpec {
        quiet_hours: vec![fine.clone(), backwards.clone()],
        blackouts: vec![backwards, fine],
        ..mail()
    };
    assert_eq!(faults(&spec), ["spec.quietHours[1].until", "spec.blackouts[0].until"]);
}
