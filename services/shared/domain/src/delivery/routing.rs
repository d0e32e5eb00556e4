//! Which routes a message takes.
//!
//! Invariant: what is not surely production never reaches the production on-call, whatever the
//! configuration says. The mark on one route protects its recipients on every route of the tenant, in
//! every spelling (see `recipient`).

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::pb::common::v1::{Environment, Tier};
use crate::pb::inventory::v1::{NotificationRouteSpec, notification_route_spec::Channel};

use super::message::{Message, clip};
use super::recipient::{self, Recipient, SecretMark};

/// Older news is not sent: after the first start on an existing log, or after days off-line, people
/// would be woken by what is long over. It is recorded as suppressed instead.
pub const MAX_NEWS_AGE: SignedDuration = SignedDuration::from_hours(24);

/// The names of the channels, as they are recorded.
pub const EMAIL: &str = "email";
pub const WEBHOOK: &str = "webhook";
pub const SLACK: &str = "slack";
pub const TEAMS: &str = "teams";
pub const PAGERDUTY: &str = "pagerduty";
pub const GDS_NOTIFICATION: &str = "gds_notification";

/// Every channel.
pub const CHANNELS: [&str; 6] = [EMAIL, WEBHOOK, SLACK, TEAMS, PAGERDUTY, GDS_NOTIFICATION];

/// Why something was suppressed.
pub mod rule {
    pub const ON_CALL_IS_FOR_PRODUCTION: &str = "non-production never reaches the production on-call";
    pub const INVALID_RECIPIENT: &str = "the recipient is not a plain address or URL";
    pub const TOO_OLD: &str = "the event was older than 24 h when it was handled";
    pub const ALERT_NOT_TOLD: &str = "the alert that ended was not told on this route";
    pub const RECIPIENT_DISABLED: &str = "the recipient is disabled; declare the route again to enable it";
    pub const TOLD_ON_ANOTHER_ROUTE: &str = "the same recipient is told on another route";
    pub const ALERT_ENDED: &str = "the alert ended while it was held";
    pub const NOTHING_TO_END: &str = "what it ends was not told to this recipient";
    pub const TOLD_TOGETHER: &str = "it was told together with others, and the end of all of them is told";
    pub const BLACKOUT: &str = "blackout of the route";
}

/// One notification route as it is declared now.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Route {
    pub name: String,
    pub spec: NotificationRouteSpec,
    /// The version of its declaration.
    pub version: u64,
    /// When it was declared; a recipient disabled before that counts as enabled again.
    pub declared_at: Option<Timestamp>,
    /// The stable id of the one person it leads to; empty: it is no contact's.
    pub person: String,
    /// Of the secret that tells where it leads, for a pager and for a workflow of Teams. See `identifying_secret`.
    pub mark: SecretMark,
}

/// What happens to a message on one route, for one recipient.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    pub route: String,
    /// The version of the route by which it was decided.
    pub route_version: u64,
    /// The stable id of the one person it is meant for; empty: it is meant for nobody alone.
    pub person: String,
    pub channel: &'static str,
    pub recipient: Recipient,
    /// Reference to what the channel signs or logs in with; empty for channels without.
    pub secret_ref: String,
    /// The channel as the route declares it.
    pub declared: Arc<Channel>,
    pub verdict: Verdict,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Send,
    /// The rule that forbade it, in words.
    Suppress(&'static str),
}

/// All decisions for a message. Routes whose filters do not match it are not concerned and not listed.
pub fn route(message: &Message, routes: &[Route]) -> Vec<Decision> {
    let on_call = on_call(routes);
    let production = message.environment == Environment::Production;
    let mut decisions = Vec::new();
    // Names that are no route any more must not make a message disappear: then all are told that ask for it.
    // A personal one goes to its person or to nobody.
    let named =
        super::personal::is_personal(message) || routes.iter().any(|route| message.only_routes.contains(&route.name));
    let concerned = |route: &&Route| match named {
        true => message.only_routes.contains(&route.name),
        false => concerns(&route.spec, message),
    };
    for route in routes.iter().filter(concerned) {
        let mut seen = BTreeSet::new();
        for mut decision in recipients(route) {
            // The same mailbox twice on one route is told once.
            if !seen.insert(decision.recipient.address.to_ascii_lowercase()) {
                continue;
            }
            let wakes_on_call =
                route.spec.production_on_call || on_call.iter().any(|protected| decision.recipient.reaches(protected));
            if wakes_on_call && !production {
                decision.verdict = Verdict::Suppress(rule::ON_CALL_IS_FOR_PRODUCTION);
            }
            decisions.push(decision);
        }
    }
    decisions
}

/// The decision for one recipient of one route as the routes are now; `None` when it leads there no more.
pub fn still_leads_there(message: &Message, routes: &[Route], route_name: &str, shown: &str) -> Option<Decision> {
    route(message, routes).into_iter().find(|d| d.route == route_name && d.recipient.shown == shown)
}

/// Whether it is too late to tell it.
pub fn is_too_old(message: &Message, now: Timestamp) -> bool {
    now.duration_since(message.occurred_at) > MAX_NEWS_AGE
}

