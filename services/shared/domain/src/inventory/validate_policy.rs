//! A policy: rules that can be met, by people who exist as ids, at times that exist on a clock.

use jiff::SignedDuration;

use super::TenantInventory;
use super::validate::{Finding, duration, text};
use super::validate_alert_rule::alert_rule;
use super::validate_approval::{approval_rule, request_types};
use crate::access::{role_list, role_name};
use crate::delivery::message::{environment_name, tier_name};
use crate::ids::check_name;
use crate::pb::common::v1::Tier;
use crate::pb::inventory::v1::{AutonomyRule, BreakGlassRule, ChangeFreeze, PolicySpec, WeeklyWindow};
use crate::request::{BREAK_GLASS_ROLES, MAX_BREAK_GLASS, first_unusable, type_name};
use crate::time::{from_pb, humane, time_of_day, zone};

const MAX_RULES: usize = 50;
/// A freeze of more than a year is a decision to never move, and belongs into the approvals.
const MAX_FREEZE: SignedDuration = SignedDuration::from_hours(24 * 366);
const MAX_COOL_DOWN: SignedDuration = SignedDuration::from_hours(24 * 30);
/// More clean drills than this are never counted in a year.
const MAX_CLEAN_DRILLS: u32 = 50;
const MAX_AUTONOMY_WINDOW: SignedDuration = SignedDuration::from_hours(24 * 366);
/// Later than this nobody remembers.
const MAX_REVIEW: SignedDuration = SignedDuration::from_hours(24 * 14);

pub(super) fn validate_policy(found: &mut Finding, spec: &PolicySpec, others: &TenantInventory) {
    text(found, "spec.description", &spec.description);
    let single = [
        spec.autonomy.is_some(),
        spec.break_glass.is_some(),
        spec.cool_down.is_some(),
        spec.message_approvals.is_some(),
    ];
    let telling = spec.alerts.len() + spec.maintenance.len();
    let rules = spec.approvals.len() + spec.readiness.len() + spec.freezes.len() + telling;
    if rules > MAX_RULES || (rules == 0 && !single.contains(&true)) {
        found.fault(
            "spec",
            "a policy has rules",
            rules.to_string(),
            format!("1 to {MAX_RULES}"),
            "add approvals, readiness, freezes, autonomy, breakGlass, coolDown, alerts, maintenance or messageApprovals",
        );
    }
    for (index, rule) in spec.approvals.iter().enumerate() {
        approval_rule(found, &format!("spec.approvals[{index}]"), rule, others);
    }
    for (index, rule) in spec.readiness.iter().enumerate() {
        let field = format!("spec.readiness[{index}]");
        if rule.tier() == Tier::Unspecified {
            let at = format!("{field}.tier");
            found.fault(at, "readiness limits belong to a tier", "absent", "1, 2 or 3", "name the tier");
        }
        super::validate_resource::thresholds(found, &format!("{field}.thresholds"), rule.thresholds.as_ref(), None);
    }
    for (index, freeze) in spec.freezes.iter().enumerate() {
        let field = format!("spec.freezes[{index}]");
        self::freeze(found, &field, freeze);
        if spec.freezes.iter().take(index).any(|earlier| earlier.name == freeze.name) {
            let at = format!("{field}.name");
            found.fault(at, "freezes have different names", &freeze.name, "another name", "rename one");
        }
    }
    for (index, rule) in spec.alerts.iter().enumerate() {
        alert_rule(found, &format!("spec.alerts[{index}]"), rule, others);
    }
    super::validate_window::maintenance(found, "spec.maintenance", &spec.maintenance);
    if let Some(rule) = &spec.autonomy {
        autonomy(found, rule);
    }
    if let Some(rule) = &spec.break_glass {
        break_glass(found, rule);
    }
    if let Some(rule) = &spec.message_approvals {
        super::validate_contact::message_approvals(found, rule);
    }
    duration(found, "spec.coolDown", spec.cool_down.as_ref(), MAX_COOL_DOWN);
    if found.faults.is_empty() {
        together(found, others);
    }
}

/// Every policy of the tenant holds at once: each may be fine, and all together have too many ways to be satisfied.
fn together(found: &mut Finding, others: &TenantInventory) {
    let policies: Vec<_> = others.policies().map(|(document, _)| document).collect();
    let Some((tier, environment, kind, unusable)) = first_unusable(&policies) else { return };
    found.fault(
        "spec.approvals",
        "policies that hold together can be worked out by people",
        format!(
            "a {} of {}, {} would have {unusable}",
            type_name(kind),
            tier_name(tier),
            environment_name(environment)
        ),
        "fewer alternatives in the rules that match it",
        "use groups instead of lists of people, or fewer expressions",
    );
}

