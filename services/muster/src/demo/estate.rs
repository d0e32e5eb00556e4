//! The demo estate: real PostgreSQL primary/standby pairs on this machine, and what is known about them.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use muster_local::postgres::{PostgresOptions, PostgresServer, StopMode};
use serde::{Deserialize, Serialize};

/// The tenant whose systems these are.
pub(crate) const TENANT: &str = "acme";
pub(crate) const PRIMARY_SITE: &str = "fra";
pub(crate) const DR_SITE: &str = "ams";
/// The database of the application.
pub(crate) const DATABASE: &str = "shop";

/// Written to `estate.json`: enough to find every server again after any crash.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Estate {
    #[serde(skip)]
    directory: PathBuf,
    pub(crate) pairs: Vec<Pair>,
    /// Set by a clean stop. Only then are servers started again: after a crash they are as the
    /// crash left them, and a run in progress must find them so.
    pub(crate) stopped_cleanly: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Pair {
    pub(crate) resource: String,
    pub(crate) tier: u8,
    pub(crate) nodes: [Node; 2],
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) site: String,
    pub(crate) port: u16,
    /// Not to be started by us: it was killed on purpose.
    #[serde(default)]
    pub(crate) down: bool,
}

/// The accounts on every pair; the passwords are the demo's secrets.
#[derive(Debug, Clone)]
pub(crate) struct Accounts {
    pub(crate) monitor: String,
    pub(crate) execute: String,
    pub(crate) replication: String,
    pub(crate) application: String,
}

pub(crate) const MONITOR: &str = "muster_monitor";
pub(crate) const EXECUTE: &str = "muster_execute";
pub(crate) const REPLICATION: &str = "muster_replication";
pub(crate) const APPLICATION: &str = "shop_app";

