//! A database for a test that does not need a server of its own.

use std::sync::atomic::{AtomicU32, Ordering};

use tokio::sync::OnceCell;

use super::PostgresServer;
use crate::Result;

/// An empty database on the one temporary server that all tests of a process share: making a server takes longer than
/// most of them. Roles belong to the server, so they are everybody's.
#[derive(Debug)]
pub struct TemporaryDatabase {
    server: &'static PostgresServer,
    name: String,
}

impl TemporaryDatabase {
    pub async fn create() -> Result<Self> {
        // Ends with the process.
        static SERVER: OnceCell<PostgresServer> = OnceCell::const_new();
        static NEXT: AtomicU32 = AtomicU32::new(1);
        // Every test has the sessions of a whole service.
        let server = || PostgresServer::temporary_with(&[("max_connections", "1000")]);
        let server = SERVER.get_or_try_init(server).await?;
        let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        server.sql(&format!("CREATE DATABASE {name}")).await?;
        Ok(Self { server, name })
    }

    pub fn url(&self, user: &str) -> String {
        self.server.url(user, &self.name)
    }

    pub fn superuser_url(&self) -> String {
        self.url(self.server.superuser())
    }

    /// As [`PostgresServer::sql`], here.
    pub async fn sql(&self, sql: &str) -> Result<String> {
        self.server.sql_in(&self.name, sql).await
    }
}
