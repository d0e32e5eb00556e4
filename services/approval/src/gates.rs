//! Gates: listed, changed by two people, and taken back by a failed drill.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use async_trait::async_trait;
use muster_domain::{
    Aggregate, AggregateId, Refusal, TenantId,
    execution::Execution,
    gate::{self, Gate, Proposal, gate_id},
    ids::derived_id,
    pb::{
        execution::v1::{ExecutionEvent, execution_event::Event as Run},
        inventory::v1::{AutonomyRule, Document, document::Spec},
        plan::v1::PlanTest,
        request::v1::{
            DecideGateChangeRequest, GateEvent, GateView, ListGatesResponse, ProposeGateChangeRequest, RequestType,
        },
    },
    plan,
    refusal::field_refusal,
    request::{TYPES, type_name, type_of},
};
use muster_eventlog::{DecideError, EventLog, LiveFold, LogError, Meta, ReactError, Reactor, Record, live_fold};
use muster_runtime::{Call, IntoStatus, refused};
use tokio_util::sync::CancellationToken;
use tonic::Status;

use crate::{Approval, SERVICE};

/// How long a reader waits for what they have just decided.
const WAIT_FOR_VERSION: Duration = Duration::from_secs(5);

type Gates = BTreeMap<(TenantId, String), Gate>;

/// Every tenant's gates, for lists. What a decision rests on is read from the log.
pub(crate) struct KnownGates {
    gates: Arc<RwLock<Gates>>,
    fold: LiveFold,
}

impl KnownGates {
    pub(crate) fn follow(log: &EventLog, shutdown: CancellationToken) -> Self {
        let gates = Arc::<RwLock<Gates>>::default();
        let folded = gates.clone();
        let take_in = move |record: &Record| {
            let Ok(event) = record.decode::<GateEvent>() else { return };
            let mut gates = folded.write().unwrap_or_else(PoisonError::into_inner);
            gates.entry((record.tenant.clone(), record.id.clone())).or_default().evolve(&event);
        };
        let fold = live_fold(log, &[Gate::KIND], take_in, shutdown);
        Self { gates, fold }
    }

    pub(crate) fn is_caught_up(&self) -> bool {
        self.fold.is_caught_up()
    }

    /// By aggregate id. A version that is no gate's is not waited for longer than anybody reads on.
    async fn of(&self, tenant: &TenantId, sequence: u64) -> BTreeMap<String, Gate> {
        self.fold.caught_up().await;
        let _ = tokio::time::timeout(WAIT_FOR_VERSION, self.fold.reached(tenant, sequence)).await;
        let gates = self.gates.read().unwrap_or_else(PoisonError::into_inner);
        gates.iter().filter(|((of, _), _)| of == tenant).map(|((_, id), gate)| (id.clone(), gate.clone())).collect()
    }
}

impl Approval {
    /// The gate of each type, and those of single plans about which something was decided or asked.
    pub(crate) async fn list_gates(&self, tenant: &TenantId, min_version: u64) -> ListGatesResponse {
        let known = self.gates.of(tenant, min_version).await;
        let mut gates: Vec<GateView> = Vec::new();
        for kind in TYPES {
            let name = type_name(kind);
            gates.push(view(kind, "", known.get(name).unwrap_or(&Gate::default())));
            let prefix = format!("{name}--");
            let of_plans = known.iter().filter_map(|(id, gate)| Some((id.strip_prefix(&prefix)?, gate)));
            gates.extend(of_plans.map(|(plan, gate)| view(kind, plan, gate)));
        }
        ListGatesResponse { gates }
    }

    pub(crate) async fn propose_gate_change(
        &self,
        call: Call<ProposeGateChangeRequest>,
    ) -> Result<(GateView, u64), Status> {
        let (ask, call) = call.split();
        let (kind, id) = named(&ask.request_type, &ask.plan)?;
        let meta = call.meta(&ask.idempotency_key)?;
        let tests = self.tests(&call.tenant, &ask.plan).await?;
        let rule = self.autonomy(&call.tenant).await.map_err(IntoStatus::into_status)?;
        let change_id = meta.event_id.to_string();
        let (plan, to, reason) = (ask.plan.as_str(), ask.to(), ask.reason.as_str());
        let proposal = Proposal { change_id: &change_id, kind, plan, to, reason };
        self.change_gate(&call, (kind, plan), &id, &meta, |gate| {
            gate::propose(gate, &proposal, &tests, rule.as_ref(), &call.actor, call.now)
        })
        .await
    }

    pub(crate) async fn decide_gate_change(
        &self,
        call: Call<DecideGateChangeRequest>,
    ) -> Result<(GateView, u64), Status> {
        let (ask, call) = call.split();
        let (kind, id) = named(&ask.request_type, &ask.plan)?;
        let meta = call.meta(&ask.idempotency_key)?;
        let tests = self.tests(&call.tenant, &ask.plan).await?;
        let rule = self.autonomy(&call.tenant).await.map_err(IntoStatus::into_status)?;
        self.change_gate(&call, (kind, &ask.plan), &id, &meta, |gate| {
            if ask.approve {
                gate::approve(gate, &ask.change_id, &tests, rule.as_ref(), &ask.note, &call.actor, call.now)
            } else {
                gate::reject(gate, &ask.change_id, &ask.note, &call.actor, call.now)
            }
        })
        .await
    }

