//! What proves a plan, and what ends its proof: runs that came to their end, and changes of what was proven.
//!
//! A run that ended before its first step says nothing about the plan. One that was stopped or failed after that does,
//! whatever its type; a tabletop that people stopped is only a talk that was not finished.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use muster_domain::{
    Aggregate, Refusal, TenantId,
    execution::Execution,
    ids::derived_id,
    inventory::{Declared, document_id},
    pb::execution::v1::{ExecutionEvent, ExecutionStarted, execution_event::Event as Ended},
    pb::inventory::v1::{InventoryEvent, Kind, inventory_event},
    pb::plan::v1::{PlanEvent, PlanRef, plan_event},
    plan::{self, Plan, Test},
    refusal::describe,
    request::type_of,
    time::{duration_from_pb, from_pb},
};
use muster_eventlog::{Meta, ReactError, Reactor, Record, TimerKey, reaction_id, wait_for};

use super::{
    Plans, named, plan_id,
    surroundings::of_log,
    view::{know, text},
};
use crate::{
    error::CommandError,
    projection::{PROJECTION, TABLES_BEHIND},
    query,
};

/// The key of the position, and of the timers that end proofs: stored, for ever.
pub(crate) const PROOFS: &str = "planner.proofs";

pub(crate) struct Proofs(pub(crate) Arc<Plans>);

#[async_trait]
impl Reactor for Proofs {
    fn name(&self) -> &'static str {
        PROOFS
    }

    fn kinds(&self) -> &'static [&'static str] {
        &[Execution::KIND, Declared::KIND, Plan::KIND]
    }

    async fn react(&self, record: &Record) -> Result<(), ReactError> {
        match record.kind.as_str() {
            Execution::KIND => self.0.tested(record).await,
            Declared::KIND => self.0.changed(record).await,
            Plan::KIND => self.0.lived(record).await,
            _ => Ok(()),
        }
    }
}

/// How a run came out, as far as it says something about its plan.
enum Outcome {
    Passed { rto_measured: Option<jiff::SignedDuration>, rto_met: bool },
    Failed(String),
}

impl Plans {
    async fn tested(&self, record: &Record) -> Result<(), ReactError> {
        let Some(ended @ (Ended::Succeeded(_) | Ended::Failed(_) | Ended::Stopped(_))) =
            record.decode::<ExecutionEvent>()?.event
        else {
            return Ok(());
        };
        let Ok(id) = record.id.parse() else { return Ok(()) };
        let run = self.ctx.log.load::<Execution>(&record.tenant, &id).await?.state;
        let Some(started) = &run.view.started else { return Ok(()) };
        // Runs without a plan of their own, and runs before there were plans.
        let Some(reference) = started.plan.as_ref().filter(|plan| !plan.name.is_empty()) else { return Ok(()) };
        let Some(outcome) = outcome(&ended, started, run.has_touched()) else { return Ok(()) };
        self.write_test(record, started, reference, outcome).await
    }

