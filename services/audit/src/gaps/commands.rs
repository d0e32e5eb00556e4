//! What people decide about gaps: the domain decides, the log keeps it.

use muster_domain::{
    AggregateId, Refusal, TenantId,
    execution::Execution,
    gap::{self, Acceptance, Evidence, Gap, OpenGap, PlanGap},
    ids::derived_id,
    inventory::document_id,
    pb::{audit::v1 as pb, execution::v1::ExecutionView, inventory::v1::Kind},
    refusal::field_refusal,
    request::Request,
    time::from_pb,
};
use muster_eventlog::{DecideError, Decided, Meta};
use muster_runtime::{Call, Context, IntoStatus, refused};
use tonic::Status;

pub(crate) async fn open_gap(context: &Context, call: Call<pb::OpenGapRequest>) -> Result<pb::OpenGapResponse, Status> {
    let (ask, call) = call.split();
    must_be_declared(context, &call.tenant, Kind::Resource, "resource", &ask.resource).await?;
    must_be_declared(context, &call.tenant, Kind::Group, "group", &ask.group).await?;
    must_be_a_request(context, &call.tenant, &ask.request_id).await?;
    let id = AggregateId::from(match ask.idempotency_key.as_str() {
        "" => context.clock.new_id(),
        key => derived_id(&["gap", call.tenant.as_str(), &call.actor.id, key]),
    });
    let meta = about(call.meta(&ask.idempotency_key)?, &ask.request_id, &id);
    let open = OpenGap {
        gap_id: id.as_str(),
        title: &ask.title,
        description: &ask.description,
        severity: ask.severity(),
        resource: &ask.resource,
        group: &ask.group,
        request_id: &ask.request_id,
        objectives: &ask.objectives,
    };
    let decide = |gap: &Gap| gap::open(gap, &open, &call.actor, call.now);
    let decided = decided(context, &call, &id, &meta, decide).await?;
    // A key that was used is answered from the log, which knows nothing of what is asked now.
    gap::open(&decided.state, &open, &call.actor, call.now).map_err(|refusal| refused(&refusal))?;
    Ok(pb::OpenGapResponse { gap_id: id.to_string(), sequence: decided.sequence })
}

pub(crate) async fn plan_gap(context: &Context, call: Call<pb::PlanGapRequest>) -> Result<pb::PlanGapResponse, Status> {
    let (ask, call) = call.split();
    let plan = PlanGap { plan: &ask.plan, owner: &ask.owner, due: from_pb(ask.due.as_ref()) };
    let sequence = change(context, &call, &ask.gap_id, |gap| gap::plan(gap, &plan, &call.actor, call.now)).await?;
    Ok(pb::PlanGapResponse { sequence })
}

pub(crate) async fn close_gap(
    context: &Context,
    call: Call<pb::CloseGapRequest>,
) -> Result<pb::CloseGapResponse, Status> {
    let (ask, call) = call.split();
    let id = gap_id(&ask.gap_id)?;
    let gap = context.log.load::<Gap>(&call.tenant, &id).await.map_err(IntoStatus::into_status)?.state;
    let shown_by = gap.opened.map(|opened| opened.request_id).unwrap_or_default();
    let shown_by = run_of(context, &call.tenant, "gap_id", &shown_by).await?;
    let run = run_of(context, &call.tenant, "evidence_request_id", &ask.evidence_request_id).await?;
    let evidence = Evidence { request_id: &ask.evidence_request_id, run: run.as_ref(), shown_by: shown_by.as_ref() };
    let sequence =
        change(context, &call, &ask.gap_id, |gap| gap::close(gap, &ask.note, &evidence, &call.actor, call.now)).await?;
    Ok(pb::CloseGapResponse { sequence })
}

pub(crate) async fn accept_gap(
    context: &Context,
    call: Call<pb::AcceptGapRequest>,
) -> Result<pb::AcceptGapResponse, Status> {
    let (ask, call) = call.split();
    let acceptance = Acceptance { reason: &ask.reason, until: from_pb(ask.until.as_ref()) };
    let sequence =
        change(context, &call, &ask.gap_id, |gap| gap::accept(gap, &acceptance, &call.actor, call.now)).await?;
    Ok(pb::AcceptGapResponse { sequence })
}

pub(crate) async fn reopen_gap(
    context: &Context,
    call: Call<pb::ReopenGapRequest>,
) -> Result<pb::ReopenGapResponse, Status> {
    let (ask, call) = call.split();
    let sequence =
        change(context, &call, &ask.gap_id, |gap| gap::reopen(gap, &ask.reason, &call.actor, call.now)).await?;
    Ok(pb::ReopenGapResponse { sequence })
}

