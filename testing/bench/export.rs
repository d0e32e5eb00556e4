//! Evidence packages: how fast and in how much memory the record is exported, beside only reading it. A quarter of the events
//! first, then all of them: memory that grows with the record would show as the difference.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use futures::StreamExt;
use muster_audit::evidence_package;
use muster_domain::pb::audit::v1::{ExportFormat, ExportPackageRequest};
use muster_eventlog::wait_for;

use crate::{
    checkpoints::{Audit, Memory, mebibytes},
    history,
    report::{self, count, ratio},
    settings::Settings,
    stack::{Nats, Postgres},
};

const PATIENCE: Duration = Duration::from_secs(900);

/// What one package cost.
struct Exported {
    events: u64,
    files: u32,
    bytes: u64,
    took: Duration,
    before: u64,
    peak: u64,
}

pub(crate) async fn run(settings: &Settings) -> Result<()> {
    report::title(&format!("export: packages of {} events", count(settings.export_events as f64)));
    let mut rows = Vec::new();
    for events in [settings.export_events / 4, settings.export_events] {
        let (nats, postgres) = (Nats::start().await?, Postgres::start(&[muster_audit::MIGRATIONS]).await?);
        let audit = Audit::start(&nats, &postgres).await?;
        history::fill(&nats, events).await?;
        let last = nats.log.last_sequence(&nats.tenant).await?;
        audit.covers(last).await?;
        wait_for(&postgres.db, "audit.records", &nats.tenant, last, PATIENCE).await?;
        let reading = read(&nats).await?;
        for (what, formats) in [("JSON Lines and CSV", vec![ExportFormat::Csv]), ("with OSCAL", Vec::new())] {
            let exported = export(&nats, &audit, &formats).await?;
            rows.push(row(what, &exported, reading));
        }
        audit.stop().await?;
    }
    report::table(&["what", "events", "events/s", "of reading", "MiB/s", "files", "memory before", "at most"], rows);
    Ok(())
}

fn row(what: &str, exported: &Exported, reading: f64) -> Vec<String> {
    let rate = exported.events as f64 / exported.took.as_secs_f64();
    vec![
        what.to_owned(),
        count(exported.events as f64),
        count(rate),
        ratio(rate / reading),
        format!("{:.1}", (exported.bytes >> 20) as f64 / exported.took.as_secs_f64()),
        count(f64::from(exported.files)),
        mebibytes(exported.before),
        mebibytes(exported.peak),
    ]
}

async fn export(nats: &Nats, audit: &Audit, formats: &[ExportFormat]) -> Result<Exported> {
    let asked = ExportPackageRequest {
        tenant: nats.tenant.to_string(),
        formats: formats.iter().map(|format| (*format).into()).collect(),
        ..ExportPackageRequest::default()
    };
    let memory = Memory::watch()?;
    let started = Instant::now();
    let meta = history::meta(&uuid::Uuid::now_v7().to_string());
    let mut pieces = evidence_package(&audit.context, nats.tenant.clone(), meta, asked).await?;
    let (mut bytes, mut files) = (0, 0);
    while let Some(piece) = pieces.next().await {
        let piece = piece?;
        bytes += piece.chunk.len() as u64;
        files = files.max(piece.files);
    }
    let took = started.elapsed();
    ensure!(files > 0, "the package has no end");
    let (before, peak) = memory.finish();
    let events = nats.log.last_sequence(&nats.tenant).await?;
    Ok(Exported { events, files, bytes, took, before, peak })
}

/// Events a second that the record alone gives.
async fn read(nats: &Nats) -> Result<f64> {
    let started = Instant::now();
    let (mut entries, mut read) = (nats.log.raw(&nats.tenant, 0), 0);
    while let Some(batch) = entries.next_until_caught_up().await? {
        read += batch.len();
    }
    Ok(report::rate(read, started.elapsed()))
}
