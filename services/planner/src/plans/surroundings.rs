//! What a plan is judged among: its scope, the sites, and the tenant's policies.

use futures::{StreamExt, TryStreamExt, stream};
use muster_domain::{
    TenantId,
    inventory::{Declared, TenantInventory, document_id},
    pb::inventory::v1::{Document, Kind},
    pb::plan::v1::{PlanRef, PlanSpec, plan_spec},
    plan,
};
use muster_eventlog::{Database, EventLog, wait_for};

use crate::{
    error::CommandError,
    projection::{PROJECTION, TABLES_BEHIND},
    query,
};

/// Documents read from the log at the same time.
const PARALLEL_LOADS: usize = 16;

/// As the tables say it: for reading.
pub(super) async fn of_tables(
    db: &Database,
    tenant: &TenantId,
    roots: &[(Kind, String)],
) -> Result<TenantInventory, CommandError> {
    Ok(collect(query::with_all_they_name(db, tenant, roots).await?))
}

/// As the log says it: for deciding. The tables, brought up to the log's end, only say which documents to read.
/// Called under the inventory's lock, nothing of it changes before the decision is written.
pub(super) async fn of_log(
    log: &EventLog,
    db: &Database,
    tenant: &TenantId,
    roots: &[(Kind, String)],
) -> Result<TenantInventory, CommandError> {
    let newest = log.last_sequence(tenant).await?;
    wait_for(db, PROJECTION, tenant, newest, TABLES_BEHIND).await?;
    let named = query::with_all_they_name(db, tenant, roots).await?;
    let loads = named.into_iter().filter_map(|document| document_id(document.kind(), &document.name).ok());
    let loads = loads.map(|id| async move {
        let loaded = log.load::<Declared>(tenant, &id).await?;
        Ok::<_, CommandError>(loaded.state.document)
    });
    let loaded: Vec<Option<Document>> = stream::iter(loads).buffer_unordered(PARALLEL_LOADS).try_collect().await?;
    Ok(collect(loaded.into_iter().flatten().filter(|document| !document.retired).collect()))
}

fn collect(documents: Vec<Document>) -> TenantInventory {
    let mut inventory = TenantInventory::default();
    documents.into_iter().for_each(|document| inventory.insert(document));
    inventory
}

/// What a plan's document moves. `None`: that is not declared any more, or has no order.
pub(crate) fn scope_of<'a>(spec: &PlanSpec, inventory: &'a TenantInventory) -> Option<plan::Scope<'a>> {
    let (group, resource) = match &spec.scope {
        Some(plan_spec::Scope::Group(name)) => (name.as_str(), ""),
        Some(plan_spec::Scope::Resource(name)) => ("", name.as_str()),
        None => ("", ""),
    };
    plan::scope(inventory, group, resource).ok()
}

/// The exact text and what it moves now. What cannot be resolved has no hash, and equals nothing.
pub(crate) fn reference(document: &Document, inventory: &TenantInventory) -> PlanRef {
    let scope = plan::spec_of(document).and_then(|spec| scope_of(spec, inventory));
    match scope {
        Some(scope) if !document.retired => plan::hash(Some(document), &scope),
        _ => PlanRef { name: document.name.clone(), version: document.version, hash: String::new() },
    }
}
