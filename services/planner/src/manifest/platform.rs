//! The platform's block of a resource: which servers, and the accounts to watch and to move them with.

use muster_domain::pb::inventory::v1::{
    Credential, Heartbeat, MariadbTarget, Node as Server, PatroniNode, PatroniTarget, PostgresqlNode, PostgresqlTarget,
    RedisTarget, TlsMode, resource_spec::Platform,
};

use super::{fault::Faults, fields::Fields, node::Node};

type ReadPlatform = fn(Fields<'_, '_>) -> Platform;

/// The blocks a resource may have, and how each is read.
const PLATFORMS: &[(&str, ReadPlatform)] = &[
    ("postgresql", |fields| Platform::Postgresql(postgresql(fields))),
    ("mariadb", |fields| Platform::Mariadb(mariadb(fields))),
    ("redis", |fields| Platform::Redis(redis(fields))),
    ("patroni", |fields| Platform::Patroni(patroni(fields))),
];
pub(super) const HEARTBEATS: &[(&str, Heartbeat)] =
    &[("transactionId", Heartbeat::TransactionId), ("none", Heartbeat::None)];
pub(super) const TLS_MODES: &[(&str, TlsMode)] = &[("disable", TlsMode::Disable), ("verify-full", TlsMode::VerifyFull)];
/// The database every PostgreSQL server has; replication is of the whole server anyway.
const DEFAULT_DATABASE: &str = "postgres";

/// The one block of a platform. A second one is a fault: nobody can say which of the two is meant.
pub(super) fn read(fields: &mut Fields<'_, '_>) -> Option<Platform> {
    let mut first: Option<(&str, Platform)> = None;
    for (key, read) in PLATFORMS {
        let Some(block) = fields.block(key) else { continue };
        let at = block.at;
        let platform = read(block);
        match &first {
            None => first = Some((key, platform)),
            Some((earlier, _)) => fields.faults.add(
                at,
                &fields.field(key),
                "a resource has one platform",
                &format!("{key} beside {earlier}"),
                "one of them",
                "declare a second resource for the other, and a group for the two",
            ),
        }
    }
    first.map(|(_, platform)| platform)
}

fn postgresql(mut fields: Fields<'_, '_>) -> PostgresqlTarget {
    let target = PostgresqlTarget {
        nodes: fields.list("nodes", |node, path, faults| {
            let Server { name, site, host, port, agent } = server(node, path, faults)?;
            Some(PostgresqlNode { name, site, host, port, agent })
        }),
        database: database(&mut fields),
        monitor: fields.block("monitor").map(credential),
        execute: fields.block("execute").map(credential),
        replication: fields.block("replication").map(credential),
        // Watching writes nothing to the target unless somebody asked for it.
        heartbeat: fields.choice("heartbeat", HEARTBEATS).unwrap_or(Heartbeat::None).into(),
        tls: tls(&mut fields),
    };
    fields.finish();
    target
}

fn mariadb(mut fields: Fields<'_, '_>) -> MariadbTarget {
    let target = MariadbTarget {
        nodes: fields.list("nodes", server),
        database: fields.text("database"),
        monitor: fields.block("monitor").map(credential),
        execute: fields.block("execute").map(credential),
        replication: fields.block("replication").map(credential),
        tls: tls(&mut fields),
    };
    fields.finish();
    target
}

fn redis(mut fields: Fields<'_, '_>) -> RedisTarget {
    let target = RedisTarget {
        nodes: fields.list("nodes", server),
        monitor: fields.block("monitor").map(credential),
        execute: fields.block("execute").map(credential),
        replication: fields.block("replication").map(credential),
        tls: tls(&mut fields),
    };
    fields.finish();
    target
}

fn patroni(mut fields: Fields<'_, '_>) -> PatroniTarget {
    let target = PatroniTarget {
        nodes: fields.list("nodes", member),
        database: database(&mut fields),
        monitor: fields.block("monitor").map(credential),
        execute: fields.block("execute").map(credential),
        database_execute: fields.block("databaseExecute").map(credential),
        tls: tls(&mut fields),
    };
    fields.finish();
    target
}

fn database(fields: &mut Fields<'_, '_>) -> String {
    let database = fields.text("database");
    if database.is_empty() { DEFAULT_DATABASE.to_owned() } else { database }
}

fn tls(fields: &mut Fields<'_, '_>) -> i32 {
    fields.choice("tls", TLS_MODES).unwrap_or(TlsMode::VerifyFull).into()
}

fn server(node: &Node, path: &str, faults: &Faults) -> Option<Server> {
    let mut fields = Fields::of(node, path, faults)?;
    let server = Server {
        name: fields.text("name"),
        site: fields.text("site"),
        host: fields.text("host"),
        port: fields.whole("port").unwrap_or_default(),
        agent: fields.text("agent"),
    };
    fields.finish();
    Some(server)
}

fn member(node: &Node, path: &str, faults: &Faults) -> Option<PatroniNode> {
    let mut fields = Fields::of(node, path, faults)?;
    let member = PatroniNode {
        name: fields.text("name"),
        site: fields.text("site"),
        host: fields.text("host"),
        port: fields.whole("port").unwrap_or_default(),
        api_url: fields.text("apiUrl"),
    };
    fields.finish();
    Some(member)
}

fn credential(mut fields: Fields<'_, '_>) -> Credential {
    let credential = Credential { user: fields.text("user"), password_ref: fields.text("passwordRef") };
    fields.finish();
    credential
}
