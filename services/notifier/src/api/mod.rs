//! gRPC: who was told what, and when.

mod list;

use muster_domain::pb::notification::v1::notifier_service_server::NotifierService;
use muster_domain::pb::notification::v1::*;
use muster_runtime::Context;
use tonic::{Request, Response, Status};

#[cfg(test)]
pub(crate) use list::list;

pub(crate) struct Api {
    pub(crate) ctx: Context,
}

#[tonic::async_trait]
impl NotifierService for Api {
    async fn list_deliveries(
        &self,
        request: Request<ListDeliveriesRequest>,
    ) -> Result<Response<ListDeliveriesResponse>, Status> {
        let call = self.ctx.authorize(request).await?;
        list::list(&self.ctx, &call.tenant, &call.message).await.map(Response::new)
    }

    async fn retry_delivery(
        &self,
        request: Request<RetryDeliveryRequest>,
    ) -> Result<Response<RetryDeliveryResponse>, Status> {
        self.ctx.authorize(request).await?;
        Err(Status::unimplemented("retry_delivery"))
    }

    async fn test_route(&self, request: Request<TestRouteRequest>) -> Result<Response<TestRouteResponse>, Status> {
        self.ctx.authorize(request).await?;
        Err(Status::unimplemented("test_route"))
    }

    async fn preview_message(
        &self,
        request: Request<PreviewMessageRequest>,
    ) -> Result<Response<PreviewMessageResponse>, Status> {
        self.ctx.authorize(request).await?;
        Err(Status::unimplemented("preview_message"))
    }

    async fn list_escalations(
        &self,
        request: Request<ListEscalationsRequest>,
    ) -> Result<Response<ListEscalationsResponse>, Status> {
        self.ctx.authorize(request).await?;
        Err(Status::unimplemented("list_escalations"))
    }

    async fn acknowledge_alert(
        &self,
        request: Request<AcknowledgeAlertRequest>,
    ) -> Result<Response<AcknowledgeAlertResponse>, Status> {
        self.ctx.authorize(request).await?;
        Err(Status::unimplemented("acknowledge_alert"))
    }

    async fn silence_alert(
        &self,
        request: Request<SilenceAlertRequest>,
    ) -> Result<Response<SilenceAlertResponse>, Status> {
        self.ctx.authorize(request).await?;
        Err(Status::unimplemented("silence_alert"))
    }

    async fn bind_chat(&self, request: Request<BindChatRequest>) -> Result<Response<BindChatResponse>, Status> {
        self.ctx.authorize(request).await?;
        Err(Status::unimplemented("bind_chat"))
    }

    async fn confirm_chat(
        &self,
        request: Request<ConfirmChatRequest>,
    ) -> Result<Response<ConfirmChatResponse>, Status> {
        self.ctx.authorize(request).await?;
        Err(Status::unimplemented("confirm_chat"))
    }

    async fn unbind_chat(&self, request: Request<UnbindChatRequest>) -> Result<Response<UnbindChatResponse>, Status> {
        self.ctx.authorize(request).await?;
        Err(Status::unimplemented("unbind_chat"))
    }

    async fn list_chat_bindings(
        &self,
        request: Request<ListChatBindingsRequest>,
    ) -> Result<Response<ListChatBindingsResponse>, Status> {
        self.ctx.authorize(request).await?;
        Err(Status::unimplemented("list_chat_bindings"))
    }
}
