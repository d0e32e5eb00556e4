//! The transparency log: how far its checkpoints are behind the record under load, and how fast and in how much memory a
//! log that begins late catches up, beside only reading the record.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use muster_domain::{
    AggregateId,
    audit::Export,
    pb::audit::v1::{ExportCreated, ExportEvent, export_event},
};
use muster_eventlog::Pending;
use muster_runtime::{Clock, Config, Context, serve};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    history,
    report::{self, count, millis, percentile, ratio},
    settings::Settings,
    stack::{Nats, Postgres},
};

/// The load that the goal is stated for, and the goal: a checkpoint at most this far behind.
const EVENTS_PER_SECOND: usize = 2_000;
const GOAL: Duration = Duration::from_secs(1);
/// Events in one message to the server's batches, so that the load itself stays small.
const AT_ONCE: usize = 20;
/// The files are looked at so often.
const LOOK_EVERY: Duration = Duration::from_millis(5);
const MEMORY_EVERY: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(900);

pub(crate) async fn run(settings: &Settings) -> Result<()> {
    let (nats, postgres) = (Nats::start().await?, Postgres::start(&[muster_audit::MIGRATIONS]).await?);
    under_load(&nats, &postgres, settings.checkpoints).await?;
    drop((nats, postgres));
    let (nats, postgres) = (Nats::start().await?, Postgres::start(&[muster_audit::MIGRATIONS]).await?);
    catching_up(&nats, &postgres, settings.checkpoint_events).await
}

async fn under_load(nats: &Nats, postgres: &Postgres, duration: Duration) -> Result<()> {
    report::title(&format!("checkpoints: behind the record at {} events/s", count(EVENTS_PER_SECOND as f64)));
    let audit = Audit::start(nats, postgres).await?;
    // The log's own beginning is not what is measured.
    append(nats).await?;
    audit.covers(nats.log.last_sequence(&nats.tenant).await?).await?;
    let (seen, mut stored) = (audit.watch("checkpoint"), Vec::new());
    let started = Instant::now();
    let mut pace = tokio::time::interval(Duration::from_secs_f64(AT_ONCE as f64 / EVENTS_PER_SECOND as f64));
    while started.elapsed() < duration {
        pace.tick().await;
        let last = append(nats).await?;
        stored.push((last, Instant::now()));
    }
    let took = started.elapsed();
    audit.covers(stored.last().map_or(0, |(last, _)| *last)).await?;
    let seen = seen.finish().await?;
    let lag = |(sequence, at): &(u64, Instant)| {
        let covered = seen.iter().find(|(size, _)| size > sequence);
        covered.map(|(_, seen)| seen.saturating_duration_since(*at))
    };
    let lags = stored.iter().map(lag).collect::<Option<Vec<_>>>().context("an event without a checkpoint")?;
    ensure!(lags.len() > 10, "too few events to say anything");
    let worst = percentile(&lags, 100.0);
    let rate = report::rate(stored.len() * AT_ONCE, took);
    report::table(
        &["events/s", "checkpoints/s", "behind, p50", "p99", "worst", "goal"],
        vec![vec![
            count(rate),
            format!("{:.1}", report::rate(seen.len(), took)),
            millis(percentile(&lags, 50.0)),
            millis(percentile(&lags, 99.0)),
            millis(worst),
            format!("{} ({})", millis(GOAL), if worst <= GOAL { "met" } else { "NOT met" }),
        ]],
    );
    audit.stop().await
}

async fn catching_up(nats: &Nats, postgres: &Postgres, events: usize) -> Result<()> {
    history::fill(nats, events).await?;
    let last = nats.log.last_sequence(&nats.tenant).await?;
    report::title(&format!("checkpoints: a log that begins after {} events", count(last as f64)));
    let started = Instant::now();
    let mut entries = nats.log.raw(&nats.tenant, 0);
    let mut read = 0;
    while let Some(batch) = entries.next_until_caught_up().await? {
        read += batch.len();
    }
    let reading = report::rate(read, started.elapsed());

    let memory = Memory::watch()?;
    let started = Instant::now();
    let audit = Audit::start(nats, postgres).await?;
    audit.covers(last).await?;
    let took = started.elapsed();
    let (before, peak) = memory.finish();
    let rate = report::rate(read, took);
    report::table(
        &["what", "events/s", "of reading", "memory before", "at most"],
        vec![
            vec!["read the record, do nothing".into(), count(reading), ratio(1.0), String::new(), String::new()],
            vec![
                "leaves, tiles, checkpoints (and the audit's tables beside it)".into(),
                count(rate),
                ratio(rate / reading),
                mebibytes(before),
                mebibytes(peak),
            ],
        ],
    );
    audit.stop().await
}

