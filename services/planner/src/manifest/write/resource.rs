//! A resource, with its platform's block and what it says about its data.

use muster_domain::pb::inventory::v1::{
    BackupSource, Credential, IntegrityCheck, IsolatedDrill, ResourceSpec, ThresholdOverrides, TlsMode,
    integrity_check::Question, isolated_drill::Source, resource_spec::Platform,
};
use serde_json::{Map, Value, json};

use super::{block, each, flag, length, list, text, word};
use crate::manifest::{
    data::STANDBY,
    platform::{HEARTBEATS, TLS_MODES},
    resource::{ENVIRONMENTS, TIERS},
};

pub(super) fn write(spec: &ResourceSpec) -> Value {
    let labels: Map<String, Value> = spec.labels.iter().map(|(key, value)| (key.clone(), json!(value))).collect();
    let mut written = block([
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
        ("integrity", each(&spec.integrity, integrity)),
        ("isolatedDrill", spec.isolated_drill.as_ref().map(isolated_drill)),
    ]);
    if let (Some(platform), Value::Object(keys)) = (&spec.platform, &mut written) {
        keys.insert(muster_domain::inventory::platform::platform_name(platform).to_owned(), self::platform(platform));
    }
    written
}

pub(super) fn thresholds(overrides: &ThresholdOverrides) -> Value {
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

fn integrity(check: &IntegrityCheck) -> Value {
    let (key, question) = match &check.question {
        Some(Question::RowCountOf(table)) => ("rowCountOf", text(table)),
        Some(Question::ChecksumOf(table)) => ("checksumOf", text(table)),
        Some(Question::Sql(query)) => ("sql", text(query)),
        None => ("sql", None),
    };
    block([
        ("name", text(&check.name)),
        ("description", text(&check.description)),
        (key, question),
        ("expect", text(&check.expect)),
        ("advisory", flag(check.advisory)),
        ("timeout", length(check.timeout.as_ref())),
    ])
}

fn isolated_drill(drill: &IsolatedDrill) -> Value {
    let source = drill.source.as_ref().map(|source| match source {
        Source::Standby(_) => json!(STANDBY),
        Source::Backup(backup) => json!({"backup": self::backup(backup)}),
    });
    block([("agent", text(&drill.agent)), ("source", source)])
}

fn backup(backup: &BackupSource) -> Value {
    block([
        ("tool", text(&backup.tool)),
        ("repository", text(&backup.repository)),
        ("maxAge", length(backup.max_age.as_ref())),
    ])
}

/// All platforms share the shape: servers, accounts, TLS. What a platform does not have leaves no key.
fn platform(platform: &Platform) -> Value {
    let (database, heartbeat, tls) = match platform {
        Platform::Postgresql(target) => (target.database.as_str(), word(HEARTBEATS, target.heartbeat()), target.tls()),
        Platform::Mariadb(target) => (target.database.as_str(), None, target.tls()),
        Platform::Redis(target) => ("", None, target.tls()),
        Platform::Patroni(target) => (target.database.as_str(), None, target.tls()),
    };
    let accounts = muster_domain::inventory::platform::credentials(platform);
    let third = if matches!(platform, Platform::Patroni(_)) { "databaseExecute" } else { "replication" };
    block([
        ("nodes", list(nodes(platform))),
        ("database", text(database)),
        ("monitor", accounts.monitor.map(credential)),
        ("execute", accounts.execute.map(credential)),
        (third, accounts.replication.map(credential)),
        ("heartbeat", heartbeat),
        ("tls", word::<TlsMode>(TLS_MODES, tls)),
    ])
}

fn nodes(platform: &Platform) -> Vec<Value> {
    let api_url = |name: &str| match platform {
        Platform::Patroni(target) => {
            target.nodes.iter().find(|node| node.name == name).map(|node| node.api_url.as_str())
        }
        _ => None,
    };
    let node = |node: muster_domain::inventory::platform::NodeRef<'_>| {
        block([
            ("name", text(node.name)),
            ("site", text(node.site)),
            ("host", text(node.host)),
            ("port", Some(json!(node.port))),
            ("agent", text(node.agent)),
            ("apiUrl", api_url(node.name).and_then(text)),
        ])
    };
    muster_domain::inventory::platform::nodes(platform).into_iter().map(node).collect()
}

fn credential(credential: &Credential) -> Value {
    block([("user", text(&credential.user)), ("passwordRef", text(&credential.password_ref))])
}
