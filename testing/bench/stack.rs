//! The real servers, set up as in production: an acknowledged event is on the disk, and so is a committed row.

use std::sync::Arc;

use anyhow::Result;
use async_nats::jetstream;
use muster_domain::TenantId;
use muster_eventlog::{
    Database, EventLog, LogConfig, Schema, db,
    keyring::{FileKeyring, Keyring},
};
use muster_local::{
    nats::{NatsOptions, NatsServer},
    postgres::PostgresServer,
};
use tempfile::TempDir;

/// A nats-server with one tenant's log.
pub(crate) struct Nats {
    pub(crate) log: EventLog,
    pub(crate) tenant: TenantId,
    /// The raw peer's own connection.
    pub(crate) raw: jetstream::Context,
    server: NatsServer,
    dir: TempDir,
}

impl Nats {
    pub(crate) async fn start() -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("bench-nats-").tempdir()?;
        let options = NatsOptions { dir: dir.path().to_owned(), sync_always: true, ..NatsOptions::default() };
        let server = NatsServer::start(options).await?;
        let log = connect(&server).await?;
        let tenant: TenantId = "bench".parse()?;
        log.provision().await?;
        log.provision_tenant(&tenant).await?;
        let raw = jetstream::new(async_nats::connect(server.url()).await?);
        Ok(Self { log, tenant, raw, server, dir })
    }

    /// The same log, written by a process of this name that signs what it writes, and encrypts it if it has a keyring.
    pub(crate) async fn written_by(&self, producer: &str, encrypted: bool) -> Result<EventLog> {
        let keyring = if encrypted { Some(FileKeyring::open(self.dir.path().join("payload-keys"))?) } else { None };
        let config = LogConfig {
            url: self.server.url(),
            keyring: keyring.map(|keyring| Arc::new(keyring) as Arc<dyn Keyring>),
            producer: Some(producer.to_owned()),
            ..LogConfig::default()
        };
        Ok(EventLog::connect(&config).await?)
    }

    /// The log over a connection of its own.
    pub(crate) async fn connect(&self) -> Result<EventLog> {
        connect(&self.server).await
    }

    pub(crate) fn pid(&self) -> Option<u32> {
        self.server.pid()
    }

    /// The tenant's log, as JetStream itself sees it.
    pub(crate) async fn stream(&self) -> Result<jetstream::stream::Stream> {
        Ok(self.raw.get_stream(format!("REC_{}_1", self.tenant)).await?)
    }
}

async fn connect(server: &NatsServer) -> Result<EventLog> {
    Ok(EventLog::connect(&LogConfig { url: server.url(), ..LogConfig::default() }).await?)
}

/// A PostgreSQL server with the tables of some services.
pub(crate) struct Postgres {
    pub(crate) server: PostgresServer,
    pub(crate) db: Database,
}

impl Postgres {
    pub(crate) async fn start(schemas: &[Schema]) -> Result<Self> {
        // Its defaults are those of a real server, except that tests do without the disk.
        let server = PostgresServer::temporary_with(&[("fsync", "on")]).await?;
        Database::prepare(&server.url(server.superuser(), "postgres")).await?;
        Database::migrate(&server.url(db::OWNER_ROLE, "postgres"), schemas).await?;
        let db = Database::connect(&server.url(db::SERVICE_ROLE, "postgres")).await?;
        Ok(Self { server, db })
    }
}
