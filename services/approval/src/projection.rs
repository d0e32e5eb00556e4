//! The read model behind lists: one row a request, folded by the domain's own `evolve` from the events of the
//! request and of its execution.

use std::collections::BTreeMap;

use async_trait::async_trait;
use muster_domain::{
    Aggregate,
    execution::Execution,
    pb::{
        execution::v1::{ExecutionEvent, ExecutionView},
        request::v1::{RequestEvent, RequestView},
    },
    request::{Request, resources, state_with_execution},
};
use muster_eventlog::{Projection, ProjectionError, Record};
use prost::Message;
use sqlx::{PgConnection, Row};

pub(crate) const NAME: &str = "approval.requests";

pub(crate) struct Requests;

#[async_trait]
impl Projection for Requests {
    fn name(&self) -> &'static str {
        NAME
    }

    fn kinds(&self) -> &'static [&'static str] {
        &[Request::KIND, Execution::KIND]
    }

    fn tables(&self) -> &'static [&'static str] {
        &["approval.request"]
    }

    async fn apply(&self, tx: &mut PgConnection, batch: &[Record]) -> Result<(), ProjectionError> {
        let mut rows = read(tx, batch).await?;
        for record in batch {
            // An execution has its request's id.
            rows.entry(record.id.clone()).or_default().take_in(record)?;
        }
        let Some(first) = batch.first() else { return Ok(()) };
        write(tx, first.tenant.as_str(), &rows).await
    }
}

#[derive(Default)]
struct Folded {
    request: Request,
    execution: Execution,
    opened_sequence: i64,
    version: i64,
}

impl Folded {
    fn take_in(&mut self, record: &Record) -> Result<(), ProjectionError> {
        let sequence = i64::try_from(record.sequence).unwrap_or(i64::MAX);
        if record.kind == Request::KIND {
            self.request.evolve(&record.decode::<RequestEvent>()?);
            if record.version == 1 {
                self.opened_sequence = sequence;
            }
        } else {
            self.execution.evolve(&record.decode::<ExecutionEvent>()?);
        }
        self.version = sequence;
        Ok(())
    }
}

async fn read(tx: &mut PgConnection, batch: &[Record]) -> Result<BTreeMap<String, Folded>, ProjectionError> {
    let mut ids: Vec<&str> = batch.iter().map(|record| record.id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    let rows = sqlx::query(
        "SELECT request_id, opened_sequence, version, request, execution FROM approval.request WHERE request_id = ANY($1)",
    )
    .bind(ids)
    .fetch_all(tx)
    .await?;
    let mut folded = BTreeMap::new();
    for row in rows {
        let request: Vec<u8> = row.try_get("request")?;
        let execution: Vec<u8> = row.try_get("execution")?;
        let state = Folded {
            request: Request { view: RequestView::decode(request.as_slice())? },
            execution: Execution { view: ExecutionView::decode(execution.as_slice())?, ..Execution::default() },
            opened_sequence: row.try_get("opened_sequence")?,
            version: row.try_get("version")?,
        };
        folded.insert(row.try_get("request_id")?, state);
    }
    Ok(folded)
}

async fn write(tx: &mut PgConnection, tenant: &str, rows: &BTreeMap<String, Folded>) -> Result<(), ProjectionError> {
    let mut columns = Columns::default();
    for (id, folded) in rows {
        columns.push(id, folded);
    }
    sqlx::query(
        "INSERT INTO approval.request (tenant, request_id, resource, state, opened_sequence, version, request, execution,
                                       group_name, resources, break_glass)
         SELECT $1, id, resource, state, opened, version, request, execution, group_name,
                string_to_array(resources, ','), break_glass
           FROM UNNEST($2::text[], $3::text[], $4::int[], $5::bigint[], $6::bigint[], $7::bytea[], $8::bytea[],
                       $9::text[], $10::text[], $11::boolean[])
                AS row (id, resource, state, opened, version, request, execution, group_name, resources, break_glass)
         ON CONFLICT (tenant, request_id) DO UPDATE SET
             resource = excluded.resource, state = excluded.state, opened_sequence = excluded.opened_sequence,
             version = excluded.version, request = excluded.request, execution = excluded.execution,
             group_name = excluded.group_name, resources = excluded.resources, break_glass = excluded.break_glass",
    )
    .bind(tenant)
    .bind(columns.id)
    .bind(columns.resource)
    .bind(columns.state)
    .bind(columns.opened_sequence)
    .bind(columns.version)
    .bind(columns.request)
    .bind(columns.execution)
    .bind(columns.group)
    .bind(columns.resources)
    .bind(columns.break_glass)
    .execute(tx)
    .await?;
    Ok(())
}

#[derive(Default)]
struct Columns {
    id: Vec<String>,
    resource: Vec<String>,
    state: Vec<i32>,
    opened_sequence: Vec<i64>,
    version: Vec<i64>,
    request: Vec<Vec<u8>>,
    execution: Vec<Vec<u8>>,
    group: Vec<String>,
    /// Joined by commas, which no name holds: PostgreSQL has no list of lists.
    resources: Vec<String>,
    break_glass: Vec<bool>,
}

impl Columns {
    fn push(&mut self, id: &str, folded: &Folded) {
        let (request, execution) = (&folded.request.view, &folded.execution.view);
        let started = folded.execution.exists().then(|| execution.state());
        self.id.push(id.to_owned());
        let opened = request.opened.clone().unwrap_or_default();
        self.resources.push(resources(&opened).join(","));
        self.break_glass.push(opened.break_glass.is_some());
        self.resource.push(opened.resource);
        self.group.push(opened.group);
        self.state.push(state_with_execution(request.state(), started).into());
        self.opened_sequence.push(folded.opened_sequence);
        self.version.push(folded.version);
        self.request.push(request.encode_to_vec());
        self.execution.push(execution.encode_to_vec());
    }
}
