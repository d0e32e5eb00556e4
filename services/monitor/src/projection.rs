//! The tables that follow the log: what is declared, the recorded status, the alerts.

use async_trait::async_trait;
use muster_domain::{
    Aggregate,
    inventory::Declared,
    pb::{
        inventory::v1::{Document, InventoryEvent, Kind, inventory_event},
        readiness::v1::{
            AlertOpened, AlertResolved, AlertUpdated, AlertView, ReadinessEvent, StatusChanged, readiness_event,
        },
    },
    readiness::Readiness,
    time::to_pb,
};
use muster_eventlog::{Projection, ProjectionError, Record};
use prost::Message;
use sqlx::{PgConnection, Row};

/// The key of its position: what `min_version` waits for.
pub const PROJECTION: &str = "monitor.readiness";

/// A handful of events in a batch even when a site fails: written one by one.
pub(crate) struct ReadinessTables;

#[async_trait]
impl Projection for ReadinessTables {
    fn name(&self) -> &'static str {
        PROJECTION
    }

    fn kinds(&self) -> &'static [&'static str] {
        &[Declared::KIND, Readiness::KIND]
    }

    /// Without `monitor.latest` and `monitor.trend`, which are made of measurements.
    fn tables(&self) -> &'static [&'static str] {
        &["monitor.document", "monitor.readiness", "monitor.alert"]
    }

    async fn apply(&self, tx: &mut PgConnection, batch: &[Record]) -> Result<(), ProjectionError> {
        for record in batch {
            if record.kind == Declared::KIND {
                document(tx, record).await?;
            } else {
                readiness(tx, record).await?;
            }
        }
        Ok(())
    }
}

// ---- what is declared ----

async fn document(tx: &mut PgConnection, record: &Record) -> Result<(), ProjectionError> {
    let (kind, name) = match record.decode::<InventoryEvent>()?.event {
        Some(inventory_event::Event::Declared(declared)) => match declared.document {
            Some(document) if is_ours(document.kind()) => return declare(tx, record, &document).await,
            _ => return Ok(()),
        },
        Some(inventory_event::Event::Retired(retired)) => (retired.kind, retired.name),
        None => return Ok(()),
    };
    sqlx::query("UPDATE monitor.document SET retired = true WHERE tenant = $1 AND kind = $2 AND name = $3")
        .bind(record.tenant.as_str())
        .bind(kind)
        .bind(name)
        .execute(tx)
        .await?;
    Ok(())
}

fn is_ours(kind: Kind) -> bool {
    matches!(kind, Kind::Resource | Kind::Policy)
}

async fn declare(tx: &mut PgConnection, record: &Record, document: &Document) -> Result<(), ProjectionError> {
    sqlx::query(
        "INSERT INTO monitor.document (tenant, kind, name, document, retired) VALUES ($1, $2, $3, $4, false)
         ON CONFLICT (tenant, kind, name) DO UPDATE SET document = excluded.document, retired = false",
    )
    .bind(record.tenant.as_str())
    .bind(document.kind)
    .bind(&document.name)
    .bind(document.encode_to_vec())
    .execute(tx)
    .await?;
    Ok(())
}

// ---- status and alerts ----

async fn readiness(tx: &mut PgConnection, record: &Record) -> Result<(), ProjectionError> {
    match record.decode::<ReadinessEvent>()?.event {
        Some(readiness_event::Event::StatusChanged(changed)) => status(tx, record, changed).await,
        Some(readiness_event::Event::AlertOpened(opened)) => open(tx, record, opened).await,
        Some(readiness_event::Event::AlertUpdated(updated)) => update(tx, record, updated).await,
        Some(readiness_event::Event::AlertResolved(resolved)) => resolve(tx, record, resolved).await,
        None => Ok(()),
    }
}

async fn status(tx: &mut PgConnection, record: &Record, changed: StatusChanged) -> Result<(), ProjectionError> {
    let Some(assessment) = changed.assessment else {
        return Err(ProjectionError::Invalid("a status change without its assessment".to_owned()));
    };
    sqlx::query(
        "INSERT INTO monitor.readiness (tenant, resource, status, status_since_ms, assessment) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (tenant, resource) DO UPDATE SET
             status = excluded.status, status_since_ms = excluded.status_since_ms, assessment = excluded.assessment",
    )
    .bind(record.tenant.as_str())
    .bind(&record.id)
    .bind(assessment.status)
    .bind(record.time.as_millisecond())
    .bind(assessment.encode_to_vec())
    .execute(tx)
    .await?;
    Ok(())
}

async fn open(tx: &mut PgConnection, record: &Record, opened: AlertOpened) -> Result<(), ProjectionError> {
    let view = AlertView {
        alert_id: opened.alert_id.clone(),
        resource: opened.resource.clone(),
        kind: opened.kind,
        severity: opened.severity,
        opened_at: Some(to_pb(record.time)),
        condition_since: opened.condition_since,
        resolved_at: None,
        assessment: opened.assessment,
        tier: opened.tier,
        environment: opened.environment,
    };
    sqlx::query(
        "INSERT INTO monitor.alert (tenant, alert_id, resource, opened_sequence, opened_at_ms, view) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(record.tenant.as_str())
    .bind(&opened.alert_id)
    .bind(&record.id)
    .bind(i64::try_from(record.sequence).unwrap_or(i64::MAX))
    .bind(record.time.as_millisecond())
    .bind(view.encode_to_vec())
    .execute(tx)
    .await?;
    Ok(())
}

async fn update(tx: &mut PgConnection, record: &Record, updated: AlertUpdated) -> Result<(), ProjectionError> {
    let mut view = known(tx, record, &updated.alert_id).await?;
    view.severity = updated.severity;
    view.assessment = updated.assessment;
    view.tier = updated.tier;
    view.environment = updated.environment;
    write(tx, record, &view, None).await
}

async fn resolve(tx: &mut PgConnection, record: &Record, resolved: AlertResolved) -> Result<(), ProjectionError> {
    let mut view = known(tx, record, &resolved.alert_id).await?;
    view.resolved_at = resolved.resolved_at.or(Some(to_pb(record.time)));
    view.assessment = resolved.assessment;
    write(tx, record, &view, Some(record.time.as_millisecond())).await
}

async fn known(tx: &mut PgConnection, record: &Record, alert_id: &str) -> Result<AlertView, ProjectionError> {
    let row = sqlx::query("SELECT view FROM monitor.alert WHERE tenant = $1 AND alert_id = $2")
        .bind(record.tenant.as_str())
        .bind(alert_id)
        .fetch_optional(tx)
        .await?;
    let Some(row) = row else {
        return Err(ProjectionError::Invalid(format!("alert {alert_id} was never opened")));
    };
    let view: Vec<u8> = row.try_get("view")?;
    Ok(AlertView::decode(view.as_slice())?)
}

async fn write(
    tx: &mut PgConnection,
    record: &Record,
    view: &AlertView,
    resolved_at_ms: Option<i64>,
) -> Result<(), ProjectionError> {
    sqlx::query("UPDATE monitor.alert SET view = $3, resolved_at_ms = $4 WHERE tenant = $1 AND alert_id = $2")
        .bind(record.tenant.as_str())
        .bind(&view.alert_id)
        .bind(view.encode_to_vec())
        .bind(resolved_at_ms)
        .execute(tx)
        .await?;
    Ok(())
}
