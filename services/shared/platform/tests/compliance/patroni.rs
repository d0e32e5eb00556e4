//! Patroni: the cluster of this platform's own tests. It has no host agents: its servers are Patroni's to start and stop.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use async_trait::async_trait;
use muster_domain::pb::inventory::v1::{PatroniTarget, resource_spec::Platform as PlatformSpec};
use muster_platform::{Login, MoveJob, MoveKind};
use sqlx::{Connection, PgConnection};
use tokio::sync::Mutex;

use crate::fixture::{Fixture, Host};

#[expect(dead_code, reason = "the platform's own tests use the rest of it")]
#[path = "../patroni/cluster.rs"]
mod cluster;

/// A server that hangs must not hold up the writers.
const WRITE_LIMIT: Duration = Duration::from_secs(1);

pub(crate) struct Patroni {
    target: PatroniTarget,
    cluster: Mutex<cluster::Cluster>,
}

impl Patroni {
    pub(crate) async fn start() -> Option<Self> {
        let cluster = cluster::Cluster::start().await?;
        Some(Self { target: cluster.target(), cluster: Mutex::new(cluster) })
    }

    async fn connect(&self, node: &str) -> Option<PgConnection> {
        let port = self.target.nodes.iter().find(|member| member.name == node)?.port;
        let url = format!("postgres://plain:plain-password@127.0.0.1:{port}/postgres");
        tokio::time::timeout(WRITE_LIMIT, PgConnection::connect(&url)).await.ok()?.ok()
    }
}

#[async_trait]
impl Fixture for Patroni {
    const PLATFORM: &'static str = "patroni";

    fn spec(&self) -> PlatformSpec {
        PlatformSpec::Patroni(self.target.clone())
    }

    fn monitor(&self) -> Login {
        cluster::monitor()
    }

    fn job(&self, kind: MoveKind, from: &str, target: &str) -> MoveJob {
        cluster::job_on(self.target.clone(), kind, from, target)
    }

    fn hosts(&self) -> BTreeMap<String, Host> {
        BTreeMap::new()
    }

    async fn write(&self, node: &str, number: u64) -> bool {
        let Some(mut connection) = self.connect(node).await else { return false };
        let number = i64::try_from(number).unwrap();
        let insert = sqlx::query("INSERT INTO ledger VALUES ($1)").bind(number);
        matches!(tokio::time::timeout(WRITE_LIMIT, insert.execute(&mut connection)).await, Ok(Ok(_)))
    }

    async fn numbers(&self, node: &str) -> BTreeSet<u64> {
        let Some(mut connection) = self.connect(node).await else { return BTreeSet::new() };
        let rows: Vec<i64> =
            sqlx::query_scalar("SELECT n FROM ledger").fetch_all(&mut connection).await.unwrap_or_default();
        rows.into_iter().filter_map(|n| u64::try_from(n).ok()).collect()
    }

    async fn kill(&self, node: &str) {
        self.cluster.lock().await.0.member_mut(node).kill().await.unwrap();
    }

    async fn restart(&self, node: &str) {
        self.cluster.lock().await.0.member_mut(node).start().await.unwrap();
    }

    async fn freeze(&self, node: &str, frozen: bool) {
        self.cluster.lock().await.0.member(node).freeze(frozen);
    }
}
