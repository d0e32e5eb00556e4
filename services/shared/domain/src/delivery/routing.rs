//! Which routes a message takes.
//!
//! Invariant: what is not surely production never reaches the production on-call, whatever the
//! configuration says. The mark on one route protects its recipients on every route of the tenant, in
//! every spelling (see `recipient`).

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use crate::pb::common::v1::{Environment, Tier};
use crate::pb::inventory::v1::{NotificationRouteSpec, notification_route_spec::Channel};

use super::message::{Message, clip};
use super::recipient::{self, Recipient};

/// Older news is not sent: after the first start on an existing log, or after days off-line, people
/// would be woken by what is long over. It is recorded as suppressed instead.
pub const MAX_NEWS_AGE: SignedDuration = SignedDuration::from_hours(24);

/// The names of the channels, as they are recorded.
pub const EMAIL: &str = "email";
pub const WEBHOOK: &str = "webhook";

/// Why something was suppressed.
pub mod rule {
    pub const ON_CALL_IS_FOR_PRODUCTION: &str = "non-production never reaches the production on-call";
    pub const INVALID_RECIPIENT: &str = "the recipient is not a plain address or URL";
    pub const TOO_OLD: &str = "the event was older than 24 h when it was handled";
    pub const ALERT_NOT_TOLD: &str = "the alert that ended was not told on this route";
    pub const RECIPIENT_DISABLED: &str = "the recipient is disabled; declare the route again to enable it";
}

/// One notification route as it is declared now.
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    pub name: String,
    pub spec: NotificationRouteSpec,
    /// When it was declared; a recipient disabled before that counts as enabled again.
    pub declared_at: Option<Timestamp>,
}

/// What happens to a message on one route, for one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    pub route: String,
    pub channel: &'static str,
    pub recipient: Recipient,
    /// Reference to what the channel signs with; empty for channels without.
    pub secret_ref: String,
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
    let on_call = on_call_identities(routes);
    let production = message.environment == Environment::Production;
    let mut decisions = Vec::new();
    // Names that are no route any more must not make a message disappear: then all are told that ask for it.
    let named = routes.iter().any(|route| message.only_routes.contains(&route.name));
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
            let wakes_on_call = route.spec.production_on_call || on_call.contains(&decision.recipient.identity);
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
    tier && environment && event
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

fn on_call_identities(routes: &[Route]) -> BTreeSet<String> {
    routes
        .iter()
        .filter(|route| route.spec.production_on_call)
        .flat_map(recipients)
        .map(|d| d.recipient.identity)
        .collect()
}

fn recipients(route: &Route) -> Vec<Decision> {
    let decision = |channel, secret_ref: &str, text: &str, parsed: Option<Recipient>| {
        let (recipient, verdict) = match parsed {
            Some(recipient) => (recipient, Verdict::Send),
            // Recorded under what was typed, cut, so that the mistake can be found.
            None => (invalid(text), Verdict::Suppress(rule::INVALID_RECIPIENT)),
        };
        Decision { route: route.name.clone(), channel, recipient, secret_ref: secret_ref.to_owned(), verdict }
    };
    match &route.spec.channel {
        Some(Channel::Email(mail)) => mail.to.iter().map(|to| decision(EMAIL, "", to, recipient::email(to))).collect(),
        Some(Channel::Webhook(hook)) => {
            vec![decision(WEBHOOK, &hook.secret_ref, &hook.url, recipient::webhook(&hook.url))]
        }
        Some(Channel::Slack(_) | Channel::Teams(_) | Channel::Pagerduty(_) | Channel::GdsNotification(_)) | None => {
            Vec::new()
        }
    }
}

fn invalid(text: &str) -> Recipient {
    // The part before a query: what follows may be a secret.
    let shown = clip(text.split('?').next().unwrap_or_default(), 100);
    Recipient { address: shown.clone(), shown, identity: String::new() }
}

#[cfg(test)]
#[path = "routing_tests.rs"]
mod tests;
