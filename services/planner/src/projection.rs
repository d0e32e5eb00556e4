//! The tables that are read: documents, who names whom, and requests that are not over.

use std::time::Duration;

use async_trait::async_trait;
use muster_domain::inventory::kind_token;
use muster_domain::pb::execution::v1::{ExecutionEvent, execution_event};
use muster_domain::pb::inventory::v1::{Document, InventoryEvent, Kind, inventory_event};
use muster_domain::pb::request::v1::{RequestEvent, RequestOpened, request_event};
use muster_domain::request::resources;
use muster_eventlog::{Projection, ProjectionError, Record};
use prost::Message;
use sqlx::PgConnection;

use crate::references::references;

/// The key of the position: what `min_version` waits for.
pub const PROJECTION: &str = "planner.documents";

/// How long the tables may take to know everything the log held when a command came.
pub(crate) const TABLES_BEHIND: Duration = Duration::from_secs(5);

pub struct Documents;

#[async_trait]
impl Projection for Documents {
    fn name(&self) -> &'static str {
        PROJECTION
    }

    fn kinds(&self) -> &'static [&'static str] {
        &["inventory", "request", "execution"]
    }

    fn tables(&self) -> &'static [&'static str] {
        &["planner.document", "planner.reference", "planner.open_request"]
    }

    async fn apply(&self, tx: &mut PgConnection, batch: &[Record]) -> Result<(), ProjectionError> {
        for record in batch {
            match record.kind.as_str() {
                "inventory" => inventory(tx, record).await?,
                "request" => request(tx, record).await?,
                "execution" => execution(tx, record).await?,
                _ => {}
            }
        }
        Ok(())
    }
}

async fn inventory(tx: &mut PgConnection, record: &Record) -> Result<(), ProjectionError> {
    match record.decode::<InventoryEvent>()?.event {
        Some(inventory_event::Event::Declared(declared)) => {
            let document = declared
                .document
                .ok_or_else(|| ProjectionError::Invalid("a declaration without document".to_owned()))?;
            declare(tx, record, &document).await
        }
        Some(inventory_event::Event::Retired(retired)) => retire(tx, record, retired.kind(), &retired.name).await,
        None => Ok(()),
    }
}

async fn declare(tx: &mut PgConnection, record: &Record, document: &Document) -> Result<(), ProjectionError> {
    let kind = kind_token(document.kind());
    sqlx::query(
        "INSERT INTO planner.document (tenant, kind, name, version, retired, document) VALUES ($1, $2, $3, $4, false, $5)
         ON CONFLICT (tenant, kind, name) DO UPDATE SET version = $4, retired = false, document = $5",
    )
    .bind(record.tenant.as_str())
    .bind(kind)
    .bind(&document.name)
    .bind(version(record)?)
    .bind(document.encode_to_vec())
    .execute(&mut *tx)
    .await?;
    forget_references(tx, record, kind, &document.name).await?;
    for (to_kind, to_name) in references(document) {
        sqlx::query("INSERT INTO planner.reference (tenant, kind, name, to_kind, to_name) VALUES ($1, $2, $3, $4, $5)")
            .bind(record.tenant.as_str())
            .bind(kind)
            .bind(&document.name)
            .bind(kind_token(to_kind))
            .bind(to_name)
            .execute(&mut *tx)
            .await?;
    }
    Ok(())
}

async fn retire(tx: &mut PgConnection, record: &Record, kind: Kind, name: &str) -> Result<(), ProjectionError> {
    sqlx::query(
        "UPDATE planner.document SET retired = true, version = $4 WHERE tenant = $1 AND kind = $2 AND name = $3",
    )
    .bind(record.tenant.as_str())
    .bind(kind_token(kind))
    .bind(name)
    .bind(version(record)?)
    .execute(&mut *tx)
    .await?;
    forget_references(tx, record, kind_token(kind), name).await
}

async fn forget_references(
    tx: &mut PgConnection,
    record: &Record,
    kind: &str,
    name: &str,
) -> Result<(), ProjectionError> {
    sqlx::query("DELETE FROM planner.reference WHERE tenant = $1 AND kind = $2 AND name = $3")
        .bind(record.tenant.as_str())
        .bind(kind)
        .bind(name)
        .execute(tx)
        .await?;
    Ok(())
}

async fn request(tx: &mut PgConnection, record: &Record) -> Result<(), ProjectionError> {
    use request_event::Event;
    match record.decode::<RequestEvent>()?.event {
        Some(Event::Opened(opened)) => {
            let (kinds, names): (Vec<&str>, Vec<&str>) = held(&opened).into_iter().unzip();
            sqlx::query(
                "INSERT INTO planner.open_request (tenant, request_id, kind, resource, confirmed)
                 SELECT $1, $2, kind, name, false FROM UNNEST($3::text[], $4::text[]) AS held (kind, name)
                 ON CONFLICT (tenant, request_id, kind, resource) DO NOTHING",
            )
            .bind(record.tenant.as_str())
            .bind(&record.id)
            .bind(kinds)
            .bind(names)
            .execute(tx)
            .await?;
            Ok(())
        }
        Some(Event::Confirmed(_)) => {
            sqlx::query("UPDATE planner.open_request SET confirmed = true WHERE tenant = $1 AND request_id = $2")
                .bind(record.tenant.as_str())
                .bind(&record.id)
                .execute(tx)
                .await?;
            Ok(())
        }
        Some(Event::Denied(_) | Event::Withdrawn(_) | Event::Expired(_) | Event::BreakGlassLapsed(_)) => {
            close(tx, record).await
        }
        Some(_) | None => Ok(()),
    }
}

/// The documents that a request is about.
fn held(opened: &RequestOpened) -> Vec<(&'static str, &str)> {
    let resources = resources(opened).into_iter().map(|resource| (Kind::Resource, resource));
    let plan = opened.plan.as_ref().map(|plan| (Kind::Plan, plan.name.as_str()));
    let named = resources.chain([(Kind::Group, opened.group.as_str())]).chain(plan);
    named.filter(|(_, name)| !name.is_empty()).map(|(kind, name)| (kind_token(kind), name)).collect()
}

async fn execution(tx: &mut PgConnection, record: &Record) -> Result<(), ProjectionError> {
    use execution_event::Event;
    match record.decode::<ExecutionEvent>()?.event {
        // An execution has its request's id.
        Some(Event::Succeeded(_) | Event::Failed(_) | Event::Stopped(_)) => close(tx, record).await,
        _ => Ok(()),
    }
}

async fn close(tx: &mut PgConnection, record: &Record) -> Result<(), ProjectionError> {
    sqlx::query("DELETE FROM planner.open_request WHERE tenant = $1 AND request_id = $2")
        .bind(record.tenant.as_str())
        .bind(&record.id)
        .execute(tx)
        .await?;
    Ok(())
}

fn version(record: &Record) -> Result<i64, ProjectionError> {
    i64::try_from(record.version)
        .map_err(|_| ProjectionError::Invalid(format!("version {} is out of range", record.version)))
}
