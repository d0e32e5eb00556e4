//! Roles, schemas and versioned SQL. An applied migration is never changed: its checksum is compared every time.

use sha2::{Digest, Sha256};
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};

use super::{DatabaseError, OWNER_ROLE, SERVICE_ROLE};

/// One service's tables: a schema, and the steps that lead to it.
#[derive(Debug, Clone, Copy)]
pub struct Schema {
    /// "monitor"; a constant of ours, never input.
    pub name: &'static str,
    /// In order. Only ever added to.
    pub migrations: &'static [Migration],
}

#[derive(Debug, Clone, Copy)]
pub struct Migration {
    /// "0001_readiness"
    pub name: &'static str,
    pub sql: &'static str,
}

/// What the event log itself keeps in PostgreSQL. Applied before all others, which use its `eventlog.protect`.
pub const OWN_SCHEMA: Schema = Schema {
    name: "eventlog",
    migrations: &[
        Migration { name: "0001_positions", sql: include_str!("../../migrations/0001_positions.sql") },
        Migration { name: "0002_forgotten", sql: include_str!("../../migrations/0002_forgotten.sql") },
    ],
};

/// Any number: instances that start together wait for each other.
const LOCK: i64 = 0x6d75_7374_6572;

pub(super) async fn prepare(admin_url: &str) -> Result<(), DatabaseError> {
    let mut admin = PgConnection::connect(admin_url).await?;
    for role in [OWNER_ROLE, SERVICE_ROLE] {
        // Roles belong to the whole server: another database's preparation may be faster.
        let sql = format!(
            "DO $$ BEGIN
                 IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') THEN CREATE ROLE {role} LOGIN NOSUPERUSER NOBYPASSRLS; END IF;
             EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
             END $$"
        );
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut admin).await?;
    }
    let database: String =
        sqlx::query("SELECT quote_ident(current_database())").fetch_one(&mut admin).await?.try_get(0)?;
    let grant = format!(
        "GRANT CONNECT, CREATE ON DATABASE {database} TO {OWNER_ROLE}; GRANT CONNECT ON DATABASE {database} TO {SERVICE_ROLE}"
    );
    sqlx::raw_sql(AssertSqlSafe(grant)).execute(&mut admin).await?;
    admin.close().await?;
    Ok(())
}

pub(super) async fn migrate(owner_url: &str, schemas: &[Schema]) -> Result<(), DatabaseError> {
    let mut owner = PgConnection::connect(owner_url).await?;
    sqlx::query("SELECT pg_advisory_lock($1)").bind(LOCK).execute(&mut owner).await?;
    sqlx::raw_sql(
        "CREATE SCHEMA IF NOT EXISTS migration;
         CREATE TABLE IF NOT EXISTS migration.applied (
             schema text NOT NULL, name text NOT NULL, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now(),
             PRIMARY KEY (schema, name))",
    )
    .execute(&mut owner)
    .await?;
    for schema in std::iter::once(&OWN_SCHEMA).chain(schemas) {
        bring_up(&mut owner, schema).await?;
    }
    // The lock ends with the session.
    owner.close().await?;
    Ok(())
}

async fn bring_up(owner: &mut PgConnection, schema: &Schema) -> Result<(), DatabaseError> {
    let name = schema.name;
    let sql = format!(
        "CREATE SCHEMA IF NOT EXISTS {name};
         GRANT USAGE ON SCHEMA {name} TO {SERVICE_ROLE};
         ALTER DEFAULT PRIVILEGES IN SCHEMA {name} GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {SERVICE_ROLE};
         ALTER DEFAULT PRIVILEGES IN SCHEMA {name} GRANT USAGE ON SEQUENCES TO {SERVICE_ROLE}"
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *owner).await?;
    let rows = sqlx::query("SELECT name, checksum FROM migration.applied WHERE schema = $1")
        .bind(name)
        .fetch_all(&mut *owner)
        .await?;
    let applied: Vec<(String, String)> =
        rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect::<Result<_, sqlx::Error>>()?;
    if let Some((unknown, _)) = applied.iter().find(|(known, _)| schema.migrations.iter().all(|m| m.name != known)) {
        return Err(DatabaseError::NewerDatabase { schema: name.to_owned(), migration: unknown.clone() });
    }
    for migration in schema.migrations {
        let checksum = checksum(migration.sql);
        match applied.iter().find(|(known, _)| known == migration.name) {
            Some((_, known)) if *known == checksum => {}
            Some(_) => {
                return Err(DatabaseError::MigrationChanged {
                    schema: name.to_owned(),
                    migration: migration.name.to_owned(),
                });
            }
            None => apply(owner, name, migration, &checksum).await?,
        }
    }
    Ok(())
}

/// The step and the note that it was taken, together or not at all.
async fn apply(
    owner: &mut PgConnection,
    schema: &str,
    migration: &Migration,
    checksum: &str,
) -> Result<(), DatabaseError> {
    let failed = |source| DatabaseError::MigrationFailed {
        schema: schema.to_owned(),
        migration: migration.name.to_owned(),
        source,
    };
    let mut tx = owner.begin().await?;
    sqlx::raw_sql(migration.sql).execute(&mut *tx).await.map_err(failed)?;
    sqlx::query("INSERT INTO migration.applied (schema, name, checksum) VALUES ($1, $2, $3)")
        .bind(schema)
        .bind(migration.name)
        .bind(checksum)
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    tracing::info!(schema, migration = migration.name, "migration applied");
    Ok(())
}

fn checksum(sql: &str) -> String {
    use std::fmt::Write;
    Sha256::digest(sql.as_bytes()).iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}"); // writing to a String cannot fail
        hex
    })
}
