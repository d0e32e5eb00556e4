//! gRPC: who was told what, and when.

mod alerts;
mod list;
mod preview;
mod retry;
mod test_route;

use muster_domain::pb::notification::v1::notifier_service_server::NotifierService;
use muster_domain::pb::notification::v1::*;
use muster_runtime::Context;
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status};

use crate::approvals::chat::Binder;
use crate::escalation::answer::{Answers, via as ways};
use crate::outbox::Outbox;

pub(crate) use list::list;

pub(crate) struct Api {
    pub(crate) ctx: Context,
    pub(crate) answers: Answers,
    pub(crate) outbox: Outbox,
    pub(crate) binder: Binder,
}

#[tonic::async_trait]
impl NotifierService for Api {
    async fn list_deliveries(
        &self,
        request: Request<ListDeliveriesRequest>,
    ) -> Result<Response<ListDeliveriesResponse>, Status> {
        let call = self.ctx.authorize(request).await?;
        list(&self.ctx, &call.tenant, &call.message).await.map(Response::new)
    }

    async fn retry_delivery(
        &self,
        request: Request<RetryDeliveryRequest>,
    ) -> Result<Response<RetryDeliveryResponse>, Status> {
        let call = self.ctx.authorize(request).await?;
        retry::again(&self.outbox, call).await.map(Response::new)
    }

    async fn test_route(&self, request: Request<TestRouteRequest>) -> Result<Response<TestRouteResponse>, Status> {
        let call = self.ctx.authorize(request).await?;
        test_route::test(&self.outbox, call).await.map(Response::new)
    }

    async fn preview_message(
        &self,
        request: Request<PreviewMessageRequest>,
    ) -> Result<Response<PreviewMessageResponse>, Status> {
        let call = self.ctx.authorize(request).await?;
        preview::preview(&self.outbox, call).map(Response::new)
    }

    async fn list_escalations(
        &self,
        request: Request<ListEscalationsRequest>,
    ) -> Result<Response<ListEscalationsResponse>, Status> {
        let call = self.ctx.authorize(request).await?;
        alerts::list(&self.ctx, call).await.map(Response::new)
    }

    async fn acknowledge_alert(
        &self,
        request: Request<AcknowledgeAlertRequest>,
    ) -> Result<Response<AcknowledgeAlertResponse>, Status> {
        let via = via(request.metadata());
        let call = self.ctx.authorize(request).await?;
        alerts::acknowledge(&self.answers, call, via).await.map(Response::new)
    }

    async fn silence_alert(
        &self,
        request: Request<SilenceAlertRequest>,
    ) -> Result<Response<SilenceAlertResponse>, Status> {
        let via = via(request.metadata());
        let call = self.ctx.authorize(request).await?;
        alerts::silence(&self.answers, call, via).await.map(Response::new)
    }

    async fn escalate_alert(
        &self,
        request: Request<EscalateAlertRequest>,
    ) -> Result<Response<EscalateAlertResponse>, Status> {
        let via = via(request.metadata());
        let call = self.ctx.authorize(request).await?;
        alerts::escalate(&self.answers, call, via).await.map(Response::new)
    }

    async fn bind_chat(&self, request: Request<BindChatRequest>) -> Result<Response<BindChatResponse>, Status> {
        let call = self.ctx.authorize(request).await?;
        self.binder.bind(call).await.map(Response::new)
    }

    async fn confirm_chat(
        &self,
        request: Request<ConfirmChatRequest>,
    ) -> Result<Response<ConfirmChatResponse>, Status> {
        let call = self.ctx.authorize(request).await?;
        self.binder.confirm(call).await.map(Response::new)
    }

    async fn unbind_chat(&self, request: Request<UnbindChatRequest>) -> Result<Response<UnbindChatResponse>, Status> {
        let call = self.ctx.authorize(request).await?;
        self.binder.unbind(call).await.map(Response::new)
    }

    async fn list_chat_bindings(
        &self,
        request: Request<ListChatBindingsRequest>,
    ) -> Result<Response<ListChatBindingsResponse>, Status> {
        let call = self.ctx.authorize(request).await?;
        Ok(Response::new(self.binder.list(call).await))
    }
}

/// How a person called, for the record: pages speak gRPC-Web, programs do not.
fn via(metadata: &MetadataMap) -> &'static str {
    if metadata.contains_key("x-grpc-web") { ways::CONSOLE } else { ways::API }
}
