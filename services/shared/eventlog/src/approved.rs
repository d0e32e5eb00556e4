//! What an approval rests on, read from the log at this moment: the documents of a scope, the plan that is published,
//! the delegations and gates that a proof needs. Whoever decides or runs something asks here and never a read model.

use futures::{StreamExt, TryStreamExt, stream};
use muster_domain::{
    AggregateId, TenantId,
    gate::{self, Gate, gate_id},
    inventory::{Declared, DocumentVersions, TenantInventory, document_id},
    pb::{
        common::v1::{Environment, Tier},
        inventory::v1::{Document, Kind, document::Spec},
        request::v1::{RequestOpened, RequestType},
    },
    plan::Plan,
    request::{self, Delegation, Request, Witness},
};

use crate::{EventLog, LogError};

/// Loads under way at once; each takes half a millisecond.
const LOADS: usize = 8;

/// A plan's published text.
#[derive(Debug, Clone)]
pub struct PublishedPlan {
    pub document: Document,
    /// Its life: who published it, how its tests ended.
    pub life: Plan,
}

/// What people approved, as it is now.
#[derive(Debug, Clone, Default)]
pub struct Approved {
    /// The documents of the scope.
    pub inventory: TenantInventory,
    /// The published text of the plan that the request names. `None`: the built-in plan, or it is not there any more.
    pub plan: Option<Document>,
}

impl EventLog {
    /// A group or a resource and every resource in it, in use or not, as declared now.
    pub async fn scope_documents(
        &self,
        tenant: &TenantId,
        group: &str,
        resource: &str,
    ) -> Result<TenantInventory, LogError> {
        let mut inventory = TenantInventory::default();
        let mut names = vec![resource.to_owned()];
        if let Some(document) = self.document(tenant, Kind::Group, group).await? {
            if let Some(Spec::GroupSpec(spec)) = &document.spec {
                names.extend(spec.members.iter().map(|member| member.resource.clone()));
            }
            inventory.insert(document);
        }
        for document in self.documents(tenant, Kind::Resource, names).await? {
            inventory.insert(document);
        }
        Ok(inventory)
    }

    /// One document as declared now, retired or not.
    pub async fn document(&self, tenant: &TenantId, kind: Kind, name: &str) -> Result<Option<Document>, LogError> {
        let Ok(id) = document_id(kind, name) else { return Ok(None) };
        Ok(self.load::<Declared>(tenant, &id).await?.state.document)
    }

    /// Those of these documents that were ever declared, in the order of their names here.
    pub async fn documents(
        &self,
        tenant: &TenantId,
        kind: Kind,
        names: Vec<String>,
    ) -> Result<Vec<Document>, LogError> {
        let loads = names.into_iter().map(|name| async move { self.document(tenant, kind, &name).await });
        let found: Vec<Option<Document>> = stream::iter(loads).buffered(LOADS).try_collect().await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// The text of a plan that runs use now. `None`: never published, or retired.
    pub async fn published_plan(&self, tenant: &TenantId, name: &str) -> Result<Option<PublishedPlan>, LogError> {
        let (Ok(text_id), Ok(life_id)) = (document_id(Kind::Plan, name), name.parse::<AggregateId>()) else {
            return Ok(None);
        };
        let (texts, life) =
            tokio::try_join!(self.load::<DocumentVersions>(tenant, &text_id), self.load::<Plan>(tenant, &life_id))?;
        let (texts, life) = (texts.state, life.state);
        if texts.newest().is_none_or(|newest| newest.retired) {
            return Ok(None);
        }
        let document = life.published_ref().and_then(|published| texts.version(published.version)).cloned();
        Ok(document.map(|document| PublishedPlan { document, life }))
    }

    /// What a request is about, as it is now.
    pub async fn approved(&self, tenant: &TenantId, opened: &RequestOpened) -> Result<Approved, LogError> {
        // A group's members are read as it has them now: another set of them is a change, too.
        let inventory = self.scope_documents(tenant, &opened.group, &opened.resource).await?;
        let plan = match opened.plan.as_ref().map(|plan| plan.name.as_str()) {
            None | Some("") => None,
            Some(name) => self.published_plan(tenant, name).await?.map(|plan| plan.document),
        };
        Ok(Approved { inventory, plan })
    }

    /// The delegations that a request's approvals rest on, and the gate as it holds now.
    pub async fn witness(&self, tenant: &TenantId, request: &Request) -> Result<Witness, LogError> {
        let mut witness = Witness::default();
        for name in request::delegations_named(request) {
            let Ok(id) = name.parse::<AggregateId>() else { continue };
            witness.delegations.insert(name, self.load::<Delegation>(tenant, &id).await?.state);
        }
        if let Some(opened) = &request.view.opened {
            let plan = opened.plan.as_ref().map(|plan| plan.name.as_str()).unwrap_or_default();
            let gate = self.gate(tenant, opened.r#type(), plan, opened.tier(), opened.environment()).await?;
            witness.gate = Some(gate);
        }
        Ok(witness)
    }

    /// The gate that a request meets now. An empty plan is the built-in one.
    pub async fn gate(
        &self,
        tenant: &TenantId,
        kind: RequestType,
        plan: &str,
        tier: Tier,
        environment: Environment,
    ) -> Result<gate::Effective, LogError> {
        let (of_type, of_plan) =
            tokio::try_join!(self.gate_state(tenant, kind, ""), self.gate_state(tenant, kind, plan))?;
        Ok(gate::effective(kind, plan, tier, environment, &of_type, &of_plan))
    }

    async fn gate_state(&self, tenant: &TenantId, kind: RequestType, plan: &str) -> Result<Gate, LogError> {
        // A name that is no id has no gate of its own.
        let Ok(id) = gate_id(kind, plan) else { return Ok(Gate::default()) };
        Ok(self.load::<Gate>(tenant, &id).await?.state)
    }
}