/// Does the route ask for such a message? Empty lists ask for everything.
fn concerns(spec: &NotificationRouteSpec, message: &Message) -> bool {
    let tier = spec.tiers.is_empty() || spec.tiers.iter().any(|t| known_tier(*t) == Some(message.tier));
    let environment = spec.environments.is_empty()
        || spec.environments.iter().any(|e| known_environment(*e) == Some(message.environment));
    let event = spec.events.is_empty() || spec.events.iter().any(|pattern| matches_kind(pattern, &message.kind));
    let severity = spec.severities.is_empty() || spec.severities.iter().any(|name| name == message.severity.name());
    let group = spec.groups.is_empty() || spec.groups.iter().any(|group| message.groups.contains(group));
    let owner = spec.owners.is_empty() || spec.owners.iter().any(|owner| message.owners.contains(owner));
    tier && environment && event && severity && group && owner
}

/// "request.*" matches the rest; without a star it is the whole kind.
fn matches_kind(pattern: &str, kind: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => kind.starts_with(start),
        None => pattern == kind,
    }
}

fn known_tier(tier: i32) -> Option<Tier> {
    Tier::try_from(tier).ok().filter(|t| *t != Tier::Unspecified)
}

fn known_environment(environment: i32) -> Option<Environment> {
    Environment::try_from(environment).ok().filter(|e| *e != Environment::Unspecified)
}

fn on_call(routes: &[Route]) -> Vec<Recipient> {
    routes
        .iter()
        .filter(|route| route.spec.production_on_call)
        .flat_map(recipients)
        .filter(|d| d.verdict == Verdict::Send)
        .map(|d| d.recipient)
        .collect()
}

/// The reference of the secret without which nobody knows where a channel leads; its mark belongs into [`Route::mark`].
pub fn identifying_secret(channel: &Channel) -> Option<&str> {
    match channel {
        Channel::Pagerduty(pager) => Some(&pager.routing_key_ref),
        Channel::Teams(teams) => Some(&teams.url_ref),
        Channel::Email(_) | Channel::Webhook(_) | Channel::Slack(_) | Channel::GdsNotification(_) => None,
    }
}

/// The mark of that secret's content.
pub fn secret_mark(channel: &Channel, secret: &str) -> SecretMark {
    match channel {
        Channel::Pagerduty(_) => SecretMark::of_key(secret),
        Channel::Teams(_) => SecretMark::of_url(secret),
        Channel::Email(_) | Channel::Webhook(_) | Channel::Slack(_) | Channel::GdsNotification(_) => {
            SecretMark::NotNeeded
        }
    }
}

fn recipients(route: &Route) -> Vec<Decision> {
    let Some(channel) = &route.spec.channel else { return Vec::new() };
    let declared = Arc::new(channel.clone());
    let decision = |name, secret_ref: &str, text: &str, parsed: Option<Recipient>| {
        let (recipient, verdict) = match parsed {
            Some(recipient) => (recipient, Verdict::Send),
            // Recorded under what was typed, cut, so that the mistake can be found.
            None => (invalid(text), Verdict::Suppress(rule::INVALID_RECIPIENT)),
        };
        Decision {
            route: route.name.clone(),
            route_version: route.version,
            person: route.person.clone(),
            channel: name,
            recipient,
            secret_ref: secret_ref.to_owned(),
            declared: declared.clone(),
            verdict,
        }
    };
    let mark = route.mark.clone();
    match channel {
        Channel::Email(mail) => mail.to.iter().map(|to| decision(EMAIL, "", to, recipient::email(to))).collect(),
        Channel::Webhook(hook) => vec![decision(WEBHOOK, &hook.secret_ref, &hook.url, recipient::webhook(&hook.url))],
        Channel::Slack(slack) => {
            // A person is reached by their own route alone, and only through an account that was bound.
            let to = if super::personal::is_personal_route(&route.name) {
                slack.channel.split_once('/').and_then(|(team, user)| recipient::slack_user(team, user))
            } else {
                recipient::slack(&slack.channel)
            };
            vec![decision(SLACK, &slack.token_ref, &slack.channel, to)]
        }
        Channel::Teams(teams) => {
            vec![decision(TEAMS, &teams.url_ref, &teams.url_ref, recipient::teams(&teams.url_ref, mark))]
        }
        Channel::Pagerduty(pager) => {
            let key = &pager.routing_key_ref;
            vec![decision(PAGERDUTY, key, key, recipient::pagerduty(key, mark))]
        }
        Channel::GdsNotification(gds) => {
            vec![decision(GDS_NOTIFICATION, &gds.secret_ref, &gds.url, recipient::gds_notification(gds))]
        }
    }
}

fn invalid(text: &str) -> Recipient {
    // The part before a query: what follows may be a secret.
    let shown = clip(text.split('?').next().unwrap_or_default(), 100);
    Recipient { address: shown.clone(), shown, identity: String::new(), mark: SecretMark::NotNeeded }
}

#[cfg(test)]
#[path = "routing_tests.rs"]
mod tests;
