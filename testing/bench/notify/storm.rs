//! Very many alerts in a minute, while the channel is down for the first half of it: nothing is lost, nothing doubled, what
//! matters most goes first, and memory is bounded.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::{
    alerts::{Load, Notifier},
    receiver::Receiver,
};
use crate::{
    checkpoints::{Memory, mebibytes},
    report::{self, count},
    settings::Settings,
    stack::{Nats, Postgres},
};

const LASTS: Duration = Duration::from_secs(60);
/// The second try of what is not urgent comes five minutes after the first.
const PATIENCE: Duration = Duration::from_secs(480);
const TIER_1_EVERY: usize = 20;

pub(crate) async fn run(settings: &Settings) -> Result<()> {
    let per_second = settings.storm_alerts.div_ceil(LASTS.as_secs() as usize);
    let load = Load { per_second, lasts: LASTS, alert_every: 1, tier_1_every: TIER_1_EVERY };
    report::title(&format!(
        "storm: {} alerts in a minute, the channel down for half of it",
        count(load.alerts() as f64)
    ));
    let (nats, postgres) = (Nats::start().await?, Postgres::start(&[muster_notifier::MIGRATIONS]).await?);
    let receiver = Receiver::start().await?;
    receiver.close(true);
    let memory = Memory::watch()?;
    let notifier = Notifier::start(&nats, &postgres, &receiver, None).await?;
    let began = Instant::now();
    let (opened, ()) = tokio::join!(load.write(&nats), async {
        tokio::time::sleep(LASTS / 2).await;
        receiver.close(false);
    });
    let opened = opened?.len();
    receiver.all(opened, PATIENCE).await?;
    let took = began.elapsed();
    notifier.stop().await?;
    let (before, peak) = memory.finish();
    let taken = receiver.taken();
    ensure!(
        taken.told() == opened as u64 && taken.doubled == 0,
        "{} told of {opened}, {} doubled",
        taken.told(),
        taken.doubled
    );
    let last_of_tier_1 = taken.tiers.iter().rposition(|tier| *tier == 1).unwrap_or_default();
    let before_it = taken.tiers.iter().take(last_of_tier_1).filter(|tier| **tier != 1).count();
    report::table(
        &[
            "alerts",
            "messages",
            "refused tries",
            "lost",
            "doubled",
            "other tiers' messages before tier 1's last",
            "all told after",
            "memory before",
            "at most",
        ],
        vec![vec![
            count(opened as f64),
            count(taken.tiers.len() as f64),
            count(taken.refused as f64),
            "0".to_owned(),
            "0".to_owned(),
            count(before_it as f64),
            format!("{:.0} s", took.as_secs_f64()),
            mebibytes(before),
            mebibytes(peak),
        ]],
    );
    Ok(())
}
