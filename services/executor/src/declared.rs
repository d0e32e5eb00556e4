//! What is declared in every tenant, folded from the log in memory: policies, and which plans there are. What a run acts on
//! is read from the log itself, at its beginning: see [`crate::documents`].

use std::sync::{Arc, PoisonError, RwLock};

use muster_domain::{
    Aggregate, TenantId,
    inventory::{Declared, Inventory, TenantInventory},
};
use muster_eventlog::{EventLog, LiveFold, live_fold};
use tokio_util::sync::CancellationToken;

pub(crate) struct Known {
    inventory: Arc<RwLock<Inventory>>,
    fold: LiveFold,
}

impl Known {
    pub(crate) fn follow(log: &EventLog, shutdown: CancellationToken) -> Self {
        let inventory = Arc::new(RwLock::new(Inventory::default()));
        let folded = inventory.clone();
        let fold = live_fold(
            log,
            &[Declared::KIND],
            move |record| {
                // What cannot be decoded is parked by the projections.
                if let Ok(event) = record.decode() {
                    folded.write().unwrap_or_else(PoisonError::into_inner).apply(&record.tenant, &event);
                }
            },
            shutdown,
        );
        Self { inventory, fold }
    }

    pub(crate) async fn caught_up(&self) {
        self.fold.caught_up().await;
    }

    pub(crate) fn read<T: Default>(&self, tenant: &TenantId, read: impl FnOnce(&TenantInventory) -> T) -> T {
        let inventory = self.inventory.read().unwrap_or_else(PoisonError::into_inner);
        inventory.tenant(tenant).map(read).unwrap_or_default()
    }
}
