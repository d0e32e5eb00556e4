//! PostgreSQL pairs: streaming replication through a slot.

use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Result, bail};
use async_trait::async_trait;
use muster_local::postgres::{PostgresOptions, PostgresServer, StopMode};
use sqlx::{Connection as _, PgConnection, postgres::PgConnectOptions};

use super::{Application, Servers};
use crate::demo::estate::{APPLICATION, Accounts, DATABASE, EXECUTE, Estate, MONITOR, Node, Pair, REPLICATION};

/// Nothing listens there: the standby's receiver is refused, as behind a cut link.
const CUT_CONNINFO: &str = "host=127.0.0.1 port=1 user=nobody connect_timeout=2";

pub(super) struct Postgresql {
    directory: PathBuf,
    accounts: Accounts,
}

impl Postgresql {
    pub(super) fn of(estate: &Estate) -> Self {
        Self { directory: estate.directory().to_owned(), accounts: estate.accounts().clone() }
    }

    fn node_directory(&self, node: &Node) -> PathBuf {
        self.directory.join(&node.name)
    }

    fn fence(&self, node: &Node) -> PathBuf {
        self.node_directory(node).join("standby.signal")
    }

    /// The server of a node, as its files are now.
    async fn server(&self, node: &Node) -> Result<PostgresServer> {
        Ok(PostgresServer::init(self.options(node)).await?)
    }

    fn options(&self, node: &Node) -> PostgresOptions {
        let mut options = PostgresOptions::new(self.node_directory(node))
            .port(node.port)
            .setting("wal_level", "replica")
            .setting("wal_log_hints", "on")
            .setting("hot_standby", "on")
            .setting("max_wal_senders", "10")
            .setting("max_replication_slots", "10")
            .setting("wal_receiver_status_interval", "1s")
            .setting("wal_receiver_timeout", "10s")
            .setting("wal_sender_timeout", "10s")
            .setting("wal_retrieve_retry_interval", "1s")
            .setting("max_slot_wal_keep_size", "1GB")
            .setting("cluster_name", &node.name);
        // The superuser is for the demo's own hands; everybody else proves who they are.
        options.hba = ["all postgres", "replication postgres"]
            .map(|who| format!("host {who} 127.0.0.1/32 trust"))
            .into_iter()
            .chain(["all all", "replication all"].map(|who| format!("host {who} 127.0.0.1/32 scram-sha-256")))
            .collect();
        options
    }

    /// Throws a node's data away and copies it anew from the primary.
    async fn rebuild(&self, node: &Node, primary: &Node) -> Result<()> {
        self.server(node).await?.stop(StopMode::Immediate).await?;
        fs::remove_dir_all(self.node_directory(node))?;
        let primary = self.server(primary).await?;
        let slot = slot_name(node);
        primary
            .sql(&format!(
                "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = '{slot}' AND NOT active"
            ))
            .await?;
        PostgresServer::base_backup_from(&primary, self.options(node), &slot).await?.start().await?;
        Ok(())
    }

    /// "shut down": a standby would say "shut down in recovery".
    async fn stopped_as_primary(&self, node: &Node) -> Result<bool> {
        let server = self.server(node).await?;
        if server.is_running() {
            return Ok(false);
        }
        let program = server.bin_dir().join("pg_controldata");
        let said =
            tokio::process::Command::new(program).env("LC_ALL", "C").arg(self.node_directory(node)).output().await?;
        let text = String::from_utf8_lossy(&said.stdout).into_owned();
        let state = text.lines().find_map(|line| line.strip_prefix("Database cluster state:"));
        Ok(state.is_some_and(|state| state.trim() == "shut down"))
    }

