//! Non-production never pages the production on-call: any configuration may try to get round it.

#![expect(clippy::unwrap_used, reason = "a test panics to fail")]

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use uuid::Uuid;

use super::digest::{self, Member};
use super::escalation::words;
use super::grouping::Group;
use super::message::{Severity, delivery_failed, kind};
use super::recipient::SecretMark;
use super::routing::{EMAIL, GDS_NOTIFICATION, PAGERDUTY, SLACK, TEAMS, rule, still_leads_there};
use super::{Decision, Escalation, Message, Route, Source, Verdict, ending, personal, route, route_test};
use crate::pb::common::v1::{Actor, Environment};
use crate::pb::inventory::v1::notification_route_spec::Channel;
use crate::pb::inventory::v1::{
    ContactSpec, Document, EmailChannel, GdsNotificationChannel, NotificationRouteSpec, PagerdutyChannel, SlackChannel,
    TeamsChannel, WebhookChannel,
};
use crate::pb::notification::v1::{AlertAcknowledged, EscalationStarted, EscalationStepped};

fn source() -> Source {
    let occurred_at = Timestamp::from_second(1_000_000).unwrap();
    Source { tenant: "acme".into(), event_id: Uuid::nil(), sequence: 7, occurred_at }
}

fn message(kind: &str, tier: i32, environment: i32) -> Message {
    Message::about(&source(), kind, "orders-db", tier, environment)
}

/// Spellings of the on-call's mailbox and endpoint, and of others.
fn any_email() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("oncall@example.com".to_owned()),
        "(oncall|OnCall|ONCALL)(\\+[a-z]{0,3})?@(example\\.com|Example\\.COM|example\\.com\\.)",
        "[a-c]{1,3}@example\\.com",
        Just("oncall@example.com, dev@example.com".to_owned()),
        Just("<oncall@example.com>".to_owned()),
    ]
}

fn any_url() -> impl Strategy<Value = String> {
    prop_oneof![
        "(https|HTTPS|http)://(page|PAGE)\\.example\\.com(\\.|:443|:80)?/(\\./|x/\\.\\./|/)?(on-call|On-Call|on%2dcall|%6fn-call)/?(\\?[a-z]=[0-9])?(#x)?",
        "https://[a-c]\\.example\\.com/[a-z]{1,3}",
        Just("https://x@page.example.com/on-call".to_owned()),
    ]
}

fn any_of(words: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::sample::select(words).prop_map(str::to_owned)
}

const ON_CALL_KEY: &str = "0123456789abcdef0123456789abcdef";
const ON_CALL_FLOW: &str = "https://page.example.com/on-call";

fn gds(url: &str, alert_name: &str) -> Channel {
    let (url, alert_name) = (url.to_owned(), alert_name.to_owned());
    Channel::GdsNotification(GdsNotificationChannel { url, alert_name, ..GdsNotificationChannel::default() })
}

fn any_route() -> impl Strategy<Value = Route> {
    let channel = prop_oneof![
        prop::collection::vec(any_email(), 0..4).prop_map(|to| Channel::Email(EmailChannel { to })),
        any_url().prop_map(|url| Channel::Webhook(WebhookChannel { url, secret_ref: String::new() })),
        any_of(&["C0NCALL01", " C0NCALL01 ", "c0ncall01", "C0THER001", "U0NCALL01", "#oncall", ""]).prop_map(
            |channel| {
                Channel::Slack(SlackChannel { channel, token_ref: "file:any".into(), ..SlackChannel::default() })
            }
        ),
        any_of(&["file:pager", "file:other", ""]).prop_map(|routing_key_ref| {
            Channel::Pagerduty(PagerdutyChannel { routing_key_ref, ..PagerdutyChannel::default() })
        }),
        any_of(&["file:flow", "file:other"]).prop_map(|url_ref| Channel::Teams(TeamsChannel { url_ref })),
        (any_url(), any_of(&["RPO breach", "rpo Breach ", "tests"]))
            .prop_map(|(url, alert_name)| gds(&url, &alert_name)),
    ];
    let mark = prop_oneof![
        any_of(&[ON_CALL_KEY, "another key"]).prop_map(|key| SecretMark::of_key(&key)),
        any_url().prop_map(|url| SecretMark::of_url(&url)),
        Just(SecretMark::Unknown),
        Just(SecretMark::NotNeeded),
    ];
    (
        "[a-z]{1,6}",
        prop::collection::vec(-1i32..6, 0..3),
        prop::collection::vec(-1i32..7, 0..4),
        prop::collection::vec(
            prop_oneof![Just("*"), Just("rpo.*"), Just("rpo.breached"), Just(""), Just("x")].prop_map(str::to_owned),
            0..3,
        ),
        any::<bool>(),
        channel,
        mark,
    )
        .prop_map(|(name, tiers, environments, events, production_on_call, channel, mark)| Route {
            name,
            spec: NotificationRouteSpec {
                tiers,
                environments,
                events,
                production_on_call,
                channel: Some(channel),
                ..NotificationRouteSpec::default()
            },
            mark,
            ..Route::default()
        })
}