async fn append(nats: &Nats) -> Result<u64> {
    let event = ExportEvent { event: Some(export_event::Event::Created(ExportCreated::default())) };
    let one = |_| {
        let id = Uuid::now_v7();
        Pending::new::<Export>(&AggregateId::from(id), 1, &history::meta(&id.to_string()), &event)
    };
    let appended = nats.log.append_batch(&nats.tenant, (0..AT_ONCE).map(one).collect()).await?;
    Ok(appended.sequence)
}

fn resident() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
}

/// This process' memory while something runs.
pub(crate) struct Memory {
    before: u64,
    peak: Arc<Mutex<u64>>,
    sampling: tokio::task::JoinHandle<()>,
}

impl Memory {
    pub(crate) fn watch() -> Result<Self> {
        let before = resident()?;
        let peak = Arc::new(Mutex::new(before));
        let sampled = peak.clone();
        let sampling = tokio::spawn(async move {
            loop {
                if let Ok(now) = resident() {
                    let mut peak = sampled.lock().unwrap_or_else(PoisonError::into_inner);
                    *peak = (*peak).max(now);
                }
                tokio::time::sleep(MEMORY_EVERY).await;
            }
        });
        Ok(Self { before, peak, sampling })
    }

    /// Bytes before, and at most.
    pub(crate) fn finish(self) -> (u64, u64) {
        self.sampling.abort();
        (self.before, *self.peak.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

pub(crate) fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}

/// The audit service with a store of its own.
pub(crate) struct Audit {
    pub(crate) context: Context,
    log: PathBuf,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
    _directory: tempfile::TempDir,
}

impl Audit {
    pub(crate) async fn start(nats: &Nats, postgres: &Postgres) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let mut config = Config::default();
        config.audit.domain = Some("audit.example".into());
        config.audit.store = Some(directory.path().join("log").display().to_string());
        config.audit.keys = Some(directory.path().join("keys"));
        let log = nats.connect().await?;
        log.provision_tenant(&muster_domain::TenantId::operating()).await?;
        let context = Context::assemble(config, Clock::system(), log, postgres.db.clone())?;
        let (stop, service) = (context.shutdown.clone(), muster_audit::service(&context));
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let served = context.clone();
        let task = tokio::spawn(async move {
            if let Err(error) = serve(served, vec![service], listener).await {
                eprintln!("the audit service ended: {error}");
            }
        });
        let log = directory.path().join("log").join(nats.tenant.as_str()).join("1");
        Ok(Self { context, log, stop, task, _directory: directory })
    }

    pub(crate) async fn covers(&self, sequence: u64) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while size(&self.log.join("checkpoint")).is_none_or(|size| size <= sequence) {
            ensure!(Instant::now() < deadline, "no checkpoint over {sequence} in {} s", PATIENCE.as_secs());
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    fn watch(&self, file: &str) -> Watch {
        let (file, stop) = (self.log.join(file), CancellationToken::new());
        let stopped = stop.clone();
        let task = tokio::spawn(async move {
            let mut seen: Vec<(u64, Instant)> = Vec::new();
            while !stopped.is_cancelled() {
                if let Some(size) = size(&file)
                    && seen.last().is_none_or(|(last, _)| *last < size)
                {
                    seen.push((size, Instant::now()));
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
            seen
        });
        Watch { stop, task }
    }

    pub(crate) async fn stop(self) -> Result<()> {
        self.stop.cancel();
        Ok(self.task.await?)
    }
}

/// When each checkpoint was seen.
struct Watch {
    stop: CancellationToken,
    task: tokio::task::JoinHandle<Vec<(u64, Instant)>>,
}

impl Watch {
    async fn finish(self) -> Result<Vec<(u64, Instant)>> {
        self.stop.cancel();
        Ok(self.task.await?)
    }
}

fn size(file: &Path) -> Option<u64> {
    std::fs::read_to_string(file).ok()?.lines().nth(1)?.parse().ok()
}
