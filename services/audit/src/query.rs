//! Reading rows by filter, in either direction, from a position on.

use muster_domain::{TenantId, pb::audit::v1::AuditRecord};
use muster_eventlog::Database;
use prost::Message;
use sqlx::Row;

use crate::filter::Filter;

#[derive(Debug, thiserror::Error)]
pub(crate) enum QueryError {
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    #[error("a stored row cannot be decoded: {0}; run `muster projection rebuild audit.records`")]
    Decode(#[from] prost::DecodeError),
}

/// At most `limit` records. `after`: the last sequence that was seen.
pub(crate) async fn records(
    db: &Database,
    tenant: &TenantId,
    filter: &Filter,
    newest_first: bool,
    after: Option<u64>,
    limit: u32,
) -> Result<Vec<AuditRecord>, QueryError> {
    const CONDITIONS: &str = "tenant = $1
        AND ($2::bigint IS NULL OR happened_at >= to_timestamp($2 / 1e6)) AND ($3::bigint IS NULL OR happened_at < to_timestamp($3 / 1e6))
        AND ($4 = '' OR resource = $4) AND ($5 = '' OR request_id = $5) AND ($6 = '' OR actor_search LIKE $6)
        AND (cardinality($7::text[]) = 0 OR type LIKE ANY($7))";
    let oldest = select(CONDITIONS, "sequence > $8", "ASC");
    let newest = select(CONDITIONS, "sequence < $8", "DESC");
    let start = match (after, newest_first) {
        (Some(sequence), _) => sequence.cast_signed(),
        (None, true) => i64::MAX,
        (None, false) => 0,
    };
    let mut tx = db.tenant_tx(tenant).await?;
    let rows = sqlx::query(sqlx::AssertSqlSafe(if newest_first { newest } else { oldest }))
        .bind(tenant.as_str())
        .bind(filter.from_micros)
        .bind(filter.to_micros)
        .bind(&filter.resource)
        .bind(&filter.request_id)
        .bind(&filter.actor)
        .bind(&filter.types)
        .bind(start)
        .bind(i64::from(limit))
        .fetch_all(&mut *tx)
        .await?;
    tx.commit().await?;
    rows.iter().map(|row| Ok(AuditRecord::decode(row.try_get::<Vec<u8>, _>(0)?.as_slice())?)).collect()
}

/// Only constants go in.
fn select(conditions: &str, position: &str, order: &str) -> String {
    format!("SELECT record FROM audit.record WHERE {conditions} AND {position} ORDER BY sequence {order} LIMIT $9")
}
