//! Spreads the background work of a handler (a projection, a reactor) over the running instances: tenants are cut
//! into shards by a stable hash, and the instance that holds a shard's lease works for all of its tenants.
//! Leases per shard rather than per tenant keep the cost independent of the number of tenants.

use std::{future::Future, time::Duration};

use futures::StreamExt;
use muster_domain::TenantId;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{EventLog, lease::Lease, names::shard_of_tenant};

/// Pieces the tenants are cut into: the most instances that share one handler's work.
const SHARDS: u16 = 4;
/// How long a crashed instance's work lies still.
const LEASE_TTL: Duration = Duration::from_secs(6);
const RENEW_EVERY: Duration = Duration::from_secs(2);
/// How often an instance without the lease asks for it.
const ASK_EVERY: Duration = Duration::from_secs(2);
const RESTART_PAUSE: Duration = Duration::from_secs(1);

/// Runs `work` for every tenant whose shard this instance owns, until `shutdown`.
pub(crate) async fn run_for_tenants<F, W>(log: EventLog, handler: String, shutdown: CancellationToken, work: F)
where
    F: Fn(TenantId, CancellationToken) -> W + Clone + Send + Sync + 'static,
    W: Future<Output = ()> + Send + 'static,
{
    #[expect(clippy::disallowed_methods, reason = "this run of this process, unlike any other")]
    let holder = Uuid::now_v7().to_string();
    let mut shards = JoinSet::new();
    for shard in 0..SHARDS {
        shards.spawn(own_shard(
            log.clone(),
            format!("own.{handler}.{shard}"),
            holder.clone(),
            shard,
            shutdown.clone(),
            work.clone(),
        ));
    }
    while shards.join_next().await.is_some() {}
}

async fn own_shard<F, W>(log: EventLog, name: String, holder: String, shard: u16, shutdown: CancellationToken, work: F)
where
    F: Fn(TenantId, CancellationToken) -> W + Clone + Send + Sync + 'static,
    W: Future<Output = ()> + Send + 'static,
{
    while !shutdown.is_cancelled() {
        match Lease::acquire(&log, &name, &holder, LEASE_TTL).await {
            Ok(Some(lease)) => work_while_held(&log, lease, shard, &shutdown, &work).await,
            Ok(None) => {}
            Err(error) => tracing::warn!(lease = name, %error, "cannot ask for background work"),
        }
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = tokio::time::sleep(ASK_EVERY) => {}
        }
    }
}

async fn work_while_held<F, W>(log: &EventLog, mut lease: Lease, shard: u16, shutdown: &CancellationToken, work: &F)
where
    F: Fn(TenantId, CancellationToken) -> W + Clone + Send + Sync + 'static,
    W: Future<Output = ()> + Send + 'static,
{
    let stop = shutdown.child_token();
    let tenants = tokio::spawn(work_for_shard(log.clone(), shard, stop.clone(), work.clone()));
    let mut renewals = tokio::time::interval(RENEW_EVERY);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => break,
            _ = renewals.tick() => match lease.renew().await {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) if lease.is_held() => tracing::warn!(%error, "cannot renew a lease yet"),
                Err(_) => break,
            },
        }
    }
    stop.cancel();
    if let Err(error) = tenants.await {
        tracing::error!(%error, "background work ended badly");
    }
    lease.release().await;
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
