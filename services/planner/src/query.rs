//! Reading the tables.

use std::time::Duration;

use muster_domain::TenantId;
use muster_domain::inventory::kind_token;
use muster_domain::pb::inventory::v1::{Document, Kind};
use muster_eventlog::Database;
use prost::Message;
use sqlx::{Postgres, Row, Transaction, postgres::PgRow};

/// For warnings only: a tenant with more documents gets fewer of them.
const MAX_SURROUNDINGS: i64 = 2_000;
/// A page of plans with everything they move stays far below. What is left out counts as not declared.
const MAX_NAMED: i64 = 50_000;
/// An apply does not wait longer than this for warnings.
const WARNINGS_LIMIT: Duration = Duration::from_secs(1);

/// Where a list goes on: after this kind and name.
pub(crate) type Cursor = (String, String);

/// A request that is not over.
#[derive(Debug, Clone)]
pub(crate) struct OpenRequest {
    pub(crate) request_id: String,
    /// "resource", "group" or "plan"
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) confirmed: bool,
}

impl OpenRequest {
    pub(crate) fn describe(&self) -> String {
        let state = if self.confirmed { "confirmed, being carried out" } else { "open" };
        format!("request {} ({state})", self.request_id)
    }

    pub(crate) fn warning(&self) -> String {
        format!("{} was made for the document as it was before", self.describe())
    }
}

/// What else there is in the tenant.
#[derive(Default)]
pub(crate) struct Surroundings {
    pub(crate) documents: Vec<Document>,
    pub(crate) open_requests: Vec<OpenRequest>,
}

/// Best effort: it only feeds warnings, and an apply does not need the database.
pub(crate) async fn surroundings(db: &Database, tenant: &TenantId) -> Surroundings {
    let read = async {
        let mut tx = db.tenant_tx(tenant).await?;
        let rows = sqlx::query(
            "SELECT version, retired, document FROM planner.document WHERE tenant = $1 AND NOT retired LIMIT $2",
        )
        .bind(tenant.as_str())
        .bind(MAX_SURROUNDINGS)
        .fetch_all(&mut *tx)
        .await?;
        let documents = rows.iter().map(document).collect::<Result<_, _>>()?;
        let open_requests = select_open_requests(&mut tx, tenant, None).await?;
        Ok::<_, sqlx::Error>(Surroundings { documents, open_requests })
    };
    match tokio::time::timeout(WARNINGS_LIMIT, read).await {
        Ok(Ok(found)) => found,
        Ok(Err(error)) => {
            tracing::warn!(%error, "no warnings about other documents: the tables cannot be read");
            Surroundings::default()
        }
        Err(_) => {
            tracing::warn!("no warnings about other documents: the tables do not answer in time");
            Surroundings::default()
        }
    }
}

pub(crate) async fn open_requests(
    db: &Database,
    tenant: &TenantId,
    document: Option<(Kind, &str)>,
) -> Result<Vec<OpenRequest>, sqlx::Error> {
    let mut tx = db.tenant_tx(tenant).await?;
    select_open_requests(&mut tx, tenant, document).await
}

async fn select_open_requests(
    tx: &mut Transaction<'static, Postgres>,
    tenant: &TenantId,
    document: Option<(Kind, &str)>,
) -> Result<Vec<OpenRequest>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT request_id, kind, resource, confirmed FROM planner.open_request
         WHERE tenant = $1 AND ($2::text IS NULL OR (kind = $2 AND resource = $3)) ORDER BY request_id LIMIT $4",
    )
    .bind(tenant.as_str())
    .bind(document.map(|(kind, _)| kind_token(kind)))
    .bind(document.map(|(_, name)| name))
    .bind(MAX_SURROUNDINGS)
    .fetch_all(&mut **tx)
    .await?;
    let open = |row: &PgRow| {
        Ok(OpenRequest {
            request_id: row.try_get(0)?,
            kind: row.try_get(1)?,
            name: row.try_get(2)?,
            confirmed: row.try_get(3)?,
        })
    };
    rows.iter().map(open).collect()
}

pub(crate) async fn get(
    db: &Database,
    tenant: &TenantId,
    kind: Kind,
    name: &str,
) -> Result<Option<Document>, sqlx::Error> {
    let mut tx = db.tenant_tx(tenant).await?;
    let row = sqlx::query(
        "SELECT version, retired, document FROM planner.document WHERE tenant = $1 AND kind = $2 AND name = $3",
    )
    .bind(tenant.as_str())
    .bind(kind_token(kind))
    .bind(name)
    .fetch_optional(&mut *tx)
    .await?;
    row.as_ref().map(document).transpose()
}

