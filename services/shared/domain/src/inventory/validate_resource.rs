//! A resource: targets that can be met, two different sides, references instead of secrets.

use std::net::IpAddr;

use jiff::SignedDuration;

use super::TenantInventory;
use super::validate::{Finding, duration, shorten, text};
use crate::ids::check_name;
use crate::pb::common::v1::{Environment, Tier};
use crate::pb::inventory::v1::{
    Credential, Kind, PostgresqlNode, PostgresqlTarget, ResourceSpec, ThresholdOverrides, TlsMode,
    resource_spec::Platform,
};
use crate::time::{PbDuration, duration_from_pb, humane};

/// Longer targets are not disaster recovery any more.
const MAX_TARGET: SignedDuration = SignedDuration::from_hours(24 * 30);
const MAX_LABELS: usize = 50;

pub(super) fn validate_resource(found: &mut Finding, name: &str, spec: &ResourceSpec, others: &TenantInventory) {
    text(found, "spec.displayName", &spec.display_name);
    text(found, "spec.description", &spec.description);
    text(found, "spec.owner", &spec.owner);
    if spec.owner.trim().is_empty() {
        found.fault(
            "spec.owner",
            "somebody owns every protected system",
            "empty",
            "a team or person",
            "name the owner",
        );
    }
    if spec.tier() == Tier::Unspecified {
        found.fault("spec.tier", "the tier decides limits and approvals", "absent", "1, 2 or 3", "name the tier");
    }
    if spec.environment() == Environment::Unspecified {
        found.fault(
            "spec.environment",
            "the environment decides who may be woken",
            "absent",
            "production, staging, test or development",
            "name the environment",
        );
    }
    sites(found, spec, others);
    required_target(found, "spec.rpo", spec.rpo.as_ref());
    required_target(found, "spec.rto", spec.rto.as_ref());
    thresholds(found, "spec.thresholds", spec.thresholds.as_ref(), spec.rpo.as_ref());
    if spec.labels.len() > MAX_LABELS {
        found.fault(
            "spec.labels",
            "labels are few",
            spec.labels.len().to_string(),
            format!("at most {MAX_LABELS}"),
            "remove some",
        );
    }
    for (key, value) in &spec.labels {
        text(found, &format!("spec.labels.{}", shorten(key)), key);
        text(found, &format!("spec.labels.{}", shorten(key)), value);
    }
    match &spec.platform {
        Some(Platform::Postgresql(target)) => {
            postgresql(found, spec, target);
            same_server_elsewhere(found, name, target, others);
        }
        None => found.fault("spec", "a resource has a platform", "absent", "postgresql", "add the platform's block"),
    }
}

fn sites(found: &mut Finding, spec: &ResourceSpec, others: &TenantInventory) {
    for (field, site) in [("spec.primarySite", &spec.primary_site), ("spec.drSite", &spec.dr_site)] {
        if others.get(Kind::Site, site).is_none() {
            found.fault(
                field,
                "sites are declared",
                site,
                "a site of this tenant",
                "declare the site first, or in the same manifest",
            );
        }
    }
    if spec.primary_site == spec.dr_site {
        found.fault(
            "spec.drSite",
            "the two sites differ",
            &spec.dr_site,
            "another site than primarySite",
            "name the site it can be moved to",
        );
    }
}

fn required_target(found: &mut Finding, field: &str, value: Option<&PbDuration>) {
    if value.is_none() {
        found.fault(
            field,
            "without a target nothing can be judged",
            "absent",
            format!("above 0 s, at most {}", humane(MAX_TARGET)),
            "write it like 30s, 5m or 4h",
        );
    }
    duration(found, field, value, MAX_TARGET);
}