impl Estate {
    /// Opens the estate in a directory, or lays out a new one.
    pub(crate) fn open(directory: &Path) -> Result<Self> {
        let file = directory.join("estate.json");
        match fs::read(&file) {
            Ok(bytes) => {
                let mut estate: Self = serde_json::from_slice(&bytes)
                    .with_context(|| format!("{} is damaged; remove the directory to begin again", file.display()))?;
                estate.directory = directory.to_owned();
                Ok(estate)
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => Self::lay_out(directory),
            Err(e) => Err(e).with_context(|| format!("cannot read {}", file.display())),
        }
    }

    fn lay_out(directory: &Path) -> Result<Self> {
        let pair = |resource: &str, tier| -> Result<Pair> {
            let short = resource.trim_end_matches("-db");
            let node = |suffix: &str, site: &str| -> Result<Node> {
                Ok(Node {
                    name: format!("{short}-{suffix}"),
                    site: site.into(),
                    port: muster_local::free_port()?,
                    down: false,
                })
            };
            Ok(Pair { resource: resource.into(), tier, nodes: [node("a", PRIMARY_SITE)?, node("b", DR_SITE)?] })
        };
        fs::create_dir_all(directory).with_context(|| format!("cannot create {}", directory.display()))?;
        let pairs = vec![pair("orders-db", 1)?, pair("billing-db", 2)?];
        Ok(Self { directory: directory.to_owned(), pairs, stopped_cleanly: true })
    }

    pub(crate) fn save(&self) -> Result<()> {
        let file = self.directory.join("estate.json");
        let new = file.with_extension("new");
        fs::write(&new, serde_json::to_vec_pretty(self)?)?;
        fs::rename(&new, &file).with_context(|| format!("cannot write {}", file.display()))
    }

    pub(crate) fn pair(&self, resource: &str) -> Result<&Pair> {
        let names = || self.pairs.iter().map(|pair| pair.resource.as_str()).collect::<Vec<_>>().join(", ");
        self.pairs
            .iter()
            .find(|pair| pair.resource == resource)
            .with_context(|| format!("the demo has no resource '{resource}'; it has: {}", names()))
    }

    pub(crate) fn node_directory(&self, node: &Node) -> PathBuf {
        self.directory.join(&node.name)
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// The server of a node, as its files are now.
    pub(crate) async fn server(&self, node: &Node) -> Result<PostgresServer> {
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

    /// Makes what is missing and, after a clean stop, starts what is there.
    pub(crate) async fn start(&mut self, accounts: &Accounts) -> Result<()> {
        for pair in &self.pairs {
            let [first, second] = &pair.nodes;
            if !self.node_directory(second).join("PG_VERSION").is_file() {
                self.build(pair, accounts).await.with_context(|| format!("cannot build the pair {}", pair.resource))?;
                continue;
            }
            if self.stopped_cleanly {
                for node in [first, second].into_iter().filter(|node| !node.down) {
                    self.server(node).await?.start().await.with_context(|| format!("cannot start {}", node.name))?;
                }
            }
        }
        self.stopped_cleanly = false;
        self.save()
    }

    /// Stops every server cleanly, standbys last so that they get everything.
    pub(crate) async fn stop(&mut self) -> Result<()> {
        for pair in &self.pairs {
            let mut servers = Vec::new();
            for node in &pair.nodes {
                servers.push((self.is_standby(node), self.server(node).await?));
            }
            servers.sort_by_key(|(standby, _)| *standby);
            for (_, mut server) in servers {
                server.stop(StopMode::Fast).await?;
            }
        }
        self.stopped_cleanly = true;
        self.save()
    }

    fn is_standby(&self, node: &Node) -> bool {
        self.node_directory(node).join("standby.signal").exists()
    }

    /// A new primary with its accounts and table, and a standby that streams from it through a slot.
    async fn build(&self, pair: &Pair, accounts: &Accounts) -> Result<()> {
        let [first, second] = &pair.nodes;
        for node in &pair.nodes {
            // Half a server of an interrupted first start: nothing was ever written to it.
            let directory = self.node_directory(node);
            if directory.exists() {
                let mut server = self.server(node).await?;
                server.stop(StopMode::Immediate).await?;
                fs::remove_dir_all(&directory)?;
            }
        }
        let mut primary = self.server(first).await?;
        primary.start().await?;
        primary.sql(&format!("CREATE DATABASE {DATABASE}")).await?;
        // Functions belong to a database: what may be called is granted where the executor connects.
        primary.sql_in(DATABASE, &roles(accounts)).await?;
        primary.sql_in(DATABASE, &application_schema()).await?;
        let mut standby = PostgresServer::base_backup_from(&primary, self.options(second), &slot_name(second)).await?;
        standby.start().await?;
        Ok(())
    }

    /// Throws a node's data away and copies it anew from the primary.
    pub(crate) async fn rebuild_standby(&self, node: &Node, primary: &Node) -> Result<()> {
        let mut old = self.server(node).await?;
        old.stop(StopMode::Immediate).await?;
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

    /// The node that takes writes, if exactly one does.
    pub(crate) async fn primary<'a>(&self, pair: &'a Pair) -> Result<Option<&'a Node>> {
        let mut found = Vec::new();
        for node in &pair.nodes {
            let server = self.server(node).await?;
            if server.is_running()
                && server.sql("SELECT pg_is_in_recovery()").await.is_ok_and(|answer| answer.trim() == "f")
            {
                found.push(node);
            }
        }
        match found.as_slice() {
            [] => Ok(None),
            [node] => Ok(Some(node)),
            _ => bail!("both nodes of {} take writes", pair.resource),
        }
    }
}

/// The slot a node streams through; the executor names it in the same way.
pub(crate) fn slot_name(node: &Node) -> String {
    node.name.replace('-', "_")
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

fn application_schema() -> String {
    format!(
        "CREATE TABLE orders (seq bigint PRIMARY KEY, placed_at timestamptz NOT NULL DEFAULT clock_timestamp());
         GRANT SELECT, INSERT, DELETE ON orders TO {APPLICATION};"
    )
}
