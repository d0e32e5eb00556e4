//! Spreads background work over the running instances: it is cut into shards, and the instance that holds a shard's
//! lease does its work. Two holders for a moment are harmless to whoever works here: what must not happen twice is
//! claimed in the log.

use std::{future::Future, time::Duration};

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{EventLog, lease::Lease};

/// How long a crashed instance's shards lie still. Below the time after which sight of a resource counts as lost.
const LEASE_TTL: Duration = Duration::from_secs(6);
const RENEW_EVERY: Duration = Duration::from_secs(2);
/// How often an instance without the lease asks for it, and how soon work that ended is begun again.
const ASK_EVERY: Duration = Duration::from_secs(2);

/// Runs `work` for every shard from 0 to `shards` that this instance owns, until `shutdown`. `name` is that of the
/// work, the same in every instance; `holder` is unique to the process.
pub async fn own_shards<F, W>(
    log: EventLog,
    name: String,
    shards: u16,
    holder: String,
    shutdown: CancellationToken,
    work: F,
) where
    F: Fn(u16, CancellationToken) -> W + Clone + Send + Sync + 'static,
    W: Future<Output = ()> + Send + 'static,
{
    let mut owners = JoinSet::new();
    for shard in 0..shards {
        let lease_name = format!("own.{name}.{shard}");
        let work = work.clone();
        owners.spawn(own_one(log.clone(), lease_name, holder.clone(), shutdown.clone(), move |stop| work(shard, stop)));
    }
    while owners.join_next().await.is_some() {}
}

async fn own_one<F, W>(log: EventLog, lease_name: String, holder: String, shutdown: CancellationToken, work: F)
where
    F: Fn(CancellationToken) -> W,
    W: Future<Output = ()> + Send + 'static,
{
    while !shutdown.is_cancelled() {
        match Lease::acquire(&log, &lease_name, &holder, LEASE_TTL).await {
            Ok(Some(lease)) => while_held(lease, &shutdown, &work).await,
            Ok(None) => {}
            Err(error) => tracing::warn!(lease = lease_name, %error, "cannot ask for a shard"),
        }
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = tokio::time::sleep(ASK_EVERY) => {}
        }
    }
}

async fn while_held<W>(mut lease: Lease, shutdown: &CancellationToken, work: impl FnOnce(CancellationToken) -> W)
where
    W: Future<Output = ()> + Send + 'static,
{
    let stop = shutdown.child_token();
    let mut working = tokio::spawn(work(stop.clone()));
    let mut renewals = tokio::time::interval(RENEW_EVERY);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => break,
            ended = &mut working => {
                if let Err(error) = ended {
                    tracing::error!(%error, "a shard's work ended badly, beginning it again");
                }
                return lease.release().await;
            }
            _ = renewals.tick() => match lease.renew().await {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) if lease.is_held() => tracing::warn!(%error, "cannot renew a lease yet"),
                Err(_) => break,
            },
        }
    }
    stop.cancel();
    if let Err(error) = working.await {
        tracing::error!(%error, "a shard's work ended badly");
    }
    lease.release().await;
}
