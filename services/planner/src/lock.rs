//! One change of a tenant's inventory at a time.
//!
//! Each document's version guards that document alone. That nobody takes a site out of use while somebody else
//! declares a resource on it concerns two documents, and this keeps the two commands apart. A holder that was
//! suspended for longer than the lease between the last look and the append would slip through; what it can cause is
//! a document that names a retired one, which the next apply of that document refuses.

use std::time::Duration;

use muster_domain::{Refusal, TenantId, refusal::refusal};
use muster_eventlog::{EventLog, Lease};
use tokio::time::Instant;
use uuid::Uuid;

use crate::error::CommandError;

/// Longer than any apply takes; after a crash others wait this long.
const LEASE: Duration = Duration::from_secs(15);
/// Longer than a crashed holder's lease, shorter than a call may take.
const PATIENCE: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(25);

pub(crate) struct InventoryLock(Lease);

impl InventoryLock {
    /// Waits for its turn.
    pub(crate) async fn take(log: &EventLog, tenant: &TenantId) -> Result<Self, CommandError> {
        let name = format!("planner.inventory.{tenant}");
        // Each command is a holder of its own, also within one process.
        #[expect(
            clippy::disallowed_methods,
            reason = "names a holder for seconds; nothing is derived from it or stored"
        )]
        let holder = Uuid::now_v7().to_string();
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(lease) = Lease::acquire(log, &name, &holder, LEASE).await? {
                return Ok(Self(lease));
            }
            if Instant::now() >= deadline {
                return Err(busy().into());
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Right before the append: is it still ours?
    pub(crate) fn must_be_held(&self) -> Result<(), CommandError> {
        if self.0.is_held() { Ok(()) } else { Err(busy().into()) }
    }

    pub(crate) async fn release(self) {
        self.0.release().await;
    }
}

fn busy() -> Refusal {
    refusal(
        "INVENTORY_CONFLICT",
        "one change of a tenant's inventory at a time",
        "another apply or retirement is under way",
        format!("a turn within {} s", PATIENCE.as_secs()),
        "nothing was changed; try again",
    )
}