    /// A dead node that was a primary when it died, or one that a move stopped cleanly and could not take back. The
    /// fence of the latter is removed only while the other node says that it is still a standby: as the guidance of a
    /// failed run tells people to.
    async fn dead_primary<'a>(&self, pair: &'a Pair) -> Result<&'a Node> {
        if let Some(node) = pair.nodes.iter().find(|node| !self.fence(node).exists()) {
            return Ok(node);
        }
        let [a, b] = &pair.nodes;
        for (node, other) in [(a, b), (b, a)] {
            let asked = self.server(other).await?.sql("SELECT pg_is_in_recovery()").await;
            if asked.is_ok_and(|answer| answer.trim() == "t") && self.stopped_as_primary(node).await? {
                fs::remove_file(self.fence(node))?;
                return Ok(node);
            }
        }
        bail!(
            "no node of {} may take writes: a move was stopped half-way; `muster request show` says what to do",
            pair.resource
        )
    }

    /// Whether the standby receives from this primary, asked of it a few times: a receiver needs a moment to connect.
    async fn streams(&self, primary: &Node, standby: &Node) -> Result<bool> {
        let server = self.server(standby).await?;
        if !server.is_running() {
            return Ok(false);
        }
        let question = format!(
            "SELECT count(*) FROM pg_stat_wal_receiver WHERE status = 'streaming' AND sender_port = {}",
            primary.port
        );
        for _ in 0..12 {
            if server.sql(&question).await?.trim() != "0" {
                return Ok(true);
            }
            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        }
        Ok(false)
    }

    fn link_file(&self, node: &Node) -> PathBuf {
        self.directory.join(format!("{}.link", node.name))
    }
}

#[async_trait]
impl Servers for Postgresql {
    fn is_built(&self, pair: &Pair) -> bool {
        self.node_directory(&pair.nodes[1]).join("PG_VERSION").is_file()
    }

    async fn build(&self, pair: &Pair) -> Result<()> {
        let [first, second] = &pair.nodes;
        for node in &pair.nodes {
            let directory = self.node_directory(node);
            if directory.exists() {
                self.server(node).await?.stop(StopMode::Immediate).await?;
                fs::remove_dir_all(&directory)?;
            }
        }
        let mut primary = self.server(first).await?;
        primary.start().await?;
        primary.sql(&format!("CREATE DATABASE {DATABASE}")).await?;
        // Functions belong to a database: what may be called is granted where the executor connects.
        primary.sql_in(DATABASE, &roles(&self.accounts)).await?;
        primary.sql_in(DATABASE, &application_schema()).await?;
        let mut standby = PostgresServer::base_backup_from(&primary, self.options(second), &slot_name(second)).await?;
        standby.start().await?;
        Ok(())
    }

    async fn start(&self, node: &Node) -> Result<()> {
        Ok(self.server(node).await?.start().await?)
    }

    async fn stop(&self, node: &Node) -> Result<()> {
        Ok(self.server(node).await?.stop(StopMode::Fast).await?)
    }

    async fn kill(&self, node: &Node) -> Result<()> {
        Ok(self.server(node).await?.kill().await?)
    }

    async fn takes_writes(&self, node: &Node) -> Result<bool> {
        let server = self.server(node).await?;
        Ok(server.is_running() && server.sql("SELECT pg_is_in_recovery()").await.is_ok_and(|said| said.trim() == "f"))
    }

    async fn lag(&self, standby: &Node) -> Result<String> {
        self.server(standby).await?.sql("SELECT pg_wal_replay_pause()").await?;
        Ok(format!("replay is paused on {}; received data piles up unapplied", standby.name))
    }

    async fn cut(&self, standby: &Node) -> Result<()> {
        let server = self.server(standby).await?;
        let now = server.sql("SHOW primary_conninfo").await?;
        if now.trim() != CUT_CONNINFO {
            crate::demo::private_file(&self.link_file(standby), now.trim())?;
        }
        point_standby(&server, CUT_CONNINFO).await
    }

    async fn revive<'a>(&self, pair: &'a Pair) -> Result<&'a Node> {
        let node = self.dead_primary(pair).await?;
        self.start(node).await?;
        Ok(node)
    }

    async fn mend(&self, primary: &Node, standby: &Node) -> Result<Vec<String>> {
        let mut done = Vec::new();
        let mut server = self.server(standby).await?;
        if !server.is_running() && self.fence(standby).exists() && !standby.down {
            server.start().await?;
            done.push(format!("started the standby {}", standby.name));
        }
        if server.is_running() {
            if server.sql("SELECT pg_get_wal_replay_pause_state()").await?.trim() != "not paused" {
                server.sql("SELECT pg_wal_replay_resume()").await?;
                done.push(format!("resumed replay on {}", standby.name));
            }
            let is_cut = server.sql("SHOW primary_conninfo").await?.trim() == CUT_CONNINFO;
            if let Some(link) = read_if_there(&self.link_file(standby))?.filter(|_| is_cut) {
                point_standby(&server, &link).await?;
                done.push(format!("joined the link to {}", standby.name));
            }
            remove_if_there(&self.link_file(standby))?;
        }
        if !self.streams(primary, standby).await? {
            self.rebuild(standby, primary).await?;
            done.push(format!("copied {} anew from {}", standby.name, primary.name));
        }
        Ok(done)
    }

    async fn rows(&self, node: &Node) -> Result<HashSet<i64>> {
        let held = self.server(node).await?.sql_in(DATABASE, "SELECT seq FROM orders").await?;
        Ok(held.lines().filter_map(|line| line.trim().parse().ok()).collect())
    }

    async fn connect(&self, node: &Node) -> Result<Option<Box<dyn Application>>> {
        let options = PgConnectOptions::new_without_pgpass()
            .host("127.0.0.1")
            .port(node.port)
            .username(APPLICATION)
            .password(&self.accounts.application)
            .database(DATABASE)
            .application_name("muster-demo-writer")
            .ssl_mode(sqlx::postgres::PgSslMode::Disable);
        let mut connection = PgConnection::connect_with(&options).await?;
        let standby: bool = sqlx::query_scalar("SELECT pg_is_in_recovery()").fetch_one(&mut connection).await?;
        Ok((!standby).then(|| Box::new(Shop(connection)) as Box<dyn Application>))
    }
}

