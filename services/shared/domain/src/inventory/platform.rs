//! What every platform's block has in common, so that nobody else needs to know them apart.

use crate::pb::inventory::v1::{
    Credential, PatroniNode, PatroniTarget, PostgresqlNode, PostgresqlTarget, ResourceSpec, resource_spec::Platform,
};
use crate::pb::request::v1::RequestType;

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

/// What Muster can do with one kind of platform: data, so that rules, pages and the platform's own code say the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// Reads both sides and judges readiness.
    pub monitor: bool,
    /// Both sides tell positions that can be compared.
    pub marker: bool,
    /// A write of Muster's own bounds what may be missing; without it, what the system writes anyhow.
    pub heartbeat: bool,
    pub switchover: bool,
    pub failover: bool,
    /// The way back after either of them.
    pub failback: bool,
    /// A copy apart from production.
    pub isolated_drill: bool,
    pub integrity_row_count: bool,
    pub integrity_checksum: bool,
    pub integrity_sql: bool,
}

/// By the name of the platform. `docs/adding-a-platform.md` has the same table, and a test compares the two.
pub const CAPABILITIES: [(&str, Capabilities); 4] = [
    ("postgresql", RELATIONAL),
    ("patroni", Capabilities { heartbeat: false, isolated_drill: false, ..RELATIONAL }),
    ("mariadb", Capabilities { heartbeat: false, isolated_drill: false, ..RELATIONAL }),
    (
        "redis",
        Capabilities {
            heartbeat: false,
            isolated_drill: false,
            integrity_checksum: false,
            integrity_sql: false,
            ..RELATIONAL
        },
    ),
];

const RELATIONAL: Capabilities = Capabilities {
    monitor: true,
    marker: true,
    heartbeat: true,
    switchover: true,
    failover: true,
    failback: true,
    isolated_drill: true,
    integrity_row_count: true,
    integrity_checksum: true,
    integrity_sql: true,
};

impl Capabilities {
    /// Nothing: a platform that is not in the table.
    pub const NONE: Self = Self {
        monitor: false,
        marker: false,
        heartbeat: false,
        switchover: false,
        failover: false,
        failback: false,
        isolated_drill: false,
        integrity_row_count: false,
        integrity_checksum: false,
        integrity_sql: false,
    };

    /// Whether a request of this type can be carried out. Drills that touch nothing need nothing.
    pub fn can(&self, request: RequestType) -> bool {
        match request {
            RequestType::Switchover | RequestType::Rotation => self.switchover,
            RequestType::Failover => self.failover,
            RequestType::Failback | RequestType::Rollback => self.failback,
            RequestType::LiveDrill => self.switchover && self.failback,
            RequestType::IsolatedDrill => self.isolated_drill,
            RequestType::ReadinessDrill => self.monitor,
            RequestType::TabletopDrill => true,
            RequestType::Unspecified => false,
        }
    }

    /// One word for each column of the table in the documentation, in its order.
    pub fn columns(&self) -> [(&'static str, bool); 10] {
        [
            ("monitor", self.monitor),
            ("marker", self.marker),
            ("heartbeat", self.heartbeat),
            ("switchover", self.switchover),
            ("failover", self.failover),
            ("failback", self.failback),
            ("isolated drill", self.isolated_drill),
            ("row count", self.integrity_row_count),
            ("checksum", self.integrity_checksum),
            ("SQL", self.integrity_sql),
        ]
    }
}

pub fn capabilities(platform: &Platform) -> Capabilities {
    let name = platform_name(platform);
    CAPABILITIES.iter().find(|(known, _)| *known == name).map_or(Capabilities::NONE, |(_, capabilities)| *capabilities)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pb::inventory::v1::{MariadbTarget, RedisTarget};

    #[test]
    fn every_platform_of_the_contract_is_in_the_table_once() {
        let all = [
            Platform::Postgresql(PostgresqlTarget::default()),
            Platform::Mariadb(MariadbTarget::default()),
            Platform::Redis(RedisTarget::default()),
            Platform::Patroni(PatroniTarget::default()),
        ];
        assert_eq!(all.len(), CAPABILITIES.len());
        for platform in &all {
            let name = platform_name(platform);
            assert_eq!(CAPABILITIES.iter().filter(|(known, _)| *known == name).count(), 1, "{name}");
            assert_ne!(capabilities(platform), Capabilities::NONE, "{name}");
        }
    }

    #[test]
    fn a_live_drill_needs_both_ways_and_a_tabletop_nothing() {
        let one_way = Capabilities { failback: false, ..RELATIONAL };
        assert!(one_way.can(RequestType::Switchover) && !one_way.can(RequestType::LiveDrill));
        assert!(Capabilities::NONE.can(RequestType::TabletopDrill) && !Capabilities::NONE.can(RequestType::Failover));
        assert!(!RELATIONAL.can(RequestType::Unspecified));
    }
}
