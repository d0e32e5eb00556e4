//! Durable timers: very many are pending, the server is killed and comes back, and each fires once and in time.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use async_trait::async_trait;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use muster_domain::TenantId;
use muster_eventlog::{EventLog, LogConfig, TimerError, TimerFired, TimerHandler, TimerKey, run_timers};
use muster_local::nats::{NatsOptions, NatsServer};
use tokio_util::sync::CancellationToken;

use crate::{
    report::{self, count, millis},
    settings::Settings,
};

const HANDLER: &str = "bench.timers";
/// Timers that are being set at once.
const SETTING: usize = 64;
/// From these the rate of setting is known, and with it when the first one may be due.
const PROBES: usize = 500;
/// Time for the kill and the restart, and for a machine that does other things.
const MARGIN: Duration = Duration::from_secs(15);
/// Nothing fires for so long: what is missing is lost.
const SILENCE: Duration = Duration::from_secs(60);

#[derive(Default)]
struct Fired {
    times: Vec<u32>,
    late: Vec<Duration>,
    last: Option<Instant>,
}

struct Counting(Mutex<Fired>);

#[async_trait]
impl TimerHandler for Counting {
    async fn fire(&self, timer: TimerFired) -> Result<(), TimerError> {
        let number: usize = timer.key.parse().map_err(|_| TimerError(format!("{} is no number", timer.key)))?;
        let mut fired = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let times = fired.times.get_mut(number).ok_or_else(|| TimerError(format!("{number} was never set")))?;
        *times += 1;
        fired.late.push(timer.late_by.unsigned_abs());
        fired.last = Some(Instant::now());
        Ok(())
    }
}

pub(crate) async fn run(settings: &Settings) -> Result<()> {
    report::title("timers: very many pending, the server killed, each once and in time");
    let dir = tempfile::Builder::new().prefix("bench-nats-").tempdir()?;
    let options = NatsOptions { dir: dir.path().to_owned(), sync_always: true, ..NatsOptions::default() };
    let mut server = NatsServer::start(options).await?;
    let log = EventLog::connect(&LogConfig { url: server.url(), ..LogConfig::default() }).await?;
    let tenant: TenantId = "bench".parse()?;
    log.provision().await?;
    log.provision_tenant(&tenant).await?;

    let set = set_all(&log, &tenant, settings).await?;
    let killed = Instant::now();
    server.kill().await?;
    server.restart().await?;
    // The stream is read from the disk before the server answers for it.
    log.last_sequence(&tenant).await?;
    let restarted = killed.elapsed();
    ensure!(now() < set.first_due, "the machine is too slow: the first timer was due before the server was back");

    let counting = Arc::new(Counting(Mutex::new(Fired { times: vec![0; settings.timers], ..Fired::default() })));
    let stop = CancellationToken::new();
    let task = tokio::spawn(run_timers(log, HANDLER, counting.clone(), stop.clone()));
    all_fired(&counting, settings.timers, set.last_due).await?;
    stop.cancel();
    task.await?;

    let fired = counting.0.lock().unwrap_or_else(PoisonError::into_inner);
    let lost = fired.times.iter().filter(|times| **times == 0).count();
    let doubled = fired.times.iter().filter(|times| **times > 1).count();
    ensure!(lost == 0 && doubled == 0, "{lost} lost, {doubled} fired more than once");
    let row = vec![
        settings.timers.to_string(),
        count(set.per_second),
        millis(restarted),
        count(report::rate(settings.timers, settings.timers_spread)),
        "0".to_owned(),
        "0".to_owned(),
        millis(report::percentile(&fired.late, 50.0)),
        millis(report::percentile(&fired.late, 99.0)),
        millis(fired.late.iter().copied().max().unwrap_or_default()),
    ];
    let header = ["pending", "set/s", "restart", "due/s", "lost", "doubled", "late p50", "late p99", "late max"];
    report::table(&header, vec![row]);
    Ok(())
}

struct Set {
    per_second: f64,
    first_due: Timestamp,
    last_due: Timestamp,
}

/// Due one after the other over the spread, the first one when all are set and the server is back.
async fn set_all(log: &EventLog, tenant: &TenantId, settings: &Settings) -> Result<Set> {
    let far = now().checked_add(SignedDuration::from_hours(1))?;
    let probes = PROBES.min(settings.timers);
    let begun = Instant::now();
    set(log, tenant, 0..probes, |_| far).await?;
    let each = begun.elapsed().as_secs_f64() / probes as f64;
    let lead = Duration::from_secs_f64(each * settings.timers as f64 * 1.5) + MARGIN;
    let first_due = now().checked_add(SignedDuration::try_from(lead)?)?;
    let apart = settings.timers_spread.as_secs_f64() / settings.timers as f64;
    let due = |number: usize| {
        let after = SignedDuration::from_secs_f64(apart * number as f64);
        first_due.checked_add(after).unwrap_or(first_due)
    };
    let begun = Instant::now();
    set(log, tenant, 0..settings.timers, due).await?;
    let per_second = report::rate(settings.timers, begun.elapsed());
    Ok(Set { per_second, first_due, last_due: due(settings.timers) })
}

async fn set(
    log: &EventLog,
    tenant: &TenantId,
    numbers: std::ops::Range<usize>,
    due: impl Fn(usize) -> Timestamp,
) -> Result<()> {
    let timers = log.timers();
    let one = |number: usize| {
        let (timers, at) = (timers.clone(), due(number));
        let key = TimerKey { tenant: tenant.clone(), handler: HANDLER.to_owned(), key: number.to_string() };
        async move { timers.set(&key, at, b"").await.context("a timer is set") }
    };
    stream::iter(numbers.map(one)).buffer_unordered(SETTING).try_collect::<Vec<()>>().await?;
    Ok(())
}

async fn all_fired(counting: &Counting, timers: usize, last_due: Timestamp) -> Result<()> {
    loop {
        let (fired, last) = {
            let fired = counting.0.lock().unwrap_or_else(PoisonError::into_inner);
            (fired.late.len(), fired.last)
        };
        let over = now() > last_due;
        // A moment more than until the last one: one that comes twice comes soon.
        if fired >= timers && last.is_some_and(|last| last.elapsed() > Duration::from_secs(3)) {
            return Ok(());
        }
        if over && last.is_none_or(|last| last.elapsed() > SILENCE) {
            bail!("{fired} of {timers} have fired, and nothing comes any more");
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[expect(clippy::disallowed_methods, reason = "timers fire by the real clock")]
fn now() -> Timestamp {
    Timestamp::now()
}
