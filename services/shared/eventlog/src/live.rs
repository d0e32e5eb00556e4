//! States folded in memory from the beginning of all tenants' logs: fast to ask, rebuilt at every start.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, stream::SelectAll};
use muster_domain::TenantId;
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::{
    EventLog,
    follow::{Follower, Position, records},
    record::{Cause, Record, Unreadable},
    retry::pauses,
};

const LONGEST_PAUSE: std::time::Duration = std::time::Duration::from_secs(5);

/// A fold that is under way.
pub struct LiveFold {
    progress: watch::Receiver<FoldProgress>,
    task: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct FoldProgress {
    /// Every tenant known at the start was read to its end once.
    caught_up: bool,
    reached: BTreeMap<TenantId, u64>,
}

impl LiveFold {
    /// Waits until the logs of all tenants known at the start were read to their ends.
    pub async fn caught_up(&self) {
        // An error means that the fold was shut down: nobody will ask it any more.
        let _ = self.progress.clone().wait_for(|progress| progress.caught_up).await;
    }

    pub fn is_caught_up(&self) -> bool {
        self.progress.borrow().caught_up
    }

    /// Waits until the event at `sequence` (of a kind that is folded) is in: to read what was just written.
    pub async fn reached(&self, tenant: &TenantId, sequence: u64) {
        // A tenant without any such event has nothing to wait for.
        if sequence == 0 {
            return;
        }
        let reached =
            |progress: &FoldProgress| progress.reached.get(tenant).is_some_and(|reached| *reached >= sequence);
        let _ = self.progress.clone().wait_for(reached).await;
    }

    /// Waits for the end after a shutdown.
    pub async fn stopped(self) {
        if let Err(error) = self.task.await {
            tracing::error!(%error, "a live fold ended badly");
        }
    }
}

/// Calls `apply` with every event of these kinds (empty: all) of all tenants, present and future: each tenant's in
/// order, from its first, each once. Entries that cannot be read are logged and left out; the projections park them.
/// What was made unreadable by destroying its key is left out without a word.
pub fn live_fold<F>(log: &EventLog, kinds: &'static [&'static str], apply: F, shutdown: CancellationToken) -> LiveFold
where
    F: FnMut(&Record) + Send + 'static,
{
    let (sender, progress) = watch::channel(FoldProgress::default());
    let fold = Fold { log: log.clone(), kinds, apply, progress: sender };
    let task = tokio::spawn(async move {
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = fold.run() => {}
        }
    });
    LiveFold { progress, task }
}

struct Fold<F> {
    log: EventLog,
    kinds: &'static [&'static str],
    apply: F,
    progress: watch::Sender<FoldProgress>,
}

/// What one tenant's log delivered.
struct Delivery {
    tenant: TenantId,
    entries: Vec<Result<Record, Unreadable>>,
    caught_up: bool,
}

impl<F: FnMut(&Record) + Send + 'static> Fold<F> {
    async fn run(mut self) {
        let mut missing: BTreeSet<TenantId> = known_tenants(&self.log).await.into_iter().collect();
        self.progress.send_modify(|progress| progress.caught_up = missing.is_empty());
        let mut tenants = Box::pin(self.log.watch_tenants());
        let mut logs = SelectAll::new();
        loop {
            tokio::select! {
                Some(tenant) = tenants.next() => logs.push(self.deliveries(tenant)),
                Some(delivery) = logs.next() => self.take_in(delivery, &mut missing),
            }
        }
    }

    fn deliveries(&self, tenant: TenantId) -> futures::stream::BoxStream<'static, Delivery> {
        let filters = self.kinds.iter().map(|kind| self.log.names().kind(&tenant, kind)).collect();
        let follower =
            Follower::new(self.log.clone(), self.log.names().record_stream(&tenant), filters, Position::After(0));
        futures::stream::unfold((follower, tenant), |(mut follower, tenant)| async move {
            let batch = follower.next_or_caught_up().await;
            let entries = records(follower.log(), batch).await;
            let delivery = Delivery { tenant: tenant.clone(), entries, caught_up: follower.is_caught_up() };
            Some((delivery, (follower, tenant)))
        })
        .boxed()
    }

    fn take_in(&mut self, delivery: Delivery, missing: &mut BTreeSet<TenantId>) {
        let mut reached = None;
        for entry in &delivery.entries {
            match entry {
                Ok(record) => {
                    (self.apply)(record);
                    reached = Some(record.sequence);
                }
                Err(Unreadable { sequence, cause: Cause::KeyDestroyed(_), .. }) => reached = Some(*sequence),
                Err(unreadable) => {
                    metrics::counter!("muster_log_unreadable_total").increment(1);
                    tracing::error!(tenant = %delivery.tenant, sequence = unreadable.sequence, why = unreadable.why, "entry left out of a live fold");
                    reached = Some(unreadable.sequence);
                }
            }
        }
        if delivery.caught_up {
            missing.remove(&delivery.tenant);
        }
        let caught_up = missing.is_empty();
        self.progress.send_modify(|progress| {
            progress.caught_up |= caught_up;
            if let Some(sequence) = reached {
                progress.reached.insert(delivery.tenant, sequence);
            }
        });
    }
}

async fn known_tenants(log: &EventLog) -> Vec<TenantId> {
    let mut delays = pauses(LONGEST_PAUSE);
    loop {
        match log.tenants().await {
            Ok(tenants) => return tenants,
            Err(error) => tracing::warn!(%error, "cannot list the tenants yet"),
        }
        tokio::time::sleep(delays.next().unwrap_or(LONGEST_PAUSE)).await;
    }
}