async fn change(
    context: &Context,
    call: &Call<()>,
    id: &str,
    decide: impl FnMut(&Gap) -> Result<Option<pb::GapEvent>, Refusal>,
) -> Result<u64, Status> {
    let id = gap_id(id)?;
    let gap = context.log.load::<Gap>(&call.tenant, &id).await.map_err(IntoStatus::into_status)?.state;
    let request_id = gap.opened.map(|opened| opened.request_id).unwrap_or_default();
    let meta = about(call.meta("")?, &request_id, &id);
    Ok(decided(context, call, &id, &meta, decide).await?.sequence)
}

async fn decided(
    context: &Context,
    call: &Call<()>,
    id: &AggregateId,
    meta: &Meta,
    mut decide: impl FnMut(&Gap) -> Result<Option<pb::GapEvent>, Refusal>,
) -> Result<Decided<Gap>, Status> {
    let (mut resource, mut request_id) = (String::new(), String::new());
    let decided = context.log.decide::<Gap, Refusal>(&call.tenant, id, meta, |gap| {
        let opened = gap.opened.clone().unwrap_or_default();
        (resource, request_id) = (opened.resource, opened.request_id);
        decide(gap)
    });
    match decided.await {
        Ok(decided) => Ok(decided),
        // An attempt against a rule is worth a record; a slip of the pen is not.
        Err(DecideError::Refused(refusal)) if !refusal.field.is_empty() || refusal.code == "GAP_NOT_FOUND" => {
            Err(refused(&refusal))
        }
        Err(DecideError::Refused(refusal)) => Err(context.deny(call, &refusal, &resource, &request_id).await),
        Err(error) => Err(error.into_status()),
    }
}

/// What is done about a gap belongs to the request that showed it.
pub(super) fn about(meta: Meta, request_id: &str, id: &AggregateId) -> Meta {
    let correlation = request_id.parse().or_else(|_| id.as_str().parse()).unwrap_or(meta.correlation);
    Meta { correlation, ..meta }
}

fn gap_id(text: &str) -> Result<AggregateId, Status> {
    text.parse().map_err(|error: muster_domain::InvalidId| {
        refused(&field_refusal(
            "gap_id",
            "FIELD_INVALID",
            "every command on a gap names it",
            error.value,
            error.rule,
            "use the id that `muster gap list` shows",
        ))
    })
}

async fn run_of(
    context: &Context,
    tenant: &TenantId,
    field: &str,
    request_id: &str,
) -> Result<Option<ExecutionView>, Status> {
    if request_id.is_empty() {
        return Ok(None);
    }
    let id = request_id_of(field, request_id)?;
    let run = context.log.load::<Execution>(tenant, &id).await.map_err(IntoStatus::into_status)?;
    Ok(run.state.exists().then_some(run.state.view))
}

async fn must_be_a_request(context: &Context, tenant: &TenantId, request_id: &str) -> Result<(), Status> {
    if request_id.is_empty() {
        return Ok(());
    }
    let id = request_id_of("request_id", request_id)?;
    let request = context.log.load::<Request>(tenant, &id).await.map_err(IntoStatus::into_status)?;
    if request.state.exists() { Ok(()) } else { Err(unknown("request_id", request_id, "a request of this tenant")) }
}

fn request_id_of(field: &str, text: &str) -> Result<AggregateId, Status> {
    text.parse().map_err(|_| unknown(field, text, "a request of this tenant"))
}

async fn must_be_declared(
    context: &Context,
    tenant: &TenantId,
    kind: Kind,
    field: &str,
    name: &str,
) -> Result<(), Status> {
    if name.is_empty() {
        return Ok(());
    }
    let limit = "a declared name of this tenant";
    document_id(kind, name).map_err(|_| unknown(field, name, limit))?;
    let document = context.log.document(tenant, kind, name).await.map_err(IntoStatus::into_status)?;
    if document.is_some() { Ok(()) } else { Err(unknown(field, name, limit)) }
}

fn unknown(field: &str, value: &str, limit: &str) -> Status {
    let value: String = value.chars().take(80).collect();
    refused(&field_refusal(
        field,
        "FIELD_INVALID",
        format!("{field} names something that is there"),
        value,
        limit,
        "correct the name, or leave it out",
    ))
}
