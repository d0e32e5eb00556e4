//! One executor works on a run at a time: a lease, renewed while the work goes on. Losing it ends the work at once; what
//! must not happen twice is guarded by the log's claims as well.

use std::time::Duration;

use muster_eventlog::{EventLog, Lease, LogError};
use tokio::{task::JoinHandle, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::unfinished::RunKey;

/// How long a killed executor's run lies still.
const TTL: Duration = Duration::from_secs(6);
/// Twice over, a renewal may be lost.
const RENEW_EVERY: Duration = Duration::from_secs(2);

/// A lease that is being renewed. [`Held::release`] it at the end.
pub(crate) struct Held {
    /// Cancelled when the lease is not certain any more.
    pub lost: CancellationToken,
    done: CancellationToken,
    keeper: JoinHandle<()>,
}

impl Held {
    /// `None`: somebody else works on the run.
    pub(crate) async fn acquire(log: &EventLog, run: &RunKey, holder: &str) -> Result<Option<Self>, LogError> {
        let asked_at = Instant::now();
        let name = format!("run.{}.{}", run.tenant, run.id);
        let Some(lease) = Lease::acquire(log, &name, holder, TTL).await? else { return Ok(None) };
        let (lost, done) = (CancellationToken::new(), CancellationToken::new());
        let keeper = tokio::spawn(keep(lease, asked_at + TTL, lost.clone(), done.clone()));
        Ok(Some(Self { lost, done, keeper }))
    }

    /// Gives it back, so that a successor need not wait.
    pub(crate) async fn release(self) {
        self.done.cancel();
        if let Err(error) = self.keeper.await {
            tracing::warn!(%error, "a lease was not given back and will expire");
        }
    }
}

async fn keep(mut lease: Lease, mut certain_until: Instant, lost: CancellationToken, done: CancellationToken) {
    loop {
        let renewal = async {
            tokio::time::sleep(RENEW_EVERY).await;
            // Counted from before the request: never longer than the server counts.
            let until = Instant::now() + TTL;
            (until, lease.renew().await)
        };
        tokio::select! {
            () = done.cancelled() => break,
            () = tokio::time::sleep_until(certain_until) => return lost.cancel(),
            (until, outcome) = renewal => match outcome {
                Ok(true) => certain_until = until,
                Ok(false) => return lost.cancel(),
                // The time that is left decides.
                Err(error) => tracing::warn!(%error, "a lease cannot be renewed yet"),
            },
        }
    }
    lease.release().await;
}
