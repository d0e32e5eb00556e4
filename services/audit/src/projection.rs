//! Every event of the log as a row that can be filtered.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use muster_domain::{
    Aggregate as _,
    audit::{Description, describe},
    execution::Execution,
    pb::audit::v1::AuditRecord,
    request::Request,
    time::to_pb,
};
use muster_eventlog::{Projection, ProjectionError, Record};
use prost::Message;
use sqlx::{PgConnection, Row};

pub(crate) const NAME: &str = "audit.records";

pub(crate) struct Records;

#[async_trait]
impl Projection for Records {
    fn name(&self) -> &'static str {
        NAME
    }

    fn tables(&self) -> &'static [&'static str] {
        &["audit.record", "audit.request_resource"]
    }

    async fn apply(&self, tx: &mut PgConnection, batch: &[Record]) -> Result<(), ProjectionError> {
        let Some(tenant) = batch.first().map(|record| record.tenant.to_string()) else { return Ok(()) };
        let mut rows = batch.iter().map(row).collect::<Result<Vec<_>, _>>()?;
        name_resources(tx, &tenant, &mut rows).await?;
        insert(tx, &tenant, &rows).await
    }

    /// The list has no holes: that an event happened, when, and through whom (by id) outlives its content.
    async fn apply_destroyed(&self, tx: &mut PgConnection, batch: &[Record]) -> Result<(), ProjectionError> {
        let Some(tenant) = batch.first().map(|record| record.tenant.to_string()) else { return Ok(()) };
        let rows: Vec<AuditRecord> = batch.iter().map(|record| of_headers(record, destroyed(record))).collect();
        insert(tx, &tenant, &rows).await
    }
}

/// What is left of an event whose payload key is destroyed.
fn destroyed(record: &Record) -> Description {
    // A request's own events are named by it; their headers say which.
    let is_of_request = [Request::KIND, Execution::KIND].contains(&record.kind.as_str());
    Description {
        request_id: if is_of_request { record.id.clone() } else { String::new() },
        outcome: "content destroyed".to_owned(),
        payload_json: "null".to_owned(),
        ..Description::default()
    }
}

/// An event that cannot be described is the event's fault: it is parked by name and is not lost.
fn row(record: &Record) -> Result<AuditRecord, ProjectionError> {
    let described =
        describe(&record.kind, &record.id, &record.payload).map_err(|e| ProjectionError::Invalid(e.to_string()))?;
    Ok(of_headers(record, described))
}

fn of_headers(record: &Record, described: Description) -> AuditRecord {
    AuditRecord {
        sequence: record.sequence,
        stored_at: Some(to_pb(record.stored_at)),
        time: Some(to_pb(record.time)),
        event_id: record.event_id.to_string(),
        r#type: record.event_type.clone(),
        tenant: record.tenant.to_string(),
        actor: Some(record.actor.clone()),
        aggregate: format!("{}/{}", record.kind, record.id),
        aggregate_version: record.version,
        resource: described.resource,
        request_id: described.request_id,
        outcome: described.outcome,
        reason: described.reason,
        correlation_id: record.correlation.to_string(),
        causation_id: record.causation.map(|id| id.to_string()).unwrap_or_default(),
        traceparent: record.traceparent.clone().unwrap_or_default(),
        payload_json: described.payload_json,
        payload_sha256: record.stored_sha256().to_hex(),
        site: described.site,
        policy: described.policy,
    }
}

/// Later events of a request name only the request: the resource comes from its first one.
async fn name_resources(tx: &mut PgConnection, tenant: &str, rows: &mut [AuditRecord]) -> Result<(), ProjectionError> {
    let mut known: BTreeMap<String, String> = BTreeMap::new();
    for row in rows.iter().filter(|row| !row.request_id.is_empty() && !row.resource.is_empty()) {
        known.entry(row.request_id.clone()).or_insert_with(|| row.resource.clone());
    }
    let (requests, resources): (Vec<&str>, Vec<&str>) =
        known.iter().map(|(request, resource)| (request.as_str(), resource.as_str())).unzip();
    sqlx::query("INSERT INTO audit.request_resource (tenant, request_id, resource) SELECT $1, * FROM UNNEST($2::text[], $3::text[]) ON CONFLICT DO NOTHING")
        .bind(tenant)
        .bind(requests)
        .bind(resources)
        .execute(&mut *tx)
        .await?;

    let unnamed: BTreeSet<&str> = rows
        .iter()
        .filter(|row| row.resource.is_empty() && !row.request_id.is_empty())
        .map(|row| row.request_id.as_str())
        .collect();
    let found = sqlx::query(
        "SELECT request_id, resource FROM audit.request_resource WHERE tenant = $1 AND request_id = ANY($2)",
    )
    .bind(tenant)
    .bind(unnamed.into_iter().map(str::to_owned).collect::<Vec<_>>())
    .fetch_all(&mut *tx)
    .await?;
    for row in found {
        known.insert(row.try_get(0)?, row.try_get(1)?);
    }
    for row in rows.iter_mut().filter(|row| row.resource.is_empty()) {
        if let Some(resource) = known.get(&row.request_id) {
            row.resource.clone_from(resource);
        }
    }
    Ok(())
}

async fn insert(tx: &mut PgConnection, tenant: &str, rows: &[AuditRecord]) -> Result<(), ProjectionError> {
    let micros = |at: &Option<muster_domain::time::PbTimestamp>| {
        muster_domain::time::from_pb(at.as_ref()).map_or(0, |at| at.as_microsecond())
    };
    let actor = |row: &AuditRecord| {
        row.actor.as_ref().map(|actor| searchable(&format!("{} {}", actor.id, actor.name))).unwrap_or_default()
    };
    sqlx::query(
        "INSERT INTO audit.record (tenant, sequence, stored_at, happened_at, type, actor_search, resource, request_id, record, event_id)
         SELECT $1, sequence, to_timestamp(stored / 1e6), to_timestamp(happened / 1e6), type, actor, resource, request_id, record, event_id
           FROM UNNEST($2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[], $9::bytea[], $10::uuid[])
             AS r(sequence, stored, happened, type, actor, resource, request_id, record, event_id)",
    )
    .bind(tenant)
    .bind(rows.iter().map(|row| row.sequence.cast_signed()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| micros(&row.stored_at)).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| micros(&row.time)).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.r#type.clone()).collect::<Vec<_>>())
    .bind(rows.iter().map(actor).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| searchable(&row.resource)).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| searchable(&row.request_id)).collect::<Vec<_>>())
    .bind(rows.iter().map(Message::encode_to_vec).collect::<Vec<_>>())
    // What is not an event of ours has none, and cannot be asked for by it.
    .bind(rows.iter().map(|row| row.event_id.parse::<uuid::Uuid>().ok()).collect::<Vec<_>>())
    .execute(tx)
    .await?;
    Ok(())
}

/// As the filters look for it. PostgreSQL's text holds no NUL.
pub(crate) fn searchable(text: &str) -> String {
    text.to_lowercase().replace('\0', " ")
}
