//! Empties a projection's tables and fills them again from the beginning of the log.
//!
//! Each tenant's rows and position are reset in one transaction, with a note how far the rebuild has to go; then the
//! log is replayed by the same code that runs every day. Killed, it goes on where it was when it is started again.

use std::sync::Arc;

use muster_domain::TenantId;
use sqlx::{AssertSqlSafe, PgConnection, Row};

use crate::{
    EventLog,
    db::Database,
    error::LogError,
    position::{self, bigint},
    projection::{Projection, Projector},
};

/// How far a rebuild has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    pub tenant: TenantId,
    /// Which tenant this is, from 1.
    pub tenant_number: usize,
    pub tenants: usize,
    /// The tenant's log is taken in up to here …
    pub sequence: u64,
    /// … and has to be up to here.
    pub target: u64,
    /// It goes on with a rebuild that was interrupted.
    pub resumed: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(
        "the database does not answer as it should: {0}; the rebuild goes on where it was when it is started again"
    )]
    Database(#[from] sqlx::Error),
}

/// Rebuilds the projection for all tenants. Instances that project meanwhile notice and do no harm.
pub async fn rebuild(
    log: EventLog,
    db: Database,
    projection: Arc<dyn Projection>,
    progress: impl Fn(Progress),
) -> Result<(), RebuildError> {
    let tenants = log.tenants().await?;
    let mut targets = Vec::with_capacity(tenants.len());
    // All tables are emptied first: until the rebuild has reached a tenant it shows nothing rather than old and new mixed.
    for tenant in &tenants {
        let last = log.last_sequence(tenant).await?;
        targets.push(reset(&db, projection.as_ref(), tenant, last).await?);
    }
    for (index, (tenant, (target, resumed))) in tenants.iter().zip(targets).enumerate() {
        let mut projector = Projector::new(log.clone(), db.clone(), projection.clone(), tenant.clone()).await;
        loop {
            progress(Progress {
                tenant: tenant.clone(),
                tenant_number: index + 1,
                tenants: tenants.len(),
                sequence: projector.position,
                target,
                resumed,
            });
            if projector.position >= target {
                break;
            }
            projector.step().await;
        }
    }
    for tenant in &tenants {
        finish(&db, projection.name(), tenant).await?;
    }
    Ok(())
}

/// Empties the tenant's rows unless an interrupted rebuild did. The target, and whether it was interrupted.
async fn reset(
    db: &Database,
    projection: &dyn Projection,
    tenant: &TenantId,
    last: u64,
) -> Result<(u64, bool), sqlx::Error> {
    let mut tx = db.tenant_tx(tenant).await?;
    position::lock(&mut tx, projection.name(), tenant).await?;
    let row = sqlx::query("SELECT rebuilding_to FROM eventlog.position WHERE handler = $1 AND tenant = $2")
        .bind(projection.name())
        .bind(tenant.as_str())
        .fetch_one(&mut *tx)
        .await?;
    if let Some(target) = row.try_get::<Option<i64>, _>(0)? {
        tx.commit().await?;
        return Ok((u64::try_from(target).unwrap_or(0), true));
    }
    empty_tables(&mut tx, projection).await?;
    sqlx::query("UPDATE eventlog.position SET sequence = 0, rebuilding_to = $3 WHERE handler = $1 AND tenant = $2")
        .bind(projection.name())
        .bind(tenant.as_str())
        .bind(bigint(last))
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok((last, false))
}

/// Deletes the rows of the transaction's tenant.
pub(crate) async fn empty_tables(tx: &mut PgConnection, projection: &dyn Projection) -> Result<(), sqlx::Error> {
    for table in projection.tables() {
        // A constant of the program. Row-level security keeps the deletion to this tenant.
        sqlx::query(AssertSqlSafe(format!("DELETE FROM {table}"))).execute(&mut *tx).await?;
    }
    Ok(())
}

async fn finish(db: &Database, handler: &str, tenant: &TenantId) -> Result<(), sqlx::Error> {
    let mut tx = db.tenant_tx(tenant).await?;
    sqlx::query("UPDATE eventlog.position SET rebuilding_to = NULL WHERE handler = $1 AND tenant = $2")
        .bind(handler)
        .bind(tenant.as_str())
        .execute(&mut *tx)
        .await?;
    tx.commit().await
}
