//! MariaDB pairs: asynchronous replication by GTID.

use std::{
    collections::HashSet,
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use async_trait::async_trait;
use muster_local::mariadb::{MariadbAccount, MariadbAccounts, MariadbOptions, MariadbServer};
use muster_platform::ServiceAgent as _;
use sqlx::{Connection as _, MySqlConnection, mysql::MySqlConnectOptions};

use super::{Application, Servers};
use crate::demo::estate::{APPLICATION, Accounts, DATABASE, EXECUTE, Estate, MONITOR, Node, Pair, REPLICATION};

/// Threads of a replica need a moment to connect.
const FOLLOWS_WITHIN: Duration = Duration::from_secs(10);

pub(super) struct Mariadb {
    directory: PathBuf,
    accounts: Accounts,
}

impl Mariadb {
    pub(super) fn of(estate: &Estate) -> Self {
        Self { directory: estate.directory().to_owned(), accounts: estate.accounts().clone() }
    }

    async fn server(&self, node: &Node) -> Result<MariadbServer> {
        let options = MariadbOptions::new(self.directory.join(&node.name))
            .port(node.port)
            // A standby that died is made anew from the beginning of the log.
            .setting("expire_logs_days", "0")
            .setting("slave_net_timeout", "10");
        Ok(MariadbServer::init(options).await?)
    }

    fn account(&self) -> MariadbAccount {
        MariadbAccount::new(REPLICATION, &self.accounts.replication)
    }

    async fn follows(&self, server: &MariadbServer, primary: &Node) -> bool {
        let deadline = Instant::now() + FOLLOWS_WITHIN;
        while server.is_running() && Instant::now() < deadline {
            let replication = replication(server).await.ok().flatten();
            if replication.is_some_and(|r| r.source_port == primary.port && r.receives && r.applies) {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        false
    }
}

/// Of whom a server is a replica.
struct Replication {
    source_port: u16,
    receives: bool,
    applies: bool,
}

/// `None`: of nobody. The columns have had these places since replication began; newer ones come after them.
async fn replication(server: &MariadbServer) -> Result<Option<Replication>> {
    let status = server.sql("SHOW SLAVE STATUS").await?;
    let Some(row) = status.lines().next().filter(|row| !row.trim().is_empty()) else { return Ok(None) };
    let columns: Vec<&str> = row.split('\t').collect();
    let [_, _, _, port, _, _, _, _, _, _, io, sql, ..] = columns.as_slice() else {
        bail!("SHOW SLAVE STATUS answers with {} columns", columns.len());
    };
    Ok(Some(Replication { source_port: port.parse()?, receives: *io == "Yes", applies: *sql == "Yes" }))
}

#[async_trait]
impl Servers for Mariadb {
    fn is_built(&self, pair: &Pair) -> bool {
        self.directory.join(format!("{}.built", pair.resource)).is_file()
    }

    async fn build(&self, pair: &Pair) -> Result<()> {
        let [first, second] = &pair.nodes;
        for node in &pair.nodes {
            let directory = self.directory.join(&node.name);
            if directory.exists() {
                self.server(node).await?.kill().await?;
                fs::remove_dir_all(&directory)?;
            }
        }
        let mut primary = self.server(first).await?;
        primary.start().await?;
        let accounts = MariadbAccounts {
            monitor: MariadbAccount::new(MONITOR, &self.accounts.monitor),
            execute: MariadbAccount::new(EXECUTE, &self.accounts.execute),
            replication: self.account(),
        };
        primary.create_accounts(&accounts).await?;
        primary
            .sql(&format!(
                "CREATE DATABASE {DATABASE};
                 CREATE TABLE {DATABASE}.products (seq BIGINT PRIMARY KEY, added_at TIMESTAMP(6) DEFAULT CURRENT_TIMESTAMP(6));
                 CREATE USER {APPLICATION}@'%' IDENTIFIED BY '{}';
                 GRANT SELECT, INSERT, DELETE ON {DATABASE}.products TO {APPLICATION}@'%';
                 GRANT SELECT ON {DATABASE}.* TO {EXECUTE}@'%';",
                self.accounts.application
            ))
            .await?;
        let mut standby = self.server(second).await?;
        standby.start().await?;
        standby.follow(&primary, &self.account()).await?;
        fs::write(self.directory.join(format!("{}.built", pair.resource)), "")?;
        Ok(())
    }

    async fn start(&self, node: &Node) -> Result<()> {
        Ok(self.server(node).await?.start().await?)
    }

    async fn stop(&self, node: &Node) -> Result<()> {
        Ok(self.server(node).await?.stop().await?)
    }

    async fn kill(&self, node: &Node) -> Result<()> {
        Ok(self.server(node).await?.kill().await?)
    }

    async fn takes_writes(&self, node: &Node) -> Result<bool> {
        let server = self.server(node).await?;
        Ok(server.is_running() && server.sql("SELECT @@global.read_only").await.is_ok_and(|said| said.trim() == "0"))
    }

    async fn lag(&self, standby: &Node) -> Result<String> {
        self.server(standby).await?.sql("STOP SLAVE SQL_THREAD").await?;
        Ok(format!("{} applies nothing any more; received data piles up", standby.name))
    }

    async fn cut(&self, standby: &Node) -> Result<()> {
        // Nothing listens there.
        let link = "STOP SLAVE; CHANGE MASTER TO MASTER_PORT=1; START SLAVE";
        self.server(standby).await?.sql(link).await.map(drop).context("the link cannot be cut")
    }

    /// A dead node without a fence was the primary. One that a move fenced and did not make a replica of anybody is
    /// let in again only while the other still follows somebody.
    async fn revive<'a>(&self, pair: &'a Pair) -> Result<&'a Node> {
        let [a, b] = &pair.nodes;
        for node in [a, b] {
            let mut server = self.server(node).await?;
            if !server.is_running() && !agent(&server).is_fenced().await? {
                server.start().await?;
                return Ok(node);
            }
        }
        for (node, other) in [(a, b), (b, a)] {
            let (mut server, other) = (self.server(node).await?, self.server(other).await?);
            if !other.is_running() || replication(&other).await?.is_none() {
                continue;
            }
            server.start().await?;
            if replication(&server).await?.is_none() {
                agent(&server).unfence().await?;
                server.sql("SET GLOBAL read_only=0").await?;
                return Ok(node);
            }
        }
        bail!(
            "no node of {} may take writes: a move was stopped half-way; `muster request show` says what to do",
            pair.resource
        )
    }

    async fn mend(&self, primary: &Node, standby: &Node) -> Result<Vec<String>> {
        let mut done = Vec::new();
        let mut server = self.server(standby).await?;
        if !server.is_running() && agent(&server).is_fenced().await? && !standby.down {
            server.start().await?;
            done.push(format!("started the standby {}", standby.name));
        }
        let now = if server.is_running() { replication(&server).await? } else { None };
        match now {
            Some(now) if now.source_port != primary.port => {
                let port = primary.port;
                server.sql(&format!("STOP SLAVE; CHANGE MASTER TO MASTER_PORT={port}; START SLAVE")).await?;
                done.push(format!("joined the link to {}", standby.name));
            }
            Some(now) if !now.receives || !now.applies => {
                server.sql("START SLAVE").await?;
                done.push(format!("started replication on {}", standby.name));
            }
            _ => {}
        }
        if !self.follows(&server, primary).await {
            server.kill().await?;
            fs::remove_dir_all(server.dir())?;
            let mut anew = self.server(standby).await?;
            anew.start().await?;
            anew.follow(&self.server(primary).await?, &self.account()).await?;
            done.push(format!("made {} anew from {}", standby.name, primary.name));
        }
        Ok(done)
    }

    async fn rows(&self, node: &Node) -> Result<HashSet<i64>> {
        let held = self.server(node).await?.sql(&format!("SELECT seq FROM {DATABASE}.products")).await?;
        Ok(held.lines().filter_map(|line| line.trim().parse().ok()).collect())
    }

    async fn connect(&self, node: &Node) -> Result<Option<Box<dyn Application>>> {
        let options = MySqlConnectOptions::new()
            .host("127.0.0.1")
            .port(node.port)
            .username(APPLICATION)
            .password(&self.accounts.application)
            .database(DATABASE)
            .ssl_mode(sqlx::mysql::MySqlSslMode::Disabled);
        let mut connection = MySqlConnection::connect_with(&options).await?;
        let read_only: i64 = sqlx::query_scalar("SELECT @@global.read_only").fetch_one(&mut connection).await?;
        Ok((read_only == 0).then(|| Box::new(Shop(connection)) as Box<dyn Application>))
    }
}

struct Shop(MySqlConnection);

#[async_trait]
impl Application for Shop {
    async fn highest(&mut self) -> Result<i64> {
        let highest: Option<i64> = sqlx::query_scalar("SELECT MAX(seq) FROM products").fetch_one(&mut self.0).await?;
        Ok(highest.unwrap_or(0))
    }

    async fn insert(&mut self, seq: i64) -> Result<()> {
        sqlx::query("INSERT INTO products (seq) VALUES (?)").bind(seq).execute(&mut self.0).await?;
        Ok(())
    }

    async fn forget_before(&mut self, seq: i64) -> Result<()> {
        sqlx::query("DELETE FROM products WHERE seq < ?").bind(seq).execute(&mut self.0).await?;
        Ok(())
    }
}

/// The same hands as the executor's.
fn agent(server: &MariadbServer) -> muster_platform::LocalService {
    muster_platform::LocalService::new(muster_platform::LocalServiceConfig {
        service: muster_platform::Service::Mariadb,
        data_directory: server.data_dir(),
        bin_directory: server.bin_dir().to_owned(),
        config_file: server.config_file(),
        fence_file: Some(server.fence_file()),
        log_file: None,
    })
}
