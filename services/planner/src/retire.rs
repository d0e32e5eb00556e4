//! Takes a document out of use. Its history stays, and its name can be declared again.

use muster_domain::inventory::{Declared, document_id, kind_token, retire};
use muster_domain::pb::inventory::v1::{Document, Kind};
use muster_domain::{Refusal, TenantId, ids::InvalidId, refusal::field_refusal, refusal::refusal};
use muster_eventlog::{Database, EventLog, Meta, wait_for};

use crate::{
    error::CommandError,
    lock::InventoryLock,
    projection::{PROJECTION, TABLES_BEHIND},
    query,
    references::references,
};

/// Longest reason: a sentence or two.
const MAX_REASON: usize = 500;
/// More dependents than this are counted, not named.
const MAX_NAMED: usize = 10;

/// What to take out of use.
pub(crate) struct Retire<'a> {
    pub(crate) log: &'a EventLog,
    pub(crate) db: &'a Database,
    pub(crate) tenant: &'a TenantId,
    pub(crate) kind: Kind,
    pub(crate) name: &'a str,
    pub(crate) reason: &'a str,
    pub(crate) meta: &'a Meta,
}

impl Retire<'_> {
    /// The position of the document's last event.
    pub(crate) async fn run(&self) -> Result<u64, CommandError> {
        self.check_command()?;
        let id = document_id(self.kind, self.name).map_err(|error| name_invalid(&error))?;
        let lock = InventoryLock::take(self.log, self.tenant).await?;
        let done = self.retire(&id, &lock).await;
        lock.release().await;
        done
    }

    async fn retire(&self, id: &muster_domain::AggregateId, lock: &InventoryLock) -> Result<u64, CommandError> {
        let loaded = self.log.load::<Declared>(self.tenant, id).await?;
        let in_use = loaded.state.document.as_ref().is_some_and(|document| !document.retired);
        if in_use && !loaded.event_ids.contains(&self.meta.event_id) {
            self.must_not_be_missed().await?;
        }
        lock.must_be_held()?;
        let decide = |declared: &Declared| retire(declared, self.reason.trim());
        Ok(self.log.decide::<Declared, Refusal>(self.tenant, id, self.meta, decide).await?.sequence)
    }

    fn check_command(&self) -> Result<(), Refusal> {
        if self.kind == Kind::Unspecified {
            let kinds = crate::manifest::KINDS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
            return Err(field_refusal(
                "kind",
                "FIELD_INVALID",
                "a document has a kind",
                "unspecified",
                kinds,
                "name the kind",
            ));
        }
        let length = self.reason.trim().chars().count();
        if length == 0 || length > MAX_REASON || self.reason.chars().any(char::is_control) {
            return Err(field_refusal(
                "reason",
                "FIELD_INVALID",
                "the record says why something was taken out of use",
                format!("{length} characters"),
                format!("1 to {MAX_REASON} characters, one line"),
                "give a reason",
            ));
        }
        Ok(())
    }

    /// Nobody names it, and nothing is under way with it.
    async fn must_not_be_missed(&self) -> Result<(), CommandError> {
        self.tables_are_current(self.tenant).await?;
        let dependents = self.dependents().await?;
        if !dependents.is_empty() {
            return Err(self.in_use("others depend on it", &dependents, "retire or change those first").into());
        }
        match self.kind {
            Kind::Resource | Kind::Group | Kind::Plan => self.must_have_no_request().await,
            Kind::Tenant => self.must_be_empty_tenant().await,
            _ => Ok(()),
        }
    }

    /// The tables say where to look, the log says whether it is so.
    async fn dependents(&self) -> Result<Vec<String>, CommandError> {
        let mut dependents = Vec::new();
        for document in query::referring_to(self.db, self.tenant, self.kind, self.name).await? {
            let Ok(id) = document_id(document.kind(), &document.name) else { continue };
            let now = self.log.load::<Declared>(self.tenant, &id).await?.state.document;
            if now.is_some_and(|now| !now.retired && self.is_named_by(&now)) {
                dependents.push(format!("{} {}", kind_token(document.kind()), document.name));
            }
        }
        Ok(dependents)
    }

    fn is_named_by(&self, document: &Document) -> bool {
        references(document).iter().any(|(kind, name)| *kind == self.kind && name == self.name)
    }

    async fn must_have_no_request(&self) -> Result<(), CommandError> {
        let open = query::open_requests(self.db, self.tenant, Some((self.kind, self.name))).await?;
        if open.is_empty() {
            return Ok(());
        }
        let named: Vec<String> = open.iter().map(|open| open.describe()).collect();
        Err(self.in_use("requests on it are not over", &named, "withdraw them, or wait for their end").into())
    }

    async fn must_be_empty_tenant(&self) -> Result<(), CommandError> {
        let Ok(tenant) = self.name.parse::<TenantId>() else { return Ok(()) };
        self.tables_are_current(&tenant).await?;
        let resources: Vec<String> = query::in_use(self.db, &tenant, Kind::Resource).await?;
        if resources.is_empty() {
            return Ok(());
        }
        Err(self.in_use("it still protects resources", &resources, "retire the tenant's resources first").into())
    }

    async fn tables_are_current(&self, tenant: &TenantId) -> Result<(), CommandError> {
        let newest = self.log.last_sequence(tenant).await?;
        Ok(wait_for(self.db, PROJECTION, tenant, newest, TABLES_BEHIND).await?)
    }

    fn in_use(&self, rule: &str, by: &[String], next: &str) -> Refusal {
        let mut named = by.iter().take(MAX_NAMED).cloned().collect::<Vec<_>>().join(", ");
        if by.len() > MAX_NAMED {
            named.push_str(&format!(" and {} more", by.len() - MAX_NAMED));
        }
        let rule = format!("{} {} stays in use while {rule}", kind_token(self.kind), self.name);
        refusal("DOCUMENT_IN_USE", rule, named, "none", next)
    }
}

fn name_invalid(error: &InvalidId) -> Refusal {
    field_refusal("name", "FIELD_INVALID", "names become ids", &error.value, error.rule, "correct the name")
}
