//! What is judged, and by which limits: kept in memory and up to date with the log.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use muster_domain::{
    Aggregate, TenantId,
    inventory::{Declared, Inventory, TenantInventory},
    pb::inventory::v1::{Document, InventoryEvent, PolicySpec, ReadinessRule, ResourceSpec},
    readiness::{Limits, watch::Subject},
};
use muster_eventlog::{EventLog, LiveFold, Record, live_fold, shard_of};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Which resource of which tenant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ResourceKey {
    pub(crate) tenant: TenantId,
    pub(crate) resource: String,
}

/// A resource as declared, with the limits that hold for it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Declaration {
    pub(crate) version: u64,
    pub(crate) spec: ResourceSpec,
    pub(crate) limits: Limits,
}

impl Declaration {
    pub(crate) fn of<'a>(
        document: &Document,
        spec: &ResourceSpec,
        policies: impl IntoIterator<Item = &'a PolicySpec>,
    ) -> Self {
        let rules: Vec<&ReadinessRule> = policies.into_iter().flat_map(|policy| &policy.readiness).collect();
        let limits = Limits::effective(spec.tier(), spec.rpo.as_ref(), rules, spec.thresholds.as_ref());
        Self { version: document.version, spec: spec.clone(), limits }
    }

    pub(crate) fn subject<'a>(&'a self, key: &'a ResourceKey) -> Subject<'a> {
        Subject {
            tenant: key.tenant.as_str(),
            resource: &key.resource,
            version: self.version,
            spec: &self.spec,
            limits: &self.limits,
        }
    }
}

pub(crate) struct Judged {
    inventory: Arc<RwLock<Inventory>>,
    /// Counts the changes, so that a worker can wait for the next one.
    changes: watch::Receiver<u64>,
    fold: LiveFold,
}

impl Judged {
    pub(crate) fn follow(log: &EventLog, shutdown: CancellationToken) -> Self {
        let inventory = Arc::<RwLock<Inventory>>::default();
        let (changed, changes) = watch::channel(0);
        let folded = inventory.clone();
        let apply = move |record: &Record| {
            take_in(&folded, record);
            changed.send_modify(|count| *count += 1);
        };
        Self { inventory, changes, fold: live_fold(log, &[Declared::KIND], apply, shutdown) }
    }

    pub(crate) fn is_caught_up(&self) -> bool {
        self.fold.is_caught_up()
    }

    pub(crate) async fn caught_up(&self) {
        self.fold.caught_up().await;
    }

    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.clone()
    }

    /// The resources in use of a shard's tenants.
    pub(crate) fn declarations(&self, shard: u16) -> BTreeMap<ResourceKey, Declaration> {
        let inventory = self.inventory.read().unwrap_or_else(PoisonError::into_inner);
        let mine = inventory.tenants().filter(|(tenant, _)| shard_of(tenant) == shard);
        mine.flat_map(|(tenant, documents)| of_tenant(tenant, documents)).collect()
    }

    pub(crate) fn declaration(&self, key: &ResourceKey) -> Option<Declaration> {
        let inventory = self.inventory.read().unwrap_or_else(PoisonError::into_inner);
        let documents = inventory.tenant(&key.tenant)?;
        let (document, spec) = documents.resource(&key.resource)?;
        Some(Declaration::of(document, spec, documents.policies().map(|(_, policy)| policy)))
    }

    pub(crate) fn tenants(&self, shard: u16) -> Vec<TenantId> {
        let inventory = self.inventory.read().unwrap_or_else(PoisonError::into_inner);
        inventory.tenants().map(|(tenant, _)| tenant.clone()).filter(|tenant| shard_of(tenant) == shard).collect()
    }
}

fn of_tenant(tenant: &TenantId, documents: &TenantInventory) -> Vec<(ResourceKey, Declaration)> {
    let policies: Vec<&PolicySpec> = documents.policies().map(|(_, policy)| policy).collect();
    documents
        .resources()
        .map(|(document, spec)| {
            let key = ResourceKey { tenant: tenant.clone(), resource: document.name.clone() };
            (key, Declaration::of(document, spec, policies.iter().copied()))
        })
        .collect()
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
