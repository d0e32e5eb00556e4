//! Submit, return, publish: decided on the log, while nobody changes the inventory.

use muster_domain::{
    Refusal,
    ids::derived_id,
    inventory::TenantInventory,
    pb::inventory::v1::{Document, Kind},
    pb::plan::v1::{Lint, PlanEvent, PlanRef, PlanView, PublishPlanRequest, ReturnPlanRequest, SubmitPlanRequest},
    plan::{self, Plan},
};
use muster_eventlog::Meta;
use muster_runtime::Call;
use tonic::Status;

use super::{Plans, judge::judge, not_found, plan_id, surroundings, view::know};
use crate::{error::CommandError, lock::InventoryLock};

/// The plan as it is now, and the position in the tenant's log to wait for in a list.
pub(super) type Changed = (PlanView, u64);

/// The newest text with all that it is judged by.
struct Newest<'a> {
    document: &'a Document,
    reference: PlanRef,
    findings: Vec<Lint>,
}

impl Plans {
    pub(super) async fn submit(&self, call: Call<SubmitPlanRequest>) -> Result<Changed, Status> {
        let (ask, call) = call.split();
        self.change(&call, &ask.name, &ask.idempotency_key, |plan, newest| {
            plan::submit(plan, &newest.reference, ask.plan_version, newest.findings.clone(), &call.actor, call.now)
        })
        .await
    }

    pub(super) async fn return_(&self, call: Call<ReturnPlanRequest>) -> Result<Changed, Status> {
        let (ask, call) = call.split();
        self.change(&call, &ask.name, &ask.idempotency_key, |plan, _| {
            plan::return_(plan, &ask.reason, &call.actor, call.now)
        })
        .await
    }

    pub(super) async fn publish(&self, call: Call<PublishPlanRequest>) -> Result<Changed, Status> {
        let (ask, call) = call.split();
        self.change(&call, &ask.name, &ask.idempotency_key, |plan, newest| {
            let publication = plan::Publication {
                newest: &newest.reference,
                document: newest.document,
                hash: &ask.hash,
                findings: newest.findings.clone(),
                note: &ask.note,
            };
            plan::publish(plan, publication, &call.actor, call.now)
        })
        .await
    }

    async fn change(
        &self,
        call: &Call<()>,
        name: &str,
        key: &str,
        decide: impl FnMut(&Plan, &Newest<'_>) -> Result<Option<PlanEvent>, Refusal>,
    ) -> Result<Changed, Status> {
        let meta = call.meta(key)?;
        let done = self.locked(call, name, meta, decide).await;
        match done {
            Ok(changed) => Ok(changed),
            Err(error) => Err(self.answer(call, error, name).await),
        }
    }

    /// An apply between the look at the documents and the decision would let a changed plan pass: the lock keeps
    /// applies away for the moment.
    async fn locked(
        &self,
        call: &Call<()>,
        name: &str,
        meta: Meta,
        decide: impl FnMut(&Plan, &Newest<'_>) -> Result<Option<PlanEvent>, Refusal>,
    ) -> Result<Changed, CommandError> {
        let lock = InventoryLock::take(&self.ctx.log, &call.tenant).await?;
        let done = self.decide(call, name, meta, &lock, decide).await;
        lock.release().await;
        done
    }

    async fn decide(
        &self,
        call: &Call<()>,
        name: &str,
        mut meta: Meta,
        lock: &InventoryLock,
        mut decide: impl FnMut(&Plan, &Newest<'_>) -> Result<Option<PlanEvent>, Refusal>,
    ) -> Result<Changed, CommandError> {
        let id = plan_id(name)?;
        // The same key on another plan is another command.
        meta.event_id = derived_id(&["on", id.as_str(), &meta.event_id.to_string()]);
        let roots = [(Kind::Plan, name.to_owned())];
        let inventory: TenantInventory =
            surroundings::of_log(&self.ctx.log, &self.ctx.db, &call.tenant, &roots).await?;
        let document = inventory.get(Kind::Plan, name).ok_or_else(|| not_found(name))?;
        let spec = plan::spec_of(document).ok_or_else(|| not_found(name))?;
        let newest = Newest {
            document,
            reference: surroundings::reference(document, &inventory),
            findings: judge(&self.ctx, &call.tenant, spec, &inventory),
        };
        lock.must_be_held()?;
        let decided =
            self.ctx.log.decide::<Plan, Refusal>(&call.tenant, &id, &meta, |plan| decide(plan, &newest)).await?;
        let known = know(&self.ctx, &call.tenant, document, &inventory).await?;
        Ok((known.view(newest.findings, call.now), decided.sequence))
    }
}
