//! Which policies and plans each tenant has: names only. What they say is read from the log when it is needed.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, PoisonError, RwLock},
};

use muster_domain::{
    Aggregate, TenantId,
    inventory::Declared,
    pb::inventory::v1::{InventoryEvent, Kind, inventory_event::Event},
};
use muster_eventlog::{EventLog, LiveFold, Record, live_fold};
use tokio_util::sync::CancellationToken;

type Names = Arc<RwLock<BTreeMap<(TenantId, i32), BTreeSet<String>>>>;

pub(crate) struct DeclaredNames {
    names: Names,
    fold: LiveFold,
}

impl DeclaredNames {
    pub(crate) fn follow(log: &EventLog, shutdown: CancellationToken) -> Self {
        let names = Names::default();
        let folded = names.clone();
        let fold = live_fold(log, &[Declared::KIND], move |record| take_in(&folded, record), shutdown);
        Self { names, fold }
    }

    pub(crate) fn is_caught_up(&self) -> bool {
        self.fold.is_caught_up()
    }

    /// Every document of the kind that was ever declared in the tenant up to `sequence` of its inventory, retired ones
    /// included.
    pub(crate) async fn of(&self, tenant: &TenantId, kind: Kind, sequence: u64) -> Vec<String> {
        self.fold.caught_up().await;
        self.fold.reached(tenant, sequence).await;
        let names = self.names.read().unwrap_or_else(PoisonError::into_inner);
        names.get(&(tenant.clone(), kind.into())).map(|names| names.iter().cloned().collect()).unwrap_or_default()
    }
}

fn take_in(names: &Names, record: &Record) {
    // What cannot be decoded is a projection's matter; a policy in it would not load either, and fail the request.
    let Ok(InventoryEvent { event: Some(Event::Declared(declared)) }) = record.decode() else { return };
    let Some(document) = declared.document.filter(|d| matches!(d.kind(), Kind::Policy | Kind::Plan)) else { return };
    let mut names = names.write().unwrap_or_else(PoisonError::into_inner);
    names.entry((record.tenant.clone(), document.kind)).or_default().insert(document.name);
}
