//! Which events belong to a request: those that name it, and those that share its correlation.

use std::collections::BTreeSet;

use muster_domain::{
    Aggregate,
    audit::describe,
    inventory::Declared,
    pb::request::v1::{RequestEvent, request_event::Event},
    request::Request,
};
use muster_eventlog::{ProjectionError, Record};
use sqlx::PgConnection;

use crate::{projection::searchable, views::number};

pub(crate) async fn project(tx: &mut PgConnection, tenant: &str, batch: &[Record]) -> Result<(), ProjectionError> {
    let (mut named, mut correlated) = (BTreeSet::new(), BTreeSet::new());
    for record in batch.iter().filter(|record| record.kind != Declared::KIND) {
        named.extend(requests_named(record)?.into_iter().map(|request| (request, number(record.sequence))));
        correlated.insert((record.correlation.to_string(), number(record.sequence)));
    }
    let (requests, sequences): (Vec<String>, Vec<i64>) = named.into_iter().unzip();
    sqlx::query(
        "INSERT INTO audit.story (tenant, request_id, sequence)
         SELECT $1, * FROM UNNEST($2::text[], $3::bigint[]) ON CONFLICT DO NOTHING",
    )
    .bind(tenant)
    .bind(requests)
    .bind(sequences)
    .execute(&mut *tx)
    .await?;
    // A request's first event has been here before any other that began with it.
    let (correlations, sequences): (Vec<String>, Vec<i64>) = correlated.into_iter().unzip();
    sqlx::query(
        "INSERT INTO audit.story (tenant, request_id, sequence)
         SELECT $1, correlation, sequence FROM UNNEST($2::text[], $3::bigint[]) AS row (correlation, sequence)
          WHERE EXISTS (SELECT FROM audit.story known WHERE known.tenant = $1 AND known.request_id = correlation)
         ON CONFLICT DO NOTHING",
    )
    .bind(tenant)
    .bind(correlations)
    .bind(sequences)
    .execute(tx)
    .await?;
    Ok(())
}

fn requests_named(record: &Record) -> Result<Vec<String>, ProjectionError> {
    let described =
        describe(&record.kind, &record.id, &record.payload).map_err(|e| ProjectionError::Invalid(e.to_string()))?;
    let mut requests = vec![searchable(&described.request_id)];
    if record.kind == Request::KIND
        && let Some(Event::Opened(opened)) = record.decode::<RequestEvent>()?.event
    {
        // The request that takes a run back belongs to the story of that run too.
        requests.push(opened.rollback_of);
    }
    requests.retain(|request| !request.is_empty());
    Ok(requests)
}
