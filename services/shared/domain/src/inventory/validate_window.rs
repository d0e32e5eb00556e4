//! Windows of time in routes and policies: they end, and they name what they are for.

use jiff::SignedDuration;

use crate::pb::inventory::v1::{MaintenanceWindow, TimeWindow};
use crate::time::{from_pb, humane};

use super::validate::{Finding, text};
use super::validate_policy::weekly;

/// More than this nobody can keep in mind when asking why it was silent.
const MAX_WINDOWS: usize = 50;
/// Planned work and silence that last longer are a state, not a window.
const MAX_WINDOW: SignedDuration = SignedDuration::from_hours(24 * 31);
const MAX_NAMED: usize = 200;

/// Quiet hours or blackouts of a route.
pub(super) fn windows(found: &mut Finding, field: &str, windows: &[TimeWindow]) {
    if windows.len() > MAX_WINDOWS {
        let (value, limit) = (windows.len().to_string(), format!("at most {MAX_WINDOWS}"));
        found.fault(field, "windows are few", value, limit, "use weekly ones, or remove old ones");
    }
    for (index, window) in windows.iter().enumerate() {
        self::window(found, &format!("{field}[{index}]"), window);
    }
}

/// Maintenance in a policy.
pub(super) fn maintenance(found: &mut Finding, field: &str, rules: &[MaintenanceWindow]) {
    for (index, rule) in rules.iter().enumerate() {
        let field = format!("{field}[{index}]");
        match &rule.window {
            Some(window) => self::window(found, &format!("{field}.window"), window),
            None => found.fault(&field, "maintenance has a time", "absent", "a window", "say when it is"),
        }
        let named = rule.tiers.len() + rule.environments.len() + rule.resources.len() + rule.groups.len();
        if named == 0 || named > MAX_NAMED {
            found.fault(
                &field,
                "maintenance says which systems it is for",
                named.to_string(),
                format!("1 to {MAX_NAMED} tiers, environments, resources or groups"),
                "name them: a window for everything would silence everything",
            );
        }
    }
}

fn window(found: &mut Finding, field: &str, window: &TimeWindow) {
    let at = |rest: &str| format!("{field}.{rest}");
    text(found, &at("name"), &window.name);
    text(found, &at("reason"), &window.reason);
    if window.name.trim().is_empty() {
        let next = "give it a name: it is in the record of what it held back";
        found.fault(at("name"), "a window has a name", "empty", "a few words", next);
    }
    match (from_pb(window.from.as_ref()), from_pb(window.until.as_ref()), &window.weekly) {
        (None, None, Some(week)) => weekly(found, &at("weekly"), week),
        (Some(from), Some(until), None) => {
            let length = until.duration_since(from);
            if length <= SignedDuration::ZERO || length > MAX_WINDOW {
                let limit = format!("after {from}, at most {} later", humane(MAX_WINDOW));
                found.fault(
                    at("until"),
                    "a window ends after it begins",
                    until.to_string(),
                    limit,
                    "correct the times",
                );
            }
        }
        _ => found.fault(
            field,
            "a window has a beginning and an end, or comes back every week",
            "neither or both",
            "from and until, or weekly alone",
            "give both times, or the weekly window",
        ),
    }
}

#[cfg(test)]
#[path = "validate_window_tests.rs"]
mod tests;
