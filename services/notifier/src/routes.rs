//! The notification routes as they are declared now, folded from the log into memory.

use std::sync::{Arc, PoisonError, RwLock};

use muster_domain::Aggregate;
use muster_domain::TenantId;
use muster_domain::delivery::Route;
use muster_domain::delivery::recipient::SecretMark;
use muster_domain::delivery::routing::{identifying_secret, secret_mark};
use muster_domain::inventory::{Declared, Inventory};
use muster_domain::pb::inventory::v1::{InventoryEvent, NotificationRouteSpec};
use muster_domain::time::from_pb;
use muster_eventlog::{EventLog, LiveFold, Record, live_fold};
use muster_runtime::secrets::{Owner, SecretResolver};
use secrecy::ExposeSecret;
use tokio_util::sync::CancellationToken;

/// Routes of all tenants.
#[derive(Clone)]
pub(crate) struct Routes {
    inventory: Arc<RwLock<Inventory>>,
    fold: Arc<LiveFold>,
    secrets: SecretResolver,
}

impl Routes {
    /// Begins to follow the inventory.
    pub(crate) fn follow(log: &EventLog, secrets: SecretResolver, shutdown: CancellationToken) -> Self {
        let inventory = Arc::new(RwLock::new(Inventory::default()));
        let book = inventory.clone();
        let fold = live_fold(log, &[Declared::KIND], move |record| take_in(&book, record), shutdown);
        Self { inventory, fold: Arc::new(fold), secrets }
    }

    /// Waits until every route declared before the start is known: without them messages would go nowhere.
    pub(crate) async fn caught_up(&self) {
        self.fold.caught_up().await;
    }

    pub(crate) fn is_caught_up(&self) -> bool {
        self.fold.is_caught_up()
    }

    /// Waits until a declaration is in, so that what happened after it is told by it.
    pub(crate) async fn reached(&self, record: &Record) {
        self.fold.reached(&record.tenant, record.sequence).await;
    }

    pub(crate) fn of(&self, tenant: &TenantId) -> Vec<Route> {
        let inventory = self.inventory.read().unwrap_or_else(PoisonError::into_inner);
        let Some(documents) = inventory.tenant(tenant) else { return Vec::new() };
        documents
            .routes()
            .map(|(document, spec)| Route {
                name: document.name.clone(),
                spec: spec.clone(),
                declared_at: from_pb(document.declared_at.as_ref()),
                mark: self.mark(tenant, spec),
            })
            .collect()
    }
}

impl Routes {
    /// Who is behind a pager's key or a workflow's URL. Read at every use: a new secret is a new recipient.
    fn mark(&self, tenant: &TenantId, spec: &NotificationRouteSpec) -> SecretMark {
        let Some(channel) = &spec.channel else { return SecretMark::NotNeeded };
        let Some(reference) = identifying_secret(channel) else { return SecretMark::NotNeeded };
        match self.secrets.resolve(Owner::Tenant(tenant), reference) {
            Ok(secret) => secret_mark(channel, secret.expose_secret()),
            Err(_) => SecretMark::Unknown,
        }
    }
}

fn take_in(inventory: &RwLock<Inventory>, record: &Record) {
    match record.decode::<InventoryEvent>() {
        Ok(event) => inventory.write().unwrap_or_else(PoisonError::into_inner).apply(&record.tenant, &event),
        Err(error) => {
            tracing::error!(tenant = %record.tenant, sequence = record.sequence, %error, "an inventory event cannot be decoded")
        }
    }
}
