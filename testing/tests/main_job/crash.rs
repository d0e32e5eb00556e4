//! The product is killed at the worst moments. The databases are not its children: they go on.

use std::time::Duration;

use anyhow::{Result, ensure};
use muster_domain::pb::{
    audit::v1::AuditFilter,
    request::v1::{RequestState, RequestType},
};
use muster_testing::{
    Product,
    poll::{self, Look},
};
use tokio_util::sync::CancellationToken;

use crate::{
    alerts::postmaster,
    support::{HEALTHY, account, direction, ended, green_on, heal, healthy, reaches, rows, started, writable_nodes},
};

const RESOURCE: &str = "orders-db";

pub(crate) async fn three_kills(product: &mut Product) -> Result<()> {
    for step in ["stop-primary", "promote-target", "rejoin-old-primary"] {
        Box::pin(kill_at(product, step)).await.map_err(|e| e.context(format!("killed at {step}")))?;
    }
    Ok(())
}

async fn kill_at(product: &mut Product, step: &str) -> Result<()> {
    healthy(product, RESOURCE).await?;
    let (_, target) = direction(product, RESOURCE).await?;
    let watch = TwoPrimaries::watch(product);
    let request = started(product, RequestType::Switchover, RESOURCE, &target).await?;
    reaches(&product.person("vera").await?, &request.request_id, step).await?;
    product.kill_9()?;
    product.start_again().await?;
    let over = ended(product, &request.request_id).await?;
    let run = over.execution.clone().unwrap_or_default();
    match over.state() {
        RequestState::Succeeded => green_on(&product.person("vera").await?, RESOURCE, &target).await?,
        RequestState::Stopped => {
            let end = run.stopped.unwrap_or_default();
            ensure!(!end.known_state.is_empty() && !end.guidance.is_empty() && !end.reason.is_empty(), "{end:?}");
            heal(product, RESOURCE).await?;
        }
        RequestState::Failed => {
            let end = run.failed.unwrap_or_default();
            ensure!(!end.known_state.is_empty() && !end.guidance.is_empty(), "{end:?}");
            heal(product, RESOURCE).await?;
        }
        _ => anyhow::bail!("{}", account(&over)),
    }
    let (looks, double) = watch.seen().await;
    ensure!(looks > 0 && double == 0, "two nodes took writes at once in {double} of {looks} looks");
    ensure!(rows(product, RESOURCE)?.lost == 0, "no acknowledged row is lost");
    Ok(())
}

/// NATS and PostgreSQL of the product itself die: they are started again, and nothing that was recorded is missing.
pub(crate) async fn own_servers_come_back(product: &mut Product) -> Result<()> {
    let vera = product.person("vera").await?;
    let before = vera.events(AuditFilter::default()).await?.len();
    for server in ["nats", "postgres"] {
        ensure!(product.kill_own(server) > 0, "{server} runs");
        decides_again(product, server).await.map_err(|e| e.context(format!("after {server} was killed")))?;
    }
    let after = product.person("vera").await?.events(AuditFilter::default()).await?.len();
    ensure!(after >= before, "{before} events before, {after} after");
    for resource in ["orders-db", "billing-db"] {
        healthy(product, resource).await?;
    }
    Ok(())
}

/// A decision needs the log and its answer needs the projection.
async fn decides_again(product: &Product, server: &str) -> Result<()> {
    let manifest = format!("kind: Site\nmetadata: {{name: after-{server}}}\nspec: {{displayName: killed}}\n");
    poll::until("a decision to be taken", HEALTHY, || async {
        let Ok(ada) = product.person("ada").await else { return Ok(Look::NotYet("no login".to_owned())) };
        Ok(match ada.apply("acme", &manifest, false).await {
            Ok(_) if product.ready().await => Look::Found(()),
            Ok(_) => Look::NotYet("not ready".to_owned()),
            Err(status) => Look::NotYet(status.message().to_owned()),
        })
    })
    .await
}

pub(crate) async fn stop_and_start_again(product: &mut Product) -> Result<()> {
    healthy(product, RESOURCE).await?;
    let requests = |product: &Product| product.cli("vera", &["request", "list", "-o", "json"]);
    product.cli("vera", &["login", "--as", "vera"])?.must_succeed()?;
    let before = requests(product)?.must_succeed()?.out;
    product.stop().await?;
    ensure!(
        postmaster(product, "orders-a").is_err() && postmaster(product, "billing-b").is_err(),
        "the databases are stopped"
    );
    product.start_again().await?;
    product.cli("vera", &["login", "--as", "vera"])?.must_succeed()?;
    let after = requests(product)?.must_succeed()?.out;
    ensure!(before == after, "the requests are the same");
    for resource in ["orders-db", "billing-db"] {
        healthy(product, resource).await?;
    }
    let doctor = product.cli("vera", &["doctor"])?;
    ensure!(doctor.code == 0, "{doctor:?}");
    Ok(())
}

/// Asks both servers all the time whether they take writes.
struct TwoPrimaries {
    stop: CancellationToken,
    task: tokio::task::JoinHandle<(u32, u32)>,
}

impl TwoPrimaries {
    fn watch(product: &Product) -> Self {
        let (stop, data) = (CancellationToken::new(), product.data());
        let stopped = stop.clone();
        let task = tokio::spawn(async move {
            let (mut looks, mut double) = (0, 0);
            while !stopped.is_cancelled() {
                if let Ok(nodes) = writable_nodes(&data, RESOURCE).await {
                    looks += 1;
                    double += u32::from(nodes.len() > 1);
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            (looks, double)
        });
        Self { stop, task }
    }

    /// How often it looked, and how often both took writes.
    async fn seen(self) -> (u32, u32) {
        self.stop.cancel();
        self.task.await.unwrap_or_default()
    }
}
