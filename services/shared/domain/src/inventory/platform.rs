//! What every platform's block has in common, so that nobody else needs to know them apart.

use crate::pb::inventory::v1::{
    Credential, PatroniNode, PatroniTarget, PostgresqlNode, PostgresqlTarget, ResourceSpec, resource_spec::Platform,
};

/// One declared server, whatever the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeRef<'a> {
    pub name: &'a str,
    pub site: &'a str,
    pub host: &'a str,
    pub port: u32,
    /// Empty: nothing can be done on its host.
    pub agent: &'a str,
}

/// The accounts a platform's block names.
#[derive(Debug, Clone, Copy, Default)]
pub struct Credentials<'a> {
    pub monitor: Option<&'a Credential>,
    pub execute: Option<&'a Credential>,
    pub replication: Option<&'a Credential>,
}

/// As the manifest names it.
pub fn platform_name(platform: &Platform) -> &'static str {
    match platform {
        Platform::Postgresql(_) => "postgresql",
        Platform::Mariadb(_) => "mariadb",
        Platform::Redis(_) => "redis",
        Platform::Patroni(_) => "patroni",
    }
}

pub fn nodes(platform: &Platform) -> Vec<NodeRef<'_>> {
    macro_rules! with_agent {
        ($target:expr) => {
            $target
                .nodes
                .iter()
                .map(|n| NodeRef { name: &n.name, site: &n.site, host: &n.host, port: n.port, agent: &n.agent })
                .collect()
        };
    }
    match platform {
        Platform::Postgresql(target) => with_agent!(target),
        Platform::Mariadb(target) => with_agent!(target),
        Platform::Redis(target) => with_agent!(target),
        // Patroni itself stops and starts its members.
        Platform::Patroni(target) => target
            .nodes
            .iter()
            .map(|n| NodeRef { name: &n.name, site: &n.site, host: &n.host, port: n.port, agent: "" })
            .collect(),
    }
}

pub fn credentials(platform: &Platform) -> Credentials<'_> {
    macro_rules! of {
        ($target:expr) => {
            Credentials {
                monitor: $target.monitor.as_ref(),
                execute: $target.execute.as_ref(),
                replication: $target.replication.as_ref(),
            }
        };
    }
    match platform {
        Platform::Postgresql(target) => of!(target),
        Platform::Mariadb(target) => of!(target),
        Platform::Redis(target) => of!(target),
        Platform::Patroni(target) => Credentials {
            monitor: target.monitor.as_ref(),
            execute: target.execute.as_ref(),
            replication: target.database_execute.as_ref(),
        },
    }
}

/// Whether each node needs a host agent before anything can be moved.
pub fn needs_agents(platform: &Platform) -> bool {
    !matches!(platform, Platform::Patroni(_))
}

/// The names of the nodes at one site.
pub fn nodes_at<'a>(spec: &'a ResourceSpec, site: &str) -> Vec<NodeRef<'a>> {
    spec.platform.iter().flat_map(nodes).filter(|node| node.site == site).collect()
}

/// The databases of a Patroni cluster as what they are: a PostgreSQL pair that nobody but Patroni stops or starts.
pub fn patroni_databases(target: &PatroniTarget) -> PostgresqlTarget {
    let node = |n: &PatroniNode| PostgresqlNode {
        name: n.name.clone(),
        site: n.site.clone(),
        host: n.host.clone(),
        port: n.port,
        agent: String::new(),
    };
    PostgresqlTarget {
        nodes: target.nodes.iter().map(node).collect(),
        database: target.database.clone(),
        monitor: target.monitor.clone(),
        execute: target.database_execute.clone(),
        tls: target.tls,
        ..Default::default()
    }
}
