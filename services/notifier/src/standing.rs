//! What holds at this moment for a message on a route: windows of the route and of the policies, and Muster's own run.

use jiff::{SignedDuration, Timestamp};
use muster_domain::delivery::Message;
use muster_domain::delivery::routing::Route;
use muster_domain::delivery::silence::{self, Circumstances, Fate};
use muster_domain::execution::Execution;
use muster_domain::pb::execution::v1::ExecutionView;
use muster_domain::pb::inventory::v1::PolicySpec;
use muster_domain::{AggregateId, TenantId};
use muster_eventlog::{LogError, ReactError};

use crate::outbox::Outbox;

/// How often what has no time of its own is looked at: a run of ours that holds an alert back.
pub(crate) const LOOK_AGAIN: SignedDuration = SignedDuration::from_secs(5);

/// What becomes of the message on the route now.
pub(crate) async fn fate(
    outbox: &Outbox,
    tenant: &TenantId,
    message: &Message,
    route: &Route,
    now: Timestamp,
) -> Result<Fate, ReactError> {
    let run = match silence::opens_alert(message) {
        true => own_run(outbox, tenant, &message.resource).await?,
        false => None,
    };
    let in_policies = |policies: &[(&str, &PolicySpec)]| {
        silence::fate(message, &route.spec, Circumstances { policies, run: run.as_ref() }, now)
    };
    let fate = outbox.routes.with_documents(tenant, |documents| {
        let policies: Vec<_> = documents.policies().map(|(document, spec)| (document.name.as_str(), spec)).collect();
        in_policies(&policies)
    });
    Ok(fate.unwrap_or_else(|| in_policies(&[])))
}

/// The run that holds the system, or did so last.
async fn own_run(outbox: &Outbox, tenant: &TenantId, resource: &str) -> Result<Option<ExecutionView>, LogError> {
    let Some(request) = outbox.routes.last_run_of(tenant, resource) else { return Ok(None) };
    let Ok(id) = request.parse::<AggregateId>() else { return Ok(None) };
    Ok(Some(outbox.ctx.log.load::<Execution>(tenant, &id).await?.state.view))
}
