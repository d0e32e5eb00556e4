//! Recipients that nothing is sent to any more: gone, unknown, or failing for days.
//!
//! Read from the projection. While that is being rebuilt too much is sent, never too little.

use jiff::{SignedDuration, Timestamp};
use muster_domain::TenantId;
use muster_domain::delivery::Decision;
use muster_eventlog::db::Database;
use sqlx::Row;

/// An endpoint that took nothing for so long is not expected to come back by itself.
const FAILING_FOR: SignedDuration = SignedDuration::from_hours(5 * 24);

/// Whether the recipient is disabled. Declaring its route again enables it.
pub(crate) async fn is_disabled(
    db: &Database,
    tenant: &TenantId,
    decision: &Decision,
    declared_at: Option<Timestamp>,
    now: Timestamp,
) -> Result<bool, sqlx::Error> {
    let mut tx = db.tenant_tx(tenant).await?;
    let row = sqlx::query("SELECT disabled_at_us, failing_since_us FROM notifier.recipient WHERE tenant = $1 AND route = $2 AND recipient = $3")
        .bind(tenant.as_str())
        .bind(&decision.route)
        .bind(&decision.recipient.shown)
        .fetch_optional(&mut *tx)
        .await?;
    tx.commit().await?;
    let Some(row) = row else { return Ok(false) };
    let declared_us = declared_at.map_or(i64::MIN, Timestamp::as_microsecond);
    let since = |column: &str| row.try_get::<Option<i64>, _>(column).map(|at| at.filter(|at| *at >= declared_us));
    let failing_too_long =
        since("failing_since_us")?.is_some_and(|at| now.as_microsecond().saturating_sub(at) > micros(FAILING_FOR));
    Ok(since("disabled_at_us")?.is_some() || failing_too_long)
}

fn micros(duration: SignedDuration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
