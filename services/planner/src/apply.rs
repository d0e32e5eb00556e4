//! Declares what a manifest says: all of it or nothing.

use muster_domain::pb::inventory::v1::{ApplyResponse, Kind};
use muster_domain::{TenantId, inventory::kind_token, refusal::field_refusal};
use muster_eventlog::{AppendError, Database, EventLog, Meta};

use crate::{
    changeset::{Basis, Changeset},
    error::CommandError,
    lock::InventoryLock,
    manifest::{self, Declaration},
};

/// The lock keeps other applies away, so a conflict is rare: somebody whose lease had run out.
const MAX_TRIES: u32 = 5;

/// What to apply, for whom.
pub(crate) struct Apply<'a> {
    pub(crate) log: &'a EventLog,
    pub(crate) db: &'a Database,
    pub(crate) tenant: &'a TenantId,
    pub(crate) manifest: &'a str,
    pub(crate) meta: &'a Meta,
}

impl Apply<'_> {
    /// Says what would change and changes nothing.
    pub(crate) async fn dry_run(&self) -> Result<ApplyResponse, CommandError> {
        let changeset = Changeset::make(&self.basis(), &self.declarations()?).await?;
        Ok(changeset.into_response(None))
    }

    pub(crate) async fn run(&self) -> Result<ApplyResponse, CommandError> {
        let declarations = self.declarations()?;
        let lock = InventoryLock::take(self.log, self.tenant).await?;
        let done = self.write(&declarations, &lock).await;
        lock.release().await;
        done
    }

    async fn write(&self, declarations: &[Declaration], lock: &InventoryLock) -> Result<ApplyResponse, CommandError> {
        let mut tries = 0;
        loop {
            let changeset = Changeset::make(&self.basis(), declarations).await?;
            let pending = changeset.pending();
            if changeset.is_already_done() || pending.is_empty() {
                return Ok(changeset.into_response(None));
            }
            self.provision(&changeset).await?;
            lock.must_be_held()?;
            tries += 1;
            match self.log.append_batch(self.tenant, pending).await {
                Ok(appended) => return Ok(changeset.into_response(Some(appended.sequence))),
                Err(AppendError::Conflict { kind, id, .. }) if tries < MAX_TRIES => {
                    tracing::info!(kind, id, "somebody else changed a document meanwhile, deciding again");
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// A tenant's log exists before anybody hears of the tenant.
    async fn provision(&self, changeset: &Changeset) -> Result<(), CommandError> {
        for name in changeset.new_tenants() {
            // The name was validated as a tenant's with the rest of the plan.
            if let Ok(tenant) = name.parse() {
                self.log.provision_tenant(&tenant).await?;
            }
        }
        Ok(())
    }

    fn basis(&self) -> Basis<'_> {
        Basis { log: self.log, db: self.db, tenant: self.tenant, meta: self.meta }
    }

    fn declarations(&self) -> Result<Vec<Declaration>, CommandError> {
        let declarations = manifest::parse(self.manifest, self.tenant).map_err(CommandError::Faults)?;
        let misplaced: Vec<_> = declarations.iter().filter_map(|d| misplaced(self.tenant, d)).collect();
        if misplaced.is_empty() { Ok(declarations) } else { Err(CommandError::Faults(misplaced)) }
    }
}

/// Tenants are registered in the operating tenant, and nothing else is: what it ran would be mixed with its customers'.
fn misplaced(tenant: &TenantId, declaration: &Declaration) -> Option<manifest::Fault> {
    let document = &declaration.document;
    let is_tenant = document.kind() == Kind::Tenant;
    let (field, rule, next) = if is_tenant && !tenant.is_operating() {
        ("kind", "tenants are registered by the operating organisation", "apply it with --tenant muster")
    } else if !is_tenant && tenant.is_operating() {
        ("kind", "the operating tenant holds tenants and nothing else", "apply it to an ordinary tenant")
    } else if is_tenant && document.name == TenantId::OPERATING {
        ("metadata.name", "the operating tenant exists from the installation on", "choose another name")
    } else {
        return None;
    };
    let value = format!("{} {} in tenant {tenant}", kind_token(document.kind()), document.name);
    let allowed = "kind Tenant in tenant muster, all other kinds in other tenants";
    Some(declaration.fault(field_refusal(field, "MANIFEST_INVALID", rule, value, allowed, next)))
}
