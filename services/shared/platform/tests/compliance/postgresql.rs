//! PostgreSQL: the pair of this platform's own tests.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use async_trait::async_trait;
use muster_domain::pb::inventory::v1::resource_spec::Platform as PlatformSpec;
use muster_platform::{Login, MoveJob, MoveKind};
use serde_json::json;
use sqlx::{Connection, PgConnection};

use crate::fixture::{Fixture, Host};

#[expect(dead_code, reason = "the platform's own tests use the rest of it")]
#[path = "../postgresql/pair.rs"]
mod pair;

/// A server that hangs must not hold up the writers.
const WRITE_LIMIT: Duration = Duration::from_secs(1);

pub(crate) struct Postgresql(pair::Pair);

impl Postgresql {
    pub(crate) async fn start() -> Option<Self> {
        Some(Self(pair::Pair::start().await))
    }

    async fn connect(&self, node: &str) -> Option<PgConnection> {
        tokio::time::timeout(WRITE_LIMIT, PgConnection::connect(&self.0.url(node))).await.ok()?.ok()
    }
}

#[async_trait]
impl Fixture for Postgresql {
    const PLATFORM: &'static str = "postgresql";

    fn spec(&self) -> PlatformSpec {
        PlatformSpec::Postgresql(self.0.spec())
    }

    fn monitor(&self) -> Login {
        pair::mon()
    }

    fn job(&self, kind: MoveKind, from: &str, target: &str) -> MoveJob {
        self.0.job(kind, from, target)
    }

    fn hosts(&self) -> BTreeMap<String, Host> {
        [("a", &self.0.a), ("b", &self.0.b)]
            .map(|(node, server)| {
                let config = json!({ "data_directory": server.dir(), "bin_directory": server.bin_dir() });
                (node.to_owned(), Host::Postgresql(config))
            })
            .into()
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
}
