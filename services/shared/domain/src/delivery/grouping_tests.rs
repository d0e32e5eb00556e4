#![expect(clippy::unwrap_used, clippy::panic, reason = "a test panics to fail")]

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::delivery::message::{Severity, Source};
use crate::delivery::routing::{EMAIL, Verdict};
use crate::delivery::{digest, recipient, route};
use crate::pb::common::v1::Environment;
use crate::pb::inventory::v1::{EmailChannel, NotificationRouteSpec, notification_route_spec::Channel};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

fn alert(kind: &str, resource: &str, tier: i32, environment: i32) -> Message {
    let source = Source { tenant: "acme".into(), event_id: Uuid::nil(), sequence: 1, occurred_at: at(0) };
    let mut message = Message::about(&source, kind, resource, tier, environment);
    message.severity = Severity::Critical;
    message.alert_id = format!("a-{resource}");
    message.alert_kind = kind.into();
    message.opens_thread = true;
    message
}

fn decision(route: &str, to: &str) -> Decision {
    Decision {
        route: route.into(),
        route_version: 1,
        person: String::new(),
        channel: EMAIL,
        recipient: recipient::email(to).unwrap(),
        secret_ref: String::new(),
        declared: std::sync::Arc::new(Channel::Email(EmailChannel::default())),
        verdict: Verdict::Send,
    }
}

fn breach(resource: &str) -> Message {
    alert(kind::RPO_BREACHED, resource, 1, 1)
}

fn limits(more_than: u32) -> Limits {
    Limits { more_than, window: SignedDuration::from_secs(30), flaps: 2 }
}

#[test]
fn a_hundred_at_once_are_ten_and_one_that_counts_the_rest() {
    let (mut counts, to) = (Counts::default(), decision("team", "a@example.com"));
    let told: Vec<_> = (0..100)
        .map(|n| counts.group("acme", &breach(&format!("db-{n}")), &to, Limits::of(None), at(n / 10)))
        .collect();
    assert_eq!(told.iter().filter(|group| group.is_none()).count(), 10);
    let groups: Vec<_> = told.into_iter().flatten().collect();
    assert!(groups.iter().all(|group| *group == groups[0]), "one message for all");
    assert_eq!((groups[0].since, groups[0].until), (at(0), at(30)));
    assert_eq!(counts.group("acme", &breach("later"), &to, Limits::of(None), at(30)), None, "a new window begins");
}

#[test]
fn what_people_wait_for_is_never_one_of_many() {
    let (mut counts, to) = (Counts::default(), decision("team", "a@example.com"));
    for kind in [kind::REQUEST_CREATED, kind::AUDIT_ALARM, kind::PLAN_NOTICE] {
        for n in 0..50 {
            let message = alert(kind, &format!("db-{n}"), 1, 1);
            assert_eq!(counts.group("acme", &message, &to, limits(1), at(0)), None, "{kind}");
        }
    }
    let test = Message { test: true, ..breach("x") };
    assert!((0..50).all(|_| counts.group("acme", &test, &to, limits(1), at(0)).is_none()));
}

#[test]
fn flapping_is_said_once_and_then_told_only_if_it_stays() {
    let mut counts = Counts::default();
    let mut open = |second| counts.flapping(&breach("orders"), "team", limits(5), at(second));
    assert_eq!(open(0), Flapping::No);
    assert_eq!(open(60), Flapping::No);
    assert_eq!(open(120), Flapping::Begins { times: 3 });
    let Flapping::GoesOn(hold) = open(180) else { panic!("goes on") };
    assert_eq!((hold.because, hold.until), (Because::Flapping, Some(at(180) + FLAPPING_HOLD_TIER_1)));
    assert!(matches!(open(240), Flapping::GoesOn(_)));
    assert_eq!(open(240 + 3_600), Flapping::No, "an hour of quiet ends it");
}

#[test]
fn two_primaries_and_updates_are_not_flapping() {
    let mut counts = Counts::default();
    let split = alert(kind::INTEGRITY_VIOLATED, "orders", 1, 1);
    let update = Message { opens_thread: false, ..breach("orders") };
    for n in 0..20 {
        assert_eq!(counts.flapping(&split, "team", limits(5), at(n)), Flapping::No);
        assert_eq!(counts.flapping(&update, "team", limits(5), at(n)), Flapping::No);
    }
}

