//! Who changed which field of which document from what to what.

use std::time::Duration;

use muster_domain::{
    Aggregate, TenantId,
    inventory::{Declared, kind_token},
    pb::{
        audit::v1::{
            AuditFilter, ConfigurationChange, ListConfigurationChangesRequest, ListConfigurationChangesResponse,
        },
        inventory::v1::{FieldChange, InventoryEvent, inventory_event::Event},
    },
    refusal::field_refusal,
    time::to_pb,
};
use muster_eventlog::{Database, ProjectionError, Record, wait_for};
use muster_runtime::{Call, Context, IntoStatus, page, refused, status::internal};
use prost::Message;
use sqlx::{PgConnection, Row};
use tonic::Status;

use crate::{
    filter::{self, Filter},
    projection::searchable,
    query::QueryError,
    views::{self, number},
};

const WAIT_FOR_VERSION: Duration = Duration::from_secs(5);
/// Longest filter text; fields' paths are shorter.
const MAX_TEXT: usize = 200;

pub(crate) async fn project(tx: &mut PgConnection, tenant: &str, batch: &[Record]) -> Result<(), ProjectionError> {
    for record in batch.iter().filter(|record| record.kind == Declared::KIND) {
        let event = record.decode::<InventoryEvent>()?;
        let changes = of_event(record, &event);
        let fields: Vec<String> = changes.iter().map(|change| searchable(&change.field)).collect();
        let positions: Vec<i32> = (0..).take(changes.len()).collect();
        let Some(first) = changes.first() else { continue };
        sqlx::query(
            "INSERT INTO audit.change (tenant, sequence, position, happened_at, kind, name, field, change)
             SELECT $1, $2, position, to_timestamp($3 / 1e6), $4, $5, field, change
               FROM UNNEST($6::int[], $7::text[], $8::bytea[]) AS row (position, field, change)",
        )
        .bind(tenant)
        .bind(number(record.sequence))
        .bind(record.time.as_microsecond())
        .bind(&first.kind)
        .bind(&first.name)
        .bind(positions)
        .bind(fields)
        .bind(changes.iter().map(Message::encode_to_vec).collect::<Vec<_>>())
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}

/// One line for each field. What was retired has one line without a field.
fn of_event(record: &Record, event: &InventoryEvent) -> Vec<ConfigurationChange> {
    let (kind, name, what, fields) = match &event.event {
        Some(Event::Declared(declared)) => {
            let document = declared.document.clone().unwrap_or_default();
            let what = if document.version == 1 { "declared" } else { "changed" };
            // A document declared as it stood when it was retired changes no field, and is a change all the same.
            let again = vec![FieldChange::default()];
            let fields = if declared.changes.is_empty() { again } else { declared.changes.clone() };
            (document.kind(), document.name, what, fields)
        }
        Some(Event::Retired(retired)) => {
            let reason = FieldChange { to: retired.reason.clone(), ..FieldChange::default() };
            (retired.kind(), retired.name.clone(), "retired", vec![reason])
        }
        None => return Vec::new(),
    };
    let change = |field: FieldChange| ConfigurationChange {
        sequence: record.sequence,
        time: Some(to_pb(record.time)),
        actor: Some(record.actor.clone()),
        kind: kind_token(kind).to_owned(),
        name: name.clone(),
        document_version: record.version,
        field: field.field,
        from: field.from,
        to: field.to,
        what: what.to_owned(),
    };
    fields.into_iter().map(change).collect()
}

/// Newest event first; the fields of one event in the order of their names.
type Place = (i64, i32);

pub(crate) async fn list_configuration_changes(
    context: &Context,
    call: Call<ListConfigurationChangesRequest>,
) -> Result<ListConfigurationChangesResponse, Status> {
    let ask = &call.message;
    for (field, text) in [("kind", &ask.kind), ("name", &ask.name), ("field", &ask.field)] {
        let length = text.chars().count();
        if length > MAX_TEXT {
            let (value, limit) = (format!("{length} characters"), format!("at most {MAX_TEXT} characters"));
            let rule = "filters are short";
            return Err(refused(&field_refusal(field, "FIELD_INVALID", rule, value, limit, "shorten it")));
        }
    }
    // The field is looked for as an actor is: anywhere in the text, whatever its case.
    let filter = AuditFilter { from: ask.from, to: ask.to, actor: ask.field.clone(), ..AuditFilter::default() };
    let filter = filter::check(Some(&filter)).map_err(|r| refused(&r))?;
    let list = format!("changes:{}:{}:{}:{filter:?}", call.tenant, ask.kind, ask.name);
    let list = muster_domain::ids::derived_id(&[&list]).to_string();
    let page = page::parse::<Place>(ask.page.as_ref(), &list).map_err(|r| refused(&r))?;
    if ask.min_version > 0 {
        wait_for(&context.db, views::NAME, &call.tenant, ask.min_version, WAIT_FOR_VERSION)
            .await
            .map_err(IntoStatus::into_status)?;
    }
    let about = (ask.kind.as_str(), ask.name.as_str());
    let rows = read(&context.db, &call.tenant, about, &filter, page.after, i64::from(page.size) + 1).await;
    let mut rows = rows.map_err(|e| internal(&e))?;
    let next = page::finish(page.size, &list, &mut rows, |(place, _)| *place);
    let changes = rows.into_iter().map(|(_, change)| change).collect();
    Ok(ListConfigurationChangesResponse { changes, page: Some(next) })
}

async fn read(
    db: &Database,
    tenant: &TenantId,
    (kind, name): (&str, &str),
    filter: &Filter,
    after: Option<Place>,
    limit: i64,
) -> Result<Vec<(Place, ConfigurationChange)>, QueryError> {
    let plain = |text: &str| text.replace('\0', " ");
    let mut tx = db.tenant_tx(tenant).await?;
    let rows = sqlx::query(
        "SELECT sequence, position, change FROM audit.change
          WHERE tenant = $1 AND ($2 = '' OR kind = $2) AND ($3 = '' OR name = $3) AND ($4 = '' OR field LIKE $4)
            AND ($5::bigint IS NULL OR happened_at >= to_timestamp($5 / 1e6))
            AND ($6::bigint IS NULL OR happened_at < to_timestamp($6 / 1e6))
            AND ($7::bigint IS NULL OR sequence < $7 OR (sequence = $7 AND position > $8))
          ORDER BY sequence DESC, position LIMIT $9",
    )
    .bind(tenant.as_str())
    .bind(plain(kind))
    .bind(plain(name))
    .bind(&filter.actor)
    .bind(filter.from_micros)
    .bind(filter.to_micros)
    .bind(after.map(|place| place.0))
    .bind(after.map(|place| place.1))
    .bind(limit)
    .fetch_all(&mut *tx)
    .await?;
    tx.commit().await?;
    let change = |row: &sqlx::postgres::PgRow| {
        let place = (row.try_get("sequence")?, row.try_get("position")?);
        Ok((place, ConfigurationChange::decode(row.try_get::<Vec<u8>, _>("change")?.as_slice())?))
    };
    rows.iter().map(change).collect()
}