struct Shop(PgConnection);

#[async_trait]
impl Application for Shop {
    async fn highest(&mut self) -> Result<i64> {
        let highest: Option<i64> = sqlx::query_scalar("SELECT max(seq) FROM orders").fetch_one(&mut self.0).await?;
        Ok(highest.unwrap_or(0))
    }

    async fn insert(&mut self, seq: i64) -> Result<()> {
        sqlx::query("INSERT INTO orders (seq) VALUES ($1)").bind(seq).execute(&mut self.0).await?;
        Ok(())
    }

    async fn forget_before(&mut self, seq: i64) -> Result<()> {
        sqlx::query("DELETE FROM orders WHERE seq < $1").bind(seq).execute(&mut self.0).await?;
        Ok(())
    }
}

/// The slot a node streams through; the executor names it in the same way.
fn slot_name(node: &Node) -> String {
    node.name.replace('-', "_")
}

async fn point_standby(server: &PostgresServer, conninfo: &str) -> Result<()> {
    let quoted = conninfo.replace('\'', "''");
    server.sql(&format!("ALTER SYSTEM SET primary_conninfo = '{quoted}'")).await?;
    server.sql("SELECT pg_reload_conf()").await?;
    Ok(())
}

fn read_if_there(file: &Path) -> Result<Option<String>> {
    match fs::read_to_string(file) {
        Ok(text) => Ok(Some(text)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e.into()),
    }
}

fn remove_if_there(file: &Path) -> Result<()> {
    match fs::remove_file(file) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(e.into()),
        _ => Ok(()),
    }
}

/// The accounts of the contract: watching needs pg_monitor and nothing more.
fn roles(accounts: &Accounts) -> String {
    format!(
        "CREATE ROLE {MONITOR} LOGIN PASSWORD '{}'; GRANT pg_monitor TO {MONITOR}; ALTER ROLE {MONITOR} SET statement_timeout = '5s';
         CREATE ROLE {EXECUTE} LOGIN REPLICATION PASSWORD '{}'; GRANT pg_monitor, pg_signal_backend TO {EXECUTE};
         DO $$ BEGIN IF current_setting('server_version_num')::int >= 150000 THEN GRANT pg_checkpoint TO {EXECUTE}; END IF; END $$;
         GRANT EXECUTE ON FUNCTION pg_promote(boolean, integer), pg_wal_replay_pause(), pg_wal_replay_resume(), pg_switch_wal(), pg_reload_conf() TO {EXECUTE};
         CREATE ROLE {REPLICATION} LOGIN REPLICATION PASSWORD '{}';
         GRANT EXECUTE ON FUNCTION pg_ls_dir(text, boolean, boolean), pg_stat_file(text, boolean), pg_read_binary_file(text), pg_read_binary_file(text, bigint, bigint, boolean) TO {REPLICATION};
         CREATE ROLE {APPLICATION} LOGIN PASSWORD '{}';",
        accounts.monitor, accounts.execute, accounts.replication, accounts.application
    )
}

/// The executor asks integrity questions about it: reading is enough.
fn application_schema() -> String {
    format!(
        "CREATE TABLE orders (seq bigint PRIMARY KEY, placed_at timestamptz NOT NULL DEFAULT clock_timestamp());
         GRANT SELECT, INSERT, DELETE ON orders TO {APPLICATION};
         GRANT SELECT ON orders TO {EXECUTE};"
    )
}
