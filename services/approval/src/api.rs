//! The gRPC face: authorizes, hands over, answers.

use std::sync::Arc;

use muster_proto::request::v1::{
    ApproveRequestRequest, ApproveRequestResponse, DecideByIntentRequest, DecideByIntentResponse,
    DecideGateChangeRequest, DecideGateChangeResponse, DelegateRequest, DelegateResponse, DenyRequestRequest,
    DenyRequestResponse, EndDelegationRequest, EndDelegationResponse, ExplainPolicyRequest, ExplainPolicyResponse,
    GetIntentRequest, GetIntentResponse, GetRequestRequest, GetRequestResponse, ListDelegationsRequest,
    ListDelegationsResponse, ListGatesRequest, ListGatesResponse, ListRequestsRequest, ListRequestsResponse,
    OpenRequestRequest, OpenRequestResponse, OverrideCheckRequest, OverrideCheckResponse, ProposeGateChangeRequest,
    ProposeGateChangeResponse, ReviewBreakGlassRequest, ReviewBreakGlassResponse, StartRequestRequest,
    StartRequestResponse, WithdrawRequestRequest, WithdrawRequestResponse, approval_service_server::ApprovalService,
};
use tonic::{Request, Response, Status};

use crate::{Approval, list};

type Answer<T> = Result<Response<T>, Status>;

pub(crate) struct Api(pub(crate) Arc<Approval>);

#[async_trait::async_trait]
impl ApprovalService for Api {
    async fn open_request(&self, request: Request<OpenRequestRequest>) -> Answer<OpenRequestResponse> {
        let call = self.0.ctx.authorize(request).await?;
        let (request, version) = Box::pin(self.0.open(call)).await?;
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
        let tenant = call.tenant.clone();
        let (request, version) = Box::pin(self.0.approve(call)).await?;
        Ok(self.0.ctx.sealed(&tenant, version, ApproveRequestResponse { request: Some(request), version }).await)
    }

    async fn deny_request(&self, request: Request<DenyRequestRequest>) -> Answer<DenyRequestResponse> {
        let call = self.0.ctx.authorize(request).await?;
        let tenant = call.tenant.clone();
        let (request, version) = self.0.deny(call).await?;
        Ok(self.0.ctx.sealed(&tenant, version, DenyRequestResponse { request: Some(request), version }).await)
    }

    async fn withdraw_request(&self, request: Request<WithdrawRequestRequest>) -> Answer<WithdrawRequestResponse> {
        let call = self.0.ctx.authorize(request).await?;
        let (request, version) = self.0.withdraw(call).await?;
        Ok(Response::new(WithdrawRequestResponse { request: Some(request), version }))
    }

    async fn start_request(&self, request: Request<StartRequestRequest>) -> Answer<StartRequestResponse> {
        let call = self.0.ctx.authorize(request).await?;
        let (request, version) = Box::pin(self.0.start(call)).await?;
        Ok(Response::new(StartRequestResponse { request: Some(request), version }))
    }

    async fn override_check(&self, request: Request<OverrideCheckRequest>) -> Answer<OverrideCheckResponse> {
        let call = self.0.ctx.authorize(request).await?;
        let (request, version) = self.0.override_check(call).await?;
        Ok(Response::new(OverrideCheckResponse { request: Some(request), version }))
    }

    async fn review_break_glass(&self, request: Request<ReviewBreakGlassRequest>) -> Answer<ReviewBreakGlassResponse> {
        let call = self.0.ctx.authorize(request).await?;
        let tenant = call.tenant.clone();
        let (request, version) = Box::pin(self.0.review(call)).await?;
        Ok(self.0.ctx.sealed(&tenant, version, ReviewBreakGlassResponse { request: Some(request), version }).await)
    }

    async fn delegate(&self, request: Request<DelegateRequest>) -> Answer<DelegateResponse> {
        let call = self.0.ctx.authorize(request).await?;
        Ok(Response::new(self.0.delegate(call).await?))
    }

    async fn end_delegation(&self, request: Request<EndDelegationRequest>) -> Answer<EndDelegationResponse> {
        let call = self.0.ctx.authorize(request).await?;
        Ok(Response::new(self.0.end_delegation(call).await?))
    }

    async fn list_delegations(&self, request: Request<ListDelegationsRequest>) -> Answer<ListDelegationsResponse> {
        let call = self.0.ctx.authorize(request).await?;
        Ok(Response::new(self.0.list_delegations(call).await?))
    }

    async fn list_gates(&self, request: Request<ListGatesRequest>) -> Answer<ListGatesResponse> {
        let call = self.0.ctx.authorize(request).await?;
        Ok(Response::new(self.0.list_gates(&call.tenant, call.message.min_version).await))
    }

    async fn propose_gate_change(
        &self,
        request: Request<ProposeGateChangeRequest>,
    ) -> Answer<ProposeGateChangeResponse> {
        let call = self.0.ctx.authorize(request).await?;
        let (gate, version) = self.0.propose_gate_change(call).await?;
        Ok(Response::new(ProposeGateChangeResponse { gate: Some(gate), version }))
    }

    async fn decide_gate_change(&self, request: Request<DecideGateChangeRequest>) -> Answer<DecideGateChangeResponse> {
        let call = self.0.ctx.authorize(request).await?;
        let (gate, version) = self.0.decide_gate_change(call).await?;
        Ok(Response::new(DecideGateChangeResponse { gate: Some(gate), version }))
    }

    async fn explain_policy(&self, request: Request<ExplainPolicyRequest>) -> Answer<ExplainPolicyResponse> {
        let call = self.0.ctx.authorize(request).await?;
        Ok(Response::new(self.0.explain(call).await?))
    }

    async fn get_intent(&self, request: Request<GetIntentRequest>) -> Answer<GetIntentResponse> {
        let call = self.0.ctx.authorize(request).await?;
        Ok(Response::new(Box::pin(self.0.get_intent(call)).await?))
    }

    async fn decide_by_intent(&self, request: Request<DecideByIntentRequest>) -> Answer<DecideByIntentResponse> {
        let call = self.0.ctx.authorize(request).await?;
        let tenant = call.tenant.clone();
        let (request, version) = Box::pin(self.0.decide_by_intent(call)).await?;
        Ok(self.0.ctx.sealed(&tenant, version, DecideByIntentResponse { request: Some(request), version }).await)
    }
}
