//! A schedule as the log has it now, with what its messages say about it.

use jiff::Timestamp;
use muster_domain::{
    TenantId,
    pb::common::v1::{Environment, Tier},
    pb::inventory::v1::{Document, Kind, ScheduleSpec, document::Spec},
    pb::plan::v1::plan_spec::Scope,
    plan, request,
    schedule::{Calendar, Declaration},
    time::from_pb,
};
use muster_eventlog::LogError;

use super::Schedules;

pub(super) struct Declared {
    document: Document,
    spec: ScheduleSpec,
    calendar: Option<Calendar>,
    tier: Tier,
    environment: Environment,
}

impl Declared {
    pub(super) fn as_declaration<'a>(&'a self, tenant: &'a TenantId) -> Declaration<'a> {
        Declaration {
            tenant,
            name: &self.document.name,
            version: self.document.version,
            spec: &self.spec,
            calendar: self.calendar.as_ref().filter(|_| !self.document.retired),
            // A declaration without its time declares nothing yet: far ahead, nothing is due.
            declared_at: from_pb(self.document.declared_at.as_ref()).unwrap_or(Timestamp::MAX),
            tier: self.tier,
            environment: self.environment,
        }
    }
}

pub(super) fn spec_of(document: &Document) -> Option<&ScheduleSpec> {
    match &document.spec {
        Some(Spec::ScheduleSpec(spec)) => Some(spec),
        _ => None,
    }
}

impl Schedules {
    /// `None`: never declared.
    pub(super) async fn declared(&self, tenant: &TenantId, name: &str) -> Result<Option<Declared>, LogError> {
        let Some(document) = self.ctx.log.document(tenant, Kind::Schedule, name).await? else { return Ok(None) };
        let Some(spec) = spec_of(&document).cloned() else { return Ok(None) };
        let calendar = match Calendar::of(&spec, tenant, name) {
            Ok(calendar) => Some(calendar),
            Err(refusal) => {
                let why = muster_domain::refusal::describe(&refusal);
                tracing::error!(%tenant, schedule = name, why, "a declared schedule cannot be read: it is never due");
                None
            }
        };
        let (tier, environment) = self.place(tenant, &spec).await?;
        Ok(Some(Declared { document, spec, calendar, tier, environment }))
    }

    /// The most important thing that it is about: how loud its messages are.
    async fn place(&self, tenant: &TenantId, spec: &ScheduleSpec) -> Result<(Tier, Environment), LogError> {
        let (mut group, mut resource) = (spec.group.clone(), spec.resource.clone());
        if !spec.plan.is_empty() {
            let document = self.ctx.log.document(tenant, Kind::Plan, &spec.plan).await?;
            match document.as_ref().and_then(plan::spec_of).and_then(|plan| plan.scope.clone()) {
                Some(Scope::Group(name)) => group = name,
                Some(Scope::Resource(name)) => resource = name,
                None => {}
            }
        }
        if group.is_empty() && resource.is_empty() {
            return Ok((Tier::Unspecified, Environment::Unspecified));
        }
        let inventory = self.ctx.log.scope_documents(tenant, &group, &resource).await?;
        let scope = plan::scope(&inventory, &group, if group.is_empty() { &resource } else { "" });
        Ok(scope.map_or((Tier::Unspecified, Environment::Unspecified), |scope| request::worst(&scope)))
    }
}
