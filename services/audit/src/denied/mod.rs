//! What was refused to whom. Attempts that are alike and close together are one line with a count; each of them is an
//! event of its own in the record.

use std::time::Duration;

use muster_domain::{
    Aggregate, TenantId,
    denial::Denial,
    pb::{
        audit::v1::{DeniedAttempt, ListDeniedAttemptsRequest, ListDeniedAttemptsResponse},
        identity::v1::{AttemptDenied, DenialEvent, denial_event},
    },
};
use muster_eventlog::{ProjectionError, Record, wait_for};
use muster_runtime::{Call, Context, IntoStatus, page, refused, status::internal};
use prost::Message;
use sqlx::{PgConnection, Row};
use tonic::Status;

use crate::{
    filter,
    projection::{self, searchable},
    query::QueryError,
    story,
    views::{self, number},
};

/// Attempts further apart than this are lines of their own.
const ALIKE_SECONDS: i32 = 60;
const WAIT_FOR_VERSION: Duration = Duration::from_secs(5);

pub(crate) async fn project(tx: &mut PgConnection, tenant: &str, batch: &[Record]) -> Result<(), ProjectionError> {
    for record in batch.iter().filter(|record| record.kind == Denial::KIND) {
        let Some(denial_event::Event::Denied(denied)) = record.decode::<DenialEvent>()?.event else { continue };
        take_in(tx, tenant, record, &denied).await?;
    }
    Ok(())
}

async fn take_in(
    tx: &mut PgConnection,
    tenant: &str,
    record: &Record,
    denied: &AttemptDenied,
) -> Result<(), ProjectionError> {
    let alike = alike(denied);
    let at_micros = record.time.as_microsecond();
    let counted = sqlx::query(
        "UPDATE audit.denied SET attempts = attempts + 1
          WHERE tenant = $1 AND sequence = (SELECT max(sequence) FROM audit.denied WHERE tenant = $1 AND alike = $2)
            AND happened_at > to_timestamp($3 / 1e6) - make_interval(secs => $4)",
    )
    .bind(tenant)
    .bind(&alike)
    .bind(at_micros)
    .bind(f64::from(ALIKE_SECONDS))
    .execute(&mut *tx)
    .await?;
    if counted.rows_affected() > 0 {
        return Ok(());
    }
    let actor = denied.actor.clone().unwrap_or_default();
    sqlx::query(
        "INSERT INTO audit.denied (tenant, sequence, happened_at, alike, actor_search, attempts, denied)
         VALUES ($1, $2, to_timestamp($3 / 1e6), $4, $5, 1, $6)",
    )
    .bind(tenant)
    .bind(number(record.sequence))
    .bind(at_micros)
    .bind(&alike)
    .bind(searchable(&format!("{} {}", actor.id, actor.name)))
    .bind(denied.encode_to_vec())
    .execute(tx)
    .await?;
    Ok(())
}

/// Equal for attempts of one person at one thing that one rule refused.
fn alike(denied: &AttemptDenied) -> String {
    let actor = denied.actor.as_ref().map(|actor| actor.id.as_str()).unwrap_or_default();
    let code = denied.refusal.as_ref().map(|refusal| refusal.code.as_str()).unwrap_or_default();
    let parts = [actor, &denied.method, code, &denied.resource, &denied.request_id];
    muster_domain::ids::derived_id(&parts).to_string()
}

pub(crate) async fn list_denied_attempts(
    context: &Context,
    call: Call<ListDeniedAttemptsRequest>,
) -> Result<ListDeniedAttemptsResponse, Status> {
    let ask = &call.message;
    let filter = muster_domain::pb::audit::v1::AuditFilter {
        from: ask.from,
        to: ask.to,
        actor: ask.actor.clone(),
        ..Default::default()
    };
    let filter = filter::check(Some(&filter)).map_err(|r| refused(&r))?;
    let list = format!("denied:{}:{filter:?}", call.tenant);
    let list = muster_domain::ids::derived_id(&[&list]).to_string();
    let page = page::parse::<i64>(ask.page.as_ref(), &list).map_err(|r| refused(&r))?;
    if ask.min_version > 0 {
        for name in [views::NAME, projection::NAME] {
            wait_for(&context.db, name, &call.tenant, ask.min_version, WAIT_FOR_VERSION)
                .await
                .map_err(IntoStatus::into_status)?;
        }
    }
    let rows = read(context, &call.tenant, &filter, page.after, i64::from(page.size) + 1).await;
    let mut rows = rows.map_err(|e| internal(&e))?;
    let next = page::finish(page.size, &list, &mut rows, |(sequence, _)| *sequence);
    Ok(ListDeniedAttemptsResponse {
        attempts: rows.into_iter().map(|(_, attempt)| attempt).collect(),
        page: Some(next),
    })
}

async fn read(
    context: &Context,
    tenant: &TenantId,
    filter: &filter::Filter,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<(i64, DeniedAttempt)>, QueryError> {
    let mut tx = context.db.tenant_tx(tenant).await?;
    let rows = sqlx::query(
        "SELECT sequence, attempts, denied FROM audit.denied
          WHERE tenant = $1 AND ($2::bigint IS NULL OR happened_at >= to_timestamp($2 / 1e6))
            AND ($3::bigint IS NULL OR happened_at < to_timestamp($3 / 1e6)) AND ($4 = '' OR actor_search LIKE $4)
            AND ($5::bigint IS NULL OR sequence < $5)
          ORDER BY sequence DESC LIMIT $6",
    )
    .bind(tenant.as_str())
    .bind(filter.from_micros)
    .bind(filter.to_micros)
    .bind(&filter.actor)
    .bind(before)
    .bind(limit)
    .fetch_all(&mut *tx)
    .await?;
    tx.commit().await?;
    let sequences = rows.iter().map(|row| row.try_get("sequence")).collect::<Result<Vec<i64>, _>>()?;
    let mut records = story::by_sequence(&context.db, tenant, &sequences).await?;
    let attempt = |row: &sqlx::postgres::PgRow| {
        let sequence: i64 = row.try_get("sequence")?;
        let denied = AttemptDenied::decode(row.try_get::<Vec<u8>, _>("denied")?.as_slice())?;
        let attempts: i32 = row.try_get("attempts")?;
        let attempt = DeniedAttempt {
            record: records.remove(&sequence.unsigned_abs()),
            method: denied.method,
            refusal: denied.refusal,
            count: attempts.unsigned_abs(),
        };
        Ok((sequence, attempt))
    };
    rows.iter().map(attempt).collect()
}
