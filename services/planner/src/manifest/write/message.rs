//! Routes, alert rules, contacts, templates, schedules, and windows of time.

use muster_domain::access::role_name;
use muster_domain::pb::inventory::v1::{
    AlertRule, ContactSpec, Grouping, MaintenanceWindow, MessageApprovalRule, MessageTemplateSpec,
    NotificationRouteSpec, ScheduleSpec, TimeWindow, notification_route_spec::Channel,
};
use muster_domain::time::duration_from_pb;
use serde_json::{Map, Value, json};

use super::{block, each, flag, length, list, moment, policy::weekly, text, texts, word};
use crate::manifest::{
    resource::{ENVIRONMENTS, TIERS},
    scalar::write_duration,
};

pub(super) fn route(spec: &NotificationRouteSpec) -> Value {
    let (name, channel) = match &spec.channel {
        Some(Channel::Email(mail)) => ("email", block([("to", texts(&mail.to))])),
        Some(Channel::Webhook(hook)) => {
            ("webhook", block([("url", text(&hook.url)), ("secretRef", text(&hook.secret_ref))]))
        }
        Some(Channel::Slack(slack)) => (
            "slack",
            block([
                ("channel", text(&slack.channel)),
                ("tokenRef", text(&slack.token_ref)),
                ("apiUrl", text(&slack.api_url)),
                ("signingSecretRef", text(&slack.signing_secret_ref)),
            ]),
        ),
        Some(Channel::Teams(teams)) => ("teams", block([("urlRef", text(&teams.url_ref))])),
        Some(Channel::Pagerduty(pager)) => (
            "pagerduty",
            block([
                ("routingKeyRef", text(&pager.routing_key_ref)),
                ("region", text(&pager.region)),
                ("eventsUrl", text(&pager.events_url)),
                ("webhookSecretRef", text(&pager.webhook_secret_ref)),
            ]),
        ),
        Some(Channel::GdsNotification(gds)) => {
            let mut ids: Vec<_> = gds.db_instance_ids.iter().collect();
            ids.sort();
            let ids: Map<String, Value> =
                ids.into_iter().map(|(key, id)| (key.clone(), json!(id.to_string()))).collect();
            let given = block([
                ("url", text(&gds.url)),
                ("secretRef", text(&gds.secret_ref)),
                ("alertName", text(&gds.alert_name)),
                ("dbInstanceIds", (!ids.is_empty()).then_some(Value::Object(ids))),
                ("signatureHeader", text(&gds.signature_header)),
                ("timestampHeader", text(&gds.timestamp_header)),
            ]);
            ("gdsNotification", given)
        }
        None => ("email", json!({})),
    };
    block([
        ("description", text(&spec.description)),
        ("tiers", list(spec.tiers().filter_map(|t| word(TIERS, t)).collect())),
        ("environments", list(spec.environments().filter_map(|e| word(ENVIRONMENTS, e)).collect())),
        ("events", texts(&spec.events)),
        ("productionOnCall", flag(spec.production_on_call)),
        ("severities", texts(&spec.severities)),
        ("groups", texts(&spec.groups)),
        ("owners", texts(&spec.owners)),
        (name, spec.channel.is_some().then_some(channel)),
        ("quietHours", each(&spec.quiet_hours, window)),
        ("blackouts", each(&spec.blackouts, window)),
        ("grouping", spec.grouping.as_ref().map(grouping)),
        ("fallbackAfter", length(spec.fallback_after.as_ref())),
        ("fallbackRoute", text(&spec.fallback_route)),
        ("language", text(&spec.language)),
    ])
}

fn grouping(grouping: &Grouping) -> Value {
    block([
        ("moreThan", (grouping.more_than > 0).then(|| json!(grouping.more_than))),
        ("window", length(grouping.window.as_ref())),
        ("flaps", (grouping.flaps > 0).then(|| json!(grouping.flaps))),
    ])
}

