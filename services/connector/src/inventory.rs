//! The resources to watch, kept in memory and up to date with the log.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use muster_domain::{
    Aggregate, TenantId,
    inventory::{Declared, Inventory},
    pb::inventory::v1::{InventoryEvent, ResourceSpec},
};
use muster_eventlog::{EventLog, LiveFold, Record, live_fold, shard_of};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Which resource of which tenant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ResourceKey {
    pub(crate) tenant: TenantId,
    pub(crate) resource: String,
}

/// A resource as declared.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Target {
    pub(crate) version: u64,
    pub(crate) spec: ResourceSpec,
}

/// A cheap handle.
#[derive(Clone)]
pub(crate) struct Watched {
    inventory: Arc<RwLock<Inventory>>,
    /// Counts the changes, so that a collector can wait for the next one.
    changes: watch::Receiver<u64>,
    fold: Option<Arc<LiveFold>>,
}

impl Watched {
    pub(crate) fn follow(log: &EventLog, shutdown: CancellationToken) -> Self {
        let inventory = Arc::<RwLock<Inventory>>::default();
        let (changed, changes) = watch::channel(0);
        let folded = inventory.clone();
        let apply = move |record: &Record| {
            take_in(&folded, record);
            changed.send_modify(|count| *count += 1);
        };
        let fold = live_fold(log, &[Declared::KIND], apply, shutdown);
        Self { inventory, changes, fold: Some(Arc::new(fold)) }
    }

    pub(crate) fn is_caught_up(&self) -> bool {
        self.fold.as_ref().is_none_or(|fold| fold.is_caught_up())
    }

    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.clone()
    }

    /// The resources in use of a shard's tenants.
    pub(crate) fn targets(&self, shard: u16) -> BTreeMap<ResourceKey, Target> {
        let inventory = self.inventory.read().unwrap_or_else(PoisonError::into_inner);
        inventory
            .resources()
            .filter(|(tenant, _, _)| shard_of(tenant) == shard)
            .map(|(tenant, document, spec)| {
                let key = ResourceKey { tenant: tenant.clone(), resource: document.name.clone() };
                (key, Target { version: document.version, spec: spec.clone() })
            })
            .collect()
    }

    /// With an inventory that a test changes itself.
    #[cfg(test)]
    pub(crate) fn manual() -> (Self, Arc<RwLock<Inventory>>, watch::Sender<u64>) {
        let inventory = Arc::<RwLock<Inventory>>::default();
        let (changed, changes) = watch::channel(0);
        (Self { inventory: inventory.clone(), changes, fold: None }, inventory, changed)
    }
}

fn take_in(inventory: &RwLock<Inventory>, record: &Record) {
    match record.decode::<InventoryEvent>() {
        Ok(event) => inventory.write().unwrap_or_else(PoisonError::into_inner).apply(&record.tenant, &event),
        // The projections park it; here the document stays as it was before.
        Err(error) => {
            tracing::error!(tenant = %record.tenant, id = record.id, %error, "an inventory event cannot be decoded")
        }
    }
}
