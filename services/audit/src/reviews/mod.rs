//! What people looked at: drills, and periods of the record.

use std::time::Duration;

use muster_domain::{
    AggregateId, Refusal,
    execution::Execution,
    gap::{self, DrillReview, Gap, Review},
    ids::derived_id,
    pb::{audit::v1 as pb, request::v1::RequestView},
    refusal::field_refusal,
    request::{Request, scope_name},
    time::from_pb,
};
use muster_eventlog::{DecideError, Meta};
use muster_runtime::{Call, Context, IntoStatus, refused};
use tonic::Status;

/// How long an answer may take to look up the gaps that a review names.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) async fn review_drill(
    context: &Context,
    call: Call<pb::ReviewDrillRequest>,
) -> Result<pb::ReviewDrillResponse, Status> {
    let (ask, call) = call.split();
    let id: AggregateId = ask.request_id.parse().map_err(|_| unknown("request_id", &ask.request_id))?;
    let view = request_with_run(context, &call, &id).await?;
    tokio::time::timeout(PATIENCE, must_be_gaps(context, &call, &ask.gap_ids))
        .await
        .map_err(|_| muster_runtime::unavailable("the event log", "ask again"))??;
    let review_id = gap::review_id(&ask.request_id, &call.actor);
    let mut meta = call.meta(&ask.idempotency_key)?;
    meta.correlation = ask.request_id.parse().unwrap_or(meta.correlation);
    let review = DrillReview { accepted: ask.accepted, note: &ask.note, gap_ids: &ask.gap_ids };
    let resource = view.opened.as_ref().map(|opened| scope_name(opened).to_owned()).unwrap_or_default();
    let decide = |state: &Review| gap::review_drill(state, &view, &review, &call.actor, call.now);
    let sequence = decided(context, &call, &review_id, &meta, (&resource, &ask.request_id), decide).await?;
    Ok(pb::ReviewDrillResponse { sequence })
}

pub(crate) async fn review_audit(
    context: &Context,
    call: Call<pb::ReviewAuditRequest>,
) -> Result<pb::ReviewAuditResponse, Status> {
    let (ask, call) = call.split();
    let id = AggregateId::from(match ask.idempotency_key.as_str() {
        "" => context.clock.new_id(),
        key => derived_id(&["review", call.tenant.as_str(), &call.actor.id, key]),
    });
    let meta = call.meta(&ask.idempotency_key)?;
    let (from, to) = (from_pb(ask.from.as_ref()), from_pb(ask.to.as_ref()));
    let decide = |state: &Review| gap::review_audit(state, from, to, &ask.note, &call.actor, call.now);
    let sequence = decided(context, &call, &id, &meta, ("", ""), decide).await?;
    Ok(pb::ReviewAuditResponse { sequence })
}

async fn request_with_run(context: &Context, call: &Call<()>, id: &AggregateId) -> Result<RequestView, Status> {
    let request = context.log.load::<Request>(&call.tenant, id).await.map_err(IntoStatus::into_status)?.state;
    let run = context.log.load::<Execution>(&call.tenant, id).await.map_err(IntoStatus::into_status)?.state;
    let execution = run.exists().then_some(run.view);
    Ok(RequestView { execution, ..request.view })
}

async fn must_be_gaps(context: &Context, call: &Call<()>, gap_ids: &[String]) -> Result<(), Status> {
    for gap_id in gap_ids {
        let id: AggregateId = gap_id.parse().map_err(|_| unknown("gap_ids", gap_id))?;
        let gap = context.log.load::<Gap>(&call.tenant, &id).await.map_err(IntoStatus::into_status)?;
        if !gap.state.exists() {
            return Err(unknown("gap_ids", gap_id));
        }
    }
    Ok(())
}

async fn decided(
    context: &Context,
    call: &Call<()>,
    id: &AggregateId,
    meta: &Meta,
    (resource, request_id): (&str, &str),
    mut decide: impl FnMut(&Review) -> Result<Option<pb::ReviewEvent>, Refusal>,
) -> Result<u64, Status> {
    let decided = context.log.decide::<Review, Refusal>(&call.tenant, id, meta, &mut decide).await;
    // A key that was used is answered from the log, which knows nothing of what is asked now.
    let refusal = match decided {
        Ok(decided) => match decide(&decided.state) {
            Ok(_) => return Ok(decided.sequence),
            Err(refusal) => refusal,
        },
        Err(DecideError::Refused(refusal)) => refusal,
        Err(error) => return Err(error.into_status()),
    };
    if refusal.field.is_empty() {
        return Err(context.deny(call, &refusal, resource, request_id).await);
    }
    Err(refused(&refusal))
}

fn unknown(field: &str, value: &str) -> Status {
    let value: String = value.chars().take(80).collect();
    refused(&field_refusal(
        field,
        "FIELD_INVALID",
        "a review names what is there",
        value,
        "an id of this tenant",
        "use an id that `muster request list` or `muster gap list` shows",
    ))
}
