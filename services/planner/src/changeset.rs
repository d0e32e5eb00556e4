//! What a manifest would change: judged whole, on the state in the log, before anything is written.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, TryStreamExt, stream};
use muster_domain::inventory::{Declared, TenantInventory, changes, declare, document_id, kind_token, validate};
use muster_domain::pb::inventory::v1::{
    AppliedDocument, ApplyAction, ApplyResponse, Document, DocumentDeclared, InventoryEvent, Kind,
    inventory_event::Event,
};
use muster_domain::{AggregateId, Refusal, TenantId, ids::derived_id, refusal::refusal};
use muster_eventlog::{Database, EventLog, Loaded, MAX_BATCH, Meta, Pending};

use crate::{
    error::CommandError,
    history::{History, recorded},
    manifest::{Declaration, Fault, MAX_DOCUMENTS, MAX_FAULTS},
    query,
    references::references,
};

/// Documents read from the log at the same time.
const PARALLEL_LOADS: usize = 16;

// Whatever a manifest holds is written as one batch: all of it, or nothing.
const _: () = assert!(MAX_DOCUMENTS <= MAX_BATCH);

type Key = (Kind, String);

/// One document of the manifest and what becomes of it.
struct Item {
    id: AggregateId,
    /// The version that was read.
    version: u64,
    meta: Meta,
    event: Option<InventoryEvent>,
    applied: AppliedDocument,
}

pub(crate) struct Changeset {
    items: Vec<Item>,
    /// Position of the newest event that was read.
    sequence: u64,
    already_done: bool,
}

/// What a changeset is made from.
pub(crate) struct Basis<'a> {
    pub(crate) log: &'a EventLog,
    pub(crate) db: &'a Database,
    pub(crate) tenant: &'a TenantId,
    pub(crate) meta: &'a Meta,
}

impl Changeset {
    pub(crate) async fn make(basis: &Basis<'_>, declarations: &[Declaration]) -> Result<Self, CommandError> {
        let own: Vec<Key> = declarations.iter().map(|d| key(&d.document)).collect();
        let named: BTreeSet<Key> = declarations.iter().flat_map(|d| references(&d.document)).collect();
        let wanted = own.iter().cloned().chain(named).collect();
        let state = load_all(basis, wanted).await?;
        let sequence = own.iter().filter_map(|key| state.get(key)).map(|loaded| loaded.sequence).max().unwrap_or(0);

        let mut items = Vec::with_capacity(declarations.len());
        let mut repeated = 0;
        for declaration in declarations {
            // Without a valid name there is no aggregate; validation below says so.
            let Ok(id) = document_id(declaration.document.kind(), &declaration.document.name) else { continue };
            let loaded = state.get(&key(&declaration.document)).cloned().unwrap_or_default();
            let meta = event_meta(basis.meta, &declaration.document);
            match recorded(&loaded, meta.event_id) {
                Some(found) => {
                    must_be_the_same(found.declaration, &declaration.document)?;
                    repeated += 1;
                    items.push(item(id, &loaded, meta, None, answer(found.declaration, found.created)));
                }
                None => items.push(decide(id, &loaded, meta, &declaration.document)),
            }
        }
        let already_done = repeated > 0;
        // All of a command is written at once, so all of it was.
        if already_done && let Some(item) = items.iter().find(|item| item.event.is_some()) {
            return Err(key_reused(&item.id).into());
        }
        let faults = check(basis, declarations, &state, &mut items).await;
        // What was accepted then is not judged again by what holds now.
        if !faults.is_empty() && !already_done {
            return Err(CommandError::Faults(faults));
        }
        Ok(Self { items, sequence, already_done })
    }

    /// The events to append as one batch; empty when everything is as declared.
    pub(crate) fn pending(&self) -> Vec<Pending> {
        self.items
            .iter()
            .filter_map(|item| Some((item, item.event.as_ref()?)))
            .map(|(item, event)| Pending::new::<Declared>(&item.id, item.version + 1, &item.meta, event))
            .collect()
    }

    pub(crate) fn is_already_done(&self) -> bool {
        self.already_done
    }

    /// Tenants that this changeset brings into being.
    pub(crate) fn new_tenants(&self) -> impl Iterator<Item = &str> {
        self.items.iter().filter(|item| item.event.is_some()).filter_map(|item| {
            let document = item.applied.document.as_ref()?;
            (document.kind() == Kind::Tenant).then_some(document.name.as_str())
        })
    }

    /// `sequence`: of the last event appended.
    pub(crate) fn into_response(self, sequence: Option<u64>) -> ApplyResponse {
        ApplyResponse {
            version: sequence.unwrap_or(self.sequence),
            documents: self.items.into_iter().map(|item| item.applied).collect(),
        }
    }
}

fn key(document: &Document) -> Key {
    (document.kind(), document.name.clone())
}

