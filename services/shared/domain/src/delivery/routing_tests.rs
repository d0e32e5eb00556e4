#![expect(clippy::unwrap_used, reason = "a test panics to fail")]

use uuid::Uuid;

use super::*;
use crate::delivery::message::{Source, kind};
use crate::pb::inventory::v1::{EmailChannel, WebhookChannel};

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
fn a_person_is_reached_by_their_own_route_and_by_no_declared_one() {
    let by_chat = |name: &str, channel: &str| {
        let slack = crate::pb::inventory::v1::SlackChannel { channel: channel.into(), ..Default::default() };
        let spec = NotificationRouteSpec { channel: Some(Channel::Slack(slack)), ..NotificationRouteSpec::default() };
        let mut message = message(kind::APPROVAL_ASKED, Tier::Tier2, PROD);
        message.only_routes = vec![name.into()];
        route(&message, &[Route { name: name.into(), spec, ..Route::default() }]).remove(0)
    };
    let own = by_chat("contact:ingo:slack", "T0123ABCD/U0123ABCD");
    assert_eq!((own.verdict, own.recipient.address.as_str()), (Verdict::Send, "U0123ABCD"));
    assert_eq!(own.recipient.shown, "slack:T0123ABCD/U0123ABCD");
    for (name, channel) in [
        ("chat", "T0123ABCD/U0123ABCD"),
        ("chat", "U0123ABCD"),
        ("contact:ingo:slack", "C0123ABCD"),
        ("contact:ingo:slack", "U0123ABCD"),
    ] {
        let refused = Verdict::Suppress(rule::INVALID_RECIPIENT);
        assert_eq!(by_chat(name, channel).verdict, refused, "{name} {channel}");
    }
}

#[test]
fn old_news_is_too_old() {
    let m = message(kind::RPO_BREACHED, Tier::Tier1, PROD);
    assert!(!is_too_old(&m, m.occurred_at + MAX_NEWS_AGE));
    assert!(is_too_old(&m, m.occurred_at + MAX_NEWS_AGE + SignedDuration::from_secs(1)));
    assert!(!is_too_old(&m, m.occurred_at - SignedDuration::from_hours(48)));
}

/// Of a critical breach of orders-db, which is in the groups shop and core and is team-orders' system.
fn breach() -> Message {
    let mut breach = message(kind::RPO_BREACHED, Tier::Tier1, PROD);
    breach.severity = crate::delivery::Severity::Critical;
    breach.groups = vec!["shop".into(), "core".into()];
    breach.owners = vec!["team-orders".into()];
    breach
}

#[test]
fn severity_group_and_owner_choose_the_routes_too() {
    // (severities, groups, owners) of the route -> does it take the breach?
    type Row = (&'static [&'static str], &'static [&'static str], &'static [&'static str], bool);
    let table: &[Row] = &[
        (&["critical"], &[], &[], true),
        (&["info", "critical"], &[], &[], true),
        (&["info", "warning"], &[], &[], false),
        // A word that is no severity is no wildcard.
        (&["CRITICAL"], &[], &[], false),
        (&[], &["shop"], &[], true),
        (&[], &["billing", "core"], &[], true),
        (&[], &["billing"], &[], false),
        (&[], &["sho"], &[], false),
        (&[], &[], &["team-orders"], true),
        (&[], &[], &["team-billing", "team-orders"], true),
        (&[], &[], &["team-billing"], false),
        (&["critical"], &["shop"], &["team-orders"], true),
        // All of them hold, not one of them.
        (&["critical"], &["shop"], &["team-billing"], false),
        (&["info"], &["shop"], &["team-orders"], false),
    ];
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    for (severities, groups, owners, expected) in table {
        let mut r = email_route("mail", &["a@example.com"]);
        (r.spec.severities, r.spec.groups, r.spec.owners) = (owned(severities), owned(groups), owned(owners));
        assert_eq!(!route(&breach(), &[r]).is_empty(), *expected, "{severities:?} {groups:?} {owners:?}");
    }
}

#[test]
fn what_belongs_to_nobody_is_told_only_where_no_group_and_no_owner_is_asked_for() {
    let mut stray = breach();
    (stray.groups, stray.owners) = (Vec::new(), Vec::new());
    let mut by_group = email_route("by-group", &["a@example.com"]);
    by_group.spec.groups = vec!["shop".into()];
    let mut by_owner = email_route("by-owner", &["b@example.com"]);
    by_owner.spec.owners = vec![String::new()];
    let routes = [by_group, by_owner, email_route("all", &["c@example.com"])];
    assert_eq!(sent(&route(&stray, &routes)), [("all", "c@example.com")]);
}

#[test]
fn a_decision_says_by_which_version_of_the_route_and_for_whom() {
    let route_of_ingo =
        Route { version: 7, person: "idp|ingo".into(), ..email_route("contact:ingo", &["i@example.com"]) };
    let mut asked = message(kind::APPROVAL_ASKED, Tier::Tier1, PROD);
    asked.only_routes = vec!["contact:ingo".into()];
    let decision = route(&asked, &[route_of_ingo]).remove(0);
    assert_eq!((decision.route_version, decision.person.as_str()), (7, "idp|ingo"));
}
