//! Lists of requests, from the read model.

use std::time::Duration;

use muster_domain::{
    TenantId,
    pb::{
        execution::v1::ExecutionView,
        request::v1::{ListRequestsRequest, ListRequestsResponse, RequestState, RequestView},
    },
    refusal::field_refusal,
};
use muster_eventlog::{db::Database, wait_for};
use muster_runtime::{IntoStatus, page, page::Page, refused};
use prost::Message;
use sqlx::{Row, postgres::PgRow};
use tonic::Status;

use crate::{projection, view::combine};

/// How long a reader waits for the read model to show what they have just done.
const WAIT_FOR_VERSION: Duration = Duration::from_secs(5);

pub(crate) async fn list(
    db: &Database,
    tenant: &TenantId,
    ask: &ListRequestsRequest,
) -> Result<ListRequestsResponse, Status> {
    let states = states(ask)?;
    let list = format!("requests:{tenant}:{}:{}:{}:{states:?}", ask.resource, ask.group, ask.break_glass);
    let page = page::parse::<i64>(ask.page.as_ref(), &list).map_err(IntoStatus::into_status)?;
    if ask.min_version > 0 {
        wait_for(db, projection::NAME, tenant, ask.min_version, WAIT_FOR_VERSION)
            .await
            .map_err(IntoStatus::into_status)?;
    }
    let mut rows = read(db, tenant, ask, &states, &page).await.map_err(IntoStatus::into_status)?;
    let next = page::finish(page.size, &list, &mut rows, |row| row.opened_sequence);
    let requests = rows.into_iter().map(|row| row.request).collect();
    Ok(ListRequestsResponse { requests, page: Some(next) })
}

struct Listed {
    opened_sequence: i64,
    request: RequestView,
}

async fn read(
    db: &Database,
    tenant: &TenantId,
    ask: &ListRequestsRequest,
    states: &[i32],
    page: &Page<i64>,
) -> Result<Vec<Listed>, sqlx::Error> {
    let mut tx = db.tenant_tx(tenant).await?;
    let rows = sqlx::query(
        "SELECT opened_sequence, version, request, execution FROM approval.request
          WHERE tenant = $1 AND (cardinality($2::int[]) = 0 OR state = ANY($2))
            AND ($3 = '' OR resource = $3 OR resources @> ARRAY[$3]) AND ($6 = '' OR group_name = $6)
            AND (NOT $7 OR break_glass) AND opened_sequence > 0 AND ($4::bigint IS NULL OR opened_sequence < $4)
          ORDER BY opened_sequence DESC LIMIT $5",
    )
    .bind(tenant.as_str())
    .bind(states)
    .bind(&ask.resource)
    .bind(page.after)
    .bind(i64::from(page.size) + 1)
    .bind(&ask.group)
    .bind(ask.break_glass)
    .fetch_all(&mut *tx)
    .await?;
    tx.commit().await?;
    rows.iter().map(|row| listed(tenant, row)).collect()
}

/// The states asked for, each once and in order, so that a page token fits the same question asked another way.
fn states(ask: &ListRequestsRequest) -> Result<Vec<i32>, Status> {
    let mut states = ask.states.clone();
    states.sort_unstable();
    states.dedup();
    match states.iter().find(|state| **state == 0 || RequestState::try_from(**state).is_err()) {
        None => Ok(states),
        Some(unknown) => Err(refused(&field_refusal(
            "states",
            "FIELD_INVALID",
            "a filter names states that exist",
            unknown.to_string(),
            "values of RequestState, or none for all",
            "leave the filter empty to see every request",
        ))),
    }
}

fn listed(tenant: &TenantId, row: &PgRow) -> Result<Listed, sqlx::Error> {
    let (request, execution): (Vec<u8>, Vec<u8>) = (row.try_get("request")?, row.try_get("execution")?);
    let version: i64 = row.try_get("version")?;
    let unreadable = |error: prost::DecodeError| sqlx::Error::Decode(error.into());
    let execution = if execution.is_empty() {
        None
    } else {
        Some(ExecutionView::decode(execution.as_slice()).map_err(unreadable)?)
    };
    let request = RequestView::decode(request.as_slice()).map_err(unreadable)?;
    Ok(Listed {
        opened_sequence: row.try_get("opened_sequence")?,
        request: combine(tenant, request, execution, version.unsigned_abs()),
    })
}