/// Overrides must be in order among themselves and within the target.
pub(super) fn thresholds(
    found: &mut Finding,
    field: &str,
    overrides: Option<&ThresholdOverrides>,
    rpo: Option<&PbDuration>,
) {
    let Some(o) = overrides else { return };
    let at = |name: &str| format!("{field}.{name}");
    let warning = duration(found, &at("rpoWarning"), o.rpo_warning.as_ref(), MAX_TARGET);
    let breach = duration(found, &at("rpoBreach"), o.rpo_breach.as_ref(), MAX_TARGET);
    duration(found, &at("breachFor"), o.breach_for.as_ref(), SignedDuration::from_hours(1));
    duration(found, &at("recoverFor"), o.recover_for.as_ref(), SignedDuration::from_hours(1));
    let stale = duration(found, &at("staleAfter"), o.stale_after.as_ref(), SignedDuration::from_hours(1));
    let lost = duration(found, &at("lostAfter"), o.lost_after.as_ref(), SignedDuration::from_hours(24));
    let limit = breach.or(duration_from_pb(rpo));
    if let (Some(warning), Some(limit)) = (warning, limit)
        && warning > limit
    {
        found.fault(
            at("rpoWarning"),
            "a warning comes before the breach",
            humane(warning),
            format!("at most {}", humane(limit)),
            "lower the warning",
        );
    }
    if let (Some(breach), Some(rpo)) = (breach, duration_from_pb(rpo))
        && breach > rpo
    {
        found.fault(
            at("rpoBreach"),
            "a breach is not later than the target",
            humane(breach),
            format!("at most {}", humane(rpo)),
            "lower the breach threshold or raise the RPO",
        );
    }
    if let (Some(stale), Some(lost)) = (stale, lost)
        && stale >= lost
    {
        found.fault(
            at("staleAfter"),
            "stale comes before lost",
            humane(stale),
            format!("below {}", humane(lost)),
            "lower staleAfter",
        );
    }
}

fn postgresql(found: &mut Finding, spec: &ResourceSpec, target: &PostgresqlTarget) {
    if target.nodes.len() != 2 {
        found.fault(
            "spec.postgresql.nodes",
            "a pair: one node on each site",
            target.nodes.len().to_string(),
            "2",
            "list the primary and the standby",
        );
    }
    for (index, node) in target.nodes.iter().enumerate() {
        node_fields(found, &format!("spec.postgresql.nodes[{index}]"), spec, target, node);
    }
    if let [a, b] = target.nodes.as_slice() {
        if a.name == b.name {
            found.fault(
                "spec.postgresql.nodes[1].name",
                "nodes have different names",
                &b.name,
                "another name",
                "rename one",
            );
        }
        if a.site == b.site {
            found.fault(
                "spec.postgresql.nodes[1].site",
                "one node on each site",
                &b.site,
                "the other site",
                "correct the site",
            );
        }
        if same_address(a, b) {
            found.fault(
                "spec.postgresql.nodes[1].host",
                "the standby is another server than the primary",
                address(b),
                "another host or port",
                "name the standby's own address, not a virtual one",
            );
        }
    }
    text(found, "spec.postgresql.database", &target.database);
    match &target.monitor {
        None => found.fault(
            "spec.postgresql.monitor",
            "a read-only account to watch with",
            "absent",
            "user and passwordRef",
            "add the monitor account",
        ),
        Some(credential) => account(found, "spec.postgresql.monitor", credential),
    }
    for (field, credential) in
        [("spec.postgresql.execute", &target.execute), ("spec.postgresql.replication", &target.replication)]
    {
        if let Some(credential) = credential {
            account(found, field, credential);
        }
    }
    let movable = target.execute.is_some();
    if movable && target.replication.is_none() {
        found.fault(
            "spec.postgresql.replication",
            "the returning node streams with an account of its own",
            "absent",
            "user and passwordRef",
            "add the replication account",
        );
    }
    if let (Some(monitor), Some(execute)) = (&target.monitor, &target.execute)
        && monitor.user == execute.user
    {
        found.fault(
            "spec.postgresql.execute.user",
            "watching and moving use different accounts",
            &execute.user,
            "another user than monitor",
            "create a second role",
        );
    }
    if !movable {
        found.warn("no `execute` account: this resource is watched and cannot be moved");
    }
}

