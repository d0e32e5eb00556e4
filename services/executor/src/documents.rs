//! What a run is about, as it is declared: its members, their group and its plan. Read from the log at each beginning.

use std::collections::BTreeMap;

use muster_domain::{
    Refusal, TenantId,
    inventory::{Declared, TenantInventory, document_id},
    pb::{
        inventory::v1::{
            Document, DocumentDeclared, InventoryEvent, Kind, ResourceSpec, document::Spec, inventory_event::Event,
        },
        plan::v1::{PlanRef, PlanSpec},
        request::v1::RequestOpened,
    },
    plan::{self, Scope},
    request,
};
use muster_eventlog::LogError;
use muster_runtime::Context;

use crate::job::{JobError, Versions};

/// Everything declared that a run is about, in its newest version, and every version of its members.
#[derive(Default)]
pub(crate) struct Documents {
    inventory: TenantInventory,
    members: BTreeMap<String, Versions>,
    plan: Option<Document>,
}

/// Names of what a run is about.
#[derive(Default)]
pub(crate) struct Names<'a> {
    /// Empty: a single resource.
    pub group: &'a str,
    /// Of a single resource, or what the run began with.
    pub resources: Vec<&'a str>,
    /// The text and the version that are used; absent or without a name: the built-in plan.
    pub plan: Option<&'a PlanRef>,
}

impl Documents {
    pub(crate) async fn load(ctx: &Context, tenant: &TenantId, names: Names<'_>) -> Result<Self, LogError> {
        let mut documents = Self::default();
        let mut resources: Vec<String> = names.resources.iter().map(|name| (*name).to_owned()).collect();
        if !names.group.is_empty() {
            let group = newest(ctx, tenant, Kind::Group, names.group).await?;
            if let Some(Spec::GroupSpec(spec)) = group.as_ref().and_then(|document| document.spec.as_ref()) {
                resources.extend(spec.members.iter().map(|member| member.resource.clone()));
            }
            documents.take_in(group);
        }
        for name in resources {
            if documents.members.contains_key(&name) {
                continue;
            }
            let versions = Versions::load(ctx, tenant, &name).await?;
            documents.take_in(versions.newest().cloned());
            documents.members.insert(name, versions);
        }
        if let Some(named) = names.plan.filter(|plan| !plan.name.is_empty()) {
            let versions = Versions::load_kind(ctx, tenant, Kind::Plan, &named.name).await?;
            documents.plan = versions.at(named.version).cloned();
        }
        Ok(documents)
    }

    fn take_in(&mut self, document: Option<Document>) {
        let Some(document) = document.filter(|document| !document.retired) else { return };
        let declared = DocumentDeclared { document: Some(document), changes: Vec::new() };
        self.inventory.apply(&InventoryEvent { event: Some(Event::Declared(declared)) });
    }

    /// What is moved, as it is declared now.
    pub(crate) fn scope(&self, group: &str, resource: &str) -> Result<Scope<'_>, Refusal> {
        plan::scope(&self.inventory, group, resource)
    }

    /// `None`: the built-in plan, or a version that is not there.
    pub(crate) fn plan(&self) -> Option<(&Document, &PlanSpec)> {
        let document = self.plan.as_ref()?;
        Some((document, plan::spec_of(document)?))
    }

    /// What a request opened now would bind to.
    pub(crate) fn reference(&self, scope: &Scope<'_>) -> PlanRef {
        plan::hash(self.plan.as_ref(), scope)
    }

    /// Whether it all is what people approved.
    pub(crate) fn as_approved(&self, opened: &RequestOpened) -> Result<(), Refusal> {
        request::as_approved(opened, &self.inventory, self.plan.as_ref())
    }

    /// As it was approved, whatever is declared meanwhile.
    pub(crate) fn resource(&self, name: &str, version: u64) -> Result<&ResourceSpec, JobError> {
        self.members.get(name).ok_or(JobError::DocumentMissing(version))?.resource(version)
    }
}

async fn newest(ctx: &Context, tenant: &TenantId, kind: Kind, name: &str) -> Result<Option<Document>, LogError> {
    let Ok(id) = document_id(kind, name) else { return Ok(None) };
    Ok(ctx.log.load::<Declared>(tenant, &id).await?.state.document)
}
