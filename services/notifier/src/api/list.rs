//! The list of deliveries, newest first.

use std::time::Duration;

use jiff::Timestamp;
use muster_domain::TenantId;
use muster_domain::pb::notification::v1::{DeliveryView, ListDeliveriesRequest, ListDeliveriesResponse};
use muster_domain::time::{PbTimestamp, to_pb};
use muster_eventlog::{WaitError, wait_for};
use muster_runtime::{Context, page, refused, unavailable};
use sqlx::Row;
use sqlx::postgres::PgRow;
use tonic::Status;

use crate::projection;

/// How long a reader waits for the read model to show what they have just done.
const WAIT_FOR_VERSION: Duration = Duration::from_secs(5);

pub(crate) async fn list(
    ctx: &Context,
    tenant: &TenantId,
    ask: &ListDeliveriesRequest,
) -> Result<ListDeliveriesResponse, Status> {
    let list = format!(
        "deliveries:{tenant}:{}:{}:{}:{}:{:?}",
        ask.resource, ask.request_id, ask.route, ask.alert_id, ask.states
    );
    let page = page::parse::<i64>(ask.page.as_ref(), &list).map_err(|refusal| refused(&refusal))?;
    if ask.min_version > 0 {
        wait_for(&ctx.db, projection::NAME, tenant, ask.min_version, WAIT_FOR_VERSION).await.map_err(waited)?;
    }
    let mut rows = read(ctx, tenant, ask, page.after, i64::from(page.size) + 1).await.map_err(database)?;
    let next = page::finish(page.size, &list, &mut rows, |row| row.try_get::<i64, _>("sequence").unwrap_or_default());
    let deliveries = rows.iter().map(view).collect::<Result<_, _>>().map_err(database)?;
    Ok(ListDeliveriesResponse { deliveries, page: Some(next) })
}

async fn read(
    ctx: &Context,
    tenant: &TenantId,
    ask: &ListDeliveriesRequest,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<PgRow>, sqlx::Error> {
    let mut tx = ctx.db.tenant_tx(tenant).await?;
    let rows = sqlx::query(
        "SELECT * FROM notifier.delivery
          WHERE tenant = $1 AND ($2 = '' OR resource = $2) AND ($3 = '' OR request_id = $3)
            AND ($4::bigint IS NULL OR sequence < $4)
            AND (cardinality($6::int[]) = 0 OR state = ANY($6)) AND ($7 = '' OR route = $7)
            AND ($8 = '' OR alert_id = $8)
          ORDER BY sequence DESC LIMIT $5",
    )
    .bind(tenant.as_str())
    .bind(ask.resource.replace('\0', ""))
    .bind(ask.request_id.replace('\0', ""))
    .bind(before)
    .bind(limit)
    .bind(&ask.states)
    .bind(ask.route.replace('\0', ""))
    .bind(ask.alert_id.replace('\0', ""))
    .fetch_all(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(rows)
}

fn view(row: &PgRow) -> Result<DeliveryView, sqlx::Error> {
    let attempts: i64 = row.try_get("attempts")?;
    Ok(DeliveryView {
        delivery_id: row.try_get("delivery_id")?,
        state: row.try_get("state")?,
        route: row.try_get("route")?,
        channel: row.try_get("channel")?,
        recipient: row.try_get("recipient")?,
        message_kind: row.try_get("message_kind")?,
        subject: row.try_get("subject")?,
        source_event_id: row.try_get("source_event_id")?,
        resource: row.try_get("resource")?,
        request_id: row.try_get("request_id")?,
        attempts: u32::try_from(attempts).unwrap_or(u32::MAX),
        queued_at: time(row, "queued_at_us")?,
        finished_at: time(row, "finished_at_us")?,
        last_error: row.try_get("last_error")?,
        receipt: row.try_get("receipt")?,
        retry_at: time(row, "retry_at_us")?,
        severity: row.try_get("severity")?,
        tier: row.try_get("tier")?,
        person: row.try_get("person")?,
        test: row.try_get("test")?,
        repetition: u32::try_from(row.try_get::<i64, _>("repetition")?).unwrap_or(u32::MAX),
        alert_id: row.try_get("alert_id")?,
        rule: row.try_get("rule")?,
        grouped_into: row.try_get("grouped_into")?,
    })
}

fn time(row: &PgRow, column: &str) -> Result<Option<PbTimestamp>, sqlx::Error> {
    let micros: Option<i64> = row.try_get(column)?;
    Ok(micros.and_then(|us| Timestamp::from_microsecond(us).ok()).map(to_pb))
}

fn waited(error: WaitError) -> Status {
    tracing::warn!(%error, "the read model is behind");
    unavailable("the list of deliveries at the version asked for", "ask again in a few seconds, or without min_version")
}

fn database(error: sqlx::Error) -> Status {
    tracing::error!(%error, "the list of deliveries cannot be read");
    unavailable("the list of deliveries", "ask again in a few seconds")
}
