//! What a request looks like from outside: its own events and its execution's, as one.

use muster_domain::{
    AggregateId, TenantId,
    execution::Execution,
    pb::{execution::v1::ExecutionView, request::v1::RequestView},
    request::{Request, state_with_execution},
};
use muster_eventlog::{EventLog, LogError};

/// Reads the log itself: what was acknowledged before is in it. `None`: there is no such request.
pub(crate) async fn current(
    log: &EventLog,
    tenant: &TenantId,
    id: &AggregateId,
) -> Result<Option<RequestView>, LogError> {
    let (request, execution) = tokio::try_join!(log.load::<Request>(tenant, id), log.load::<Execution>(tenant, id))?;
    if !request.state.exists() {
        return Ok(None);
    }
    let version = request.sequence.max(execution.sequence);
    let execution = execution.state.exists().then_some(execution.state.view);
    Ok(Some(combine(tenant, request.state.view, execution, version)))
}

pub(crate) fn combine(
    tenant: &TenantId,
    mut view: RequestView,
    execution: Option<ExecutionView>,
    version: u64,
) -> RequestView {
    view.tenant = tenant.to_string();
    let state = state_with_execution(view.state(), execution.as_ref().map(ExecutionView::state));
    view.set_state(state);
    view.execution = execution;
    view.version = version;
    view
}
