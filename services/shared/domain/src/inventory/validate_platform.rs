//! A platform's block, whatever the platform: a pair of two different servers, and accounts for watching and moving.

use super::TenantInventory;
use super::neighbours::{address, is_loopback, same_address, validate_neighbours};
use super::platform::{NodeRef, credentials, needs_agents, nodes, platform_name};
use super::validate::{Finding, shorten, text};
use super::validate_patroni::validate_patroni;
use super::validate_resource::secret_ref;
use crate::ids::check_name;
use crate::pb::inventory::v1::{Credential, ResourceSpec, TlsMode, resource_spec::Platform};

/// What holds for every platform: two different servers on the two sites, accounts that are not the same.
pub(super) fn validate_platform(
    found: &mut Finding,
    name: &str,
    spec: &ResourceSpec,
    platform: &Platform,
    others: &TenantInventory,
) {
    let block = format!("spec.{}", platform_name(platform));
    let at = |rest: &str| format!("{block}.{rest}");
    let (nodes, accounts) = (nodes(platform), credentials(platform));
    if nodes.len() != 2 {
        found.fault(
            at("nodes"),
            "a pair: one node on each site",
            nodes.len().to_string(),
            "2",
            "list the primary and the standby",
        );
    }
    for (index, node) in nodes.iter().enumerate() {
        node_fields(found, &block, index, spec, platform, node);
    }
    if let [a, b] = nodes.as_slice() {
        if a.name == b.name {
            found.fault(at("nodes[1].name"), "nodes have different names", b.name, "another name", "rename one");
        }
        if a.site == b.site {
            found.fault(at("nodes[1].site"), "one node on each site", b.site, "the other site", "correct the site");
        }
        if same_address(a, b) {
            found.fault(
                at("nodes[1].host"),
                "the standby is another server than the primary",
                address(b),
                "another host or port",
                "name the standby's own address, not a virtual one",
            );
        }
    }
    text(found, &at("database"), database(platform));
    match accounts.monitor {
        None => found.fault(
            at("monitor"),
            "a read-only account to watch with",
            "absent",
            "user and passwordRef",
            "add the monitor account",
        ),
        Some(credential) => account(found, &at("monitor"), credential),
    }
    let second = if matches!(platform, Platform::Patroni(_)) { "databaseExecute" } else { "replication" };
    for (field, credential) in [("execute", accounts.execute), (second, accounts.replication)] {
        if let Some(credential) = credential {
            account(found, &at(field), credential);
        }
    }
    let movable = accounts.execute.is_some();
    if movable && accounts.replication.is_none() && needs_agents(platform) {
        found.fault(
            at("replication"),
            "the returning node streams with an account of its own",
            "absent",
            "user and passwordRef",
            "add the replication account",
        );
    }
    if let (Some(monitor), Some(execute)) = (accounts.monitor, accounts.execute)
        // Patroni's REST API has users of its own.
        && !matches!(platform, Platform::Patroni(_))
        && monitor.user == execute.user
    {
        found.fault(
            at("execute.user"),
            "watching and moving use different accounts",
            &execute.user,
            "another user than monitor",
            "create a second role",
        );
    }
    if let Platform::Patroni(target) = platform {
        validate_patroni(found, &block, target);
    }
    if !movable {
        found.warn("no `execute` account: this resource is watched and cannot be moved");
    }
    validate_neighbours(found, name, spec, others);
}

fn database(platform: &Platform) -> &str {
    match platform {
        Platform::Postgresql(target) => &target.database,
        Platform::Mariadb(target) => &target.database,
        Platform::Patroni(target) => &target.database,
        Platform::Redis(_) => "",
    }
}

fn tls(platform: &Platform) -> TlsMode {
    match platform {
        Platform::Postgresql(target) => target.tls(),
        Platform::Mariadb(target) => target.tls(),
        Platform::Redis(target) => target.tls(),
        Platform::Patroni(target) => target.tls(),
    }
}

fn node_fields(
    found: &mut Finding,
    block: &str,
    index: usize,
    spec: &ResourceSpec,
    platform: &Platform,
    node: &NodeRef<'_>,
) {
    let field = format!("{block}.nodes[{index}]");
    if let Err(e) = check_name("node name", node.name) {
        found.fault(format!("{field}.name"), "names become ids", e.value, e.rule, "choose another name");
    }
    if node.site != spec.primary_site && node.site != spec.dr_site {
        found.fault(
            format!("{field}.site"),
            "nodes live on the resource's sites",
            node.site,
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
            shorten(node.host),
            "a DNS name or IP address",
            "correct the host",
        );
    }
    if !(1..=65_535).contains(&node.port) {
        found.fault(format!("{field}.port"), "a TCP port", node.port.to_string(), "1 to 65535", "correct the port");
    }
    if tls(platform) == TlsMode::Disable && !is_loopback(node.host) {
        found.fault(
            format!("{block}.tls"),
            "unencrypted only on the same machine",
            format!("disable with host {}", shorten(node.host)),
            "verify-full",
            "use tls: verify-full",
        );
    }
    if !node.agent.is_empty()
        && let Err(e) = check_name("agent", node.agent)
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
