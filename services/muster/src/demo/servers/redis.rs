//! Redis pairs: asynchronous replication. What the application was told is safe may be lost with a primary.

use std::{
    collections::HashSet,
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use async_trait::async_trait;
use muster_local::redis::{RedisAccount, RedisAccounts, RedisOptions, RedisServer};
use muster_platform::ServiceAgent as _;
use redis::{AsyncCommands as _, aio::MultiplexedConnection};

use super::{Application, Servers};
use crate::demo::estate::{APPLICATION, Accounts, EXECUTE, Estate, MONITOR, Node, Pair, REPLICATION};

const ADMIN: &str = "muster_demo";
/// The numbers that were written, as a sorted set.
const KEY: &str = "sessions";
/// A replica needs a moment to connect, and longer for a full copy.
const FOLLOWS_WITHIN: Duration = Duration::from_secs(15);

pub(super) struct Redis {
    directory: PathBuf,
    accounts: Accounts,
}

impl Redis {
    pub(super) fn of(estate: &Estate) -> Self {
        Self { directory: estate.directory().to_owned(), accounts: estate.accounts().clone() }
    }

    fn redis_accounts(&self) -> RedisAccounts {
        let account = |user, password: &str| RedisAccount::new(user, password);
        RedisAccounts {
            admin: account(ADMIN, &self.accounts.admin),
            application: account(APPLICATION, &self.accounts.application),
            monitor: account(MONITOR, &self.accounts.monitor),
            execute: account(EXECUTE, &self.accounts.execute),
            replication: account(REPLICATION, &self.accounts.replication),
        }
    }

    fn options(&self, node: &Node) -> RedisOptions {
        RedisOptions::new(self.directory.join(&node.name), self.redis_accounts()).port(node.port)
    }

    fn server(&self, node: &Node) -> Result<RedisServer> {
        Ok(RedisServer::init(self.options(node))?)
    }

    async fn follows(&self, server: &RedisServer, primary: &Node) -> bool {
        let deadline = Instant::now() + FOLLOWS_WITHIN;
        let port = format!("master_port:{}", primary.port);
        while server.is_running() && Instant::now() < deadline {
            let said = server.command(&["INFO", "replication"]).await.unwrap_or_default();
            if said.contains(&port) && said.contains("master_link_status:up") {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        false
    }

    async fn is_replica(&self, server: &RedisServer) -> bool {
        server.command(&["INFO", "replication"]).await.is_ok_and(|said| said.contains("role:slave"))
    }
}

#[async_trait]
impl Servers for Redis {
    fn is_built(&self, pair: &Pair) -> bool {
        self.directory.join(format!("{}.built", pair.resource)).is_file()
    }

    async fn build(&self, pair: &Pair) -> Result<()> {
        let [first, second] = &pair.nodes;
        for node in &pair.nodes {
            let directory = self.directory.join(&node.name);
            if directory.exists() {
                self.server(node)?.kill().await?;
                fs::remove_dir_all(&directory)?;
            }
        }
        self.server(first)?.start().await?;
        let mut standby = RedisServer::init(self.options(second).follows(first.port))?;
        standby.start().await?;
        if !self.follows(&standby, first).await {
            bail!("{} does not follow {}", second.name, first.name);
        }
        fs::write(self.directory.join(format!("{}.built", pair.resource)), "")?;
        Ok(())
    }

    async fn start(&self, node: &Node) -> Result<()> {
        Ok(self.server(node)?.start().await?)
    }

    async fn stop(&self, node: &Node) -> Result<()> {
        let mut server = self.server(node)?;
        server.thaw();
        Ok(server.stop().await?)
    }

    async fn kill(&self, node: &Node) -> Result<()> {
        Ok(self.server(node)?.kill().await?)
    }

    async fn takes_writes(&self, node: &Node) -> Result<bool> {
        let server = self.server(node)?;
        let said = tokio::time::timeout(Duration::from_secs(2), server.command(&["ROLE"])).await;
        Ok(server.is_running() && matches!(said, Ok(Ok(role)) if role.starts_with("master")))
    }

    async fn lag(&self, standby: &Node) -> Result<String> {
        self.server(standby)?.freeze();
        Ok(format!("{} stands still: it neither receives nor answers", standby.name))
    }

    async fn cut(&self, standby: &Node) -> Result<()> {
        // Nothing listens there.
        self.server(standby)?.command(&["REPLICAOF", "127.0.0.1", "1"]).await.context("the link cannot be cut")?;
        Ok(())
    }

    /// A dead node without a fence was the primary. One that a move fenced is let in again only while the other still
    /// is a replica.
    async fn revive<'a>(&self, pair: &'a Pair) -> Result<&'a Node> {
        let [a, b] = &pair.nodes;
        for (node, other) in [(a, b), (b, a)] {
            let (mut server, other) = (self.server(node)?, self.server(other)?);
            other.thaw();
            if server.is_running() || !self.is_replica(&other).await {
                continue;
            }
            if agent(&server).is_fenced().await? {
                agent(&server).unfence().await?;
            }
            server.start().await?;
            if !self.is_replica(&server).await {
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
        let mut server = self.server(standby)?;
        server.thaw();
        if !server.is_running() {
            // A dead old primary would come up as one: it is told first whom it follows.
            agent(&server).fence().await?;
            server.start().await?;
            done.push(format!("started {}", standby.name));
        }
        let port = primary.port.to_string();
        if !self.follows(&server, primary).await {
            server.command(&["REPLICAOF", "127.0.0.1", &port]).await?;
            server.command(&["CONFIG", "REWRITE"]).await?;
            done.push(format!("joined the link to {}", standby.name));
            if !self.follows(&server, primary).await {
                bail!("{} does not follow {}", standby.name, primary.name);
            }
        }
        Ok(done)
    }

    async fn rows(&self, node: &Node) -> Result<HashSet<i64>> {
        let held = self.server(node)?.command(&["ZRANGE", KEY, "0", "-1"]).await?;
        Ok(held.lines().filter_map(|line| line.trim().parse().ok()).collect())
    }

    async fn connect(&self, node: &Node) -> Result<Option<Box<dyn Application>>> {
        let settings = redis::RedisConnectionInfo::default()
            .set_username(APPLICATION)
            .set_password(&self.accounts.application)
            .set_skip_set_lib_name();
        let address = redis::ConnectionAddr::Tcp("127.0.0.1".into(), node.port);
        let info = redis::IntoConnectionInfo::into_connection_info(address)?;
        let client = redis::Client::open(info.set_redis_settings(settings))?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        // The application may not ask for the role: a replica refuses its write.
        let writable: redis::RedisResult<i64> = connection.zrem(KEY, -1).await;
        Ok(writable.is_ok().then(|| Box::new(Shop(connection)) as Box<dyn Application>))
    }
}

struct Shop(MultiplexedConnection);

#[async_trait]
impl Application for Shop {
    async fn highest(&mut self) -> Result<i64> {
        let last: Vec<i64> = self.0.zrange(KEY, -1, -1).await?;
        Ok(last.first().copied().unwrap_or(0))
    }

    async fn insert(&mut self, seq: i64) -> Result<()> {
        let () = self.0.zadd(KEY, seq, seq).await?;
        Ok(())
    }

    async fn forget_before(&mut self, seq: i64) -> Result<()> {
        let () = self.0.zrembyscore(KEY, "-inf", format!("({seq}")).await?;
        Ok(())
    }
}

/// The same hands as the executor's.
fn agent(server: &RedisServer) -> muster_platform::LocalService {
    muster_platform::LocalService::new(muster_platform::LocalServiceConfig {
        service: muster_platform::Service::Redis,
        data_directory: server.data_dir(),
        bin_directory: server.bin_dir().to_owned(),
        config_file: server.config_file(),
        fence_file: Some(server.fence_file()),
        log_file: None,
    })
}
