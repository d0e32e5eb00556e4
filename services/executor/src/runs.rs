//! The runs this process works on, and the sweep that finds those nobody works on any more.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio_util::task::TaskTracker;
use tracing::Instrument;

use crate::{Executor, drive, error::RunError, lease::Held, trace, unfinished::RunKey};

/// How long a run whose executor was killed stays unnoticed, beyond its lease.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// Runs at work in one process. More wait for the next sweep, here or in another process.
const MAX_RUNS: usize = 64;

#[derive(Default)]
pub(crate) struct Runs {
    at_work: Mutex<BTreeSet<RunKey>>,
    tasks: TaskTracker,
}

impl Runs {
    /// `None`: it is at work already, or there is no room.
    fn enlist(self: &Arc<Self>, key: &RunKey) -> Option<AtWork> {
        let mut at_work = self.at_work.lock().unwrap_or_else(PoisonError::into_inner);
        if at_work.len() >= MAX_RUNS {
            tracing::warn!(limit = MAX_RUNS, "too many runs at once: this one waits");
            return None;
        }
        at_work.insert(key.clone()).then(|| AtWork { runs: self.clone(), key: key.clone() })
    }
}

/// Taken off the list however the work ends.
struct AtWork {
    runs: Arc<Runs>,
    key: RunKey,
}

impl Drop for AtWork {
    fn drop(&mut self) {
        self.runs.at_work.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

impl Executor {
    /// Works on a run in the background, if nobody does.
    pub(crate) fn work_on(self: &Arc<Self>, key: RunKey, traceparent: Option<String>) {
        if self.ctx.shutdown.is_cancelled() {
            return;
        }
        let Some(at_work) = self.runs.enlist(&key) else { return };
        let executor = self.clone();
        let span = trace::span(&key, traceparent.as_deref());
        let work = async move {
            let at_work = at_work;
            match executor.work(&at_work.key).await {
                Ok(()) => {}
                Err(error @ (RunError::NotOurs(_) | RunError::LeaseLost)) => {
                    tracing::warn!(%error, "left a run to others")
                }
                Err(error) => tracing::warn!(%error, "work on a run was interrupted; it goes on when that is over"),
            }
        };
        self.runs.tasks.spawn(work.instrument(span));
    }

    async fn work(&self, key: &RunKey) -> Result<(), RunError> {
        let Some(held) = Held::acquire(&self.ctx.log, key, &self.ctx.instance).await? else { return Ok(()) };
        let outcome = tokio::select! {
            biased;
            () = held.lost.cancelled() => Err(RunError::LeaseLost),
            outcome = Box::pin(drive::drive(self, key)) => outcome,
        };
        held.release().await;
        outcome
    }

    /// Finds what has no end yet, until shutdown; then lets the steps that are under way finish.
    pub(crate) async fn sweep(self: Arc<Self>) {
        self.unfinished.caught_up().await;
        let mut ticks = tokio::time::interval(SWEEP_EVERY);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = self.ctx.shutdown.cancelled() => break,
            }
            for (key, traceparent) in self.unfinished.all() {
                self.work_on(key, traceparent);
            }
        }
        self.runs.tasks.close();
        self.runs.tasks.wait().await;
    }
}
