//! Gaps as they stand: what is open before what is closed, the worst first, then the newest.

use std::time::Duration;

use jiff::Timestamp;
use muster_domain::{
    TenantId,
    gap::Gap,
    pb::audit::v1::{Gap as GapView, ListGapsRequest, ListGapsResponse},
};
use muster_eventlog::{Database, wait_for};
use muster_runtime::{Call, Context, IntoStatus, page, refused, status::internal};
use prost::Message;
use sqlx::{Row, postgres::PgRow};
use tonic::Status;

use crate::{query::QueryError, views};

/// How long a reader waits for the table to show what they have just done.
const WAIT_FOR_VERSION: Duration = Duration::from_secs(5);

/// The sort key of a row: closed, severity downwards, sequence downwards.
type Place = (bool, i32, i64);

pub(crate) async fn list_gaps(context: &Context, call: Call<ListGapsRequest>) -> Result<ListGapsResponse, Status> {
    let ask = &call.message;
    let list =
        format!("gaps:{}:{}:{}:{}:{}", call.tenant, ask.include_closed, ask.resource, ask.request_id, ask.gap_id);
    let page = page::parse::<Place>(ask.page.as_ref(), &list).map_err(|r| refused(&r))?;
    if ask.min_version > 0 {
        wait_for(&context.db, views::NAME, &call.tenant, ask.min_version, WAIT_FOR_VERSION)
            .await
            .map_err(IntoStatus::into_status)?;
    }
    let asked = Asked {
        include_closed: ask.include_closed || !ask.gap_id.is_empty(),
        resource: &ask.resource,
        request_id: &ask.request_id,
        gap_id: &ask.gap_id,
        after: page.after,
        limit: i64::from(page.size) + 1,
    };
    let mut rows = read(&context.db, &call.tenant, &asked, call.now).await.map_err(|e| internal(&e))?;
    let next = page::finish(page.size, &list, &mut rows, |(place, _)| *place);
    Ok(ListGapsResponse { gaps: rows.into_iter().map(|(_, gap)| gap).collect(), page: Some(next) })
}

/// More gaps of one request than this are found in the list.
const MAX_OF_REQUEST: i64 = 100;

/// Every gap that a request's run showed.
pub(crate) async fn of_request(
    db: &Database,
    tenant: &TenantId,
    request_id: &str,
    now: Timestamp,
) -> Result<Vec<GapView>, QueryError> {
    let asked =
        Asked { include_closed: true, resource: "", request_id, gap_id: "", after: None, limit: MAX_OF_REQUEST };
    Ok(read(db, tenant, &asked, now).await?.into_iter().map(|(_, gap)| gap).collect())
}

struct Asked<'a> {
    include_closed: bool,
    resource: &'a str,
    request_id: &'a str,
    gap_id: &'a str,
    after: Option<Place>,
    limit: i64,
}

async fn read(
    db: &Database,
    tenant: &TenantId,
    asked: &Asked<'_>,
    now: Timestamp,
) -> Result<Vec<(Place, GapView)>, QueryError> {
    let plain = |text: &str| text.replace('\0', " ");
    let after = asked.after;
    let mut tx = db.tenant_tx(tenant).await?;
    let rows = sqlx::query(
        "SELECT closed, -severity AS rank, -opened_sequence AS age, gap FROM audit.gap
          WHERE tenant = $1 AND ($2 OR NOT closed) AND ($3 = '' OR resource = $3) AND ($4 = '' OR request_id = $4)
            AND ($5 = '' OR gap_id = $5)
            AND ($6::boolean IS NULL OR (closed, -severity, -opened_sequence) > ($6, $7::int, $8::bigint))
          ORDER BY closed, -severity, -opened_sequence LIMIT $9",
    )
    .bind(tenant.as_str())
    .bind(asked.include_closed)
    .bind(plain(asked.resource))
    .bind(plain(asked.request_id))
    .bind(plain(asked.gap_id))
    .bind(after.map(|place| place.0))
    .bind(after.map(|place| place.1))
    .bind(after.map(|place| place.2))
    .bind(asked.limit)
    .fetch_all(&mut *tx)
    .await?;
    tx.commit().await?;
    rows.iter().map(|row| listed(row, now)).collect()
}

fn listed(row: &PgRow, now: Timestamp) -> Result<(Place, GapView), QueryError> {
    let place = (row.try_get("closed")?, row.try_get("rank")?, row.try_get("age")?);
    let stored = GapView::decode(row.try_get::<Vec<u8>, _>("gap")?.as_slice())?;
    let overdue = Gap::of_view(stored.clone()).is_overdue(now);
    Ok((place, GapView { overdue, ..stored }))
}
