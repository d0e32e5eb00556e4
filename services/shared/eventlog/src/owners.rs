//! The background work of a handler (a projection, a reactor) for every tenant: tenants are cut into shards by a
//! stable hash, and the instance that owns a shard works for all of its tenants, each on its own.
//! Leases per shard rather than per tenant keep the cost independent of the number of tenants.

use std::{future::Future, time::Duration};

use futures::StreamExt;
use muster_domain::TenantId;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{EventLog, names::shard_of_tenant, shards::own_shards};

/// Pieces the tenants are cut into: the most instances that share one handler's work.
const SHARDS: u16 = 4;
const RESTART_PAUSE: Duration = Duration::from_secs(1);

/// Runs `work` for every tenant whose shard this instance owns, until `shutdown`.
pub async fn run_for_tenants<F, W>(log: EventLog, handler: String, shutdown: CancellationToken, work: F)
where
    F: Fn(TenantId, CancellationToken) -> W + Clone + Send + Sync + 'static,
    W: Future<Output = ()> + Send + 'static,
{
    #[expect(clippy::disallowed_methods, reason = "this run of this process, unlike any other")]
    let holder = Uuid::now_v7().to_string();
    let shard_work = {
        let log = log.clone();
        move |shard, stop| work_for_shard(log.clone(), shard, stop, work.clone())
    };
    own_shards(log, handler, SHARDS, holder, shutdown, shard_work).await;
}

/// One task a tenant; a task that panics is begun again, and the others never notice.
async fn work_for_shard<F, W>(log: EventLog, shard: u16, stop: CancellationToken, work: F)
where
    F: Fn(TenantId, CancellationToken) -> W + Clone + Send + Sync + 'static,
    W: Future<Output = ()> + Send + 'static,
{
    let mut tasks = JoinSet::new();
    let mut tenants = Box::pin(log.watch_tenants());
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            Some(tenant) = tenants.next() => {
                if shard_of_tenant(&tenant, SHARDS) == shard {
                    tasks.spawn(supervise(tenant, stop.clone(), work.clone()));
                }
            }
            Some(_) = tasks.join_next() => {}
        }
    }
    while tasks.join_next().await.is_some() {}
}

async fn supervise<F, W>(tenant: TenantId, stop: CancellationToken, work: F)
where
    F: Fn(TenantId, CancellationToken) -> W,
    W: Future<Output = ()> + Send + 'static,
{
    while !stop.is_cancelled() {
        if let Err(error) = tokio::spawn(work(tenant.clone(), stop.clone())).await {
            tracing::error!(%tenant, %error, "background work for a tenant panicked, beginning it again");
            metrics::counter!("muster_log_worker_panics_total").increment(1);
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(RESTART_PAUSE) => {}
        }
    }
}
