//! `kind: Policy`: who must approve, when nothing may move, and the limits of a tier.

use muster_domain::access::role_name;
use muster_domain::pb::common::v1::Role;
use muster_domain::pb::inventory::v1::{
    AutonomyRule, BreakGlassRule, ChangeFreeze, PolicySpec, ReadinessRule, WeeklyWindow,
};

use super::{
    alert, approval,
    fault::Faults,
    fields::Fields,
    node::Node,
    resource::{ENVIRONMENTS, TIERS, thresholds},
};

/// ISO 8601: Monday is 1.
pub(super) const DAYS: &[(&str, u32)] =
    &[("mon", 1), ("tue", 2), ("wed", 3), ("thu", 4), ("fri", 5), ("sat", 6), ("sun", 7)];

/// The names the domain uses; which of them may approve is its rule.
pub(super) fn roles() -> Vec<(&'static str, Role)> {
    [Role::ApproverIt, Role::ApproverBusiness, Role::Operator, Role::Admin, Role::Viewer]
        .map(|role| (role_name(role), role))
        .to_vec()
}

pub(super) fn read(mut fields: Fields<'_, '_>) -> PolicySpec {
    let spec = PolicySpec {
        description: fields.text("description"),
        approvals: fields.list("approvals", approval::rule),
        readiness: fields.list("readiness", readiness_rule),
        freezes: fields.list("freezes", freeze),
        autonomy: fields.block("autonomy").map(autonomy),
        break_glass: fields.block("breakGlass").map(break_glass),
        cool_down: fields.duration("coolDown"),
        alerts: fields.list("alerts", alert::rule),
        maintenance: fields.list("maintenance", alert::maintenance),
        message_approvals: fields.block("messageApprovals").map(alert::message_approvals),
    };
    fields.finish();
    spec
}

fn readiness_rule(node: &Node, path: &str, faults: &Faults) -> Option<ReadinessRule> {
    let mut fields = Fields::of(node, path, faults)?;
    let rule = ReadinessRule {
        tier: fields.choice("tier", TIERS).unwrap_or_default().into(),
        thresholds: fields.block("thresholds").map(thresholds),
    };
    fields.finish();
    Some(rule)
}

fn freeze(node: &Node, path: &str, faults: &Faults) -> Option<ChangeFreeze> {
    let mut fields = Fields::of(node, path, faults)?;
    let freeze = ChangeFreeze {
        name: fields.text("name"),
        reason: fields.text("reason"),
        tiers: fields.choices("tiers", TIERS).into_iter().map(i32::from).collect(),
        environments: fields.choices("environments", ENVIRONMENTS).into_iter().map(i32::from).collect(),
        request_types: fields.texts("requestTypes"),
        from: fields.moment("from"),
        until: fields.moment("until"),
        weekly: fields.block("weekly").map(weekly),
    };
    fields.finish();
    Some(freeze)
}

pub(super) fn weekly(mut fields: Fields<'_, '_>) -> WeeklyWindow {
    let window = WeeklyWindow {
        days: fields.choices("days", DAYS),
        start: fields.text("start"),
        end: fields.text("end"),
        time_zone: fields.text("timeZone"),
    };
    fields.finish();
    window
}

fn autonomy(mut fields: Fields<'_, '_>) -> AutonomyRule {
    let rule = AutonomyRule {
        clean_drills: fields.whole("cleanDrills").unwrap_or_default(),
        within: fields.duration("within"),
    };
    fields.finish();
    rule
}

fn break_glass(mut fields: Fields<'_, '_>) -> BreakGlassRule {
    let rule = BreakGlassRule {
        roles: fields.choices("roles", &roles()).into_iter().map(i32::from).collect(),
        limit: fields.duration("limit"),
        review_within: fields.duration("reviewWithin"),
    };
    fields.finish();
    rule
}
