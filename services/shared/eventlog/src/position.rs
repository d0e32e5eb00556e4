//! How far a handler has come in a tenant's log, kept in PostgreSQL beside what it did.

use std::time::Duration;

use muster_domain::TenantId;
use sqlx::{PgConnection, Row};
use tokio::time::Instant;

use crate::db::Database;

const FIRST_LOOK: Duration = Duration::from_millis(2);
const LONGEST_LOOK: Duration = Duration::from_millis(50);

#[derive(Debug, thiserror::Error)]
pub enum WaitError {
    #[error("{handler} has come to {reached} of tenant {tenant} and not yet to {wanted} after {} ms; ask again", waited.as_millis())]
    TooLate { handler: String, tenant: TenantId, wanted: u64, reached: u64, waited: Duration },
    #[error("the database does not answer: {0}")]
    Database(#[from] sqlx::Error),
}

/// Waits until the projection has taken in the tenant's log up to `min_version` (a sequence), for reads that must
/// show what their caller has just done.
pub async fn wait_for(
    db: &Database,
    projection_name: &str,
    tenant: &TenantId,
    min_version: u64,
    timeout: Duration,
) -> Result<(), WaitError> {
    let started = Instant::now();
    let mut pause = FIRST_LOOK;
    loop {
        let reached = reached(db, projection_name, tenant).await?;
        if reached >= min_version {
            return Ok(());
        }
        let waited = started.elapsed();
        if waited + pause > timeout {
            return Err(WaitError::TooLate {
                handler: projection_name.to_owned(),
                tenant: tenant.clone(),
                wanted: min_version,
                reached,
                waited,
            });
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_LOOK);
    }
}

/// The last sequence of the tenant's log that the handler has taken in.
pub async fn reached(db: &Database, handler: &str, tenant: &TenantId) -> Result<u64, sqlx::Error> {
    let mut tx = db.tenant_tx(tenant).await?;
    let row = sqlx::query("SELECT sequence FROM eventlog.position WHERE handler = $1 AND tenant = $2")
        .bind(handler)
        .bind(tenant.as_str())
        .fetch_optional(&mut *tx)
        .await?;
    tx.commit().await?;
    row.map_or(Ok(0), |row| sequence(&row, 0))
}

/// The position, and nobody else may move it until the transaction ends.
pub(crate) async fn lock(tx: &mut PgConnection, handler: &str, tenant: &TenantId) -> Result<u64, sqlx::Error> {
    let select = "SELECT sequence FROM eventlog.position WHERE handler = $1 AND tenant = $2 FOR UPDATE";
    if let Some(row) = sqlx::query(select).bind(handler).bind(tenant.as_str()).fetch_optional(&mut *tx).await? {
        return sequence(&row, 0);
    }
    sqlx::query("INSERT INTO eventlog.position (handler, tenant) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .bind(handler)
        .bind(tenant.as_str())
        .execute(&mut *tx)
        .await?;
    let row = sqlx::query(select).bind(handler).bind(tenant.as_str()).fetch_one(&mut *tx).await?;
    sequence(&row, 0)
}

pub(crate) async fn set(
    tx: &mut PgConnection,
    handler: &str,
    tenant: &TenantId,
    sequence: u64,
) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE eventlog.position SET sequence = $3 WHERE handler = $1 AND tenant = $2")
        .bind(handler)
        .bind(tenant.as_str())
        .bind(bigint(sequence))
        .execute(tx)
        .await?;
    Ok(())
}

/// Goes back to the beginning, once for each event that says that a payload key is destroyed. `false`: it did before.
pub(crate) async fn forget(
    tx: &mut PgConnection,
    handler: &str,
    tenant: &TenantId,
    destroyed_at: u64,
) -> Result<bool, sqlx::Error> {
    let update = "UPDATE eventlog.position SET sequence = 0, forgotten_at = $3
                   WHERE handler = $1 AND tenant = $2 AND forgotten_at < $3";
    let done = sqlx::query(update).bind(handler).bind(tenant.as_str()).bind(bigint(destroyed_at)).execute(tx).await?;
    Ok(done.rows_affected() > 0)
}

/// PostgreSQL has no unsigned type; no log reaches 2^63 entries.
pub(crate) fn bigint(sequence: u64) -> i64 {
    i64::try_from(sequence).unwrap_or(i64::MAX)
}

pub(crate) fn sequence(row: &sqlx::postgres::PgRow, column: usize) -> Result<u64, sqlx::Error> {
    let value: i64 = row.try_get(column)?;
    Ok(u64::try_from(value).unwrap_or(0))
}
