//! Filling tables again from the whole log, beside only reading the log, and beside only writing as many rows.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use async_nats::jetstream::consumer::{AckPolicy, pull};
use futures::StreamExt;
use muster_eventlog::{Projection, rebuild};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::{
    history::{self, STORY_EVENTS},
    report::{self, count, ratio},
    settings::Settings,
    stack::{Nats, Postgres},
};

/// The read models that are rebuilt, with the table whose rows are counted afterwards.
const REBUILT: [(&str, &str); 2] = [("audit.records", "audit.record"), ("approval.requests", "approval.request")];

/// Messages asked for at once, as projections do.
const FETCH: usize = 1_000;

pub(crate) async fn run(settings: &Settings) -> Result<()> {
    let nats = Nats::start().await?;
    let postgres = Postgres::start(&[muster_audit::MIGRATIONS, muster_approval::MIGRATIONS]).await?;
    let stories = history::fill(&nats, settings.rebuild_events).await?;
    let events = stories * STORY_EVENTS;
    report::title(&format!("rebuild: tables from a log of {} events", count(events as f64)));

    let mut rates = vec![("read the log, apply nothing", vec![]), ("COPY as many rows, unlogged", vec![])];
    rates.extend(REBUILT.map(|(name, _)| (name, vec![])));
    for _ in 0..settings.rebuild_turns {
        let (read, rows) = read_only(&nats, events).await?;
        let mut turn = vec![read, copy_only(&postgres, rows).await?];
        for (name, table) in REBUILT {
            let expected = if table == "audit.record" { events } else { stories };
            turn.push(rebuild_one(&nats, &postgres, projection(name)?, table, expected).await?);
        }
        for ((_, times), time) in rates.iter_mut().zip(turn) {
            times.push(time);
        }
    }
    print(events, rates);
    Ok(())
}

fn projection(name: &str) -> Result<Arc<dyn Projection>> {
    let mut known = muster_audit::projections().into_iter().chain(muster_approval::projections());
    known.find(|projection| projection.name() == name).with_context(|| format!("there is no projection '{name}'"))
}

fn print(events: usize, rates: Vec<(&str, Vec<Duration>)>) {
    let rate = |times: &[Duration]| report::rate(events * times.len(), times.iter().sum());
    let (read, copy) = (rate(&rates[0].1), rate(&rates[1].1));
    let row = |(name, times): (&str, Vec<Duration>)| {
        let rate = rate(&times);
        vec![name.to_owned(), count(rate), ratio(rate / read), ratio(rate / copy)]
    };
    report::table(&["what", "events/s", "of reading", "of COPY"], rates.into_iter().map(row).collect());
}

async fn rebuild_one(
    nats: &Nats,
    postgres: &Postgres,
    projection: Arc<dyn Projection>,
    table: &str,
    expected: usize,
) -> Result<Duration> {
    let started = Instant::now();
    rebuild(nats.log.clone(), postgres.db.clone(), projection, |_| {}).await?;
    let took = started.elapsed();
    let mut tx = postgres.db.tenant_tx(&nats.tenant).await?;
    let rows: i64 =
        sqlx::query_scalar(AssertSqlSafe(format!("SELECT count(*) FROM {table}"))).fetch_one(&mut *tx).await?;
    ensure!(rows as usize == expected, "{table} has {rows} rows and not {expected} after the rebuild");
    Ok(took)
}

/// What every reader of the log pays: the messages themselves.
async fn read_only(nats: &Nats, events: usize) -> Result<(Duration, Vec<bytes::Bytes>)> {
    let mut payloads = Vec::with_capacity(events);
    let started = Instant::now();
    let config = pull::Config { ack_policy: AckPolicy::None, memory_storage: true, ..pull::Config::default() };
    let consumer = nats.stream().await?.create_consumer(config).await?;
    while payloads.len() < events {
        let mut batch = consumer.fetch().max_messages(FETCH).messages().await?;
        while let Some(message) = batch.next().await {
            payloads.push(message.map_err(|error| anyhow::anyhow!(error))?.payload.clone());
        }
    }
    Ok((started.elapsed(), payloads))
}

/// What every writer of rows pays: one row an event, with the event's own bytes, in the fastest way PostgreSQL has,
/// into a table that needs no write-ahead log and has no index.
async fn copy_only(postgres: &Postgres, payloads: Vec<bytes::Bytes>) -> Result<Duration> {
    let mut connection = PgConnection::connect(&postgres.server.url(postgres.server.superuser(), "postgres")).await?;
    sqlx::raw_sql(
        "DROP TABLE IF EXISTS copied; CREATE UNLOGGED TABLE copied (tenant text, sequence bigint, payload bytea)",
    )
    .execute(&mut connection)
    .await?;
    let started = Instant::now();
    let mut copy = connection.copy_in_raw("COPY copied FROM STDIN (FORMAT binary)").await?;
    copy.send(COPY_HEADER).await?;
    for (chunk, payloads) in payloads.chunks(FETCH).enumerate() {
        let mut rows = Vec::new();
        for (index, payload) in payloads.iter().enumerate() {
            copy_row(&mut rows, (chunk * FETCH + index) as u64 + 1, payload);
        }
        copy.send(rows).await?;
    }
    copy.send(COPY_TRAILER).await?;
    let rows = copy.finish().await?;
    let took = started.elapsed();
    ensure!(rows as usize == payloads.len(), "{rows} rows were copied and not {}", payloads.len());
    connection.close().await?;
    Ok(took)
}

/// Signature, flags, length of the extension: <https://www.postgresql.org/docs/15/sql-copy.html>, "Binary Format".
const COPY_HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const COPY_TRAILER: &[u8] = &(-1_i16).to_be_bytes();

fn copy_row(rows: &mut Vec<u8>, sequence: u64, payload: &[u8]) {
    let fields: [&[u8]; 3] = [b"bench", &sequence.to_be_bytes(), payload];
    rows.extend((fields.len() as u16).to_be_bytes());
    for field in fields {
        rows.extend((field.len() as u32).to_be_bytes());
        rows.extend(field);
    }
}
