//! PostgreSQL, which holds what can be rebuilt from the log.
//!
//! The services connect as a role that owns nothing and cannot bypass row-level security, and every table has a
//! policy that shows the rows of one tenant: the one the transaction was opened for. A transaction without a tenant
//! sees nothing. So a forgotten `WHERE tenant = …` shows too little, never another customer's data.

mod migrate;
mod rows;

use std::time::Duration;

use muster_domain::TenantId;
use sqlx::{PgPool, Postgres, Row, Transaction, postgres::PgPoolOptions};

pub use migrate::{Migration, OWN_SCHEMA, Schema};
pub use rows::{assert_row_level_security, tables_without_row_level_security};

/// Connections of one process. Each projection holds one for milliseconds; PostgreSQL's default allows 100 in all.
const MAX_CONNECTIONS: u32 = 16;
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

/// Owns schemas and tables; used by migrations alone.
pub const OWNER_ROLE: &str = "muster_owner";
/// What the services are.
pub const SERVICE_ROLE: &str = "muster_service";

#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    #[error("the database does not answer as it should: {0}; check the database's address, user and logs")]
    Sql(#[from] sqlx::Error),
    #[error(
        "the database user '{user}' can bypass row-level security ({why}): tenants would not be separated; connect as {SERVICE_ROLE}"
    )]
    TooPowerful { user: String, why: &'static str },
    #[error(
        "migration {schema}/{migration} was changed after it was applied; restore its text and add a new migration instead"
    )]
    MigrationChanged { schema: String, migration: String },
    #[error("migration {schema}/{migration} failed: {source}")]
    MigrationFailed { schema: String, migration: String, source: sqlx::Error },
    #[error(
        "the database has migration {schema}/{migration}, which this version of Muster does not know; run a version that is not older"
    )]
    NewerDatabase { schema: String, migration: String },
    #[error(
        "these tables do not separate tenants by row-level security: {0}; call eventlog.protect('schema.table') in their migration"
    )]
    Unprotected(String),
}

/// The services' connection to PostgreSQL. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Database {
    pool: PgPool,
}

impl Database {
    /// Connects as the service role. Refuses a role for which row-level security would not count.
    pub async fn connect(url: &str) -> Result<Self, DatabaseError> {
        let pool =
            PgPoolOptions::new().max_connections(MAX_CONNECTIONS).acquire_timeout(ACQUIRE_TIMEOUT).connect(url).await?;
        let role =
            sqlx::query("SELECT rolname::text, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user")
                .fetch_one(&pool)
                .await?;
        let user: String = role.try_get(0)?;
        match (role.try_get(1)?, role.try_get(2)?) {
            (true, _) => Err(DatabaseError::TooPowerful { user, why: "it is a superuser" }),
            (_, true) => Err(DatabaseError::TooPowerful { user, why: "it has BYPASSRLS" }),
            (false, false) => Ok(Self { pool }),
        }
    }

    /// For reads of the catalogue and health checks. Tenants' tables look empty through it.
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// A transaction that sees and writes the rows of `tenant`.
    pub async fn tenant_tx(&self, tenant: &TenantId) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
        let mut tx = self.pool.begin().await?;
        // Local to the transaction: the connection goes back to the pool without it.
        sqlx::query("SELECT set_config('muster.tenant', $1, true)").bind(tenant.as_str()).execute(&mut *tx).await?;
        Ok(tx)
    }

    /// Creates the two roles if they are missing and lets the owner create schemas. `admin_url`: a superuser's, or
    /// one of a role that may create roles and grant on the database. Their passwords are the administrator's matter.
    pub async fn prepare(admin_url: &str) -> Result<(), DatabaseError> {
        migrate::prepare(admin_url).await
    }

    /// Brings the schemas up to date, the event log's own first. `owner_url`: as [`OWNER_ROLE`]. Idempotent, and safe
    /// to run from several instances at once.
    pub async fn migrate(owner_url: &str, schemas: &[Schema]) -> Result<(), DatabaseError> {
        migrate::migrate(owner_url, schemas).await
    }
}
