//! The rules of a policy about alerts: how they are told, and who is told next.

use jiff::SignedDuration;

use crate::delivery::alert_rule::{ALERT_KINDS, MAX_HOLD, severity_named};
use crate::delivery::escalation::MIN_RENOTIFY;
use crate::pb::common::v1::{Environment, Tier};
use crate::pb::inventory::v1::{AlertRule, EscalationStep, Kind};
use crate::time::{duration_from_pb, humane};

use super::TenantInventory;
use super::validate::{Finding, duration, shorten};

/// Told less often than once a week, nobody is told again.
const MAX_RENOTIFY: SignedDuration = SignedDuration::from_hours(24 * 7);
/// A chain of people, not of days.
const MAX_AFTER: SignedDuration = SignedDuration::from_hours(24 * 7);
const MAX_STEPS: usize = 10;
const MAX_ROUTES: usize = 20;
const MAX_URL: usize = 500;

pub(super) fn alert_rule(found: &mut Finding, field: &str, rule: &AlertRule, others: &TenantInventory) {
    let at = |rest: &str| format!("{field}.{rest}");
    for pattern in &rule.kinds {
        let matches = |kind: &&str| match pattern.strip_suffix('*') {
            Some(start) => kind.starts_with(start),
            None => kind == pattern,
        };
        if !ALERT_KINDS.iter().any(matches) {
            found.fault(
                at("kinds"),
                "kinds of alerts",
                shorten(pattern),
                ALERT_KINDS.join(", "),
                "name one of these; a trailing * matches the rest",
            );
        }
    }
    if !rule.severity.is_empty() && severity_named(&rule.severity).is_none() {
        let value = shorten(&rule.severity);
        found.fault(
            at("severity"),
            "a severity",
            value,
            "info, warning, critical",
            "use one of these, or leave it out",
        );
    }
    if let Some(hold) = duration(found, &at("hold"), rule.hold.as_ref(), MAX_HOLD) {
        held(found, &at("hold"), rule, hold);
    }
    let every = duration(found, &at("renotifyEvery"), rule.renotify_every.as_ref(), MAX_RENOTIFY);
    if let Some(every) = every.filter(|every| *every < MIN_RENOTIFY) {
        let limit = format!("{} or more", humane(MIN_RENOTIFY));
        found.fault(
            at("renotifyEvery"),
            "people are told again, not all the time",
            humane(every),
            limit,
            "tell less often",
        );
    }
    runbook(found, &at("runbookUrl"), &rule.runbook_url);
    steps(found, &at("escalate"), &rule.escalate, others);
}

/// Held back are other alerts; a rule that is for breaches of tier 1 alone would hold nothing.
fn held(found: &mut Finding, field: &str, rule: &AlertRule, hold: SignedDuration) {
    let tier_one = !rule.tiers.is_empty() && rule.tiers().all(|tier| tier == Tier::Tier1);
    let production =
        rule.environments.is_empty() || rule.environments().all(|environment| environment == Environment::Production);
    let blind = rule.kinds.iter().all(|kind| kind.starts_with("visibility")) && !rule.kinds.is_empty();
    if tier_one && production && !blind {
        found.fault(
            field,
            "a breach of a tier 1 system is told at once",
            humane(hold),
            "no hold for tier 1 in production, but for visibility.lost",
            "remove hold, or add kinds: [visibility.lost]",
        );
    } else if (rule.tiers.is_empty() || rule.tiers().any(|tier| tier == Tier::Tier1)) && !blind {
        found.warn(format!("{field}: breaches of tier 1 in production are told at once all the same"));
    }
}

fn runbook(found: &mut Finding, field: &str, url: &str) {
    if url.is_empty() {
        return;
    }
    let plain = url.len() <= MAX_URL && !url.chars().any(|c| c.is_whitespace() || c.is_control());
    // "user:password@": what is in every message is no place for a secret.
    let host = url.strip_prefix("https://").map(|rest| rest.split(['/', '?', '#']).next().unwrap_or_default());
    if !plain || host.is_none_or(|host| host.is_empty() || host.contains('@')) {
        found.fault(
            field,
            "a page that whoever is woken can open",
            shorten(url),
            format!("https://…, at most {MAX_URL} characters, no user or password"),
            "correct the address",
        );
    }
}

fn steps(found: &mut Finding, field: &str, steps: &[EscalationStep], others: &TenantInventory) {
    if steps.len() > MAX_STEPS {
        let limit = format!("at most {MAX_STEPS}");
        found.fault(field, "a chain that ends", steps.len().to_string(), limit, "tell more routes in one step");
    }
    let mut before = SignedDuration::ZERO;
    for (index, step) in steps.iter().enumerate() {
        let at = |rest: &str| format!("{field}[{index}].{rest}");
        if step.after.is_none() {
            found.fault(
                at("after"),
                "a step has its time",
                "absent",
                "such as 15m",
                "say after how long, counted from the alert",
            );
        }
        duration(found, &at("after"), step.after.as_ref(), MAX_AFTER);
        let after = duration_from_pb(step.after.as_ref()).unwrap_or_default();
        if index > 0 && after <= before {
            let limit = format!("later than {}", humane(before));
            found.fault(at("after"), "steps follow each other", humane(after), limit, "each is counted from the alert");
        }
        before = after;
        routes(found, &at("routes"), &step.routes, others);
    }
}

fn routes(found: &mut Finding, field: &str, routes: &[String], others: &TenantInventory) {
    if routes.is_empty() || routes.len() > MAX_ROUTES {
        let limit = format!("1 to {MAX_ROUTES}");
        found.fault(field, "a step tells somebody", routes.len().to_string(), limit, "name notification routes");
    }
    for route in routes.iter().filter(|route| others.get(Kind::NotificationRoute, route).is_none()) {
        found.fault(
            field,
            "declared notification routes",
            shorten(route),
            "a route of this tenant",
            "declare the route first, or in the same manifest",
        );
    }
}

#[cfg(test)]
#[path = "validate_alert_rule_tests.rs"]
mod tests;