fn freeze(found: &mut Finding, field: &str, freeze: &ChangeFreeze) {
    let at = |rest: &str| format!("{field}.{rest}");
    if let Err(e) = check_name("name", &freeze.name) {
        found.fault(at("name"), "refusals name the freeze", e.value, e.rule, "choose another name");
    }
    text(found, &at("reason"), &freeze.reason);
    if freeze.reason.trim().is_empty() {
        let next = "say why, for whoever is refused";
        found.fault(at("reason"), "whoever is refused hears why", "empty", "a sentence", next);
    }
    request_types(found, &at("requestTypes"), &freeze.request_types);
    let (from, until) = (from_pb(freeze.from.as_ref()), from_pb(freeze.until.as_ref()));
    match (from, until, &freeze.weekly) {
        (None, None, Some(weekly)) => self::weekly(found, &at("weekly"), weekly),
        (Some(from), Some(until), None) => {
            let length = until.duration_since(from);
            if length <= SignedDuration::ZERO || length > MAX_FREEZE {
                found.fault(
                    at("until"),
                    "a freeze ends after it begins",
                    until.to_string(),
                    format!("after {from}, at most {} later", humane(MAX_FREEZE)),
                    "correct the times",
                );
            }
        }
        _ => found.fault(
            field,
            "a freeze has a beginning and an end, or comes back every week",
            [(from.is_some(), "from"), (until.is_some(), "until"), (freeze.weekly.is_some(), "weekly")]
                .iter()
                .filter_map(|(given, key)| given.then_some(*key))
                .collect::<Vec<_>>()
                .join(", "),
            "from and until, or weekly alone",
            "give both times, or the weekly window",
        ),
    }
}

pub(super) fn weekly(found: &mut Finding, field: &str, window: &WeeklyWindow) {
    let at = |rest: &str| format!("{field}.{rest}");
    let mut days = window.days.clone();
    days.sort_unstable();
    days.dedup();
    if days.is_empty() || days.len() != window.days.len() || days.iter().any(|day| !(1..=7).contains(day)) {
        let given = window.days.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        found.fault(at("days"), "days of the week, each once", given, "mon to sun, 1 or more", "list the days");
    }
    for (key, value) in [("start", &window.start), ("end", &window.end)] {
        if time_of_day(value).is_none() {
            let (value, limit) = (super::validate::shorten(value), "00:00 to 23:59");
            found.fault(at(key), "a time of day", value, limit, "write it like 22:00, in quotes");
        }
    }
    if window.start == window.end {
        found.fault(
            at("end"),
            "a window has a length",
            format!("{} to {}", window.start, window.end),
            "an end that differs from the start; before the start means the next day",
            "correct the times; for whole days use 00:00 to 23:59",
        );
    }
    if zone(&window.time_zone).is_none() {
        found.fault(
            at("timeZone"),
            "times of day belong to a time zone",
            super::validate::shorten(&window.time_zone),
            "an IANA name such as Europe/Berlin or UTC",
            "name the zone people mean",
        );
    }
}

fn autonomy(found: &mut Finding, rule: &AutonomyRule) {
    if rule.clean_drills == 0 || rule.clean_drills > MAX_CLEAN_DRILLS {
        found.fault(
            "spec.autonomy.cleanDrills",
            "autonomy is earned by clean drills",
            rule.clean_drills.to_string(),
            format!("1 to {MAX_CLEAN_DRILLS}"),
            "say how many in a row",
        );
    }
    let within = "spec.autonomy.within";
    if rule.within.is_none() {
        let limit = format!("above 0 s, at most {}", humane(MAX_AUTONOMY_WINDOW));
        found.fault(within, "clean drills count for a time", "absent", limit, "write it like 90d");
    }
    duration(found, within, rule.within.as_ref(), MAX_AUTONOMY_WINDOW);
}

fn break_glass(found: &mut Finding, rule: &BreakGlassRule) {
    for role in rule.roles().filter(|role| !BREAK_GLASS_ROLES.contains(role)) {
        found.fault(
            "spec.breakGlass.roles",
            "roles that may break the glass",
            role_name(role),
            role_list(&BREAK_GLASS_ROLES),
            "use one of these",
        );
    }
    duration(found, "spec.breakGlass.limit", rule.limit.as_ref(), MAX_BREAK_GLASS);
    duration(found, "spec.breakGlass.reviewWithin", rule.review_within.as_ref(), MAX_REVIEW);
}
