//! From an observation to the recorded status: the real monitor on real servers, watching systems that break and recover,
//! beside the least that any reaction takes: read what was published, publish something, wait for the acknowledgement.

mod collector;
mod cpu;
mod fleet;
mod reaction;
mod recorded;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use jiff::Timestamp;
use muster_monitor::MIGRATIONS;
use muster_runtime::{Clock, Config, Context, serve, serve::ServeError};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::{
    report::{self, count, millis, percentile, ratio},
    settings::Settings,
    stack::{Nats, Postgres},
};
use collector::{Collector, Mode, Sent};
use cpu::Cpu;
use fleet::Fleet;
use reaction::{Reaction, Reactor};
use recorded::Recorded;

/// The monitor takes the shards over, reads the log, and lets a good status settle.
const WARM_UP: Duration = Duration::from_secs(60);
/// After the last break was published: then what is not recorded is missing.
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) async fn run(settings: &Settings) -> Result<()> {
    report::title(&format!(
        "readiness: {} observations/s of {} systems",
        count(settings.observations_per_second as f64),
        settings.resources
    ));
    let nats = Nats::start().await?;
    let postgres = Postgres::start(&[MIGRATIONS]).await?;
    let fleet = Fleet::declare(&nats, settings.resources).await?;
    let size = fleet.size();
    let recorded = Recorded::follow(&nats.log).await;
    let reactor = Reactor::start(&nats).await?;
    let collector = Collector::start(&nats, fleet, settings);

    let alone = cpu_during(&nats, &postgres, settings.readiness / 4).await;
    let monitor = Monitor::start(&nats, &postgres).await?;
    until(WARM_UP, || recorded.green() == size)
        .await
        .with_context(|| format!("{} of {size} systems were recorded green", recorded.green()))?;
    let before = recorded.reds();
    collector.switch(Mode::Breaking);
    let with_monitor = cpu_during(&nats, &postgres, settings.readiness).await;
    collector.switch(Mode::Healthy);
    let published = collector.breaks_published();
    // What is missing then shows in the numbers.
    let _ = until(PATIENCE, || recorded.reds() - before >= published).await;

    let sent = collector.stop().await?;
    let (reactions, breaking) = (reactor.stop().await?, sent.iter().filter(|sent| sent.breaking));
    print(&breaking.collect::<Vec<_>>(), &reactions, &recorded, settings)?;
    print_cpu(&[("collector and raw reaction", alone), ("and the monitor", with_monitor)]);
    monitor.stop().await
}

fn print(sent: &[&Sent], reactions: &[Reaction], recorded: &Recorded, settings: &Settings) -> Result<()> {
    let by_sequence: BTreeMap<u64, &Reaction> =
        reactions.iter().map(|reaction| (reaction.sequence, reaction)).collect();
    let reacted: Vec<_> = sent.iter().filter_map(|sent| Some((sent.at, *by_sequence.get(&sent.sequence)?))).collect();
    let breaks: Vec<_> = sent.iter().flat_map(|sent| sent.breaks.iter().map(|name| (name, sent.at))).collect();
    let changes: Vec<_> = breaks.iter().filter_map(|(name, at)| Some((*at, recorded.red_after(name, *at)?))).collect();
    ensure!(!changes.is_empty(), "none of {} breaks was recorded", breaks.len());

    let observations: usize = sent.iter().map(|sent| sent.observations).sum();
    println!(
        "{} observations/s in {} messages; {} of {} breaks recorded.\n",
        count(report::rate(observations, settings.readiness)),
        count(sent.len() as f64),
        changes.len(),
        breaks.len()
    );
    let rows = [
        ("raw: published -> read", latencies(&reacted, |reaction| reaction.read_at)),
        ("raw: published -> read -> answer published and acknowledged", latencies(&reacted, |r| r.written_at)),
        ("published -> worse status stored in the log", latencies(&changes, |change| change.stored_at)),
        ("published -> worse status stored -> read from the log", latencies(&changes, |change| change.read_at)),
    ];
    let raw = percentile(&rows[1].1, 50.0).as_secs_f64();
    let row = |(name, latencies): (&str, Vec<Duration>)| {
        let (p50, p99) = (percentile(&latencies, 50.0), percentile(&latencies, 99.0));
        let cells = [count(latencies.len() as f64), millis(p50), millis(p99), ratio(p50.as_secs_f64() / raw)];
        [name.to_owned()].into_iter().chain(cells).collect()
    };
    report::table(&["from -> to", "times", "p50", "p99", "p50 of raw"], rows.into_iter().map(row).collect());
    Ok(())
}

fn latencies<T>(since: &[(Timestamp, T)], until: impl Fn(&T) -> Timestamp) -> Vec<Duration> {
    since.iter().filter_map(|(at, what)| until(what).duration_since(*at).try_into().ok()).collect()
}

fn print_cpu(rows: &[(&str, (Cpu, Duration))]) {
    let share = |used: Duration, of: Duration| format!("{:.0} %", 100.0 * used.as_secs_f64() / of.as_secs_f64());
    let row = |(name, (cpu, took)): &(&str, (Cpu, Duration))| {
        vec![(*name).to_owned(), share(cpu.own, *took), share(cpu.nats, *took), share(cpu.postgres, *took)]
    };
    println!();
    report::table(&["share of one core", "this process", "nats-server", "PostgreSQL"], rows.iter().map(row).collect());
}

async fn cpu_during(nats: &Nats, postgres: &Postgres, duration: Duration) -> (Cpu, Duration) {
    let (before, started) = (Cpu::now(nats.pid(), &postgres.server), Instant::now());
    tokio::time::sleep(duration).await;
    (Cpu::now(nats.pid(), &postgres.server).since(before), started.elapsed())
}

async fn until(limit: Duration, holds: impl Fn() -> bool) -> Result<()> {
    let started = Instant::now();
    while !holds() {
        if started.elapsed() > limit {
            bail!("not within {} s", limit.as_secs());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// The monitor as a process runs it, with its own connections.
struct Monitor {
    shutdown: CancellationToken,
    running: JoinHandle<Result<(), ServeError>>,
}

impl Monitor {
    async fn start(nats: &Nats, postgres: &Postgres) -> Result<Self> {
        let log = nats.connect().await?;
        let context = Context::assemble(Config::default(), Clock::system(), log, postgres.db.clone())?;
        let shutdown = context.shutdown.clone();
        let service = muster_monitor::service(&context);
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        Ok(Self { shutdown, running: tokio::spawn(serve(context, vec![service], listener)) })
    }

    async fn stop(self) -> Result<()> {
        self.shutdown.cancel();
        Ok(self.running.await??)
    }
}
