//! A primary and its standby, with the accounts that Muster asks for and nothing more.

use muster_domain::pb::inventory::v1::{Credential, Heartbeat, PostgresqlNode, PostgresqlTarget, TlsMode};
use muster_local::postgres::PostgresServer;

use crate::world::eventually;

/// Trust for the test's own superuser, and for the application: it logs in again and again, and a login by password is
/// thousands of hashes. Passwords for the accounts.
const HBA: &str = "\
host all postgres,app 127.0.0.1/32 trust
host replication postgres 127.0.0.1/32 trust
host all all 127.0.0.1/32 scram-sha-256
host replication all 127.0.0.1/32 scram-sha-256
";

const ACCOUNTS: &str = "
CREATE ROLE mon LOGIN PASSWORD 'mon-password'; GRANT pg_monitor TO mon;
CREATE ROLE app LOGIN PASSWORD 'app-password';
CREATE ROLE exec LOGIN REPLICATION PASSWORD 'exec-password'; GRANT pg_monitor, pg_checkpoint TO exec;
GRANT EXECUTE ON FUNCTION pg_promote(boolean, integer), pg_wal_replay_resume() TO exec;
CREATE ROLE repl LOGIN REPLICATION PASSWORD 'repl-password';
GRANT EXECUTE ON FUNCTION pg_ls_dir(text, boolean, boolean), pg_stat_file(text, boolean), pg_read_binary_file(text),
    pg_read_binary_file(text, bigint, bigint, boolean) TO repl;
CREATE TABLE ledger (n bigint PRIMARY KEY); GRANT SELECT, INSERT ON ledger TO app;";

/// The secrets of tenant acme that the resource names: (file, content).
pub(crate) const SECRETS: [(&str, &str); 3] =
    [("exec", "exec-password"), ("repl", "repl-password"), ("mon", "mon-password")];

pub(crate) struct Pair {
    pub a: PostgresServer,
    pub b: PostgresServer,
}

impl Pair {
    /// Node "a" at site "west" is the primary, "b" at "east" streams from it.
    pub(crate) async fn start() -> Self {
        let a = PostgresServer::temporary().await.unwrap();
        a.sql(ACCOUNTS).await.unwrap();
        let b = PostgresServer::temporary_standby(&a, "for_b").await.unwrap();
        for server in [&a, &b] {
            std::fs::write(server.dir().join("pg_hba.conf"), HBA).unwrap();
            server.sql("SELECT pg_reload_conf()").await.unwrap();
        }
        let pair = Self { a, b };
        eventually("b streams from a", async || pair.streams().await).await;
        pair
    }

    async fn streams(&self) -> bool {
        self.a.sql("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'").await.unwrap().trim() == "1"
    }

    pub(crate) fn server(&self, node: &str) -> &PostgresServer {
        if node == "a" { &self.a } else { &self.b }
    }

    /// As an application connects.
    pub(crate) fn url(&self, node: &str) -> String {
        format!("postgres://app:app-password@127.0.0.1:{}/postgres", self.server(node).port())
    }

    /// As its manifest describes it.
    pub(crate) fn target(&self) -> PostgresqlTarget {
        self.target_as(["a", "b"])
    }

    /// The same with other names for its two nodes.
    pub(crate) fn target_as(&self, [first, second]: [&str; 2]) -> PostgresqlTarget {
        PostgresqlTarget {
            nodes: vec![node(first, "west", self.a.port()), node(second, "east", self.b.port())],
            database: "postgres".into(),
            monitor: Some(credential("mon")),
            execute: Some(credential("exec")),
            replication: Some(credential("repl")),
            heartbeat: Heartbeat::TransactionId.into(),
            tls: TlsMode::Disable.into(),
        }
    }

    /// Whether it says of itself that it is a primary. `None`: it does not answer.
    pub(crate) async fn is_primary(&self, node: &str) -> Option<bool> {
        let answer = self.server(node).sql("SELECT pg_is_in_recovery()").await.ok()?;
        Some(answer.trim() == "f")
    }

    pub(crate) async fn rows(&self, node: &str) -> Vec<i64> {
        let rows = self.server(node).sql("SELECT n FROM ledger ORDER BY n").await.unwrap();
        rows.lines().map(|line| line.trim().parse().unwrap()).collect()
    }
}

fn node(name: &str, site: &str, port: u16) -> PostgresqlNode {
    PostgresqlNode {
        name: name.into(),
        site: site.into(),
        host: "127.0.0.1".into(),
        port: port.into(),
        agent: format!("agent-{name}"),
    }
}

fn credential(user: &str) -> Credential {
    Credential { user: user.into(), password_ref: format!("file:{user}") }
}