fn node_fields(
    found: &mut Finding,
    field: &str,
    spec: &ResourceSpec,
    target: &PostgresqlTarget,
    node: &PostgresqlNode,
) {
    if let Err(e) = check_name("node name", &node.name) {
        found.fault(format!("{field}.name"), "names become ids", e.value, e.rule, "choose another name");
    }
    if node.site != spec.primary_site && node.site != spec.dr_site {
        found.fault(
            format!("{field}.site"),
            "nodes live on the resource's sites",
            &node.site,
            format!("{} or {}", spec.primary_site, spec.dr_site),
            "correct the site",
        );
    }
    let host_ok = !node.host.is_empty()
        && node.host.len() <= 253
        && node.host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '_'));
    if !host_ok {
        found.fault(
            format!("{field}.host"),
            "a host name or address",
            shorten(&node.host),
            "a DNS name or IP address",
            "correct the host",
        );
    }
    if !(1..=65_535).contains(&node.port) {
        found.fault(format!("{field}.port"), "a TCP port", node.port.to_string(), "1 to 65535", "correct the port");
    }
    if target.tls() == TlsMode::Disable && !is_loopback(&node.host) {
        found.fault(
            "spec.postgresql.tls",
            "unencrypted only on the same machine",
            format!("disable with host {}", shorten(&node.host)),
            "verify-full",
            "use tls: verify-full",
        );
    }
    if !node.agent.is_empty()
        && let Err(e) = check_name("agent", &node.agent)
    {
        found.fault(
            format!("{field}.agent"),
            "agents are named in the executor's configuration",
            e.value,
            e.rule,
            "use the agent's name",
        );
    }
}

fn account(found: &mut Finding, field: &str, credential: &Credential) {
    if credential.user.is_empty() || credential.user.len() > 63 {
        found.fault(
            format!("{field}.user"),
            "a database user",
            shorten(&credential.user),
            "1 to 63 characters",
            "name the user",
        );
    }
    secret_ref(found, &format!("{field}.passwordRef"), &credential.password_ref);
}

/// A reference to a secret, never the secret.
pub(super) fn secret_ref(found: &mut Finding, field: &str, reference: &str) {
    let ok = match reference.split_once(':') {
        Some(("file", name)) => {
            !name.is_empty()
                && name.len() <= 100
                && !name.starts_with('.')
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        }
        Some(("env", name)) => {
            !name.is_empty()
                && name.len() <= 100
                && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
        }
        _ => false,
    };
    if !ok {
        // It may be the secret itself, typed in the wrong place: it is not repeated.
        found.fault(
            field,
            "a reference to a secret, never the secret itself",
            "not a reference (not shown)",
            "file:NAME or env:NAME",
            "put the secret into the secrets directory and name it here",
        );
    }
}

fn same_server_elsewhere(found: &mut Finding, name: &str, target: &PostgresqlTarget, others: &TenantInventory) {
    for (document, spec) in others.resources().filter(|(document, _)| document.name != name) {
        let Some(Platform::Postgresql(other)) = &spec.platform else { continue };
        for node in &target.nodes {
            if other.nodes.iter().any(|theirs| same_address(node, theirs)) {
                found.warn(format!("{} is also a node of resource {}", address(node), document.name));
            }
        }
    }
}

fn same_address(a: &PostgresqlNode, b: &PostgresqlNode) -> bool {
    let same_host = a.host.eq_ignore_ascii_case(&b.host) || (is_loopback(&a.host) && is_loopback(&b.host));
    same_host && a.port == b.port
}

fn address(node: &PostgresqlNode) -> String {
    format!("{}:{}", shorten(&node.host), node.port)
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}