/// Where a sent decision really ends, found by means other than the code under test.
fn is_on_call(decision: &Decision) -> bool {
    let address = decision.recipient.address.to_ascii_lowercase();
    let mark = &decision.recipient.mark;
    match decision.channel {
        EMAIL => {
            let (local, domain) = address.split_once('@').unwrap();
            local.split('+').next() == Some("oncall") && domain.trim_end_matches('.') == "example.com"
        }
        SLACK => address == "c0ncall01",
        PAGERDUTY => address == "file:pager" || *mark == SecretMark::of_key(ON_CALL_KEY),
        TEAMS => address == "file:flow" || *mark == SecretMark::of_url(ON_CALL_FLOW),
        GDS_NOTIFICATION => {
            address.contains("page.example.com") && decision.recipient.shown.to_lowercase().ends_with(" rpo breach")
        }
        _ => address.contains("page.example.com"),
    }
}

/// The protected recipient of each channel.
fn on_call_routes() -> Vec<Route> {
    let flow = TeamsChannel { url_ref: "file:flow".into() };
    let pager = PagerdutyChannel { routing_key_ref: "file:pager".into(), ..PagerdutyChannel::default() };
    let chat = SlackChannel { channel: "C0NCALL01".into(), ..SlackChannel::default() };
    let marked = |name: &str, channel, mark| Route {
        name: name.into(),
        spec: NotificationRouteSpec { production_on_call: true, channel: Some(channel), ..Default::default() },
        mark,
        ..Route::default()
    };
    vec![
        marked(
            "on-call-mail",
            Channel::Email(EmailChannel { to: vec!["oncall@example.com".into()] }),
            SecretMark::NotNeeded,
        ),
        marked(
            "on-call-page",
            Channel::Webhook(WebhookChannel { url: ON_CALL_FLOW.into(), secret_ref: "file:x".into() }),
            SecretMark::NotNeeded,
        ),
        marked("on-call-chat", Channel::Slack(chat), SecretMark::NotNeeded),
        marked("on-call-pager", Channel::Pagerduty(pager), SecretMark::of_key(ON_CALL_KEY)),
        marked("on-call-flow", Channel::Teams(flow), SecretMark::of_url(ON_CALL_FLOW)),
        marked("on-call-gds", gds(ON_CALL_FLOW, "RPO breach"), SecretMark::NotNeeded),
    ]
}

/// People who can be asked in person; one of them reads the on-call's mailbox.
fn contacts() -> impl Strategy<Value = Vec<Route>> {
    let app = SlackChannel { token_ref: "file:any".into(), ..SlackChannel::default() };
    let of = move |(name, email): (String, String)| {
        let document = Document { name, version: 3, ..Document::default() };
        let contact = ContactSpec { email, person: "idp|ingo".into(), ..ContactSpec::default() };
        let by_chat = personal::by_chat(&document, &contact, &app, ("T0123ABCD", "U0123ABCD"));
        personal::by_mail(&document, &contact).into_iter().chain([by_chat]).collect::<Vec<_>>()
    };
    prop::collection::vec(("[a-c]", any_email()).prop_map(of), 0..3).prop_map(|routes| routes.concat())
}

