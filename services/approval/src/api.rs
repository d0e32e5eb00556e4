//! The gRPC face: authorizes, hands over, answers.

use std::sync::Arc;

use muster_proto::request::v1::{
    ApproveRequestRequest, ApproveRequestResponse, DenyRequestRequest, DenyRequestResponse, GetRequestRequest,
    GetRequestResponse, ListRequestsRequest, ListRequestsResponse, OpenRequestRequest, OpenRequestResponse,
    StartRequestRequest, StartRequestResponse, WithdrawRequestRequest, WithdrawRequestResponse,
    approval_service_server::ApprovalService,
};
use tonic::{Request, Response, Status};

use crate::{Approval, list};

type Answer<T> = Result<Response<T>, Status>;

pub(crate) struct Api(pub(crate) Arc<Approval>);

#[async_trait::async_trait]
impl ApprovalService for Api {
    async fn open_request(&self, request: Request<OpenRequestRequest>) -> Answer<OpenRequestResponse> {
        let call = self.0.ctx.authorize(request).await?;
        let (request, version) = self.0.open(call).await?;
        Ok(Response::new(OpenRequestResponse { request: Some(request), version }))
    }

    async fn get_request(&self, request: Request<GetRequestRequest>) -> Answer<GetRequestResponse> {
        let call = self.0.ctx.authorize(request).await?;
        let request = self.0.get(&call.tenant, &call.message.request_id).await?;
        Ok(Response::new(GetRequestResponse { request: Some(request) }))
    }

    async fn list_requests(&self, request: Request<ListRequestsRequest>) -> Answer<ListRequestsResponse> {
        let call = self.0.ctx.authorize(request).await?;
        Ok(Response::new(list::list(&self.0.ctx.db, &call.tenant, &call.message).await?))
    }

    async fn approve_request(&self, request: Request<ApproveRequestRequest>) -> Answer<ApproveRequestResponse> {
        let call = self.0.ctx.authorize(request).await?;
        let (request, version) = self.0.approve(call).await?;
        Ok(Response::new(ApproveRequestResponse { request: Some(request), version }))
    }

    async fn deny_request(&self, request: Request<DenyRequestRequest>) -> Answer<DenyRequestResponse> {
        let call = self.0.ctx.authorize(request).await?;
        let (request, version) = self.0.deny(call).await?;
        Ok(Response::new(DenyRequestResponse { request: Some(request), version }))
    }

    async fn withdraw_request(&self, request: Request<WithdrawRequestRequest>) -> Answer<WithdrawRequestResponse> {
        let call = self.0.ctx.authorize(request).await?;
        let (request, version) = self.0.withdraw(call).await?;
        Ok(Response::new(WithdrawRequestResponse { request: Some(request), version }))
    }

    async fn start_request(&self, request: Request<StartRequestRequest>) -> Answer<StartRequestResponse> {
        let call = self.0.ctx.authorize(request).await?;
        let (request, version) = self.0.start(call).await?;
        Ok(Response::new(StartRequestResponse { request: Some(request), version }))
    }
}
