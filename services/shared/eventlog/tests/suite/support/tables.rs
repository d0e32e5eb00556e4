//! A database with a projection that counts, and what has to be in it.

use async_trait::async_trait;
use muster_domain::TenantId;
use muster_eventlog::{
    Database, EventLog, Migration, Projection, ProjectionError, Record, Schema, position::reached, rebuild,
};
use muster_local::postgres::PostgresServer;
use sqlx::{PgConnection, Row};
use std::sync::Arc;

use super::{Counted, eventually};

pub(crate) const SCHEMA: Schema = Schema {
    name: "counting",
    migrations: &[Migration {
        name: "0001_tables",
        // No key on event: what is written twice is there twice.
        sql: "CREATE TABLE counting.event (
                  tenant text NOT NULL, sequence bigint NOT NULL, id text NOT NULL, version bigint NOT NULL,
                  number bigint NOT NULL CHECK (number <> 667), event_id uuid NOT NULL);
              CREATE TABLE counting.total (tenant text, id text, events bigint NOT NULL, sum bigint NOT NULL, PRIMARY KEY (tenant, id));
              SELECT eventlog.protect('counting.event');
              SELECT eventlog.protect('counting.total')",
    }],
};

/// An event that the projection cannot take in, found by the projection …
pub(crate) const INVALID: u64 = 666;
/// … and by the database.
pub(crate) const VIOLATING: u64 = 667;

pub(crate) struct Counting;

#[async_trait]
impl Projection for Counting {
    fn name(&self) -> &'static str {
        "test.counting"
    }

    fn kinds(&self) -> &'static [&'static str] {
        &["counter"]
    }

    fn tables(&self) -> &'static [&'static str] {
        &["counting.event", "counting.total"]
    }

    async fn apply(&self, tx: &mut PgConnection, batch: &[Record]) -> Result<(), ProjectionError> {
        for record in batch {
            let number = record.decode::<Counted>()?.number;
            if number == INVALID {
                return Err(ProjectionError::Invalid("an invalid number".into()));
            }
            sqlx::query("INSERT INTO counting.event VALUES ($1, $2, $3, $4, $5, $6)")
                .bind(record.tenant.as_str())
                .bind(record.sequence as i64)
                .bind(&record.id)
                .bind(record.version as i64)
                .bind(number as i64)
                .bind(record.event_id)
                .execute(&mut *tx)
                .await?;
            sqlx::query(
                "INSERT INTO counting.total VALUES ($1, $2, 1, $3)
                 ON CONFLICT (tenant, id) DO UPDATE SET events = total.events + 1, sum = total.sum + excluded.sum",
            )
            .bind(record.tenant.as_str())
            .bind(&record.id)
            .bind(number as i64)
            .execute(&mut *tx)
            .await?;
        }
        Ok(())
    }
}

/// A temporary server, prepared, migrated, and connected to as the service.
pub(crate) async fn database() -> (PostgresServer, Database) {
    let server = PostgresServer::temporary().await.unwrap();
    Database::prepare(&server.url(server.superuser(), "postgres")).await.unwrap();
    Database::migrate(&owner_url(&server), &[SCHEMA]).await.unwrap();
    let db = Database::connect(&service_url(&server)).await.unwrap();
    (server, db)
}

pub(crate) fn owner_url(server: &PostgresServer) -> String {
    server.url(muster_eventlog::db::OWNER_ROLE, "postgres")
}

pub(crate) fn service_url(server: &PostgresServer) -> String {
    server.url(muster_eventlog::db::SERVICE_ROLE, "postgres")
}

/// Everything a tenant has in the tables, as text, in order.
pub(crate) async fn rows(db: &Database, tenant: &TenantId) -> Vec<String> {
    let mut tx = db.tenant_tx(tenant).await.unwrap();
    let sql = "SELECT event::text FROM (SELECT * FROM counting.event ORDER BY sequence, event_id) event
               UNION ALL SELECT total::text FROM (SELECT * FROM counting.total ORDER BY id) total";
    let rows = sqlx::query(sql).fetch_all(&mut *tx).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

/// `(sequence, id, version)` of every event in the table.
pub(crate) async fn projected(db: &Database, tenant: &TenantId) -> Vec<(u64, String, u64)> {
    let mut tx = db.tenant_tx(tenant).await.unwrap();
    let sql = "SELECT sequence, id, version FROM counting.event ORDER BY sequence";
    let rows = sqlx::query(sql).fetch_all(&mut *tx).await.unwrap();
    rows.iter().map(|row| (row.get::<i64, _>(0) as u64, row.get(1), row.get::<i64, _>(2) as u64)).collect()
}

pub(crate) async fn wait_until_projected(log: &EventLog, db: &Database, tenant: &TenantId) {
    let last = log.last_sequence(tenant).await.unwrap();
    eventually("the projection is at the log's end", || async {
        reached(db, Counting.name(), tenant).await.unwrap_or(0) >= last
    })
    .await;
}

pub(crate) async fn rebuild_all(log: &EventLog, db: &Database) {
    rebuild(log.clone(), db.clone(), Arc::new(Counting), |_| {}).await.unwrap();
}