    async fn change_gate(
        &self,
        call: &Call<()>,
        (kind, plan): (RequestType, &str),
        id: &AggregateId,
        meta: &Meta,
        decide: impl FnMut(&Gate) -> Result<Option<GateEvent>, Refusal>,
    ) -> Result<(GateView, u64), Status> {
        match self.ctx.log.decide::<Gate, Refusal>(&call.tenant, id, meta, decide).await {
            Ok(decided) => Ok((view(kind, plan, &decided.state), decided.sequence)),
            // An attempt to go round a gate is worth a record, whoever made it.
            Err(DecideError::Refused(refusal)) => Err(self.ctx.deny(call, &refusal, plan, id.as_str()).await),
            Err(error) => Err(error.into_status()),
        }
    }

    /// The plan's tests, newest first. A plan that is not published has earned nothing.
    async fn tests(&self, tenant: &TenantId, plan: &str) -> Result<Vec<PlanTest>, Status> {
        if plan.is_empty() {
            return Ok(Vec::new());
        }
        let published = self.ctx.log.published_plan(tenant, plan).await.map_err(IntoStatus::into_status)?;
        let Some(published) = published else {
            return Err(refused(&field_refusal(
                "plan",
                "PLAN_NOT_PUBLISHED",
                "a gate of one plan needs that plan",
                plan.chars().take(80).collect::<String>(),
                "a published plan of this tenant",
                "publish it first, or leave the plan out for all plans",
            )));
        };
        Ok(published.life.tests)
    }

    /// The strictest of the tenant's policies.
    async fn autonomy(&self, tenant: &TenantId) -> Result<Option<AutonomyRule>, LogError> {
        let policies: Vec<Document> = self.current_policies(tenant, "", "").await?;
        let rules = policies.iter().filter(|policy| !policy.retired).filter_map(|policy| match &policy.spec {
            Some(Spec::PolicySpec(spec)) => spec.autonomy,
            _ => None,
        });
        Ok(rules.reduce(gate::stricter))
    }
}

fn view(kind: RequestType, plan: &str, gate: &Gate) -> GateView {
    GateView {
        request_type: type_name(kind).to_owned(),
        plan: plan.to_owned(),
        level: gate.level.unwrap_or(gate::DEFAULT).into(),
        floor: gate::lowest_floor(kind).into(),
        pending: gate.pending.clone(),
        source: if gate.level.is_none() { "default".to_owned() } else { gate.because.clone() },
    }
}

fn named(request_type: &str, plan: &str) -> Result<(RequestType, AggregateId), Status> {
    let no = |field: &str, value: &str, limit: String| {
        refused(&field_refusal(
            field,
            "FIELD_INVALID",
            "a gate is of one type of request, and of one plan or of all",
            value.chars().take(80).collect::<String>(),
            limit,
            "see `muster gate list`",
        ))
    };
    let kind =
        type_of(request_type).ok_or_else(|| no("request_type", request_type, TYPES.map(type_name).join(", ")))?;
    let id = gate_id(kind, plan).map_err(|_| no("plan", plan, "the name of a plan, or nothing".to_owned()))?;
    Ok((kind, id))
}

/// A run of a plan failed: what the plan had earned is gone, for every type of request.
pub(crate) struct RaiseAfterFailure(pub(crate) Arc<Approval>);

#[async_trait]
impl Reactor for RaiseAfterFailure {
    fn name(&self) -> &'static str {
        "approval.gates"
    }

    fn kinds(&self) -> &'static [&'static str] {
        &[Execution::KIND]
    }

    async fn react(&self, record: &Record) -> Result<(), ReactError> {
        let Some(Run::Failed(_)) = record.decode::<ExecutionEvent>()?.event else { return Ok(()) };
        let ctx = &self.0.ctx;
        let unavailable = |error: String| ReactError::Unavailable(error);
        let id: AggregateId = record.id.parse().map_err(|_| ReactError::Failed("the run has no id".to_owned()))?;
        let run = ctx.log.load::<Execution>(&record.tenant, &id).await.map_err(|e| unavailable(e.to_string()))?;
        let Some(started) = run.state.view.started else { return Ok(()) };
        let plan_name = started.plan.map(|plan| plan.name).unwrap_or_default();
        if plan_name.is_empty() || !type_of(&started.r#type).is_some_and(plan::proves) {
            return Ok(());
        }
        for kind in TYPES {
            let Ok(gate_id) = gate_id(kind, &plan_name) else { continue };
            let event_id = derived_id(&["raise", record.tenant.as_str(), gate_id.as_str(), &record.id]);
            let correlation = record.id.parse().unwrap_or(event_id);
            let meta = ctx.service_meta(SERVICE, event_id, correlation, Some(record.event_id));
            let raise = |gate: &Gate| -> Result<Option<GateEvent>, std::convert::Infallible> {
                Ok(gate::raise_after_failure(gate, kind, &plan_name, &record.id, meta.time))
            };
            let decided = ctx.log.decide(&record.tenant, &gate_id, &meta, raise).await;
            decided.map_err(|error| unavailable(error.to_string()))?;
        }
        Ok(())
    }
}
