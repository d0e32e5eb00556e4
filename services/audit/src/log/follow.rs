//! The record's entries on their way to the writer.

use muster_domain::TenantId;
use muster_eventlog::{EventLog, RawEntry};
use tokio::{sync::mpsc, task::JoinHandle};

/// Batches that wait for the writer. One has at most 1,000 entries and 16 MiB.
const WAITING: usize = 2;

pub(crate) struct Batch {
    /// At least one.
    pub(crate) entries: Vec<RawEntry>,
    /// Whether the server had no more when it sent them.
    pub(crate) caught_up: bool,
}

/// Reads in a task of its own: a read that is cancelled loses entries.
pub(crate) struct Entries {
    batches: mpsc::Receiver<Batch>,
    task: JoinHandle<()>,
}

impl Entries {
    pub(crate) fn after(log: &EventLog, tenant: &TenantId, sequence: u64) -> Self {
        let (sender, batches) = mpsc::channel(WAITING);
        let mut follower = log.raw(tenant, sequence);
        let task = tokio::spawn(async move {
            loop {
                let entries = follower.next().await;
                let caught_up = follower.is_caught_up();
                if sender.send(Batch { entries, caught_up }).await.is_err() {
                    return;
                }
            }
        });
        Self { batches, task }
    }

    /// The next entries. May be cancelled.
    pub(crate) async fn next(&mut self) -> Option<Batch> {
        self.batches.recv().await
    }
}

impl Drop for Entries {
    fn drop(&mut self) {
        self.task.abort();
    }
}
