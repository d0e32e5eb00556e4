//! From the alert in the log to the channel's HTTP request. The peer reads the same log and posts, and does nothing else:
//! no routes, no record of who was told, no second try.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use muster_domain::pb::{
    inventory::v1::Grouping,
    readiness::v1::{ReadinessEvent, readiness_event::Event},
};
use prost::Message as _;
use serde_json::json;

use super::{
    alerts::{Load, Notifier},
    receiver::Receiver,
};
use crate::{
    report::{self, count, millis, percentile},
    settings::Settings,
    stack::{Nats, Postgres},
};

const GOAL: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(180);

pub(crate) async fn run(settings: &Settings) -> Result<()> {
    let per_second = settings.alert_events_per_second;
    report::title(&format!(
        "notify: from the alert to the HTTP request, {} events/s in the log",
        count(per_second as f64)
    ));
    let mut rows = Vec::new();
    for alert_every in [20, 1] {
        let load = Load { per_second, lasts: settings.notify, alert_every, tier_1_every: 1 };
        let raw = measure(&load, false).await?;
        let ours = measure(&load, true).await?;
        let alerts_per_second = per_second / alert_every;
        rows.push(row(alerts_per_second, "raw: read the log, post", &raw, &raw));
        rows.push(row(alerts_per_second, "the notifier", &ours, &raw));
    }
    report::table(&["alerts/s, a message each", "what", "p50", "p99", "p99 to raw", "goal for p99"], rows);
    Ok(())
}

fn row(alerts_per_second: usize, what: &str, ours: &[Duration], raw: &[Duration]) -> Vec<String> {
    let p99 = percentile(ours, 99.0);
    vec![
        count(alerts_per_second as f64),
        what.to_owned(),
        millis(percentile(ours, 50.0)),
        millis(p99),
        format!("{:.1}", p99.as_secs_f64() / percentile(raw, 99.0).as_secs_f64()),
        format!("{} ({})", millis(GOAL), if p99 <= GOAL { "met" } else { "not met" }),
    ]
}

async fn measure(load: &Load, through_the_product: bool) -> Result<Vec<Duration>> {
    let (nats, postgres) = (Nats::start().await?, Postgres::start(&[muster_notifier::MIGRATIONS]).await?);
    let receiver = Receiver::start().await?;
    let opened = if through_the_product {
        // Every alert is a message of its own: what is measured is not how few there are.
        let grouping = Grouping { more_than: 10_000, ..Grouping::default() };
        let notifier = Notifier::start(&nats, &postgres, &receiver, Some(grouping)).await?;
        let opened = load.write(&nats).await?;
        receiver.all(opened.len(), PATIENCE).await?;
        notifier.stop().await?;
        opened
    } else {
        posted(&nats, &receiver, load).await?
    };
    let taken = receiver.taken();
    ensure!(taken.doubled == 0 && taken.groups.is_empty(), "{} alerts were told twice", taken.doubled);
    let late =
        |(alert, at): (&String, &Instant)| taken.single.get(alert).map(|seen| seen.saturating_duration_since(*at));
    opened.iter().map(late).collect::<Option<Vec<_>>>().context("an alert was not told")
}

/// The least that any notifier does.
async fn posted(nats: &Nats, receiver: &Receiver, load: &Load) -> Result<BTreeMap<String, Instant>> {
    let (log, tenant, url) = (nats.connect().await?, nats.tenant.clone(), receiver.url.clone());
    let reader = tokio::spawn(async move {
        let (mut entries, client) = (log.raw(&tenant, 0), reqwest::Client::new());
        loop {
            for entry in entries.next().await {
                let Ok(ReadinessEvent { event: Some(Event::AlertOpened(alert)) }) =
                    ReadinessEvent::decode(entry.payload.as_ref())
                else {
                    continue;
                };
                let post = client.post(&url).json(&json!({"data": {"alert_id": alert.alert_id, "subject": "alert"}}));
                tokio::spawn(post.send());
            }
        }
    });
    let opened = load.write(nats).await?;
    receiver.all(opened.len(), PATIENCE).await?;
    reader.abort();
    Ok(opened)
}
