//! Reading plans, and judging texts that nobody has declared yet.

use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use muster_domain::{
    TenantId,
    inventory::{TenantInventory, validate},
    pb::inventory::v1::{Document, Kind},
    pb::plan::v1::{LintPlanResponse, PlanSpec, PlanView},
    plan,
    refusal::refusal,
};
use muster_eventlog::wait_for;

use super::{Plans, judge::judge, not_found, surroundings, view::know};
use crate::{
    error::CommandError,
    manifest::{self, Declaration},
    projection::{PROJECTION, TABLES_BEHIND},
    query,
    references::references,
};

/// Lives read from the log at the same time.
const PARALLEL_LOADS: usize = 8;

impl Plans {
    pub(super) async fn get(&self, tenant: &TenantId, name: &str, now: Timestamp) -> Result<PlanView, CommandError> {
        let inventory = self.around(tenant, &[name.to_owned()]).await?;
        let document = inventory.get(Kind::Plan, name).ok_or_else(|| not_found(name))?;
        self.view(tenant, document, &inventory, now).await
    }

    /// One plan more than `size`, if there is one, by name.
    pub(super) async fn list(
        &self,
        tenant: &TenantId,
        after: Option<&query::Cursor>,
        size: u32,
        now: Timestamp,
    ) -> Result<Vec<PlanView>, CommandError> {
        let documents = query::list(&self.ctx.db, tenant, Some(Kind::Plan), false, after, size).await?;
        let names: Vec<String> = documents.iter().map(|document| document.name.clone()).collect();
        let inventory = self.around(tenant, &names).await?;
        let views = documents.iter().map(|document| self.view(tenant, document, &inventory, now));
        // In order: pages go on by name.
        stream::iter(views.collect::<Vec<_>>()).buffered(PARALLEL_LOADS).try_collect().await
    }

    pub(super) async fn lint_declared(&self, tenant: &TenantId, name: &str) -> Result<LintPlanResponse, CommandError> {
        self.catch_up(tenant).await?;
        let inventory = self.around(tenant, &[name.to_owned()]).await?;
        let document = inventory.get(Kind::Plan, name).ok_or_else(|| not_found(name))?;
        let spec = plan::spec_of(document).ok_or_else(|| not_found(name))?;
        Ok(self.findings(tenant, spec, &inventory))
    }

    /// A manifest's plan among what is declared, and among nothing else of the manifest.
    pub(super) async fn lint_manifest(&self, tenant: &TenantId, text: &str) -> Result<LintPlanResponse, CommandError> {
        let declarations = manifest::parse(text, tenant).map_err(CommandError::Faults)?;
        let declaration = the_plan(&declarations)?;
        self.catch_up(tenant).await?;
        let inventory = surroundings::of_tables(&self.ctx.db, tenant, &references(&declaration.document)).await?;
        let faults = validate(&declaration.document, &inventory).faults;
        if !faults.is_empty() {
            return Err(CommandError::Faults(faults.into_iter().map(|fault| declaration.fault(fault)).collect()));
        }
        let spec = plan::spec_of(&declaration.document).ok_or_else(|| not_found(&declaration.document.name))?;
        Ok(self.findings(tenant, spec, &inventory))
    }

    fn findings(&self, tenant: &TenantId, spec: &PlanSpec, inventory: &TenantInventory) -> LintPlanResponse {
        let path = plan::critical_path(spec, inventory);
        LintPlanResponse {
            findings: judge(&self.ctx, tenant, spec, inventory),
            critical_path: path.map(|path| path.text()).unwrap_or_default(),
        }
    }

    async fn view(
        &self,
        tenant: &TenantId,
        document: &Document,
        inventory: &TenantInventory,
        now: Timestamp,
    ) -> Result<PlanView, CommandError> {
        let known = know(&self.ctx, tenant, document, inventory).await?;
        let findings =
            plan::spec_of(document).map(|spec| judge(&self.ctx, tenant, spec, inventory)).unwrap_or_default();
        Ok(known.view(findings, now))
    }

    /// Who judges or prints a plan right after declaring it means that text.
    pub(super) async fn catch_up(&self, tenant: &TenantId) -> Result<(), CommandError> {
        let newest = self.ctx.log.last_sequence(tenant).await?;
        Ok(wait_for(&self.ctx.db, PROJECTION, tenant, newest, TABLES_BEHIND).await?)
    }

    pub(super) async fn around(&self, tenant: &TenantId, plans: &[String]) -> Result<TenantInventory, CommandError> {
        let roots: Vec<(Kind, String)> = plans.iter().map(|name| (Kind::Plan, name.clone())).collect();
        surroundings::of_tables(&self.ctx.db, tenant, &roots).await
    }
}

fn the_plan(declarations: &[Declaration]) -> Result<&Declaration, CommandError> {
    match declarations {
        [only] if only.document.kind() == Kind::Plan => Ok(only),
        _ => {
            let kinds: Vec<&str> =
                declarations.iter().map(|d| manifest::kind_name(d.document.kind())).take(10).collect();
            Err(refusal(
                "MANIFEST_INVALID",
                "a plan is judged by itself, among what is declared already",
                format!("{} documents: {}", declarations.len(), kinds.join(", ")),
                "one document of the kind Plan",
                "send the plan alone; declare what it moves first",
            )
            .into())
        }
    }
}
