//! `NotificationRoute`: who is told about what, and when not.

use jiff::SignedDuration;

use crate::delivery::alert_rule::severity_named;
use crate::delivery::grouping::{MAX_FLAPS, MAX_MORE_THAN, MAX_WINDOW};
use crate::pb::inventory::v1::{Kind, NotificationRouteSpec};

use super::TenantInventory;
use super::validate::{Finding, duration, shorten, text};
use super::validate_channel::channel;
use super::validate_window::windows;

const MAX_NAMED: usize = 50;
/// Later it is no second way any more.
const MAX_FALLBACK_AFTER: SignedDuration = SignedDuration::from_hours(24);

pub(super) fn validate_route(found: &mut Finding, spec: &NotificationRouteSpec, name: &str, others: &TenantInventory) {
    text(found, "spec.description", &spec.description);
    for pattern in &spec.events {
        let body = pattern.strip_suffix('*').unwrap_or(pattern);
        if pattern.len() > 64 || !body.bytes().all(|b| b.is_ascii_lowercase() || matches!(b, b'.' | b'_')) {
            found.fault(
                "spec.events",
                "message kinds",
                pattern,
                "like rpo.breached or request.*",
                "see docs/notifications.md for the kinds",
            );
        }
    }
    filters(found, spec);
    windows(found, "spec.quietHours", &spec.quiet_hours);
    windows(found, "spec.blackouts", &spec.blackouts);
    grouping(found, spec);
    fallback(found, name, spec, others);
    channel(found, spec);
}

fn filters(found: &mut Finding, spec: &NotificationRouteSpec) {
    for severity in spec.severities.iter().filter(|name| severity_named(name).is_none()) {
        found.fault("spec.severities", "severities", shorten(severity), "info, warning, critical", "use these");
    }
    for (field, names) in [("spec.groups", &spec.groups), ("spec.owners", &spec.owners)] {
        if names.len() > MAX_NAMED {
            let (value, limit) = (names.len().to_string(), format!("at most {MAX_NAMED}"));
            found.fault(
                field,
                "a route names a few",
                value,
                limit,
                "leave the list empty for all, or make another route",
            );
        }
        for name in names {
            text(found, field, name);
        }
    }
    if !spec.language.is_empty() && !crate::delivery::language::LANGUAGES.contains(&spec.language.as_str()) {
        let limit = crate::delivery::language::LANGUAGES.join(", ");
        found.fault(
            "spec.language",
            "a language that messages are written in",
            shorten(&spec.language),
            limit,
            "use one of these",
        );
    }
}

fn grouping(found: &mut Finding, spec: &NotificationRouteSpec) {
    let Some(grouping) = &spec.grouping else { return };
    duration(found, "spec.grouping.window", grouping.window.as_ref(), MAX_WINDOW);
    for (field, value, most) in [
        ("spec.grouping.moreThan", grouping.more_than, MAX_MORE_THAN),
        ("spec.grouping.flaps", grouping.flaps, MAX_FLAPS),
    ] {
        if value > most {
            let limit = format!("1 to {most}");
            found.fault(field, "many at once become one message", value.to_string(), limit, "choose a smaller number");
        }
    }
}

/// What is not accepted in time goes another way; a way that leads back to itself helps nobody.
fn fallback(found: &mut Finding, name: &str, spec: &NotificationRouteSpec, others: &TenantInventory) {
    duration(found, "spec.fallbackAfter", spec.fallback_after.as_ref(), MAX_FALLBACK_AFTER);
    let (route, after) = (&spec.fallback_route, spec.fallback_after.is_some());
    if route.is_empty() == after {
        found.fault(
            "spec.fallbackRoute",
            "a fallback has a route and a time",
            if after { "only fallbackAfter" } else { "only fallbackRoute" },
            "both or neither",
            "add what is missing",
        );
    } else if !route.is_empty() && (route == name || others.get(Kind::NotificationRoute, route).is_none()) {
        found.fault(
            "spec.fallbackRoute",
            "a fallback is another route of the tenant",
            shorten(route),
            "the name of a declared route",
            "declare that route, or name another one",
        );
    }
}

#[cfg(test)]
#[path = "validate_route_tests.rs"]
mod tests;
