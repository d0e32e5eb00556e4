//! `kind: Resource`: one protected system.

use muster_domain::pb::common::v1::{Environment, Tier};
use muster_domain::pb::inventory::v1::{
    Credential, Heartbeat, PostgresqlNode, PostgresqlTarget, ResourceSpec, ThresholdOverrides, TlsMode,
    resource_spec::Platform,
};

use super::{fault::Faults, fields::Fields, node::Node};

pub(super) const TIERS: &[(&str, Tier)] = &[("1", Tier::Tier1), ("2", Tier::Tier2), ("3", Tier::Tier3)];
pub(super) const ENVIRONMENTS: &[(&str, Environment)] = &[
    ("production", Environment::Production),
    ("staging", Environment::Staging),
    ("test", Environment::Test),
    ("development", Environment::Development),
];
pub(super) const HEARTBEATS: &[(&str, Heartbeat)] =
    &[("transactionId", Heartbeat::TransactionId), ("none", Heartbeat::None)];
pub(super) const TLS_MODES: &[(&str, TlsMode)] = &[("disable", TlsMode::Disable), ("verify-full", TlsMode::VerifyFull)];
/// The database every PostgreSQL server has; replication is of the whole server anyway.
const DEFAULT_DATABASE: &str = "postgres";

pub(super) fn read(mut fields: Fields<'_, '_>) -> ResourceSpec {
    let spec = ResourceSpec {
        display_name: fields.text("displayName"),
        description: fields.text("description"),
        tier: fields.choice("tier", TIERS).unwrap_or_default().into(),
        environment: fields.choice("environment", ENVIRONMENTS).unwrap_or_default().into(),
        owner: fields.text("owner"),
        primary_site: fields.text("primarySite"),
        dr_site: fields.text("drSite"),
        rpo: fields.duration("rpo"),
        rto: fields.duration("rto"),
        thresholds: fields.block("thresholds").map(thresholds),
        labels: fields.texts_by_key("labels").into_iter().collect(),
        platform: fields.block("postgresql").map(|block| Platform::Postgresql(postgresql(block))),
        ..ResourceSpec::default()
    };
    fields.finish();
    spec
}

pub(super) fn thresholds(mut fields: Fields<'_, '_>) -> ThresholdOverrides {
    let overrides = ThresholdOverrides {
        rpo_warning: fields.duration("rpoWarning"),
        rpo_breach: fields.duration("rpoBreach"),
        breach_for: fields.duration("breachFor"),
        recover_for: fields.duration("recoverFor"),
        stale_after: fields.duration("staleAfter"),
        lost_after: fields.duration("lostAfter"),
        unapplied_bytes_warning: fields.size("unappliedBytesWarning"),
    };
    fields.finish();
    overrides
}

fn postgresql(mut fields: Fields<'_, '_>) -> PostgresqlTarget {
    let database = fields.text("database");
    let target = PostgresqlTarget {
        nodes: fields.list("nodes", node),
        database: if database.is_empty() { DEFAULT_DATABASE.to_owned() } else { database },
        monitor: fields.block("monitor").map(credential),
        execute: fields.block("execute").map(credential),
        replication: fields.block("replication").map(credential),
        // Watching writes nothing to the target unless somebody asked for it.
        heartbeat: fields.choice("heartbeat", HEARTBEATS).unwrap_or(Heartbeat::None).into(),
        tls: fields.choice("tls", TLS_MODES).unwrap_or(TlsMode::VerifyFull).into(),
    };
    fields.finish();
    target
}

fn node(node: &Node, path: &str, faults: &Faults) -> Option<PostgresqlNode> {
    let mut fields = Fields::of(node, path, faults)?;
    let node = PostgresqlNode {
        name: fields.text("name"),
        site: fields.text("site"),
        host: fields.text("host"),
        port: fields.whole("port").unwrap_or_default(),
        agent: fields.text("agent"),
    };
    fields.finish();
    Some(node)
}

fn credential(mut fields: Fields<'_, '_>) -> Credential {
    let credential = Credential { user: fields.text("user"), password_ref: fields.text("passwordRef") };
    fields.finish();
    credential
}