    async fn write_test(
        &self,
        record: &Record,
        started: &ExecutionStarted,
        reference: &PlanRef,
        outcome: Outcome,
    ) -> Result<(), ReactError> {
        let Some(request_type) = type_of(&started.r#type) else { return Ok(()) };
        let ran = text(&self.ctx.log, &record.tenant, &reference.name, reference.version).await.map_err(react)?;
        let spec = ran.as_ref().and_then(plan::spec_of);
        let valid_for = spec.map_or(plan::DEFAULT_PROOF_VALID_FOR, plan::valid_for);
        let objective = spec.and_then(|spec| duration_from_pb(spec.rto.as_ref()));
        let (rto_measured, within) = match outcome {
            Outcome::Passed { rto_measured, rto_met } => (rto_measured, rto_met),
            Outcome::Failed(_) => (None, false),
        };
        let rto_met = match (rto_measured, objective) {
            (Some(measured), Some(objective)) => measured <= objective,
            _ => within,
        };
        let test = Test { plan: reference, request_id: &started.request_id, request_type, rto_measured, rto_met };
        let decide = |plan: &Plan| match &outcome {
            Outcome::Passed { .. } => plan::prove(plan, &test, valid_for, record.time),
            Outcome::Failed(reason) => plan::fail_proof(plan, &test, reason, record.time),
        };
        let meta = self.reaction(record, reaction_id(PROOFS, record.event_id));
        self.append(&record.tenant, &reference.name, &meta, decide).await?;
        tracing::info!(plan = named(reference), request = started.request_id, "a run said something about its plan");
        Ok(())
    }

    /// A plan's text, its group or something that it moves was declared anew, or is out of use.
    async fn changed(&self, record: &Record) -> Result<(), ReactError> {
        let (kind, name) = match record.decode::<InventoryEvent>()?.event {
            Some(inventory_event::Event::Declared(declared)) => match declared.document {
                Some(document) => (document.kind(), document.name),
                None => return Ok(()),
            },
            Some(inventory_event::Event::Retired(retired)) => (retired.kind(), retired.name),
            None => return Ok(()),
        };
        if !matches!(kind, Kind::Plan | Kind::Group | Kind::Resource) {
            return Ok(());
        }
        // The tables say which plans name it.
        let waited = wait_for(&self.ctx.db, PROJECTION, &record.tenant, record.sequence, TABLES_BEHIND).await;
        waited.map_err(|error| ReactError::Unavailable(error.to_string()))?;
        let plans = match kind {
            Kind::Plan => vec![name],
            kind => query::plans_that_name(&self.ctx.db, &record.tenant, kind, &name).await.map_err(unavailable)?,
        };
        for plan in plans {
            let meta = self.of_plan(record, &plan);
            self.lapse(&record.tenant, &plan, &meta, record.time).await?;
        }
        Ok(())
    }

    /// Another text is in use, or there is a proof whose end has to be waited for.
    async fn lived(&self, record: &Record) -> Result<(), ReactError> {
        let timers = self.ctx.log.timers();
        let key = TimerKey { tenant: record.tenant.clone(), handler: PROOFS.to_owned(), key: record.id.clone() };
        match record.decode::<PlanEvent>()?.event {
            Some(plan_event::Event::Published(_)) => {
                let meta = self.of_plan(record, &record.id);
                self.lapse(&record.tenant, &record.id, &meta, record.time).await
            }
            Some(plan_event::Event::Proven(proven)) => match from_pb(proven.valid_until.as_ref()) {
                Some(due) => Ok(timers.set(&key, due, &[]).await?),
                None => Err(ReactError::Failed("the proof does not say when it ends".to_owned())),
            },
            Some(plan_event::Event::ProofFailed(_) | plan_event::Event::ProofLapsed(_)) => {
                Ok(timers.cancel(&key).await?)
            }
            Some(plan_event::Event::Submitted(_) | plan_event::Event::Returned(_)) | None => Ok(()),
        }
    }

    /// Ends the proof when it does not hold any more.
    pub(super) async fn lapse(
        &self,
        tenant: &TenantId,
        name: &str,
        meta: &Meta,
        now: Timestamp,
    ) -> Result<(), ReactError> {
        let (Ok(id), Ok(document)) = (plan_id(name), document_id(Kind::Plan, name)) else { return Ok(()) };
        if self.ctx.log.load::<Plan>(tenant, &id).await?.state.proven.is_none() {
            return Ok(());
        }
        let Some(document) = self.ctx.log.load::<Declared>(tenant, &document).await?.state.document else {
            return Ok(());
        };
        let roots = [(Kind::Plan, name.to_owned())];
        let inventory = of_log(&self.ctx.log, &self.ctx.db, tenant, &roots).await.map_err(react)?;
        let known = know(&self.ctx, tenant, &document, &inventory).await.map_err(react)?;
        let valid_for = known.valid_for();
        // A plan that is out of use proves nothing, whatever text runs used.
        let current = if document.retired {
            PlanRef { name: name.to_owned(), version: document.version, hash: String::new() }
        } else {
            known.current()
        };
        self.append(tenant, name, meta, |plan| plan::lapse(plan, &current, valid_for, now)).await
    }

    async fn append(
        &self,
        tenant: &TenantId,
        name: &str,
        meta: &Meta,
        decide: impl FnMut(&Plan) -> Result<Option<PlanEvent>, Refusal>,
    ) -> Result<(), ReactError> {
        let id = plan_id(name).map_err(|refusal| ReactError::Failed(describe(&refusal)))?;
        let decided = self.ctx.log.decide::<Plan, Refusal>(tenant, &id, meta, decide).await;
        decided.map(|_| ()).map_err(|error| react(error.into()))
    }

    fn reaction(&self, record: &Record, event_id: uuid::Uuid) -> Meta {
        self.ctx.service_meta("planner", event_id, record.correlation, Some(record.event_id))
    }

    /// One event can concern several plans.
    fn of_plan(&self, record: &Record, plan: &str) -> Meta {
        self.reaction(record, derived_id(&[PROOFS, &record.event_id.to_string(), plan]))
    }
}

/// `None`: it says nothing about the plan.
fn outcome(ended: &Ended, started: &ExecutionStarted, has_touched: bool) -> Option<Outcome> {
    let proves = type_of(&started.r#type).is_some_and(plan::proves);
    match ended {
        Ended::Succeeded(end) => proves.then(|| Outcome::Passed {
            rto_measured: duration_from_pb(end.rto_measured.as_ref()),
            rto_met: end.rto_met,
        }),
        Ended::Failed(end) => {
            has_touched.then(|| Outcome::Failed(format!("step {} failed: {}", or_checks(&end.step), end.error)))
        }
        Ended::Stopped(end) => (has_touched && proves)
            .then(|| Outcome::Failed(format!("it was stopped before {}: {}", or_checks(&end.before_step), end.reason))),
        _ => None,
    }
}

fn or_checks(step: &str) -> &str {
    if step.is_empty() { "the checks" } else { step }
}

fn unavailable(error: sqlx::Error) -> ReactError {
    ReactError::Unavailable(error.to_string())
}

/// What may pass by itself is waited out.
pub(super) fn react(error: CommandError) -> ReactError {
    match error {
        CommandError::Log(error) => error.into(),
        CommandError::Append(error) => error.into(),
        CommandError::Wait(error) => ReactError::Unavailable(error.to_string()),
        CommandError::Database(error) => unavailable(error),
        CommandError::Refused(refusal) => ReactError::Failed(describe(&refusal)),
        CommandError::Faults(_) | CommandError::Render(_) => ReactError::Failed(error.to_string()),
    }
}