/// Names as an escalation step, a fallback or a policy may name them: of routes that exist, and of some that do not.
fn named(routes: &[Route], picks: &[prop::sample::Index]) -> Vec<String> {
    let known = routes.iter().map(|route| route.name.clone());
    let all: Vec<String> = known.chain(["gone".to_owned(), "contact:gone".to_owned()]).collect();
    picks.iter().map(|pick| pick.get(&all).clone()).collect()
}

/// Every message that Muster makes from one: by the chain, by another way, about its failure, together with others, of
/// its end, and as a person tries a route or sends a dead letter again.
fn made_from(first: &Message, routes: &[Route], names: &[String]) -> Vec<Message> {
    let mut made = vec![first.clone()];
    let mut step = first.clone();
    let second = EscalationStepped { step: 2, routes: names.to_vec(), ..EscalationStepped::default() };
    words::stepped(&mut step, &second, &Escalation::default());
    let mut called = first.clone();
    let by_hand = EscalationStepped { by: Some(Actor::default()), reason: "help".into(), ..second };
    words::stepped(&mut called, &by_hand, &Escalation::default());
    let mut again = first.clone();
    words::renotified(&mut again, 3, None);
    let started = EscalationStarted {
        alert_id: "a1".into(),
        resource: first.resource.clone(),
        message_kind: first.kind.clone(),
        tier: first.tier.into(),
        environment: first.environment.into(),
        ..EscalationStarted::default()
    };
    let acknowledged = words::acknowledged(&source(), &started, &AlertAcknowledged::default());
    made.extend([step, called, again, acknowledged]);
    // To one person, on another way, or on the routes of a step.
    made.extend(names.iter().map(|name| Message { only_routes: vec![name.clone()], ..first.clone() }));
    made.extend(names.iter().map(|name| route_test::message(&source(), name, &Actor::default())));
    for decision in route(first, routes).into_iter().take(2) {
        made.extend(told_together(first, &decision));
    }
    let failures: Vec<Message> =
        made.iter().filter_map(|m| delivery_failed(m, Uuid::nil(), "team", "GONE: 410", m.occurred_at)).collect();
    made.extend(failures);
    // What waits is kept as text, for as long as it takes.
    made.iter().map(|m| serde_json::from_str(&serde_json::to_string(m).unwrap()).unwrap()).collect()
}

/// One of many at once, one of what quiet hours held, and the end of both.
fn told_together(first: &Message, decision: &Decision) -> Vec<Message> {
    let to = (decision.route.as_str(), decision.recipient.shown.as_str());
    let (since, length) = (first.occurred_at, SignedDuration::from_secs(30));
    let groups =
        [Group::of_many("acme", to, first, since, since + length), Group::of_quiet("acme", to, first, since, length)];
    let worst = Member { kind: first.kind.clone(), severity: Some(Severity::Critical), ..Member::default() };
    let mut made = Vec::new();
    for group in groups {
        let mut told = digest::envelope(&group, first);
        digest::fill(&mut told, &group, 2, &[worst.clone(), worst.clone()]);
        made.extend([ending::of_group(group.delivery_id, &group.route, &told), told]);
    }
    made
}

