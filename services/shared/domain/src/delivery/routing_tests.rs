#![expect(clippy::unwrap_used, reason = "a test panics to fail")]

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::delivery::message::{Source, kind};
use crate::pb::inventory::v1::{
    EmailChannel, GdsNotificationChannel, PagerdutyChannel, SlackChannel, TeamsChannel, WebhookChannel,
};

fn message(kind: &str, tier: Tier, environment: i32) -> Message {
    let source = Source {
        tenant: "acme".into(),
        event_id: Uuid::nil(),
        sequence: 7,
        occurred_at: Timestamp::from_second(1_000_000).unwrap(),
    };
    Message::about(&source, kind, "orders-db", tier.into(), environment)
}

fn email_route(name: &str, to: &[&str]) -> Route {
    let channel = Some(Channel::Email(EmailChannel { to: to.iter().map(|t| (*t).to_owned()).collect() }));
    Route { name: name.into(), spec: NotificationRouteSpec { channel, ..Default::default() }, ..Route::default() }
}

fn webhook_route(name: &str, url: &str) -> Route {
    let channel = Some(Channel::Webhook(WebhookChannel { url: url.into(), secret_ref: "file:x".into() }));
    Route { name: name.into(), spec: NotificationRouteSpec { channel, ..Default::default() }, ..Route::default() }
}

fn sent(decisions: &[Decision]) -> Vec<(&str, &str)> {
    decisions
        .iter()
        .filter(|d| d.verdict == Verdict::Send)
        .map(|d| (d.route.as_str(), d.recipient.shown.as_str()))
        .collect()
}

const PROD: i32 = Environment::Production as i32;
const TEST: i32 = Environment::Test as i32;

#[test]
fn filters_choose_the_routes() {
    // (tiers, environments, events) of the route -> does a tier 1 production rpo.breached take it?
    type Row = (&'static [Tier], &'static [Environment], &'static [&'static str], bool);
    let table: &[Row] = &[
        (&[], &[], &[], true),
        (&[Tier::Tier1], &[Environment::Production], &["rpo.breached"], true),
        (&[Tier::Tier2], &[], &[], false),
        (&[Tier::Tier2, Tier::Tier1], &[], &[], true),
        (&[], &[Environment::Staging], &[], false),
        (&[], &[], &["rpo.*"], true),
        (&[], &[], &["*"], true),
        (&[], &[], &["request.*"], false),
        (&[], &[], &["rpo"], false),
        (&[], &[], &["rpo.breached.more"], false),
        (&[], &[], &["request.created", "rpo.breached"], true),
        // An unset value in a list is no wildcard.
        (&[Tier::Unspecified], &[], &[], false),
        (&[], &[Environment::Unspecified], &[], false),
    ];
    for (tiers, environments, events, expected) in table {
        let mut r = email_route("mail", &["a@example.com"]);
        r.spec.tiers = tiers.iter().map(|t| i32::from(*t)).collect();
        r.spec.environments = environments.iter().map(|e| i32::from(*e)).collect();
        r.spec.events = events.iter().map(|e| (*e).to_owned()).collect();
        let decisions = route(&message(kind::RPO_BREACHED, Tier::Tier1, PROD), &[r]);
        assert_eq!(!decisions.is_empty(), *expected, "{tiers:?} {environments:?} {events:?}");
    }
}

