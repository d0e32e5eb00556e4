//! A breach and a lost sight: seen, judged, alerted, told, resolved.

use anyhow::{Context as _, Result, ensure};
use jiff::Timestamp;
use muster_domain::{
    pb::{audit::v1::AuditFilter, common::v1::LossCertainty, readiness::v1::Status},
    time::{duration_from_pb, from_pb},
};
use muster_testing::{
    Product,
    poll::{self, Look, look_for},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;

use crate::support::{HEALTHY, becomes, heal, healthy, reason_codes};

pub(crate) async fn cut(product: &mut Product) -> Result<()> {
    healthy(product, "orders-db").await?;
    let vera = product.person("vera").await?;
    let begun = Timestamp::now();
    product.demo(&["cut", "orders-db"])?;
    becomes(&vera, "orders-db", Status::Red, HEALTHY).await?;

    // The alert is an event, recorded within 5 s of the moment at which its condition had lasted long enough.
    let opened =
        poll::until("the alert event", HEALTHY, || async { newest(product, "alert.opened", "orders-db", begun).await })
            .await?;
    let due: Timestamp = opened["payload"]["alertOpened"]["dueAt"].as_str().context("due_at")?.parse()?;
    let stored: Timestamp = opened["storedAt"].as_str().context("storedAt")?.parse()?;
    let late = stored.duration_since(due);
    ensure!(late.as_secs() < 5, "recorded {late:?} after it was due");

    // The loss window grows in the statement, and nobody says "no data loss".
    let window = |view: &muster_domain::pb::readiness::v1::ReadinessView| {
        let loss = view.assessment.clone().unwrap_or_default().loss.unwrap_or_default();
        (loss.certainty(), duration_from_pb(loss.window.as_ref()), loss.text)
    };
    let first = window(&vera.readiness("orders-db").await?);
    ensure!(first.0 == LossCertainty::Bounded && first.1.is_some_and(|w| w.as_secs() > 0), "{first:?}");
    ensure!(!first.2.to_lowercase().contains("no data loss"), "{}", first.2);
    poll::until("the window to grow", HEALTHY, || async {
        let now = window(&vera.readiness("orders-db").await?);
        Ok(if now.1 > first.1.map(|w| w + jiff::SignedDuration::from_secs(2)) {
            Look::Found(())
        } else {
            Look::NotYet(now)
        })
    })
    .await?;

    messages_arrive(product, "rpo.breached", "orders-db").await?;
    heal(product, "orders-db").await?;
    poll::until("the alert to be resolved", HEALTHY, || async {
        newest(product, "alert.resolved", "orders-db", begun).await
    })
    .await?;
    ensure!(vera.readiness("orders-db").await?.open_alerts.is_empty(), "no alert is open");
    messages_arrive(product, "alert.resolved", "orders-db").await
}

/// Both nodes hang: their sockets are open and nobody answers.
pub(crate) async fn lost_sight(product: &mut Product) -> Result<()> {
    healthy(product, "billing-db").await?;
    let vera = product.person("vera").await?;
    sight_is_lost_after(product, "5s", "12s").await?;
    let begun = Timestamp::now();
    let postmasters = ["billing-a", "billing-b"].map(|node| postmaster(product, node));
    let hung = Hung::all(postmasters.into_iter().collect::<Result<_>>()?)?;
    let view = becomes(&vera, "billing-db", Status::Unknown, HEALTHY).await?;
    ensure!(!reason_codes(&view).is_empty(), "the loss of sight has a reason");
    ensure!(view.last_known_good.is_some(), "the last known good state is shown");
    let opened =
        poll::until("the alert", HEALTHY, || async { newest(product, "alert.opened", "billing-db", begun).await })
            .await?;
    ensure!(opened["payload"]["alertOpened"]["kind"] == "ALERT_KIND_LOST_SIGHT", "{opened}");
    messages_arrive(product, "visibility.lost", "billing-db").await?;
    drop(hung);
    healthy(product, "billing-db").await?;
    poll::until("the alert to be resolved", HEALTHY, || async {
        newest(product, "alert.resolved", "billing-db", begun).await
    })
    .await?;
    sight_is_lost_after(product, "20s", "60s").await
}

/// What is built in, a minute, is long to wait for.
async fn sight_is_lost_after(product: &Product, stale: &str, lost: &str) -> Result<()> {
    let ada = product.person("ada").await?;
    let policy = format!(
        "kind: Policy\nmetadata: {{name: sight, tenant: acme}}\nspec:\n  readiness:\n    - tier: 2\n      thresholds: {{staleAfter: {stale}, lostAfter: {lost}}}\n"
    );
    ada.apply("acme", &policy, false).await?;
    poll::until("the new limit to be used", HEALTHY, || async {
        let used = ada.readiness("billing-db").await?.thresholds.and_then(|t| duration_from_pb(t.lost_after.as_ref()));
        Ok(look_for(used, |used| used.is_some_and(|used| format!("{}s", used.as_secs()) == lost)))
    })
    .await
    .map(drop)
}

/// Processes that stand still until this is dropped.
pub(crate) struct Hung(Vec<i32>);

impl Hung {
    pub(crate) fn one(pid: i32) -> Result<Self> {
        kill(Pid::from_raw(pid), Signal::SIGSTOP)?;
        Ok(Self(vec![pid]))
    }

    /// Stops the servers and everything they started.
    pub(crate) fn all(postmasters: Vec<i32>) -> Result<Self> {
        let mut hung = Self(Vec::new());
        for postmaster in postmasters {
            for pid in std::iter::once(postmaster).chain(children(postmaster)) {
                kill(Pid::from_raw(pid), Signal::SIGSTOP)?;
                hung.0.push(pid);
            }
        }
        Ok(hung)
    }
}

impl Drop for Hung {
    fn drop(&mut self) {
        for pid in &self.0 {
            let _ = kill(Pid::from_raw(*pid), Signal::SIGCONT);
        }
    }
}

pub(crate) fn postmaster(product: &Product, node: &str) -> Result<i32> {
    let file = product.data().join("estate").join(node).join("postmaster.pid");
    let text = std::fs::read_to_string(&file).with_context(|| format!("{} is not running", file.display()))?;
    Ok(text.lines().next().unwrap_or_default().trim().parse()?)
}

/// The process that applies received log on a standby. Without it the server still answers and receives.
pub(crate) fn replay_process(product: &Product, node: &str) -> Result<i32> {
    let title = |pid: &i32| std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let found = children(postmaster(product, node)?).into_iter().find(|pid| title(pid).contains("startup"));
    found.with_context(|| format!("{node} has no replay process"))
}

fn children(parent: i32) -> Vec<i32> {
    let text = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap_or_default();
    text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

/// The newest event of a type since a time, as its JSON export line.
async fn newest(product: &Product, kind: &str, resource: &str, since: Timestamp) -> Result<Look<Value, String>> {
    let filter = AuditFilter { types: vec![kind.into()], resource: resource.into(), ..Default::default() };
    let lines = product.person("vera").await?.export(muster_domain::pb::audit::v1::ExportFormat::Json, filter).await?;
    let found =
        String::from_utf8(lines)?.lines().rev().map(serde_json::from_str::<Value>).collect::<Result<Vec<_>, _>>()?;
    let newest = found
        .into_iter()
        .find(|event| event["time"].as_str().and_then(|at| at.parse::<Timestamp>().ok()).is_some_and(|at| at >= since));
    Ok(newest.map_or_else(|| Look::NotYet(format!("no {kind} of {resource} since {since}")), Look::Found))
}

/// The message is in the mail box and at the webhook, and the record says that both were accepted.
pub(crate) async fn messages_arrive(product: &Product, kind: &str, resource: &str) -> Result<()> {
    poll::until(&format!("{kind} in both inboxes"), HEALTHY, || async {
        let inbox = product.demo(&["inbox", "-o", "json"])?.json()?;
        let hooks = inbox["webhooks"].as_array().cloned().unwrap_or_default();
        let hook = hooks.iter().any(|hook| hook["body"]["type"] == kind && hook["body"].to_string().contains(resource));
        let mails = inbox["mails"].as_array().cloned().unwrap_or_default();
        let mail = mails.iter().any(|mail| {
            mail["subject"].as_str().is_some_and(|subject| subject.contains(resource))
                && mail["text"].as_str().is_some_and(|text| text.contains(kind))
        });
        let types: Vec<String> = hooks.iter().map(|hook| hook["body"]["type"].to_string()).collect();
        Ok(if hook && mail { Look::Found(()) } else { Look::NotYet((hook, mail, mails.len(), types)) })
    })
    .await?;
    for channel in ["email", "webhook"] {
        let accepted = |d: &&muster_domain::pb::notification::v1::DeliveryView| {
            d.channel == channel
                && d.message_kind == kind
                && d.state() == muster_domain::pb::notification::v1::DeliveryState::Accepted
                && from_pb(d.finished_at.as_ref()).is_some()
        };
        poll::until(&format!("the delivery of {kind} by {channel} to be recorded"), HEALTHY, || async {
            let deliveries = product.person("vera").await?.deliveries(resource).await?;
            Ok(look_for(deliveries, |all| all.iter().find(accepted).is_some()))
        })
        .await?;
    }
    Ok(())
}
