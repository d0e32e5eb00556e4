//! The linter's findings, with what this process can say about secrets and commands.

use std::collections::BTreeSet;

use muster_domain::{
    TenantId,
    inventory::TenantInventory,
    pb::inventory::v1::{Document, Kind},
    pb::plan::v1::{Lint, PlanSpec},
    plan,
    request::effective_policy,
};
use muster_runtime::{Context, secrets::Owner};

pub(super) fn judge(ctx: &Context, tenant: &TenantId, spec: &PlanSpec, inventory: &TenantInventory) -> Vec<Lint> {
    let policies: Vec<&Document> = inventory.all(Kind::Policy).collect();
    let commands = commands(ctx, tenant);
    plan::lint(
        spec,
        &plan::Surroundings {
            inventory,
            policy: &|tier, environment, kind| effective_policy(&policies, tier, environment, kind).policy,
            commands: commands.as_ref(),
            secret_resolves: &|reference| resolves(ctx, tenant, reference),
        },
    )
}

/// Whether it leads to something. What it leads to is dropped unread.
fn resolves(ctx: &Context, tenant: &TenantId, reference: &str) -> Option<bool> {
    let known_here = ctx.config.secrets.directory.is_some() || !reference.starts_with("file:");
    known_here.then(|| ctx.secrets.resolve(Owner::Tenant(tenant), reference).is_ok())
}

/// The commands that this tenant's plans may run. A process without the executor's settings does not know them.
fn commands(ctx: &Context, tenant: &TenantId) -> Option<BTreeSet<String>> {
    let executor = &ctx.config.executor;
    if executor.commands.is_empty() && executor.agents.is_empty() {
        return None;
    }
    let own = executor.commands.iter().filter(|(_, command)| command.tenant == tenant.as_str());
    Some(own.map(|(name, _)| name.clone()).collect())
}