#[test]
fn named_routes_hear_it_whatever_their_lists_say_and_nobody_else_does() {
    let mut managers = email_route("managers", &["m@example.com"]);
    managers.spec.events = vec!["rpo.*".into()];
    let mut pager = webhook_route("pager", "https://page.example.com/a");
    pager.spec.production_on_call = true;
    let routes = [managers, pager, email_route("team", &["team@example.com"])];
    let told = |names: &[&str], environment| {
        let mut m = message(kind::REQUEST_ESCALATED, Tier::Tier1, environment);
        m.only_routes = names.iter().map(|name| (*name).to_owned()).collect();
        let decisions = route(&m, &routes);
        sent(&decisions).into_iter().map(|(route, _)| route.to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(told(&["managers"], PROD), ["managers"]);
    assert_eq!(told(&["managers", "pager"], PROD), ["managers", "pager"]);
    assert_eq!(told(&["managers", "pager"], TEST), ["managers"], "the on-call is for production, whoever names it");
    assert_eq!(told(&["gone"], PROD), ["pager", "team"], "nobody of that name: all that ask for it");
}

#[test]
fn production_reaches_the_on_call_and_test_does_not() {
    let mut on_call = webhook_route("on-call", "https://page.example.com/a");
    on_call.spec.production_on_call = true;
    let routes = [on_call, email_route("team", &["team@example.com"])];
    let prod = route(&message(kind::RPO_BREACHED, Tier::Tier1, PROD), &routes);
    assert_eq!(sent(&prod), [("on-call", "https://page.example.com/a"), ("team", "team@example.com")]);
    let test = route(&message(kind::RPO_BREACHED, Tier::Tier1, TEST), &routes);
    assert_eq!(sent(&test), [("team", "team@example.com")]);
    assert_eq!(test[0].verdict, Verdict::Suppress(rule::ON_CALL_IS_FOR_PRODUCTION));
}

#[test]
fn the_same_recipient_on_an_unmarked_route_is_protected_too() {
    let mut on_call = email_route("on-call", &["oncall@example.com"]);
    on_call.spec.production_on_call = true;
    // Its own filter says it wants nothing; its recipients are protected all the same.
    on_call.spec.events = vec!["never".into()];
    let round = email_route("staging", &["OnCall+staging@Example.com", "dev@example.com"]);
    let decisions = route(&message(kind::RPO_BREACHED, Tier::Tier1, TEST), &[round, on_call]);
    assert_eq!(sent(&decisions), [("staging", "dev@example.com")]);
}

#[test]
fn an_unknown_environment_counts_as_non_production() {
    let mut on_call = email_route("on-call", &["oncall@example.com"]);
    on_call.spec.production_on_call = true;
    for environment in [0, 5, 99, -1] {
        let decisions = route(&message(kind::RPO_BREACHED, Tier::Tier1, environment), std::slice::from_ref(&on_call));
        assert_eq!(sent(&decisions), [], "{environment}");
    }
}

#[test]
fn one_mailbox_twice_on_a_route_is_told_once_and_a_bad_address_is_recorded() {
    let r = email_route("mail", &["a@example.com", "A@example.com", "no address"]);
    let decisions = route(&message(kind::RPO_BREACHED, Tier::Tier1, PROD), &[r]);
    assert_eq!(sent(&decisions), [("mail", "a@example.com")]);
    assert_eq!(decisions[1].verdict, Verdict::Suppress(rule::INVALID_RECIPIENT));
}

#[test]
fn a_route_that_changed_no_longer_leads_there() {
    let m = message(kind::RPO_BREACHED, Tier::Tier1, TEST);
    let mut r = email_route("mail", &["a@example.com"]);
    assert_eq!(
        still_leads_there(&m, std::slice::from_ref(&r), "mail", "a@example.com").unwrap().verdict,
        Verdict::Send
    );
    assert!(still_leads_there(&m, std::slice::from_ref(&r), "mail", "b@example.com").is_none());
    r.spec.production_on_call = true;
    assert!(matches!(still_leads_there(&m, &[r], "mail", "a@example.com").unwrap().verdict, Verdict::Suppress(_)));
    assert!(still_leads_there(&m, &[], "mail", "a@example.com").is_none());
}

#[test]
fn old_news_is_too_old() {
    let m = message(kind::RPO_BREACHED, Tier::Tier1, PROD);
    assert!(!is_too_old(&m, m.occurred_at + MAX_NEWS_AGE));
    assert!(is_too_old(&m, m.occurred_at + MAX_NEWS_AGE + SignedDuration::from_secs(1)));
    assert!(!is_too_old(&m, m.occurred_at - SignedDuration::from_hours(48)));
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
        "(https|HTTPS)://(page|PAGE)\\.example\\.com(\\.|:443)?/(\\./|x/\\.\\./|/)?(on-call|On-Call|on%2dcall|%6fn-call)/?(\\?[a-z]=[0-9])?(#x)?",
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
                description: String::new(),
                tiers,
                environments,
                events,
                production_on_call,
                channel: Some(channel),
                ..NotificationRouteSpec::default()
            },
            declared_at: None,
            mark,
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
        declared_at: None,
        mark,
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Given any routes besides one marked on-call recipient of each channel, in any order and spelling,
    /// what is not production never gets to any of them, nor onto any marked route.
    #[test]
    fn non_production_never_wakes_the_production_on_call(
        mut routes in prop::collection::vec(any_route(), 0..6),
        at in 0usize..7,
        environment in prop_oneof![Just(0i32), 2..8i32, Just(-3)],
        tier in 0i32..5,
    ) {
        for protected in on_call_routes() {
            routes.insert(at.min(routes.len()), protected);
        }

        let m = message(kind::RPO_BREACHED, Tier::try_from(tier).unwrap_or_default(), environment);
        for decision in route(&m, &routes).iter().filter(|d| d.verdict == Verdict::Send) {
            prop_assert!(!is_on_call(decision), "{decision:?}");
            // Names may repeat: at least one route of that name must be unmarked.
            prop_assert!(routes.iter().any(|r| r.name == decision.route && !r.spec.production_on_call), "{decision:?}");
        }
    }

    /// The guard takes nothing away from production.
    #[test]
    fn production_is_never_suppressed_by_the_on_call_rule(routes in prop::collection::vec(any_route(), 0..6)) {
        let m = message(kind::RPO_BREACHED, Tier::Tier1, PROD);
        for decision in route(&m, &routes) {
            prop_assert_ne!(decision.verdict, Verdict::Suppress(rule::ON_CALL_IS_FOR_PRODUCTION));
        }
    }
}
