//! The part of a policy that says how alerts are told, and windows of time.

use muster_domain::pb::inventory::v1::{AlertRule, EscalationStep, MaintenanceWindow, MessageApprovalRule, TimeWindow};

use super::{
    fault::Faults,
    fields::Fields,
    node::Node,
    policy::weekly,
    resource::{ENVIRONMENTS, TIERS},
};

pub(super) fn rule(node: &Node, path: &str, faults: &Faults) -> Option<AlertRule> {
    let mut fields = Fields::of(node, path, faults)?;
    let rule = AlertRule {
        tiers: fields.choices("tiers", TIERS).into_iter().map(i32::from).collect(),
        environments: fields.choices("environments", ENVIRONMENTS).into_iter().map(i32::from).collect(),
        kinds: fields.texts("kinds"),
        severity: fields.text("severity"),
        hold: fields.duration("hold"),
        renotify_every: fields.duration("renotifyEvery"),
        without_resolved: fields.flag("withoutResolved"),
        runbook_url: fields.text("runbookUrl"),
        escalate: fields.list("escalate", step),
    };
    fields.finish();
    Some(rule)
}

fn step(node: &Node, path: &str, faults: &Faults) -> Option<EscalationStep> {
    let mut fields = Fields::of(node, path, faults)?;
    let step = EscalationStep { after: fields.duration("after"), routes: fields.texts("routes") };
    fields.finish();
    Some(step)
}

pub(super) fn maintenance(node: &Node, path: &str, faults: &Faults) -> Option<MaintenanceWindow> {
    let mut fields = Fields::of(node, path, faults)?;
    let window = MaintenanceWindow {
        window: Some(time_window(&mut fields)),
        tiers: fields.choices("tiers", TIERS).into_iter().map(i32::from).collect(),
        environments: fields.choices("environments", ENVIRONMENTS).into_iter().map(i32::from).collect(),
        resources: fields.texts("resources"),
        groups: fields.texts("groups"),
    };
    fields.finish();
    Some(window)
}

pub(super) fn window(node: &Node, path: &str, faults: &Faults) -> Option<TimeWindow> {
    let mut fields = Fields::of(node, path, faults)?;
    let window = time_window(&mut fields);
    fields.finish();
    Some(window)
}

fn time_window(fields: &mut Fields<'_, '_>) -> TimeWindow {
    TimeWindow {
        name: fields.text("name"),
        reason: fields.text("reason"),
        from: fields.moment("from"),
        until: fields.moment("until"),
        weekly: fields.block("weekly").map(weekly),
    }
}

pub(super) fn message_approvals(mut fields: Fields<'_, '_>) -> MessageApprovalRule {
    let rule = MessageApprovalRule {
        channels: fields.texts("channels"),
        tiers: fields.choices("tiers", TIERS).into_iter().map(i32::from).collect(),
        refusals_before_alarm: fields.whole("refusalsBeforeAlarm").unwrap_or_default(),
    };
    fields.finish();
    rule
}
