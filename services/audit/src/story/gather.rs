//! Finding the events of one story: the index says which belong to the request, the log what it was about and what led
//! to it.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use muster_domain::{
    AggregateId, TenantId,
    execution::Execution,
    pb::{
        audit::v1::AuditRecord,
        execution::v1::ExecutionView,
        request::v1::{RequestOpened, RequestView},
    },
    preflight::Preflight,
    request::{Request, resources},
};
use muster_eventlog::{Database, wait_for};
use muster_runtime::{Context, IntoStatus, refused, status::internal};
use prost::Message;
use sqlx::Row;
use tonic::Status;

use super::not_found;
use crate::{
    projection,
    query::QueryError,
    views::{self, number},
};

/// Both tables follow the log by milliseconds; after the end of a run its page has to be there within 5 s.
const WAIT_FOR_VIEWS: Duration = Duration::from_secs(4);
/// The longest run has some hundreds; a story beyond this is read in the list.
const MAX_EVENTS: i64 = 5_000;
/// Alerts looked through for those that were open when the request was made.
const MAX_ALERTS: i64 = 300;

/// The request, its run, and every event of their story, in the order of the log.
pub(crate) struct Gathered {
    pub(crate) request: RequestView,
    pub(crate) run: Option<ExecutionView>,
    pub(crate) records: Vec<AuditRecord>,
}

pub(crate) async fn gather(
    context: &Context,
    tenant: &TenantId,
    id: &AggregateId,
    min_version: u64,
) -> Result<Gathered, Status> {
    let request = context.log.load::<Request>(tenant, id).await.map_err(IntoStatus::into_status)?;
    let Some(opened) = request.state.view.opened.clone() else { return Err(not_found(id)) };
    let run = context.log.load::<Execution>(tenant, id).await.map_err(IntoStatus::into_status)?;
    let sequence = request.sequence.max(run.sequence);
    for name in [views::NAME, projection::NAME] {
        wait_for(&context.db, name, tenant, sequence.max(min_version), WAIT_FOR_VIEWS)
            .await
            .map_err(IntoStatus::into_status)?;
    }
    let mut sequences = of_request(&context.db, tenant, id).await.map_err(|e| internal(&e))?;
    if sequences.len() >= usize::try_from(MAX_EVENTS).unwrap_or(usize::MAX) {
        return Err(too_long(id));
    }
    sequences.extend(preflight(context, tenant, &opened).await?);
    let first = sequences.first().copied().unwrap_or_default();
    sequences.extend(alerts(&context.db, tenant, &opened, first).await.map_err(|e| internal(&e))?);
    let sequences: Vec<i64> = sequences.into_iter().collect();
    let records = by_sequence(&context.db, tenant, &sequences).await.map_err(|e| internal(&e))?;
    let view = run.state.exists().then_some(run.state.view);
    Ok(Gathered { request: request.state.view, run: view, records: records.into_values().collect() })
}

fn too_long(id: &AggregateId) -> Status {
    refused(&muster_domain::refusal::refusal(
        "STORY_TOO_LONG",
        "a story has an end to what one answer holds",
        format!("{MAX_EVENTS} events or more"),
        format!("fewer than {MAX_EVENTS} events"),
        format!("read it page by page: `muster audit list --request {id}`"),
    ))
}

async fn of_request(db: &Database, tenant: &TenantId, id: &AggregateId) -> Result<BTreeSet<i64>, sqlx::Error> {
    let mut tx = db.tenant_tx(tenant).await?;
    let rows = sqlx::query(
        "SELECT sequence FROM audit.story WHERE tenant = $1 AND request_id = $2 ORDER BY sequence LIMIT $3",
    )
    .bind(tenant.as_str())
    .bind(id.as_str())
    .bind(MAX_EVENTS)
    .fetch_all(&mut *tx)
    .await?;
    tx.commit().await?;
    rows.iter().map(|row| row.try_get(0)).collect()
}

/// The preflight that the requester looked at.
async fn preflight(context: &Context, tenant: &TenantId, opened: &RequestOpened) -> Result<Option<i64>, Status> {
    let named = opened.evidence.as_ref().and_then(|evidence| evidence.preflight_id.parse::<AggregateId>().ok());
    let Some(id) = named else { return Ok(None) };
    let preflight = context.log.load::<Preflight>(tenant, &id).await.map_err(IntoStatus::into_status)?;
    Ok((preflight.sequence > 0).then(|| number(preflight.sequence)))
}

/// The alerts about its systems that were open when it was made, with what became of them.
async fn alerts(
    db: &Database,
    tenant: &TenantId,
    opened: &RequestOpened,
    made_at: i64,
) -> Result<Vec<i64>, QueryError> {
    let mut tx = db.tenant_tx(tenant).await?;
    // Those before it, newest first; and of those after it the first ones.
    let rows = sqlx::query(
        "(SELECT sequence, type, record FROM audit.record
           WHERE tenant = $1 AND resource = ANY($2) AND type LIKE 'alert.%' AND sequence < $3
           ORDER BY sequence DESC LIMIT $4)
         UNION ALL
         (SELECT sequence, type, record FROM audit.record
           WHERE tenant = $1 AND resource = ANY($2) AND type = 'alert.resolved' AND sequence > $3
           ORDER BY sequence LIMIT $4)",
    )
    .bind(tenant.as_str())
    .bind(resources(opened))
    .bind(made_at)
    .bind(MAX_ALERTS)
    .fetch_all(&mut *tx)
    .await?;
    tx.commit().await?;
    let mut by_alert: BTreeMap<String, Vec<(i64, String)>> = BTreeMap::new();
    for row in rows {
        let record = AuditRecord::decode(row.try_get::<Vec<u8>, _>("record")?.as_slice())?;
        by_alert.entry(alert_id(&record)).or_default().push((row.try_get("sequence")?, row.try_get("type")?));
    }
    let led_to_it = by_alert.into_values().filter(|events| {
        let before = |wanted: &str| events.iter().any(|(sequence, kind)| *sequence < made_at && kind == wanted);
        before("alert.opened") && !before("alert.resolved")
    });
    Ok(led_to_it.flatten().map(|(sequence, _)| sequence).collect())
}

fn alert_id(record: &AuditRecord) -> String {
    let event: serde_json::Value = serde_json::from_str(&record.payload_json).unwrap_or_default();
    let content = event.as_object().and_then(|fields| fields.values().next());
    content.and_then(|content| content["alertId"].as_str()).unwrap_or_default().to_owned()
}

/// The records at these places, in the order of the log.
pub(crate) async fn by_sequence(
    db: &Database,
    tenant: &TenantId,
    sequences: &[i64],
) -> Result<BTreeMap<u64, AuditRecord>, QueryError> {
    let mut tx = db.tenant_tx(tenant).await?;
    let rows = sqlx::query("SELECT sequence, record FROM audit.record WHERE tenant = $1 AND sequence = ANY($2)")
        .bind(tenant.as_str())
        .bind(sequences)
        .fetch_all(&mut *tx)
        .await?;
    tx.commit().await?;
    let mut records = BTreeMap::new();
    for row in rows {
        let sequence: i64 = row.try_get("sequence")?;
        let record = AuditRecord::decode(row.try_get::<Vec<u8>, _>("record")?.as_slice())?;
        records.insert(sequence.unsigned_abs(), record);
    }
    Ok(records)
}
