//! The demo estate: real primary/standby pairs on this machine, and what is known about them.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};

use super::servers::{Servers, of};
use crate::place::Place;

/// The tenant whose systems these are.
pub(crate) const TENANT: &str = "acme";
pub(crate) const PRIMARY_SITE: &str = "fra";
pub(crate) const DR_SITE: &str = "ams";
/// The database of the application.
pub(crate) const DATABASE: &str = "shop";

/// What `estate.json` keeps: enough to find every server again after any crash.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Estate {
    #[serde(skip)]
    directory: PathBuf,
    #[serde(skip)]
    accounts: Accounts,
    pub(crate) pairs: Vec<Pair>,
    /// Set by a clean stop. Only then are servers started again: after a crash they are as the
    /// crash left them, and a run in progress must find them so.
    pub(crate) stopped_cleanly: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Platform {
    #[default]
    Postgresql,
    Mariadb,
    Redis,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Pair {
    pub(crate) resource: String,
    pub(crate) tier: u8,
    #[serde(default)]
    pub(crate) platform: Platform,
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

/// The passwords on every pair: the demo's secrets.
#[derive(Debug, Clone, Default)]
pub(crate) struct Accounts {
    pub(crate) monitor: String,
    pub(crate) execute: String,
    pub(crate) replication: String,
    pub(crate) application: String,
    pub(crate) admin: String,
}

pub(crate) const MONITOR: &str = "muster_monitor";
pub(crate) const EXECUTE: &str = "muster_execute";
pub(crate) const REPLICATION: &str = "muster_replication";
pub(crate) const APPLICATION: &str = "shop_app";

impl Accounts {
    fn of(place: &Place) -> Result<Self> {
        let secret = |name: &str| place.secret(TENANT, name, crate::place::random_password);
        Ok(Self {
            monitor: secret("monitor")?,
            execute: secret("execute")?,
            replication: secret("replication")?,
            application: secret("application")?,
            admin: secret("admin")?,
        })
    }
}

impl Estate {
    /// Opens the estate of a place, or lays out a new one.
    pub(crate) fn open(place: &Place) -> Result<Self> {
        let directory = place.estate();
        let file = directory.join("estate.json");
        let mut estate = match fs::read(&file) {
            Ok(bytes) => serde_json::from_slice::<Self>(&bytes)
                .with_context(|| format!("{} is damaged; remove the directory to begin again", file.display()))?,
            Err(e) if e.kind() == io::ErrorKind::NotFound => Self::lay_out(&directory)?,
            Err(e) => return Err(e).with_context(|| format!("cannot read {}", file.display())),
        };
        estate.accounts = Accounts::of(place)?;
        estate.directory = directory;
        Ok(estate)
    }

    /// A pair of each platform whose servers are here; PostgreSQL always is.
    fn lay_out(directory: &Path) -> Result<Self> {
        let pair = |resource: &str, short: &str, tier, platform| -> Result<Pair> {
            let node = |suffix: &str, site: &str| -> Result<Node> {
                let port = muster_local::free_port()?;
                Ok(Node { name: format!("{short}-{suffix}"), site: site.into(), port, down: false })
            };
            let nodes = [node("a", PRIMARY_SITE)?, node("b", DR_SITE)?];
            Ok(Pair { resource: resource.into(), tier, platform, nodes })
        };
        fs::create_dir_all(directory).with_context(|| format!("cannot create {}", directory.display()))?;
        let mut pairs = vec![
            pair("orders-db", "orders", 1, Platform::Postgresql)?,
            pair("billing-db", "billing", 2, Platform::Postgresql)?,
        ];
        if muster_local::tools::mariadb().is_ok() {
            pairs.push(pair("catalog-db", "catalog", 2, Platform::Mariadb)?);
        }
        if muster_local::tools::redis_server().is_ok() {
            pairs.push(pair("session-cache", "session", 3, Platform::Redis)?);
        }
        Ok(Self { directory: directory.to_owned(), accounts: Accounts::default(), pairs, stopped_cleanly: true })
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

    pub(crate) fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    /// The hands on a pair's servers.
    pub(crate) fn servers(&self, pair: &Pair) -> Box<dyn Servers> {
        of(pair.platform, self)
    }

    /// Makes what is missing and, after a clean stop, starts what is there.
    pub(crate) async fn start(&mut self) -> Result<()> {
        for pair in &self.pairs {
            let servers = self.servers(pair);
            if !servers.is_built(pair) {
                servers.build(pair).await.with_context(|| format!("cannot build the pair {}", pair.resource))?;
                continue;
            }
            if self.stopped_cleanly {
                for node in pair.nodes.iter().filter(|node| !node.down) {
                    servers.start(node).await.with_context(|| format!("cannot start {}", node.name))?;
                }
            }
        }
        self.stopped_cleanly = false;
        self.save()
    }

    /// Stops every server cleanly, standbys last so that they get everything.
    pub(crate) async fn stop(&mut self) -> Result<()> {
        for pair in &self.pairs {
            let servers = self.servers(pair);
            let mut nodes = Vec::new();
            for node in &pair.nodes {
                nodes.push((!servers.takes_writes(node).await?, node));
            }
            nodes.sort_by_key(|(standby, _)| *standby);
            for (_, node) in nodes {
                servers.stop(node).await?;
            }
        }
        self.stopped_cleanly = true;
        self.save()
    }

    /// The node that takes writes, if exactly one does.
    pub(crate) async fn primary<'a>(&self, pair: &'a Pair) -> Result<Option<&'a Node>> {
        let servers = self.servers(pair);
        let mut found = Vec::new();
        for node in &pair.nodes {
            if servers.takes_writes(node).await? {
                found.push(node);
            }
        }
        match found.as_slice() {
            [] => Ok(None),
            [node] => Ok(Some(node)),
            _ => bail!("both nodes of {} take writes", pair.resource),
        }
    }

    /// Notes whether a node is down on purpose.
    pub(crate) fn mark(&mut self, name: &str, down: bool) -> Result<()> {
        for node in self.pairs.iter_mut().flat_map(|pair| &mut pair.nodes).filter(|node| node.name == name) {
            node.down = down;
        }
        self.save()
    }
}