#[test]
fn memory_has_a_bound_and_beyond_it_everything_is_told() {
    let (mut counts, limits) = (Counts::default(), limits(1));
    for n in 0..MAX_COUNTED + 100 {
        let to = decision(&format!("route-{n}"), "a@example.com");
        assert_eq!(counts.group("acme", &breach("x"), &to, limits, at(0)), None);
        assert_eq!(counts.flapping(&breach(&format!("db-{n}")), "team", limits, at(0)), Flapping::No);
    }
    assert_eq!(counts.len(), 2 * MAX_COUNTED);
    let beyond = decision("one-more", "a@example.com");
    assert!((0..9).all(|_| counts.group("acme", &breach("x"), &beyond, limits, at(1)).is_none()));
    // What is over makes room.
    assert_eq!(counts.group("acme", &breach("x"), &beyond, limits, at(40)), None);
    assert!(counts.len() <= MAX_COUNTED + 1);
}

fn any_message() -> impl Strategy<Value = Message> {
    let kinds = prop::sample::select(vec![
        kind::RPO_BREACHED,
        kind::VISIBILITY_LOST,
        kind::ALERT_RESOLVED,
        kind::REQUEST_CREATED,
    ]);
    (kinds, 0u8..40, 0i32..4, -1i32..6, 0usize..3).prop_map(|(kind, resource, tier, environment, severity)| {
        let severity = [Severity::Info, Severity::Warning, Severity::Critical][severity];
        Message { severity, ..alert(kind, &format!("db-{resource}"), tier, environment) }
    })
}

proptest! {
    /// Members of a group have everything in common that decides who may hear it and how soon; at most the limit is told
    /// one by one in a window; and the group's own message is judged by the on-call rule as each member would be.
    #[test]
    fn a_group_mixes_nothing_and_loses_nothing(
        messages in prop::collection::vec((any_message(), 0i64..5, 0usize..2), 1..200),
        more_than in 1u32..12,
    ) {
        let mut counts = Counts::default();
        let routes = [decision("team", "a@example.com"), decision("on-call", "b@example.com")];
        let mut second = 0;
        let mut groups: BTreeMap<Uuid, (Group, Message)> = BTreeMap::new();
        let mut one_by_one: BTreeMap<(String, String, i64), u32> = BTreeMap::new();
        for (message, later, which) in &messages {
            second += later;
            let to = &routes[*which];
            match counts.group("acme", message, to, limits(more_than), at(second)) {
                Some(group) => {
                    prop_assert!(may_be_grouped(message));
                    prop_assert!(group.until > at(second) && group.since <= at(second));
                    let (_, first) = groups.entry(group.delivery_id).or_insert((group.clone(), message.clone()));
                    prop_assert_eq!((&first.kind, first.tier, first.environment, first.severity),
                                    (&message.kind, message.tier, message.environment, message.severity));
                    prop_assert_eq!((&group.route, &group.recipient), (&to.route, &to.recipient.shown));
                }
                None if may_be_grouped(message) => {
                    *one_by_one.entry((to.route.clone(), label(message), second / 30)).or_default() += 1;
                }
                None => {}
            }
        }
        // A calendar half minute touches two windows at most.
        prop_assert!(one_by_one.values().all(|count| *count <= 2 * more_than));

        let declared = ["team", "on-call"].map(|name| {
            let to = if name == "team" { "a@example.com" } else { "b@example.com" };
            let channel = Some(Channel::Email(EmailChannel { to: vec![to.into()] }));
            let production_on_call = name == "on-call";
            let spec = NotificationRouteSpec { channel, production_on_call, ..Default::default() };
            crate::delivery::Route { name: name.into(), spec, ..Default::default() }
        });
        for (group, first) in groups.values() {
            let told = digest::envelope(group, first);
            for decision in route(&told, &declared) {
                prop_assert_eq!(&decision.route, &group.route, "a group stays on its route");
                let allowed = group.route == "team" || first.environment == Environment::Production;
                prop_assert_eq!(decision.verdict == Verdict::Send, allowed);
            }
        }
    }
}
