//! What people say to a run: stop, pause, go on, a manual step is done, a note; and that they looked after a failover.

use muster_domain::{
    AggregateId, Refusal,
    execution::{self, Execution, Reservation},
    ids::derived_id,
    pb::execution::v1::{ExecutionEvent, ExecutionView},
    refusal::field_refusal,
};
use muster_eventlog::{DecideError, Meta};
use muster_proto::execution::v1::{
    AcknowledgeCoolDownRequest, AcknowledgeCoolDownResponse, DecideManualStepRequest, DecideManualStepResponse,
    NoteExecutionRequest, NoteExecutionResponse, PauseExecutionRequest, PauseExecutionResponse, ResumeExecutionRequest,
    ResumeExecutionResponse, StopExecutionRequest, StopExecutionResponse,
};
use muster_runtime::{Call, IntoStatus, refused};
use tonic::Status;

use crate::api::{Api, request_id, unknown_run};

/// Refusals that say something about the run or the person, and not about how the command was written: the record has them.
const KEPT: [&str; 4] = ["EXECUTION_NOT_RUNNING", "EXECUTION_STOPPING", "MANUAL_STEP_ROLE", "STEP_NOT_WAITING"];

impl Api {
    pub(crate) async fn stop(&self, call: Call<StopExecutionRequest>) -> Result<StopExecutionResponse, Status> {
        let (ask, call) = call.split();
        let (execution, version) = self
            .say(&call, &ask.request_id, &ask.idempotency_key, |execution| {
                execution::request_stop(execution, &call.actor, &ask.reason, call.now)
            })
            .await?;
        Ok(StopExecutionResponse { execution: Some(execution), version })
    }

    pub(crate) async fn pause(&self, call: Call<PauseExecutionRequest>) -> Result<PauseExecutionResponse, Status> {
        let (ask, call) = call.split();
        let (execution, version) = self
            .say(&call, &ask.request_id, &ask.idempotency_key, |execution| {
                execution::request_pause(execution, &call.actor, &ask.reason, call.now)
            })
            .await?;
        Ok(PauseExecutionResponse { execution: Some(execution), version })
    }

    pub(crate) async fn resume(&self, call: Call<ResumeExecutionRequest>) -> Result<ResumeExecutionResponse, Status> {
        let (ask, call) = call.split();
        let (execution, version) = self
            .say(&call, &ask.request_id, &ask.idempotency_key, |execution| {
                execution::resume(execution, &call.actor, &ask.note, call.now)
            })
            .await?;
        Ok(ResumeExecutionResponse { execution: Some(execution), version })
    }

    pub(crate) async fn decide_manual(
        &self,
        call: Call<DecideManualStepRequest>,
    ) -> Result<DecideManualStepResponse, Status> {
        let (ask, call) = call.split();
        let (execution, version) = self
            .say(&call, &ask.request_id, &ask.idempotency_key, |execution| {
                execution::decide_manual(execution, &call.actor, &ask.step, ask.done, &ask.note, call.now)
            })
            .await?;
        Ok(DecideManualStepResponse { execution: Some(execution), version })
    }

    pub(crate) async fn note(&self, call: Call<NoteExecutionRequest>) -> Result<NoteExecutionResponse, Status> {
        let (ask, call) = call.split();
        let (execution, version) = self
            .say(&call, &ask.request_id, &ask.idempotency_key, |execution| {
                execution::note(execution, &call.actor, &ask.step, &ask.text, call.now)
            })
            .await?;
        Ok(NoteExecutionResponse { execution: Some(execution), version })
    }

    async fn say(
        &self,
        call: &Call<()>,
        request: &str,
        key: &str,
        mut say: impl FnMut(&Execution) -> Result<Option<ExecutionEvent>, Refusal>,
    ) -> Result<(ExecutionView, u64), Status> {
        let id = request_id(request)?;
        let mut meta = meta_on(call, id.as_str(), key)?;
        meta.correlation = id.as_str().parse().unwrap_or(meta.correlation);
        let mut about = String::new();
        let decided = self
            .0
            .ctx
            .log
            .decide::<Execution, Refusal>(&call.tenant, &id, &meta, |execution| {
                let Some(started) = &execution.view.started else { return Err(unknown_run(&id)) };
                about.clone_from(if started.resource.is_empty() { &started.group } else { &started.resource });
                say(execution)
            })
            .await;
        match decided {
            Ok(decided) => Ok((decided.state.view, decided.sequence)),
            Err(DecideError::Refused(refusal)) if KEPT.contains(&refusal.code.as_str()) => {
                Err(self.0.ctx.deny(call, &refusal, &about, id.as_str()).await)
            }
            Err(error) => Err(error.into_status()),
        }
    }

    /// A person has looked at a system after its failover.
    pub(crate) async fn acknowledge(
        &self,
        call: Call<AcknowledgeCoolDownRequest>,
    ) -> Result<AcknowledgeCoolDownResponse, Status> {
        let (ask, call) = call.split();
        let name = ask.resource.trim();
        let id = name.parse::<AggregateId>().map_err(|error| {
            refused(&field_refusal(
                "resource",
                "FIELD_INVALID",
                "a cool-down is of a resource or of a group",
                error.value,
                error.rule,
                "name the resource, or group-<name> for a group",
            ))
        })?;
        let meta = meta_on(&call, id.as_str(), &ask.idempotency_key)?;
        let decided = self
            .0
            .ctx
            .log
            .decide::<Reservation, Refusal>(&call.tenant, &id, &meta, |held| {
                execution::acknowledge_cool_down(held, name, &call.actor, &ask.note, call.now)
            })
            .await;
        match decided {
            Ok(decided) => Ok(AcknowledgeCoolDownResponse { version: decided.sequence }),
            Err(error) => Err(error.into_status()),
        }
    }
}

/// The same key on another run, or another resource, is another command.
fn meta_on(call: &Call<()>, on: &str, key: &str) -> Result<Meta, Status> {
    let mut meta = call.meta(key)?;
    if !key.is_empty() {
        meta.event_id = derived_id(&["on", on, &meta.event_id.to_string()]);
    }
    Ok(meta)
}