fn window(window: &TimeWindow) -> Value {
    block([
        ("name", text(&window.name)),
        ("reason", text(&window.reason)),
        ("from", moment(window.from.as_ref())),
        ("until", moment(window.until.as_ref())),
        ("weekly", window.weekly.as_ref().map(weekly)),
    ])
}

pub(super) fn alert_rule(rule: &AlertRule) -> Value {
    block([
        ("tiers", list(rule.tiers().filter_map(|t| word(TIERS, t)).collect())),
        ("environments", list(rule.environments().filter_map(|e| word(ENVIRONMENTS, e)).collect())),
        ("kinds", texts(&rule.kinds)),
        ("severity", text(&rule.severity)),
        ("hold", length(rule.hold.as_ref())),
        ("renotifyEvery", length(rule.renotify_every.as_ref())),
        ("withoutResolved", flag(rule.without_resolved)),
        ("runbookUrl", text(&rule.runbook_url)),
        (
            "escalate",
            each(&rule.escalate, |s| block([("after", length(s.after.as_ref())), ("routes", texts(&s.routes))])),
        ),
    ])
}

pub(super) fn maintenance(planned: &MaintenanceWindow) -> Value {
    let mut written = planned.window.as_ref().map_or_else(|| json!({}), window);
    let scope = block([
        ("tiers", list(planned.tiers().filter_map(|t| word(TIERS, t)).collect())),
        ("environments", list(planned.environments().filter_map(|e| word(ENVIRONMENTS, e)).collect())),
        ("resources", texts(&planned.resources)),
        ("groups", texts(&planned.groups)),
    ]);
    if let (Some(written), Value::Object(scope)) = (written.as_object_mut(), scope) {
        written.extend(scope);
    }
    written
}

pub(super) fn approvals(rule: &MessageApprovalRule) -> Value {
    block([
        ("channels", texts(&rule.channels)),
        ("tiers", list(rule.tiers().filter_map(|t| word(TIERS, t)).collect())),
        ("refusalsBeforeAlarm", (rule.refusals_before_alarm > 0).then(|| json!(rule.refusals_before_alarm))),
    ])
}

pub(super) fn contact(spec: &ContactSpec) -> Value {
    block([
        ("displayName", text(&spec.display_name)),
        ("person", text(&spec.person)),
        ("email", text(&spec.email)),
        ("language", text(&spec.language)),
        ("askedAs", list(spec.asked_as().map(|role| json!(role_name(role))).collect())),
        ("timeZone", text(&spec.time_zone)),
    ])
}

pub(super) fn template(spec: &MessageTemplateSpec) -> Value {
    block([
        ("kinds", texts(&spec.kinds)),
        ("language", text(&spec.language)),
        ("channels", texts(&spec.channels)),
        ("subject", text(&spec.subject)),
        ("text", text(&spec.text)),
    ])
}

pub(super) fn schedule(spec: &ScheduleSpec) -> Value {
    let notices = spec.notices.iter().filter_map(|before| duration_from_pb(Some(before)));
    block([
        ("description", text(&spec.description)),
        ("what", text(&spec.what)),
        ("resource", text(&spec.resource)),
        ("group", text(&spec.group)),
        ("plan", text(&spec.plan)),
        ("targetSite", text(&spec.target_site)),
        ("cron", text(&spec.cron)),
        ("rrule", text(&spec.rrule)),
        ("dates", list(spec.dates.iter().filter_map(|at| moment(Some(at))).collect())),
        ("timeZone", text(&spec.time_zone)),
        ("starts", moment(spec.starts.as_ref())),
        ("ends", moment(spec.ends.as_ref())),
        ("blackouts", each(&spec.blackouts, window)),
        ("moveOutOfBlackout", flag(spec.move_out_of_blackout)),
        ("jitter", length(spec.jitter.as_ref())),
        ("notices", list(notices.map(|before| json!(write_duration(before))).collect())),
        ("window", length(spec.window.as_ref())),
        ("overdueAfter", length(spec.overdue_after.as_ref())),
        ("reason", text(&spec.reason)),
        ("ticket", text(&spec.ticket)),
        ("suspended", flag(spec.suspended)),
    ])
}
