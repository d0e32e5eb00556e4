//! A policy.

use muster_domain::access::role_name;
use muster_domain::pb::common::v1::Role;
use muster_domain::pb::inventory::v1::{
    ApprovalExpression, ApprovalRule, AutonomyRule, BreakGlassRule, ChangeFreeze, PolicySpec, ReadinessRule,
    WeeklyWindow, approval_expression::Kind,
};
use serde_json::{Value, json};

use super::{block, each, flag, length, list, message, moment, resource, text, texts, word};
use crate::manifest::{
    policy::DAYS,
    resource::{ENVIRONMENTS, TIERS},
};

pub(super) fn write(spec: &PolicySpec) -> Value {
    block([
        ("description", text(&spec.description)),
        ("approvals", each(&spec.approvals, approval_rule)),
        ("readiness", each(&spec.readiness, readiness_rule)),
        ("freezes", each(&spec.freezes, freeze)),
        ("autonomy", spec.autonomy.as_ref().map(autonomy)),
        ("breakGlass", spec.break_glass.as_ref().map(break_glass)),
        ("coolDown", length(spec.cool_down.as_ref())),
        ("alerts", each(&spec.alerts, message::alert_rule)),
        ("maintenance", each(&spec.maintenance, message::maintenance)),
        ("messageApprovals", spec.message_approvals.as_ref().map(message::approvals)),
    ])
}

fn approval_rule(rule: &ApprovalRule) -> Value {
    block([
        ("tiers", list(rule.tiers().filter_map(|t| word(TIERS, t)).collect())),
        ("environments", list(rule.environments().filter_map(|e| word(ENVIRONMENTS, e)).collect())),
        ("requestTypes", texts(&rule.request_types)),
        ("require", each(&rule.require, |r| json!({"role": role_name(r.role()), "count": r.count}))),
        ("expiresAfter", length(rule.expires_after.as_ref())),
        ("requireTicket", flag(rule.require_ticket)),
        ("stepUp", flag(rule.step_up)),
        ("expression", rule.expression.as_ref().map(expression)),
        (
            "escalations",
            each(&rule.escalations, |e| block([("after", length(e.after.as_ref())), ("routes", texts(&e.routes))])),
        ),
    ])
}

fn expression(expression: &ApprovalExpression) -> Value {
    let several = |of: &[ApprovalExpression]| Value::Array(of.iter().map(self::expression).collect());
    match &expression.kind {
        Some(Kind::Role(role)) => json!({"role": role_name(Role::try_from(*role).unwrap_or_default())}),
        Some(Kind::Person(person)) => json!({"person": person}),
        Some(Kind::Group(group)) => json!({"group": {"name": group.name, "people": group.people}}),
        Some(Kind::All(all)) => json!({"all": several(&all.of)}),
        Some(Kind::Any(any)) => json!({"any": several(&any.of)}),
        Some(Kind::AtLeast(least)) => json!({"atLeast": {"count": least.count, "of": several(&least.of)}}),
        None => json!({}),
    }
}

fn readiness_rule(rule: &ReadinessRule) -> Value {
    block([("tier", word(TIERS, rule.tier())), ("thresholds", rule.thresholds.as_ref().map(resource::thresholds))])
}

fn freeze(freeze: &ChangeFreeze) -> Value {
    block([
        ("name", text(&freeze.name)),
        ("reason", text(&freeze.reason)),
        ("tiers", list(freeze.tiers().filter_map(|t| word(TIERS, t)).collect())),
        ("environments", list(freeze.environments().filter_map(|e| word(ENVIRONMENTS, e)).collect())),
        ("requestTypes", texts(&freeze.request_types)),
        ("from", moment(freeze.from.as_ref())),
        ("until", moment(freeze.until.as_ref())),
        ("weekly", freeze.weekly.as_ref().map(weekly)),
    ])
}

pub(super) fn weekly(window: &WeeklyWindow) -> Value {
    block([
        ("days", list(window.days.iter().filter_map(|day| word(DAYS, *day)).collect())),
        ("start", text(&window.start)),
        ("end", text(&window.end)),
        ("timeZone", text(&window.time_zone)),
    ])
}

fn autonomy(rule: &AutonomyRule) -> Value {
    block([("cleanDrills", Some(json!(rule.clean_drills))), ("within", length(rule.within.as_ref()))])
}

fn break_glass(rule: &BreakGlassRule) -> Value {
    block([
        ("roles", list(rule.roles().map(|role| json!(role_name(role))).collect())),
        ("limit", length(rule.limit.as_ref())),
        ("reviewWithin", length(rule.review_within.as_ref())),
    ])
}
