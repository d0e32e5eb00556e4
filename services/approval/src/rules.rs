//! What holds for a scope right now: its documents, the tenant's policies, the plan that a run would use.

use muster_domain::{
    AggregateId, Refusal, TenantId,
    inventory::{Declared, TenantInventory, document_id},
    pb::{
        inventory::v1::{Document, Kind},
        plan::v1::plan_spec,
        request::v1::RequestType,
    },
    plan::{self, Scope},
    refusal::field_refusal,
};
use muster_eventlog::{LogError, PublishedPlan};
use muster_runtime::{IntoStatus, refused};
use tonic::Status;

use crate::Approval;

impl Approval {
    /// The documents of a group or a resource, which must be declared and in use.
    pub(crate) async fn scope_documents(
        &self,
        tenant: &TenantId,
        group: &str,
        resource: &str,
    ) -> Result<TenantInventory, Status> {
        let inventory = self.ctx.log.scope_documents(tenant, group, resource).await.map_err(IntoStatus::into_status)?;
        if group.is_empty() && !resource.is_empty() && inventory.get(Kind::Resource, resource).is_none() {
            let known = self.ctx.log.document(tenant, Kind::Resource, resource).await;
            let known = known.map_err(IntoStatus::into_status)?.is_some();
            return Err(refused(&if known { retired(resource) } else { unknown(resource) }));
        }
        Ok(inventory)
    }

    /// Every policy of the tenant as the log has it now. The fold, which has taken in at least what is known of the
    /// scope, only says which names there are; what they say is read again, so that a policy that was just made
    /// stricter counts for the next request.
    pub(crate) async fn current_policies(
        &self,
        tenant: &TenantId,
        group: &str,
        resource: &str,
    ) -> Result<Vec<Document>, LogError> {
        let sequence = self.newest_of_scope(tenant, group, resource).await?;
        let names = self.names.of(tenant, Kind::Policy, sequence).await;
        self.ctx.log.documents(tenant, Kind::Policy, names).await
    }

    /// The position of what was declared last of the scope's own document.
    async fn newest_of_scope(&self, tenant: &TenantId, group: &str, resource: &str) -> Result<u64, LogError> {
        let (kind, name) = if group.is_empty() { (Kind::Resource, resource) } else { (Kind::Group, group) };
        let Ok(id) = document_id(kind, name) else { return Ok(0) };
        Ok(self.ctx.log.load::<Declared>(tenant, &id).await?.sequence)
    }

    /// The plan that a run would use: the one that is named, else the published one of the scope, else the built-in one.
    pub(crate) async fn plan_for(
        &self,
        tenant: &TenantId,
        named: &str,
        kind: RequestType,
        scope: &Scope<'_>,
    ) -> Result<Option<PublishedPlan>, Status> {
        if !named.is_empty() {
            let plan = self.ctx.log.published_plan(tenant, named).await.map_err(IntoStatus::into_status)?;
            return plan.map(Some).ok_or_else(|| refused(&not_published(named)));
        }
        let names = self.names.of(tenant, Kind::Plan, 0).await;
        let mut fitting = Vec::new();
        for name in names {
            let plan = self.ctx.log.published_plan(tenant, &name).await.map_err(IntoStatus::into_status)?;
            fitting.extend(plan.filter(|plan| fits(&plan.document, kind, scope)));
        }
        match fitting.len() {
            0 | 1 => Ok(fitting.pop()),
            _ => Err(refused(&ambiguous(&fitting, scope))),
        }
    }
}

fn fits(document: &Document, kind: RequestType, scope: &Scope<'_>) -> bool {
    let Some(spec) = plan::spec_of(document) else { return false };
    let written = match &spec.scope {
        Some(plan_spec::Scope::Group(group)) => format!("group {group}"),
        Some(plan_spec::Scope::Resource(resource)) => format!("resource {resource}"),
        None => return false,
    };
    written == scope.name() && plan::serves(spec, kind)
}

pub(crate) fn unknown(name: &str) -> Refusal {
    field_refusal(
        "resource",
        "RESOURCE_NOT_FOUND",
        "a request is about a declared resource",
        name.chars().take(80).collect::<String>(),
        "a resource of this tenant",
        "check `muster get resources`",
    )
}

fn retired(name: &str) -> Refusal {
    field_refusal(
        "resource",
        "RESOURCE_NOT_MOVABLE",
        "a request is about a resource in use",
        format!("{name} is retired"),
        "a resource in use",
        "check `muster get resources`, or declare it again",
    )
}

fn not_published(name: &str) -> Refusal {
    field_refusal(
        "plan",
        "PLAN_NOT_PUBLISHED",
        "runs use plans that were published by a second person",
        name.chars().take(80).collect::<String>(),
        "a published plan of this tenant",
        "submit it and have it published, or leave the plan out",
    )
}

fn ambiguous(plans: &[PublishedPlan], scope: &Scope<'_>) -> Refusal {
    let names = plans.iter().map(|plan| plan.document.name.as_str()).collect::<Vec<_>>().join(", ");
    field_refusal(
        "plan",
        "PLAN_AMBIGUOUS",
        format!("{} has several published plans of this type", scope.name()),
        names,
        "one of them",
        "name the plan that is meant",
    )
}

/// The id under which a resource or a group is reserved.
pub(crate) fn reservation_ids(group: &str, resources: &[&str]) -> Vec<(String, AggregateId)> {
    let group = (!group.is_empty()).then(|| muster_domain::execution::reservation_of_group(group));
    let names = resources.iter().map(|resource| (*resource).to_owned()).chain(group);
    names.filter_map(|name| Some((name.clone(), name.parse().ok()?))).collect()
}
