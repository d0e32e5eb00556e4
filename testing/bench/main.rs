//! `make bench`: what Muster's own code costs over the servers it stands on. Every number stands beside the raw limit,
//! or a peer, measured in the same run: a ratio says something on any machine, a bare number does not.
//!
//! Nothing here fails because something is slow. It fails when a bench did not measure what it says.
//! docs/benchmarks.md explains each bench and keeps the numbers of one run.
//!
//! `cargo bench -p muster-testing -- append rebuild` runs only these.

mod append;
mod checkpoints;
mod export;
mod history;
mod load;
mod notify;
mod readiness;
mod rebuild;
mod report;
mod runs;
mod settings;
mod stack;
mod timers;
mod tlog;

use std::time::Instant;

use anyhow::{Result, bail};

use settings::Settings;

const BENCHES: [&str; 11] =
    ["append", "checkpoints", "export", "load", "notify", "readiness", "rebuild", "runs", "storm", "timers", "tlog"];

#[tokio::main]
async fn main() -> Result<()> {
    // cargo itself passes options such as --bench.
    let mut chosen: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    if let Some(unknown) = chosen.iter().find(|name| !BENCHES.contains(&name.as_str())) {
        bail!("there is no bench '{unknown}'; there are: {}", BENCHES.join(", "));
    }
    if chosen.is_empty() {
        chosen = BENCHES.map(str::to_owned).to_vec();
    }
    let settings = Settings::from_environment()?;
    println!("{}", report::machine());
    let started = Instant::now();
    for bench in chosen {
        match bench.as_str() {
            "append" => append::run(&settings).await?,
            "checkpoints" => checkpoints::run(&settings).await?,
            "export" => export::run(&settings).await?,
            "load" => load::run(&settings).await?,
            "notify" => notify::latency(&settings).await?,
            "readiness" => readiness::run(&settings).await?,
            "rebuild" => rebuild::run(&settings).await?,
            "storm" => notify::storm(&settings).await?,
            "timers" => timers::run(&settings).await?,
            "tlog" => tlog::run(&settings)?,
            _ => runs::run(&settings).await?,
        }
    }
    println!("\nAll in {:.0} s. {}", started.elapsed().as_secs_f64(), report::load());
    Ok(())
}
