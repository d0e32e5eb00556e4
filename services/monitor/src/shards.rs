//! Which instance works for which tenants: tenants are spread over the shards of the observation
//! streams, and the instance that holds a shard's lease works for it. Two holders for a moment are
//! harmless: both judge the same, and the log lets one of them write it.

use std::{future::Future, time::Duration};

use muster_eventlog::{EventLog, Lease, OBSERVATION_SHARDS};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How long a crashed instance's shards lie still. Below the time after which sight counts as lost.
const LEASE_TTL: Duration = Duration::from_secs(6);
const RENEW_EVERY: Duration = Duration::from_secs(2);
/// How often an instance without the lease asks for it.
const ASK_EVERY: Duration = Duration::from_secs(2);

/// Runs `work` for every shard this instance owns, until `shutdown`. `holder` is unique to the process.
pub(crate) async fn own<F, W>(log: EventLog, name: &'static str, holder: String, shutdown: CancellationToken, work: F)
where
    F: Fn(u16, CancellationToken) -> W + Clone + Send + Sync + 'static,
    W: Future<Output = ()> + Send + 'static,
{
    let mut shards = JoinSet::new();
    for shard in 0..OBSERVATION_SHARDS {
        shards.spawn(own_one(log.clone(), name, holder.clone(), shard, shutdown.clone(), work.clone()));
    }
    while shards.join_next().await.is_some() {}
}

async fn own_one<F, W>(log: EventLog, name: &str, holder: String, shard: u16, shutdown: CancellationToken, work: F)
where
    F: Fn(u16, CancellationToken) -> W,
    W: Future<Output = ()> + Send + 'static,
{
    let lease_name = format!("own.{name}.{shard}");
    while !shutdown.is_cancelled() {
        match Lease::acquire(&log, &lease_name, &holder, LEASE_TTL).await {
            Ok(Some(lease)) => while_held(lease, &shutdown, |stop| work(shard, stop)).await,
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
