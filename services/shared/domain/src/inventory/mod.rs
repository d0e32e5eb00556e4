//! What is protected: documents that people declare, validated whole before anything is written.

mod diff;
mod neighbours;
pub mod platform;
mod validate;
mod validate_alert_rule;
mod validate_approval;
mod validate_channel;
mod validate_contact;
mod validate_data;
mod validate_message;
mod validate_patroni;
mod validate_plan;
mod validate_platform;
mod validate_policy;
mod validate_resource;
mod validate_route;
mod validate_schedule;
mod validate_window;
mod versions;

pub use neighbours::{Neighbour, decided_as};
pub use validate::{Finding, validate};
pub use versions::DocumentVersions;

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::aggregate::{Aggregate, EventKind};
use crate::ids::{AggregateId, InvalidId, TenantId, check_name};
use crate::pb::inventory::v1::{
    Document, DocumentDeclared, DocumentRetired, FieldChange, InventoryEvent, Kind, NotificationRouteSpec, PolicySpec,
    ResourceSpec, document::Spec, inventory_event::Event,
};
use crate::refusal::{Refusal, refusal};
use crate::time::to_pb;

/// One declared thing: the fold of its declarations.
#[derive(Debug, Clone, Default)]
pub struct Declared {
    pub document: Option<Document>,
}

impl EventKind for InventoryEvent {
    fn kind(&self) -> &'static str {
        let declared_or_retired = match &self.event {
            Some(Event::Declared(declared)) => (declared.document.as_ref().map(|d| d.kind()), true),
            Some(Event::Retired(retired)) => (Some(retired.kind()), false),
            None => return "unset",
        };
        match declared_or_retired {
            (Some(Kind::Tenant), true) => "tenant.declared",
            (Some(Kind::Tenant), false) => "tenant.retired",
            (Some(Kind::Site), true) => "site.declared",
            (Some(Kind::Site), false) => "site.retired",
            (Some(Kind::Resource), true) => "resource.declared",
            (Some(Kind::Resource), false) => "resource.retired",
            (Some(Kind::Group), true) => "group.declared",
            (Some(Kind::Group), false) => "group.retired",
            (Some(Kind::Policy), true) => "policy.declared",
            (Some(Kind::Policy), false) => "policy.retired",
            (Some(Kind::NotificationRoute), true) => "route.declared",
            (Some(Kind::NotificationRoute), false) => "route.retired",
            (Some(Kind::Plan), true) => "plan.declared",
            (Some(Kind::Plan), false) => "plan.retired",
            (Some(Kind::Schedule), true) => "schedule.declared",
            (Some(Kind::Schedule), false) => "schedule.retired",
            (Some(Kind::Contact), true) => "contact.declared",
            (Some(Kind::Contact), false) => "contact.retired",
            (Some(Kind::MessageTemplate), true) => "template.declared",
            (Some(Kind::MessageTemplate), false) => "template.retired",
            (Some(Kind::Unspecified) | None, _) => "unset",
        }
    }
}

impl Aggregate for Declared {
    const KIND: &'static str = "inventory";
    type Event = InventoryEvent;

    fn evolve(&mut self, event: &InventoryEvent) {
        match &event.event {
            Some(Event::Declared(declared)) => self.document = declared.document.clone(),
            Some(Event::Retired(_)) => {
                if let Some(document) = &mut self.document {
                    document.retired = true;
                    document.version += 1;
                }
            }
            None => {}
        }
    }
}

/// Declares a validated document. `None`: it already says exactly this.
pub fn declare(declared: &Declared, document: &Document, by: &str, now: Timestamp) -> Option<InventoryEvent> {
    let before = declared.document.as_ref();
    let changes = changes(before, document);
    if before.is_some_and(|before| !before.retired) && changes.is_empty() {
        return None;
    }
    let document = Document {
        version: before.map_or(0, |before| before.version) + 1,
        declared_at: Some(to_pb(now)),
        declared_by: by.to_owned(),
        retired: false,
        ..document.clone()
    };
    Some(InventoryEvent { event: Some(Event::Declared(DocumentDeclared { document: Some(document), changes })) })
}

/// What differs, field by field, for people.
pub fn changes(before: Option<&Document>, after: &Document) -> Vec<FieldChange> {
    diff::changes(before.and_then(|document| document.spec.as_ref()), after.spec.as_ref())
}

