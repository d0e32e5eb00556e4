//! The way back: a declared document in the form that people write and can apply again.

use muster_domain::access::role_name;
use muster_domain::pb::inventory::v1::{
    ApprovalRule, Credential, Document, GroupSpec, NotificationRouteSpec, PolicySpec, PostgresqlTarget, ReadinessRule,
    ResourceSpec, ThresholdOverrides, document::Spec, notification_route_spec::Channel, resource_spec::Platform,
};
use muster_domain::time::{PbDuration, duration_from_pb};
use serde_json::{Map, Value, json};

use super::{
    document::kind_name,
    resource::{ENVIRONMENTS, HEARTBEATS, TIERS, TLS_MODES},
    scalar::write_duration,
};

#[derive(Debug, thiserror::Error)]
#[error("the document cannot be written as YAML: {0}")]
pub struct WriteError(#[from] serde_saphyr::SerializeError);

/// The document as YAML, ready for `muster apply`.
pub fn to_yaml(document: &Document) -> Result<String, WriteError> {
    Ok(serde_saphyr::to_string(&to_value(document))?)
}

/// The same as a value with the manifest's keys.
pub fn to_value(document: &Document) -> Value {
    let spec = match &document.spec {
        Some(Spec::TenantSpec(spec)) => {
            block([("displayName", text(&spec.display_name)), ("region", text(&spec.region))])
        }
        Some(Spec::SiteSpec(spec)) => {
            block([("displayName", text(&spec.display_name)), ("region", text(&spec.region))])
        }
        Some(Spec::ResourceSpec(spec)) => resource(spec),
        Some(Spec::GroupSpec(spec)) => group(spec),
        Some(Spec::PolicySpec(spec)) => policy(spec),
        Some(Spec::NotificationRouteSpec(spec)) => route(spec),
        Some(Spec::PlanSpec(_)) | None => json!({}),
    };
    let metadata = block([("name", text(&document.name)), ("tenant", text(&document.tenant))]);
    block([("kind", Some(json!(kind_name(document.kind())))), ("metadata", Some(metadata)), ("spec", Some(spec))])
}

/// Absent values leave no key.
fn block<const N: usize>(entries: [(&str, Option<Value>); N]) -> Value {
    Value::Object(entries.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect::<Map<_, _>>())
}

fn text(value: &str) -> Option<Value> {
    (!value.is_empty()).then(|| json!(value))
}

fn list(values: Vec<Value>) -> Option<Value> {
    (!values.is_empty()).then_some(Value::Array(values))
}

fn length(value: Option<&PbDuration>) -> Option<Value> {
    duration_from_pb(value).map(|d| json!(write_duration(d)))
}

fn word<T: Copy + PartialEq>(options: &[(&str, T)], value: T) -> Option<Value> {
    let (name, _) = options.iter().find(|(_, option)| *option == value)?;
    // Tiers are numbers to people.
    Some(name.parse::<u32>().map_or_else(|_| json!(name), |number| json!(number)))
}

fn resource(spec: &ResourceSpec) -> Value {
    let labels: Map<String, Value> = spec.labels.iter().map(|(key, value)| (key.clone(), json!(value))).collect();
    let postgresql = spec.platform.as_ref().and_then(|platform| match platform {
        Platform::Postgresql(target) => Some(postgresql(target)),
        _ => None,
    });
    block([
        ("displayName", text(&spec.display_name)),
        ("description", text(&spec.description)),
        ("tier", word(TIERS, spec.tier())),
        ("environment", word(ENVIRONMENTS, spec.environment())),
        ("owner", text(&spec.owner)),
        ("primarySite", text(&spec.primary_site)),
        ("drSite", text(&spec.dr_site)),
        ("rpo", length(spec.rpo.as_ref())),
        ("rto", length(spec.rto.as_ref())),
        ("thresholds", spec.thresholds.as_ref().map(thresholds)),
        ("labels", (!labels.is_empty()).then_some(Value::Object(labels))),
        ("postgresql", postgresql),
    ])
}

fn thresholds(overrides: &ThresholdOverrides) -> Value {
    block([
        ("rpoWarning", length(overrides.rpo_warning.as_ref())),
        ("rpoBreach", length(overrides.rpo_breach.as_ref())),
        ("breachFor", length(overrides.breach_for.as_ref())),
        ("recoverFor", length(overrides.recover_for.as_ref())),
        ("staleAfter", length(overrides.stale_after.as_ref())),
        ("lostAfter", length(overrides.lost_after.as_ref())),
        ("unappliedBytesWarning", overrides.unapplied_bytes_warning.map(|bytes| json!(bytes))),
    ])
}

fn postgresql(target: &PostgresqlTarget) -> Value {
    let nodes = target.nodes.iter().map(|node| {
        block([
            ("name", text(&node.name)),
            ("site", text(&node.site)),
            ("host", text(&node.host)),
            ("port", Some(json!(node.port))),
            ("agent", text(&node.agent)),
        ])
    });
    block([
        ("nodes", list(nodes.collect())),
        ("database", text(&target.database)),
        ("monitor", target.monitor.as_ref().map(credential)),
        ("execute", target.execute.as_ref().map(credential)),
        ("replication", target.replication.as_ref().map(credential)),
        ("heartbeat", word(HEARTBEATS, target.heartbeat())),
        ("tls", word(TLS_MODES, target.tls())),
    ])
}

fn credential(credential: &Credential) -> Value {
    block([("user", text(&credential.user)), ("passwordRef", text(&credential.password_ref))])
}

fn group(spec: &GroupSpec) -> Value {
    let members = spec.members.iter().map(|member| {
        let needed = member.depends_on.iter().map(|name| json!(name)).collect();
        block([("resource", text(&member.resource)), ("dependsOn", list(needed))])
    });
    block([("displayName", text(&spec.display_name)), ("members", list(members.collect()))])
}

fn policy(spec: &PolicySpec) -> Value {
    block([
        ("description", text(&spec.description)),
        ("approvals", list(spec.approvals.iter().map(approval_rule).collect())),
        ("readiness", list(spec.readiness.iter().map(readiness_rule).collect())),
    ])
}

fn approval_rule(rule: &ApprovalRule) -> Value {
    let require = rule.require.iter().map(|r| json!({"role": role_name(r.role()), "count": r.count}));
    block([
        ("tiers", list(rule.tiers().filter_map(|t| word(TIERS, t)).collect())),
        ("environments", list(rule.environments().filter_map(|e| word(ENVIRONMENTS, e)).collect())),
        ("requestTypes", list(rule.request_types.iter().map(|t| json!(t)).collect())),
        ("require", list(require.collect())),
        ("expiresAfter", length(rule.expires_after.as_ref())),
        ("requireTicket", rule.require_ticket.then_some(json!(true))),
    ])
}

fn readiness_rule(rule: &ReadinessRule) -> Value {
    block([("tier", word(TIERS, rule.tier())), ("thresholds", rule.thresholds.as_ref().map(thresholds))])
}

fn route(spec: &NotificationRouteSpec) -> Value {
    let (email, webhook) = match &spec.channel {
        Some(Channel::Email(email)) => (Some(json!({"to": email.to})), None),
        Some(Channel::Webhook(hook)) => {
            (None, Some(block([("url", text(&hook.url)), ("secretRef", text(&hook.secret_ref))])))
        }
        None => (None, None),
    };
    block([
        ("description", text(&spec.description)),
        ("tiers", list(spec.tiers().filter_map(|t| word(TIERS, t)).collect())),
        ("environments", list(spec.environments().filter_map(|e| word(ENVIRONMENTS, e)).collect())),
        ("events", list(spec.events.iter().map(|e| json!(e)).collect())),
        ("productionOnCall", spec.production_on_call.then_some(json!(true))),
        ("email", email),
        ("webhook", webhook),
    ])
}
