//! The notification routes as they are declared now, folded from the log into memory.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use muster_domain::Aggregate;
use muster_domain::TenantId;
use muster_domain::delivery::recipient::SecretMark;
use muster_domain::delivery::routing::{identifying_secret, secret_mark};
use muster_domain::delivery::{Route, personal};
use muster_domain::execution::Reservation;
use muster_domain::inventory::{Declared, Inventory, TenantInventory};
use muster_domain::pb::execution::v1::{ReservationEvent, reservation_event};
use muster_domain::pb::inventory::v1::{InventoryEvent, Kind, NotificationRouteSpec, document::Spec};
use muster_domain::time::from_pb;
use muster_eventlog::{EventLog, LiveFold, Record, live_fold};
use muster_runtime::secrets::{Owner, SecretResolver};
use secrecy::ExposeSecret;
use tokio_util::sync::CancellationToken;

use crate::approvals::chat::Bindings;

/// Routes of all tenants.
#[derive(Clone)]
pub(crate) struct Routes {
    inventory: Arc<RwLock<Inventory>>,
    /// The request that held each system last: one entry for each system that was ever moved.
    runs: Arc<RwLock<BTreeMap<(TenantId, String), String>>>,
    fold: Arc<LiveFold>,
    secrets: SecretResolver,
    /// The chat accounts of people.
    pub(crate) bindings: Bindings,
}

impl Routes {
    /// Begins to follow the inventory.
    pub(crate) fn follow(log: &EventLog, secrets: SecretResolver, shutdown: CancellationToken) -> Self {
        let inventory = Arc::new(RwLock::new(Inventory::default()));
        let runs: Arc<RwLock<BTreeMap<_, _>>> = Arc::default();
        let (book, held) = (inventory.clone(), runs.clone());
        let take = move |record: &Record| match record.kind.as_str() {
            Reservation::KIND => take_in_run(&held, record),
            _ => take_in(&book, record),
        };
        let fold = live_fold(log, &[Declared::KIND, Reservation::KIND], take, shutdown.clone());
        let bindings = Bindings::follow(log, shutdown);
        Self { inventory, runs, fold: Arc::new(fold), secrets, bindings }
    }

    /// Waits until every route declared before the start is known: without them messages would go nowhere.
    pub(crate) async fn caught_up(&self) {
        self.fold.caught_up().await;
    }

    pub(crate) fn is_caught_up(&self) -> bool {
        self.fold.is_caught_up() && self.bindings.is_caught_up()
    }

    /// Waits until a declaration is in, so that what happened after it is told by it.
    pub(crate) async fn reached(&self, record: &Record) {
        self.fold.reached(&record.tenant, record.sequence).await;
    }

    /// The request whose run holds the system, or did so last.
    pub(crate) fn last_run_of(&self, tenant: &TenantId, resource: &str) -> Option<String> {
        let runs = self.runs.read().unwrap_or_else(PoisonError::into_inner);
        runs.get(&(tenant.clone(), resource.to_owned())).cloned()
    }

    /// Looks at the tenant's documents; `None` for a tenant that has declared nothing.
    pub(crate) fn with_documents<T>(&self, tenant: &TenantId, look: impl FnOnce(&TenantInventory) -> T) -> Option<T> {
        self.inventory.read().unwrap_or_else(PoisonError::into_inner).tenant(tenant).map(look)
    }

    pub(crate) fn of(&self, tenant: &TenantId) -> Vec<Route> {
        let inventory = self.inventory.read().unwrap_or_else(PoisonError::into_inner);
        let Some(documents) = inventory.tenant(tenant) else { return Vec::new() };
        let declared = documents.routes().map(|(document, spec)| Route {
            name: document.name.clone(),
            spec: spec.clone(),
            version: document.version,
            declared_at: from_pb(document.declared_at.as_ref()),
            person: String::new(),
            mark: self.mark(tenant, spec),
        });
        let contacts = documents.all(Kind::Contact).flat_map(|document| match &document.spec {
            Some(Spec::ContactSpec(contact)) => {
                let by_chat = self.bindings.route(tenant, documents, document, contact);
                [personal::by_mail(document, contact), by_chat]
            }
            _ => [None, None],
        });
        declared.chain(contacts.flatten()).collect()
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

fn take_in_run(runs: &RwLock<BTreeMap<(TenantId, String), String>>, record: &Record) {
    // One that cannot be read holds nothing back: its alerts are told.
    let Ok(event) = record.decode::<ReservationEvent>() else { return };
    if let Some(reservation_event::Event::Reserved(reserved)) = event.event {
        let mut runs = runs.write().unwrap_or_else(PoisonError::into_inner);
        runs.insert((record.tenant.clone(), reserved.resource), reserved.request_id);
    }
}
