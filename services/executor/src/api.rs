//! The gRPC face: what a run is doing, as it does it, and what people say to it.

use std::{pin::Pin, sync::Arc};

use futures::Stream;
use muster_domain::{
    AggregateId, Refusal, TenantId,
    execution::Execution,
    refusal::{field_refusal, refusal},
};
use muster_proto::execution::v1::{
    AcknowledgeCoolDownRequest, AcknowledgeCoolDownResponse, DecideManualStepRequest, DecideManualStepResponse,
    ExecutionView, GetExecutionRequest, GetExecutionResponse, NoteExecutionRequest, NoteExecutionResponse,
    PauseExecutionRequest, PauseExecutionResponse, PreflightRequest, PreflightResponse, ResumeExecutionRequest,
    ResumeExecutionResponse, StopExecutionRequest, StopExecutionResponse, WatchExecutionRequest,
    WatchExecutionResponse, executor_service_server::ExecutorService,
};
use muster_runtime::{IntoStatus, refused};
use tonic::{Request, Response, Status};

use crate::{Executor, preflight, unfinished::RunKey, watch};

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
        request: Request<PauseExecutionRequest>,
    ) -> Result<Response<PauseExecutionResponse>, Status> {
        let call = self.0.ctx.authorize(request).await?;
        Ok(Response::new(self.pause(call).await?))
    }

    async fn resume_execution(
        &self,
        request: Request<ResumeExecutionRequest>,
    ) -> Result<Response<ResumeExecutionResponse>, Status> {
        let call = self.0.ctx.authorize(request).await?;
        Ok(Response::new(self.resume(call).await?))
    }

    async fn decide_manual_step(
        &self,
        request: Request<DecideManualStepRequest>,
    ) -> Result<Response<DecideManualStepResponse>, Status> {
        let call = self.0.ctx.authorize(request).await?;
        Ok(Response::new(self.decide_manual(call).await?))
    }

    async fn note_execution(
        &self,
        request: Request<NoteExecutionRequest>,
    ) -> Result<Response<NoteExecutionResponse>, Status> {
        let call = self.0.ctx.authorize(request).await?;
        Ok(Response::new(self.note(call).await?))
    }

    async fn preflight(&self, request: Request<PreflightRequest>) -> Result<Response<PreflightResponse>, Status> {
        let call = self.0.ctx.authorize(request).await?;
        Ok(Response::new(Box::pin(preflight::make(&self.0, call)).await?))
    }

    async fn acknowledge_cool_down(
        &self,
        request: Request<AcknowledgeCoolDownRequest>,
    ) -> Result<Response<AcknowledgeCoolDownResponse>, Status> {
        let call = self.0.ctx.authorize(request).await?;
        Ok(Response::new(self.acknowledge(call).await?))
    }
}

impl Api {
    async fn view(&self, tenant: &TenantId, id: &AggregateId) -> Result<Option<ExecutionView>, Status> {
        let loaded = self.0.ctx.log.load::<Execution>(tenant, id).await.map_err(IntoStatus::into_status)?;
        Ok(loaded.state.exists().then_some(loaded.state.view))
    }
}

pub(crate) fn request_id(text: &str) -> Result<AggregateId, Status> {
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

pub(crate) fn unknown_run(id: &AggregateId) -> Refusal {
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
