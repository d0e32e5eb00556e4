//! Reading the tables: one tenant, one transaction, so that what is answered fits together.

use std::collections::BTreeMap;

use muster_domain::{
    TenantId,
    pb::{
        inventory::v1::{Document, Kind, PolicySpec, document::Spec},
        readiness::v1::{AlertView, Assessment, Status},
    },
};
use muster_eventlog::Database;
use prost::Message;
use sqlx::{PgConnection, Row, postgres::PgRow};

use crate::view::{Known, Latest, Recorded};

/// Everything that is known of the declared resources of a tenant, by name. `only`: of this one.
pub(crate) async fn known(
    db: &Database,
    tenant: &TenantId,
    only: Option<&str>,
) -> Result<BTreeMap<String, Known>, sqlx::Error> {
    let mut tx = db.tenant_tx(tenant).await?;
    let policies = policies(&mut tx, tenant).await?;
    let mut all = resources(&mut tx, tenant, only, &policies).await?;
    let ask = |sql: &'static str| sqlx::query(sql).bind(tenant.as_str()).bind(only);
    let rows = ask(
        "SELECT resource, status, status_since_ms, assessment FROM monitor.readiness WHERE tenant = $1 AND ($2::text IS NULL OR resource = $2)",
    );
    for row in rows.fetch_all(&mut *tx).await? {
        if let Some(known) = all.get_mut(row.try_get::<&str, _>("resource")?) {
            known.recorded = Some(recorded(&row)?);
        }
    }
    let rows = ask(
        "SELECT resource, seen_at_ms, assessment, last_known_good, active_site FROM monitor.latest WHERE tenant = $1 AND ($2::text IS NULL OR resource = $2)",
    );
    for row in rows.fetch_all(&mut *tx).await? {
        if let Some(known) = all.get_mut(row.try_get::<&str, _>("resource")?) {
            known.latest = Some(latest(&row)?);
        }
    }
    let rows = ask(
        "SELECT resource, view FROM monitor.alert WHERE tenant = $1 AND resolved_at_ms IS NULL AND ($2::text IS NULL OR resource = $2) ORDER BY opened_sequence",
    );
    for row in rows.fetch_all(&mut *tx).await? {
        if let Some(known) = all.get_mut(row.try_get::<&str, _>("resource")?) {
            known.open_alerts.push(message(&row, "view")?);
        }
    }
    tx.commit().await?;
    Ok(all)
}

async fn policies(tx: &mut PgConnection, tenant: &TenantId) -> Result<Vec<PolicySpec>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT document FROM monitor.document WHERE tenant = $1 AND kind = $2 AND NOT retired ORDER BY name",
    )
    .bind(tenant.as_str())
    .bind(i32::from(Kind::Policy))
    .fetch_all(tx)
    .await?;
    let documents = rows.iter().map(|row| message::<Document>(row, "document")).collect::<Result<Vec<_>, _>>()?;
    Ok(documents
        .into_iter()
        .filter_map(|document| match document.spec {
            Some(Spec::PolicySpec(policy)) => Some(policy),
            _ => None,
        })
        .collect())
}

async fn resources(
    tx: &mut PgConnection,
    tenant: &TenantId,
    only: Option<&str>,
    policies: &[PolicySpec],
) -> Result<BTreeMap<String, Known>, sqlx::Error> {
    let rows = sqlx::query("SELECT document FROM monitor.document WHERE tenant = $1 AND kind = $2 AND NOT retired AND ($3::text IS NULL OR name = $3)")
        .bind(tenant.as_str())
        .bind(i32::from(Kind::Resource))
        .bind(only)
        .fetch_all(tx)
        .await?;
    let mut all = BTreeMap::new();
    for row in &rows {
        let document: Document = message(row, "document")?;
        if let Some(Spec::ResourceSpec(spec)) = &document.spec {
            all.insert(document.name.clone(), Known::of(tenant, &document, spec, policies));
        }
    }
    Ok(all)
}

fn recorded(row: &PgRow) -> Result<Recorded, sqlx::Error> {
    Ok(Recorded {
        status: Status::try_from(row.try_get::<i32, _>("status")?).unwrap_or(Status::Unknown),
        since_ms: row.try_get("status_since_ms")?,
        assessment: message(row, "assessment")?,
    })
}

fn latest(row: &PgRow) -> Result<Latest, sqlx::Error> {
    let good: Assessment = message(row, "last_known_good")?;
    Ok(Latest {
        seen_at_ms: row.try_get("seen_at_ms")?,
        assessment: message(row, "assessment")?,
        last_known_good: good.observed_at.is_some().then_some(good),
        active_site: row.try_get("active_site")?,
    })
}

/// The names of resources with an open alert, declared or not.
pub(crate) async fn resources_with_open_alerts(db: &Database, tenant: &TenantId) -> Result<Vec<String>, sqlx::Error> {
    let mut tx = db.tenant_tx(tenant).await?;
    let rows = sqlx::query("SELECT DISTINCT resource FROM monitor.alert WHERE tenant = $1 AND resolved_at_ms IS NULL")
        .bind(tenant.as_str())
        .fetch_all(&mut *tx)
        .await?;
    tx.commit().await?;
    rows.iter().map(|row| row.try_get("resource")).collect()
}

/// Alerts, newest first, after a position.
pub(crate) async fn alerts(
    db: &Database,
    tenant: &TenantId,
    resource: &str,
    include_resolved: bool,
    after: Option<i64>,
    limit: i64,
) -> Result<Vec<(i64, AlertView)>, sqlx::Error> {
    let mut tx = db.tenant_tx(tenant).await?;
    let rows = sqlx::query(
        "SELECT opened_sequence, view FROM monitor.alert
          WHERE tenant = $1 AND ($2 = '' OR resource = $2) AND ($3 OR resolved_at_ms IS NULL)
            AND ($4::bigint IS NULL OR opened_sequence < $4)
          ORDER BY opened_sequence DESC LIMIT $5",
    )
    .bind(tenant.as_str())
    .bind(resource)
    .bind(include_resolved)
    .bind(after)
    .bind(limit)
    .fetch_all(&mut *tx)
    .await?;
    tx.commit().await?;
    rows.iter().map(|row| Ok((row.try_get("opened_sequence")?, message(row, "view")?))).collect()
}

pub(crate) fn message<M: Message + Default>(row: &PgRow, column: &str) -> Result<M, sqlx::Error> {
    let bytes: &[u8] = row.try_get(column)?;
    M::decode(bytes).map_err(|error| sqlx::Error::Decode(error.into()))
}
