//! What a run costs: from the confirmation to the first command, and a whole switchover beside the same steps as a plain
//! script and beside `patronictl switchover`.
//!
//! The product is `muster up` itself, in processes of its own, used through its API. Every pair is of real PostgreSQL servers
//! that wait for the disk, with an application of ours that writes all the time.

mod application;
mod compare;
mod demo;
mod overhead;
mod patroni;
mod record;
mod script;

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use muster_domain::pb::request::v1::RequestType;

use crate::{report, settings::Settings};
use application::Application;
use compare::Moves;
use demo::Demo;
use patroni::Managed;
use record::Record;
use script::Scripted;

/// What the application gets before and after a move, so that a gap has two ends.
const SETTLE: Duration = Duration::from_millis(500);

pub(crate) async fn run(settings: &Settings) -> Result<()> {
    report::title(&format!(
        "runs: {} readiness drills, and {} switchovers by each of Muster, a script and patronictl",
        settings.drills, settings.moves
    ));
    let mut demo = Demo::start().await?;
    let mut drills = Vec::new();
    for _ in 0..settings.drills {
        drills.push(demo.run(RequestType::ReadinessDrill).await?);
    }
    let mut scripted = Scripted::start().await?;
    let mut managed = Managed::start().await?;
    let (mut muster, mut plain, mut patronictl) = (Moves::default(), Moves::default(), Moves::default());
    let mut switchovers: Vec<Record> = Vec::new();
    for _ in 0..settings.moves {
        let (run, outage) = while_writing(demo.urls(), async || demo.run(RequestType::Switchover).await).await?;
        muster.add(run.whole()?, outage);
        switchovers.push(run);
        let (took, outage) = while_writing(scripted.urls(), async || scripted.switch_over().await).await?;
        plain.add(took, outage);
        if let Ok(managed) = &mut managed {
            let (took, outage) = while_writing(managed.urls(), async || managed.switch_over().await).await?;
            patronictl.add(took.until_streaming, outage);
            patronictl.add_answer(took.until_answer);
        }
    }
    println!("{}\n", report::load());
    overhead::print(&drills, &switchovers);
    overhead::print_steps(&switchovers);
    compare::print(&muster, &plain, &patronictl, managed.as_ref().err());
    Ok(())
}

/// The longest time in which the application got no write acknowledged, while `deed` was done.
async fn while_writing<T>(urls: [String; 2], deed: impl AsyncFnOnce() -> Result<T>) -> Result<(T, Duration)> {
    let application = Application::start(urls).await?;
    tokio::time::sleep(SETTLE).await;
    let begun = Instant::now();
    let done = deed().await?;
    tokio::time::sleep(SETTLE).await;
    let outage = application.stop(begun).await?;
    ensure!(!outage.is_zero(), "the application wrote nothing");
    Ok((done, outage))
}
