//! Every version of one document: approvals and plans name the one that they mean.

use super::{Declared, TenantInventory};
use crate::aggregate::Aggregate;
use crate::pb::inventory::v1::{Document, InventoryEvent, inventory_event::Event};

/// One document in all its versions, oldest first: the same events as [`Declared`], nothing forgotten.
#[derive(Debug, Clone, Default)]
pub struct DocumentVersions(Vec<Document>);

impl Aggregate for DocumentVersions {
    const KIND: &'static str = Declared::KIND;
    type Event = InventoryEvent;

    fn evolve(&mut self, event: &InventoryEvent) {
        let next = match (&event.event, self.0.last()) {
            (Some(Event::Declared(declared)), _) => declared.document.clone(),
            (Some(Event::Retired(_)), Some(last)) => {
                Some(Document { retired: true, version: last.version + 1, ..last.clone() })
            }
            (Some(Event::Retired(_)) | None, _) => None,
        };
        self.0.extend(next);
    }
}

impl DocumentVersions {
    /// Retired or not.
    pub fn newest(&self) -> Option<&Document> {
        self.0.last()
    }

    pub fn version(&self, version: u64) -> Option<&Document> {
        self.0.iter().find(|document| document.version == version)
    }
}

impl TenantInventory {
    /// Takes a document in as it is, in place of the one of its kind and name.
    pub fn insert(&mut self, document: Document) {
        let key = (document.kind, document.name.clone());
        self.documents.insert(key, Declared { document: Some(document) });
    }
}