/// One document more than `size`, if there is one, by kind and name.
pub(crate) async fn list(
    db: &Database,
    tenant: &TenantId,
    kind: Option<Kind>,
    include_retired: bool,
    after: Option<&Cursor>,
    size: u32,
) -> Result<Vec<Document>, sqlx::Error> {
    let (after_kind, after_name) = after.map(|(kind, name)| (kind.as_str(), name.as_str())).unzip();
    let mut tx = db.tenant_tx(tenant).await?;
    let rows = sqlx::query(
        "SELECT version, retired, document FROM planner.document
         WHERE tenant = $1 AND ($2::text IS NULL OR kind = $2) AND ($3 OR NOT retired)
           AND ($4::text IS NULL OR (kind, name) > ($4, $5))
         ORDER BY kind, name LIMIT $6",
    )
    .bind(tenant.as_str())
    .bind(kind.map(kind_token))
    .bind(include_retired)
    .bind(after_kind)
    .bind(after_name)
    .bind(i64::from(size) + 1)
    .fetch_all(&mut *tx)
    .await?;
    rows.iter().map(document).collect()
}

/// These documents, all that they name, near or far, and the tenant's policies: those in use.
pub(crate) async fn with_all_they_name(
    db: &Database,
    tenant: &TenantId,
    roots: &[(Kind, String)],
) -> Result<Vec<Document>, sqlx::Error> {
    let kinds: Vec<&str> = roots.iter().map(|(kind, _)| kind_token(*kind)).collect();
    let names: Vec<&str> = roots.iter().map(|(_, name)| name.as_str()).collect();
    let mut tx = db.tenant_tx(tenant).await?;
    let rows = sqlx::query(
        "WITH RECURSIVE needed (kind, name) AS (
             SELECT * FROM unnest($2::text[], $3::text[])
             UNION
             SELECT r.to_kind, r.to_name FROM planner.reference r
             JOIN needed n ON r.kind = n.kind AND r.name = n.name WHERE r.tenant = $1
         )
         SELECT d.version, d.retired, d.document FROM planner.document d
         WHERE d.tenant = $1 AND NOT d.retired
           AND (d.kind = $4 OR (d.kind, d.name) IN (SELECT kind, name FROM needed))
         ORDER BY d.kind, d.name LIMIT $5",
    )
    .bind(tenant.as_str())
    .bind(kinds)
    .bind(names)
    .bind(kind_token(Kind::Policy))
    .bind(MAX_NAMED)
    .fetch_all(&mut *tx)
    .await?;
    rows.iter().map(document).collect()
}

/// The plans in use that name this document, directly or by a group.
pub(crate) async fn plans_that_name(
    db: &Database,
    tenant: &TenantId,
    kind: Kind,
    name: &str,
) -> Result<Vec<String>, sqlx::Error> {
    let mut tx = db.tenant_tx(tenant).await?;
    let rows = sqlx::query(
        "WITH RECURSIVE naming (kind, name) AS (
             SELECT $2::text, $3::text
             UNION
             SELECT r.kind, r.name FROM planner.reference r
             JOIN naming n ON r.to_kind = n.kind AND r.to_name = n.name WHERE r.tenant = $1
         )
         SELECT name FROM naming WHERE kind = $4 ORDER BY name LIMIT $5",
    )
    .bind(tenant.as_str())
    .bind(kind_token(kind))
    .bind(name)
    .bind(kind_token(Kind::Plan))
    .bind(MAX_NAMED)
    .fetch_all(&mut *tx)
    .await?;
    rows.iter().map(|row| row.try_get(0)).collect()
}

/// Documents in use that name this one.
pub(crate) async fn referring_to(
    db: &Database,
    tenant: &TenantId,
    kind: Kind,
    name: &str,
) -> Result<Vec<Document>, sqlx::Error> {
    let mut tx = db.tenant_tx(tenant).await?;
    let rows = sqlx::query(
        "SELECT d.version, d.retired, d.document FROM planner.reference r
         JOIN planner.document d ON d.tenant = r.tenant AND d.kind = r.kind AND d.name = r.name
         WHERE r.tenant = $1 AND r.to_kind = $2 AND r.to_name = $3 ORDER BY d.kind, d.name",
    )
    .bind(tenant.as_str())
    .bind(kind_token(kind))
    .bind(name)
    .fetch_all(&mut *tx)
    .await?;
    rows.iter().map(document).collect()
}

/// Names of the documents of a kind that are in use.
pub(crate) async fn in_use(db: &Database, tenant: &TenantId, kind: Kind) -> Result<Vec<String>, sqlx::Error> {
    let mut tx = db.tenant_tx(tenant).await?;
    let rows =
        sqlx::query("SELECT name FROM planner.document WHERE tenant = $1 AND kind = $2 AND NOT retired ORDER BY name")
            .bind(tenant.as_str())
            .bind(kind_token(kind))
            .fetch_all(&mut *tx)
            .await?;
    rows.iter().map(|row| row.try_get(0)).collect()
}

fn document(row: &PgRow) -> Result<Document, sqlx::Error> {
    let bytes: Vec<u8> = row.try_get(2)?;
    let document = Document::decode(bytes.as_slice()).map_err(|error| sqlx::Error::Decode(error.into()))?;
    let version: i64 = row.try_get(0)?;
    Ok(Document { version: u64::try_from(version).unwrap_or_default(), retired: row.try_get(1)?, ..document })
}