/// One event a document; the ids follow from the command's, so the same command is recognised when it comes again.
fn event_meta(meta: &Meta, document: &Document) -> Meta {
    let command = meta.event_id.to_string();
    let event_id = derived_id(&["apply", &command, kind_token(document.kind()), &document.name]);
    Meta { event_id, ..meta.clone() }
}

fn item(
    id: AggregateId,
    loaded: &Loaded<History>,
    meta: Meta,
    event: Option<InventoryEvent>,
    applied: AppliedDocument,
) -> Item {
    Item { id, version: loaded.version, meta, event, applied }
}

fn decide(id: AggregateId, loaded: &Loaded<History>, meta: Meta, document: &Document) -> Item {
    let declared = &loaded.state.declared;
    let event = declare(declared, document, &meta.actor.id, meta.time);
    let in_use = declared.document.as_ref().is_some_and(|before| !before.retired);
    let applied = match &event {
        Some(InventoryEvent { event: Some(Event::Declared(declaration)) }) => answer(declaration, !in_use),
        _ => AppliedDocument {
            document: declared.document.clone(),
            action: ApplyAction::Unchanged.into(),
            ..AppliedDocument::default()
        },
    };
    item(id, loaded, meta, event, applied)
}

fn answer(declaration: &DocumentDeclared, created: bool) -> AppliedDocument {
    AppliedDocument {
        document: declaration.document.clone(),
        action: if created { ApplyAction::Created } else { ApplyAction::Changed }.into(),
        changes: declaration.changes.clone(),
        warnings: Vec::new(),
    }
}

fn must_be_the_same(recorded: &DocumentDeclared, document: &Document) -> Result<(), CommandError> {
    if changes(recorded.document.as_ref(), document).is_empty() {
        return Ok(());
    }
    let id = format!("{}-{}", kind_token(document.kind()), document.name);
    Err(refusal_for_reuse(&id).into())
}

fn key_reused(id: &AggregateId) -> Refusal {
    refusal_for_reuse(id.as_str())
}

fn refusal_for_reuse(id: &str) -> Refusal {
    refusal(
        "IDEMPOTENCY_KEY_REUSED",
        "a repeated command is the same command",
        format!("{id} differs from what was applied under this key"),
        "the same manifest, and no later change of its documents",
        "look at what holds now and apply with a new key; nothing was changed",
    )
}

async fn load_all(basis: &Basis<'_>, keys: BTreeSet<Key>) -> Result<BTreeMap<Key, Loaded<History>>, CommandError> {
    let loads = keys.into_iter().filter_map(|(kind, name)| Some((document_id(kind, &name).ok()?, (kind, name))));
    let loads = loads.map(|(id, key)| async move {
        let loaded = basis.log.load::<History>(basis.tenant, &id).await?;
        Ok::<_, CommandError>((key, loaded))
    });
    stream::iter(loads).buffer_unordered(PARALLEL_LOADS).try_collect().await
}

/// Every document among the others, as they will be. Adds warnings to the items and returns the faults.
async fn check(
    basis: &Basis<'_>,
    declarations: &[Declaration],
    state: &BTreeMap<Key, Loaded<History>>,
    items: &mut [Item],
) -> Vec<Fault> {
    let tables = query::surroundings(basis.db, basis.tenant).await;
    let mut others = TenantInventory::default();
    // Only for warnings about other documents; what is referred to comes from the log.
    for document in tables.documents.into_iter().filter(|document| !state.contains_key(&key(document))) {
        add(&mut others, document);
    }
    for document in state.values().filter_map(|loaded| loaded.state.declared.document.clone()) {
        add(&mut others, document);
    }
    for declaration in declarations {
        add(&mut others, Document { retired: false, ..declaration.document.clone() });
    }

    let mut faults = Vec::new();
    let mut warnings: BTreeMap<Key, Vec<String>> = BTreeMap::new();
    for declaration in declarations {
        let found = validate(&declaration.document, &others);
        faults.extend(found.faults.into_iter().map(|refusal| declaration.fault(refusal)));
        warnings.insert(key(&declaration.document), found.warnings);
    }
    faults.truncate(MAX_FAULTS);
    for item in items {
        let Some(document) = &item.applied.document else { continue };
        item.applied.warnings = warnings.remove(&key(document)).unwrap_or_default();
        if item.event.is_some() && item.version > 0 {
            let kind = kind_token(document.kind());
            let open = tables.open_requests.iter().filter(|open| open.kind == kind && open.name == document.name);
            item.applied.warnings.extend(open.map(|open| open.warning()));
        }
    }
    faults
}

fn add(inventory: &mut TenantInventory, document: Document) {
    let declared = DocumentDeclared { document: Some(document), changes: Vec::new() };
    inventory.apply(&InventoryEvent { event: Some(Event::Declared(declared)) });
}
