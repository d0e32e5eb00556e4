//! The gRPC face: what a run is doing, as it does it, and the request to stop.

use std::{pin::Pin, sync::Arc};

use futures::Stream;
use muster_domain::{
    AggregateId, Refusal, TenantId,
    execution::{self, Execution},
    ids::derived_id,
    refusal::{field_refusal, refusal},
};
use muster_eventlog::DecideError;
use muster_proto::execution::v1::{
    ExecutionView, GetExecutionRequest, GetExecutionResponse, StopExecutionRequest, StopExecutionResponse,
    WatchExecutionRequest, WatchExecutionResponse, executor_service_server::ExecutorService,
};
use muster_runtime::{Call, IntoStatus, refused};
use tonic::{Request, Response, Status};

use crate::{Executor, unfinished::RunKey, watch};

pub(crate) struct Api(pub(crate) Arc<Executor>);

#[async_trait::async_trait]
impl ExecutorService for Api {
    type WatchExecutionStream = Pin<Box<dyn Stream<Item = Result<WatchExecutionResponse, Status>> + Send>>;

    async fn get_execution(
        &self,
        request: Request<GetExecutionRequest>,
    ) -> Result<Response<GetExecutionResponse>, Status> {
        let call = self.0.ctx.authorize(request).await?;
        let id = request_id(&call.message.request_id)?;
        let view = self.view(&call.tenant, &id).await?.ok_or_else(|| not_found(&id))?;
        Ok(Response::new(GetExecutionResponse { execution: Some(view) }))
    }

    async fn watch_execution(
        &self,
        request: Request<WatchExecutionRequest>,
    ) -> Result<Response<Self::WatchExecutionStream>, Status> {
        let call = self.0.ctx.authorize(request).await?;
        let key = RunKey { id: request_id(&call.message.request_id)?, tenant: call.tenant };
        let stream = watch::watch(&self.0, key).await?;
        Ok(Response::new(Box::pin(stream)))
    }

    async fn stop_execution(
        &self,
        request: Request<StopExecutionRequest>,
    ) -> Result<Response<StopExecutionResponse>, Status> {
        let call = self.0.ctx.authorize(request).await?;
        Ok(Response::new(self.stop(call).await?))
    }

    async fn pause_execution(
        &self,
        _: Request<muster_proto::execution::v1::PauseExecutionRequest>,
    ) -> Result<Response<muster_proto::execution::v1::PauseExecutionResponse>, Status> {
        Err(Status::unimplemented("PENDING"))
    }

    async fn resume_execution(
        &self,
        _: Request<muster_proto::execution::v1::ResumeExecutionRequest>,
    ) -> Result<Response<muster_proto::execution::v1::ResumeExecutionResponse>, Status> {
        Err(Status::unimplemented("PENDING"))
    }

    async fn decide_manual_step(
        &self,
        _: Request<muster_proto::execution::v1::DecideManualStepRequest>,
    ) -> Result<Response<muster_proto::execution::v1::DecideManualStepResponse>, Status> {
        Err(Status::unimplemented("PENDING"))
    }

    async fn note_execution(
        &self,
        _: Request<muster_proto::execution::v1::NoteExecutionRequest>,
    ) -> Result<Response<muster_proto::execution::v1::NoteExecutionResponse>, Status> {
        Err(Status::unimplemented("PENDING"))
    }

    async fn preflight(
        &self,
        _: Request<muster_proto::execution::v1::PreflightRequest>,
    ) -> Result<Response<muster_proto::execution::v1::PreflightResponse>, Status> {
        Err(Status::unimplemented("PENDING"))
    }

    async fn acknowledge_cool_down(
        &self,
        _: Request<muster_proto::execution::v1::AcknowledgeCoolDownRequest>,
    ) -> Result<Response<muster_proto::execution::v1::AcknowledgeCoolDownResponse>, Status> {
        Err(Status::unimplemented("PENDING"))
    }
}

impl Api {
    async fn stop(&self, call: Call<StopExecutionRequest>) -> Result<StopExecutionResponse, Status> {
        let (ask, call) = call.split();
        let id = request_id(&ask.request_id)?;
        let mut meta = call.meta(&ask.idempotency_key)?;
        if !ask.idempotency_key.is_empty() {
            // The same key on another run is another command.
            meta.event_id = derived_id(&["on", id.as_str(), &meta.event_id.to_string()]);
        }
        meta.correlation = id.as_str().parse().unwrap_or(meta.correlation);
        let mut resource = String::new();
        let decided = self
            .0
            .ctx
            .log
            .decide::<Execution, Refusal>(&call.tenant, &id, &meta, |execution| {
                let Some(started) = &execution.view.started else { return Err(unknown_run(&id)) };
                resource.clone_from(&started.resource);
                execution::request_stop(execution, &call.actor, &ask.reason, call.now)
            })
            .await;
        match decided {
            Ok(decided) => Ok(StopExecutionResponse { execution: Some(decided.state.view), version: decided.sequence }),
            Err(DecideError::Refused(refusal)) if refusal.code == "EXECUTION_NOT_RUNNING" => {
                Err(self.0.ctx.deny(&call, &refusal, &resource, id.as_str()).await)
            }
            Err(error) => Err(error.into_status()),
        }
    }

    async fn view(&self, tenant: &TenantId, id: &AggregateId) -> Result<Option<ExecutionView>, Status> {
        let loaded = self.0.ctx.log.load::<Execution>(tenant, id).await.map_err(IntoStatus::into_status)?;
        Ok(loaded.state.exists().then_some(loaded.state.view))
    }
}

fn request_id(text: &str) -> Result<AggregateId, Status> {
    text.parse::<AggregateId>().map_err(|error| {
        refused(&field_refusal(
            "request_id",
            "FIELD_INVALID",
            "a run has the id of its request",
            error.value,
            error.rule,
            "use the id that `muster request list` shows",
        ))
    })
}

fn unknown_run(id: &AggregateId) -> Refusal {
    refusal(
        "EXECUTION_NOT_FOUND",
        "there is no run of this request in this tenant",
        id.to_string(),
        "a request that was started",
        "look at `muster request show`: it may not be started yet",
    )
}

pub(crate) fn not_found(id: &AggregateId) -> Status {
    refused(&unknown_run(id))
}