/// Takes a document out of use; its history stays.
pub fn retire(declared: &Declared, reason: &str) -> Result<Option<InventoryEvent>, Refusal> {
    let Some(document) = &declared.document else {
        return Err(refusal(
            "DOCUMENT_NOT_FOUND",
            "there is no such document in this tenant",
            "",
            "a declared document",
            "list them with `muster get`",
        ));
    };
    if document.retired {
        return Ok(None);
    }
    Ok(Some(InventoryEvent {
        event: Some(Event::Retired(DocumentRetired {
            kind: document.kind,
            name: document.name.clone(),
            reason: reason.to_owned(),
        })),
    }))
}

/// "notification-route"
pub fn kind_token(kind: Kind) -> &'static str {
    match kind {
        Kind::Unspecified => "unknown",
        Kind::Tenant => "tenant",
        Kind::Site => "site",
        Kind::Resource => "resource",
        Kind::Group => "group",
        Kind::Policy => "policy",
        Kind::NotificationRoute => "notification-route",
        Kind::Plan => "plan",
        Kind::Schedule => "schedule",
        Kind::Contact => "contact",
        Kind::MessageTemplate => "message-template",
    }
}

/// The aggregate of one document.
pub fn document_id(kind: Kind, name: &str) -> Result<AggregateId, InvalidId> {
    check_name("name", name)?;
    format!("{}-{name}", kind_token(kind)).parse()
}

/// One tenant's documents, retired ones included, folded from the log. Small: services keep it in memory.
#[derive(Debug, Clone, Default)]
pub struct TenantInventory {
    documents: BTreeMap<(i32, String), Declared>,
}

impl TenantInventory {
    pub fn apply(&mut self, event: &InventoryEvent) {
        let key = match &event.event {
            Some(Event::Declared(declared)) => declared.document.as_ref().map(|d| (d.kind, d.name.clone())),
            Some(Event::Retired(retired)) => Some((retired.kind, retired.name.clone())),
            None => None,
        };
        if let Some(key) = key {
            self.documents.entry(key).or_default().evolve(event);
        }
    }

    /// A document in use.
    pub fn get(&self, kind: Kind, name: &str) -> Option<&Document> {
        let declared = self.documents.get(&(kind.into(), name.to_owned()))?;
        declared.document.as_ref().filter(|document| !document.retired)
    }

    /// All documents of a kind that are in use.
    pub fn all(&self, kind: Kind) -> impl Iterator<Item = &Document> {
        let wanted = i32::from(kind);
        self.documents
            .iter()
            .filter(move |((kind, _), _)| *kind == wanted)
            .filter_map(|(_, declared)| declared.document.as_ref())
            .filter(|document| !document.retired)
    }

    pub fn resource(&self, name: &str) -> Option<(&Document, &ResourceSpec)> {
        self.get(Kind::Resource, name).and_then(with_resource_spec)
    }

    pub fn resources(&self) -> impl Iterator<Item = (&Document, &ResourceSpec)> {
        self.all(Kind::Resource).filter_map(with_resource_spec)
    }

    pub fn policies(&self) -> impl Iterator<Item = (&Document, &PolicySpec)> {
        self.all(Kind::Policy).filter_map(|document| match &document.spec {
            Some(Spec::PolicySpec(spec)) => Some((document, spec)),
            _ => None,
        })
    }

    pub fn routes(&self) -> impl Iterator<Item = (&Document, &NotificationRouteSpec)> {
        self.all(Kind::NotificationRoute).filter_map(|document| match &document.spec {
            Some(Spec::NotificationRouteSpec(spec)) => Some((document, spec)),
            _ => None,
        })
    }
}

fn with_resource_spec(document: &Document) -> Option<(&Document, &ResourceSpec)> {
    match &document.spec {
        Some(Spec::ResourceSpec(spec)) => Some((document, spec)),
        _ => None,
    }
}

/// Every tenant's documents: what connector, monitor, executor and notifier keep in memory.
#[derive(Debug, Clone, Default)]
pub struct Inventory {
    tenants: BTreeMap<TenantId, TenantInventory>,
}

impl Inventory {
    pub fn apply(&mut self, tenant: &TenantId, event: &InventoryEvent) {
        self.tenants.entry(tenant.clone()).or_default().apply(event);
    }

    pub fn tenant(&self, tenant: &TenantId) -> Option<&TenantInventory> {
        self.tenants.get(tenant)
    }

    pub fn tenants(&self) -> impl Iterator<Item = (&TenantId, &TenantInventory)> {
        self.tenants.iter()
    }

    /// Every resource in use, of every tenant.
    pub fn resources(&self) -> impl Iterator<Item = (&TenantId, &Document, &ResourceSpec)> {
        self.tenants.iter().flat_map(|(tenant, inventory)| inventory.resources().map(move |(d, s)| (tenant, d, s)))
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod validate_data_tests;
#[cfg(test)]
mod validate_policy_tests;
