//! Where a plan stands, for people.

use jiff::{SignedDuration, Timestamp};
use muster_domain::{
    TenantId,
    inventory::{DocumentVersions, TenantInventory, document_id},
    pb::inventory::v1::{Document, Kind},
    pb::plan::v1::{Lint, PlanRef, PlanView},
    plan::{self, Plan},
};
use muster_eventlog::{EventLog, Loaded};
use muster_runtime::Context;

use super::{
    plan_id,
    surroundings::{of_tables, reference},
};
use crate::{error::CommandError, references::references};

/// A plan's document with its life.
pub(super) struct Known<'a> {
    pub(super) document: &'a Document,
    pub(super) inventory: &'a TenantInventory,
    pub(super) life: Loaded<Plan>,
    /// The text that a run uses, where that is an older one than the document, among what it names itself.
    published: Option<(Document, TenantInventory)>,
}

/// Reads the life, and the text in use where that is not the newest one.
pub(super) async fn know<'a>(
    ctx: &Context,
    tenant: &TenantId,
    document: &'a Document,
    inventory: &'a TenantInventory,
) -> Result<Known<'a>, CommandError> {
    let life = ctx.log.load::<Plan>(tenant, &plan_id(&document.name)?).await?;
    let mut published = None;
    if let Some(version) = life.state.published_ref().map(|plan| plan.version).filter(|v| *v != document.version)
        && let Some(text) = text(&ctx.log, tenant, &document.name, version).await?
    {
        let among = of_tables(&ctx.db, tenant, &references(&text)).await?;
        published = Some((text, among));
    }
    Ok(Known { document, inventory, life, published })
}

/// A plan's text as it was in one version.
pub(super) async fn text(
    log: &EventLog,
    tenant: &TenantId,
    name: &str,
    version: u64,
) -> Result<Option<Document>, CommandError> {
    let Ok(id) = document_id(Kind::Plan, name) else { return Ok(None) };
    let versions = log.load::<DocumentVersions>(tenant, &id).await?.state;
    Ok(versions.version(version).cloned())
}

impl Known<'_> {
    /// The text that a run would use now, the published one or else the newest, and what is around it.
    pub(super) fn in_use(&self) -> (&Document, &TenantInventory) {
        match &self.published {
            Some((text, among)) => (text, among),
            None => (self.document, self.inventory),
        }
    }

    /// What a run would use now.
    pub(super) fn current(&self) -> PlanRef {
        let (text, among) = self.in_use();
        reference(text, among)
    }

    /// How long a test of it counts.
    pub(super) fn valid_for(&self) -> SignedDuration {
        plan::spec_of(self.in_use().0).map_or(plan::DEFAULT_PROOF_VALID_FOR, plan::valid_for)
    }

    pub(super) fn view(&self, findings: Vec<Lint>, now: Timestamp) -> PlanView {
        let life = &self.life.state;
        let newest = reference(self.document, self.inventory);
        let (proof, proof_text) = plan::proof(life, &self.current(), self.valid_for(), now);
        let (state, _) = plan::state(life, &newest);
        PlanView {
            tenant: self.document.tenant.clone(),
            name: self.document.name.clone(),
            state: state.into(),
            proof: proof.into(),
            published: life.published_ref().cloned(),
            newest: Some(newest),
            spec: plan::spec_of(self.document).cloned(),
            findings,
            submitted: life.submitted.clone(),
            returned: life.returned.clone(),
            publication: life.published.clone(),
            tests: life.tests.clone(),
            proven_until: life.proven.as_ref().and_then(|proven| proven.valid_until),
            proof_text,
            version: self.life.version,
        }
    }
}