/// The environments of everything that is not surely production.
fn not_production() -> impl Strategy<Value = i32> {
    prop_oneof![Just(0i32), 2..8i32, Just(-3)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    /// Given any routes besides one marked on-call recipient of each channel, in any order and spelling,
    /// what is not production never gets to any of them, nor onto any marked route.
    #[test]
    fn non_production_never_wakes_the_production_on_call(
        mut routes in prop::collection::vec(any_route(), 0..6),
        at in 0usize..7,
        environment in not_production(),
        tier in 0i32..5,
    ) {
        for protected in on_call_routes() {
            routes.insert(at.min(routes.len()), protected);
        }
        for decision in route(&message(kind::RPO_BREACHED, tier, environment), &routes) {
            if decision.verdict == Verdict::Send {
                prop_assert!(!is_on_call(&decision), "{decision:?}");
                // Names may repeat: at least one route of that name must be unmarked.
                prop_assert!(routes.iter().any(|r| r.name == decision.route && !r.spec.production_on_call), "{decision:?}");
            }
        }
    }

    /// The guard takes nothing away from production.
    #[test]
    fn production_is_never_suppressed_by_the_on_call_rule(routes in prop::collection::vec(any_route(), 0..6)) {
        for decision in route(&message(kind::RPO_BREACHED, 1, Environment::Production.into()), &routes) {
            prop_assert_ne!(decision.verdict, Verdict::Suppress(rule::ON_CALL_IS_FOR_PRODUCTION));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// The whole way: whatever is made from it, by whichever route it was queued, and whatever the routes say when it is
    /// sent at last. The on-call may have been declared in between.
    #[test]
    fn nothing_that_is_made_of_a_test_systems_message_reaches_the_on_call(
        queued_by in prop::collection::vec(any_route(), 0..4),
        changed in prop::collection::vec(any_route(), 0..3),
        people in contacts(),
        stay: bool,
        picks in prop::collection::vec(any::<prop::sample::Index>(), 1..4),
        kind in prop::sample::select(kind::ALL),
        environment in not_production(),
        severity in prop::sample::select(&[Severity::Info, Severity::Critical][..]),
    ) {
        let before = [queued_by.clone(), people.clone()].concat();
        let kept = if stay { queued_by } else { Vec::new() };
        let now = [kept, changed, people, on_call_routes()].concat();
        let first = Message { severity, alert_id: "a1".into(), ..message(kind, 1, environment) };
        for made in made_from(&first, &before, &named(&now, &picks)) {
            prop_assert_ne!(made.environment, Environment::Production, "{}", made.kind);
            // Whatever was decided when it was queued: this is asked again before each attempt, also of a dead letter.
            for decision in route(&made, &now).iter().filter(|decision| decision.verdict == Verdict::Send) {
                prop_assert!(!is_on_call(decision), "{}: {decision:?}", made.kind);
            }
            for queued in route(&made, &before).iter().take(3) {
                let sent = still_leads_there(&made, &now, &queued.route, &queued.recipient.shown);
                if let Some(sent) = sent.filter(|sent| sent.verdict == Verdict::Send) {
                    prop_assert!(!is_on_call(&sent), "{}: {sent:?}", made.kind);
                }
            }
        }
    }
}

#[test]
fn somebody_who_answers_for_it_wakes_the_on_call_by_a_test() {
    let routes = on_call_routes();
    for on_call in &routes {
        let tried = route_test::message(&source(), &on_call.name, &Actor::default());
        let decisions = route(&tried, &routes);
        assert!(route_test::wakes_on_call(&decisions), "{}", on_call.name);
        assert!(decisions.iter().all(|decision| decision.verdict != Verdict::Send));
        let answered_for = route(&route_test::of_production(tried), &routes);
        assert!(!answered_for.is_empty() && answered_for.iter().all(|decision| decision.verdict == Verdict::Send));
    }
}

#[test]
fn an_on_call_that_is_declared_while_a_message_waits_is_protected_at_once() {
    let mail = |name: &str, production_on_call| Route {
        name: name.into(),
        spec: NotificationRouteSpec {
            production_on_call,
            channel: Some(Channel::Email(EmailChannel { to: vec!["oncall@example.com".into()] })),
            ..NotificationRouteSpec::default()
        },
        ..Route::default()
    };
    let waits = message(kind::RPO_BREACHED, 1, Environment::Staging.into());
    let before = [mail("staging", false)];
    let decision = route(&waits, &before).remove(0);
    assert_eq!(decision.verdict, Verdict::Send);
    let now = [mail("staging", false), mail("on-call", true)];
    let sent = still_leads_there(&waits, &now, &decision.route, &decision.recipient.shown).unwrap();
    assert_eq!(sent.verdict, Verdict::Suppress(rule::ON_CALL_IS_FOR_PRODUCTION));
}
