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
/// Of so many events one is an alert.
const ALERT_EVERY: usize = 20;

pub(crate) async fn run(settings: &Settings) -> Result<()> {
    let per_second = settings.alert_events_per_second;
    report::title(&format!(
        "notify: from the alert to the HTTP request, {} events/s in the log",
        count(per_second as f64)
    ));
    let some = Load { per_second, lasts: settings.notify, alert_every: ALERT_EVERY, tier_1_every: 1 };
    let all = Load { alert_every: 1, ..some };
    let raw = [posted(&some).await?, posted(&all).await?];
    let [by_itself, grouped] = [told(&some, Some(never_grouped())).await?, told(&all, None).await?];
    let alerts_per_second = per_second / ALERT_EVERY;
    let rows = vec![
        row(alerts_per_second, "raw: read the log, post", &raw[0].late, &raw[0].late),
        row(alerts_per_second, "the notifier, a message each", &by_itself.late, &raw[0].late),
        row(per_second, "raw: read the log, post", &raw[1].late, &raw[1].late),
        row(per_second, "the notifier, what it tells by itself", &grouped.late, &raw[1].late),
    ];
    report::table(&["alerts/s", "what", "p50", "p99", "p99 to raw", "goal for p99"], rows);
    println!(
        "\nOf {} alerts at {}/s {} were told by themselves and all others in {} messages, the last {:.1} s after the last \
         alert.",
        count(all.alerts() as f64),
        count(per_second as f64),
        count(grouped.late.len() as f64),
        count(grouped.groups as f64),
        grouped.all_after.as_secs_f64(),
    );
    let pace = told(&all, Some(never_grouped())).await?;
    println!(
        "With a message for each of them, the last is out {:.1} s after the last alert: {} messages/s.",
        pace.all_after.as_secs_f64(),
        count(all.alerts() as f64 / (all.lasts + pace.all_after).as_secs_f64()),
    );
    Ok(())
}

/// Every alert is a message of its own.
fn never_grouped() -> Grouping {
    Grouping { more_than: 10_000, ..Grouping::default() }
}

/// How late the alerts were that were told by themselves, and when the last of all was told.
struct Told {
    late: Vec<Duration>,
    groups: usize,
    all_after: Duration,
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

async fn told(load: &Load, grouping: Option<Grouping>) -> Result<Told> {
    let (nats, postgres) = (Nats::start().await?, Postgres::start(&[muster_notifier::MIGRATIONS]).await?);
    let receiver = Receiver::start().await?;
    let notifier = Notifier::start(&nats, &postgres, &receiver, grouping).await?;
    let opened = load.write(&nats).await?;
    let told = arrived(&receiver, &opened).await?;
    notifier.stop().await?;
    Ok(told)
}

async fn arrived(receiver: &Receiver, opened: &BTreeMap<String, Instant>) -> Result<Told> {
    let written = Instant::now();
    receiver.all(opened.len(), PATIENCE).await?;
    let all_after = written.elapsed();
    let taken = receiver.taken();
    ensure!(
        taken.doubled == 0 && taken.told() == opened.len() as u64,
        "{} told of {}, {} doubled",
        taken.told(),
        opened.len(),
        taken.doubled
    );
    let late = taken
        .single
        .iter()
        .map(|(alert, seen)| opened.get(alert).map(|at| seen.saturating_duration_since(*at)))
        .collect::<Option<Vec<_>>>()
        .context("an alert was told that nobody opened")?;
    Ok(Told { late, groups: taken.groups.len(), all_after })
}

/// The least that any notifier does.
async fn posted(load: &Load) -> Result<Told> {
    let (nats, receiver) = (Nats::start().await?, Receiver::start().await?);
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
    let opened = load.write(&nats).await?;
    let told = arrived(&receiver, &opened).await?;
    reader.abort();
    Ok(told)
}
