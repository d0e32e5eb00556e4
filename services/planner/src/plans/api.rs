//! gRPC: muster.plan.v1.PlanService.

use std::time::Duration;

use muster_domain::TenantId;
use muster_domain::pb::plan::v1::{
    GetPlanRequest, GetPlanResponse, LintPlanRequest, LintPlanResponse, ListPlansRequest, ListPlansResponse, PlanView,
    PublishPlanRequest, PublishPlanResponse, RenderPlanRequest, RenderPlanResponse, ReturnPlanRequest,
    ReturnPlanResponse, SubmitPlanRequest, SubmitPlanResponse, plan_service_server::PlanService,
};
use muster_domain::refusal::field_refusal;
use muster_eventlog::wait_for;
use muster_runtime::{page, refused, status::IntoStatus};
use prost::Message;
use tonic::{Request, Response, Status};

use super::Plans;
use crate::{projection::PROJECTION, query::Cursor};

/// How long a read waits for the tables to reach `min_version`.
const MAX_WAIT: Duration = Duration::from_secs(5);
/// A page ends early rather than outgrow the 4 MiB of a gRPC message.
const MAX_PAGE_BYTES: usize = 3 * 1024 * 1024;

pub(crate) struct Api(pub(crate) Plans);

impl Api {
    async fn wait(&self, tenant: &TenantId, min_version: u64) -> Result<(), Status> {
        if min_version == 0 {
            return Ok(());
        }
        wait_for(&self.0.ctx.db, PROJECTION, tenant, min_version, MAX_WAIT).await.map_err(IntoStatus::into_status)
    }
}

#[tonic::async_trait]
impl PlanService for Api {
    async fn get_plan(&self, request: Request<GetPlanRequest>) -> Result<Response<GetPlanResponse>, Status> {
        let (ask, call) = self.0.ctx.authorize(request).await?.split();
        self.wait(&call.tenant, ask.min_version).await?;
        let view = self.0.get(&call.tenant, &ask.name, call.now).await.map_err(IntoStatus::into_status)?;
        Ok(Response::new(GetPlanResponse { plan: Some(view) }))
    }

    async fn list_plans(&self, request: Request<ListPlansRequest>) -> Result<Response<ListPlansResponse>, Status> {
        let (ask, call) = self.0.ctx.authorize(request).await?.split();
        let list = format!("plans:{}", call.tenant);
        let asked = page::parse::<Cursor>(ask.page.as_ref(), &list).map_err(IntoStatus::into_status)?;
        self.wait(&call.tenant, ask.min_version).await?;
        let read = self.0.list(&call.tenant, asked.after.as_ref(), asked.size, call.now).await;
        let mut plans = read.map_err(IntoStatus::into_status)?;
        let size = fitting(&plans, asked.size);
        let page = page::finish(size, &list, &mut plans, |plan| ("plan".to_owned(), plan.name.clone()));
        Ok(Response::new(ListPlansResponse { plans, page: Some(page) }))
    }

    async fn lint_plan(&self, request: Request<LintPlanRequest>) -> Result<Response<LintPlanResponse>, Status> {
        let (ask, call) = self.0.ctx.authorize(request).await?.split();
        let judged = match (ask.name.as_str(), ask.manifest.as_str()) {
            ("", "") => return Err(refused(&one_of_two("neither"))),
            ("", manifest) => self.0.lint_manifest(&call.tenant, manifest).await,
            (name, "") => self.0.lint_declared(&call.tenant, name).await,
            (_, _) => return Err(refused(&one_of_two("both"))),
        };
        Ok(Response::new(judged.map_err(IntoStatus::into_status)?))
    }

    async fn submit_plan(&self, request: Request<SubmitPlanRequest>) -> Result<Response<SubmitPlanResponse>, Status> {
        let (plan, version) = self.0.submit(self.0.ctx.authorize(request).await?).await?;
        Ok(Response::new(SubmitPlanResponse { plan: Some(plan), version }))
    }

    async fn return_plan(&self, request: Request<ReturnPlanRequest>) -> Result<Response<ReturnPlanResponse>, Status> {
        let (plan, version) = self.0.return_(self.0.ctx.authorize(request).await?).await?;
        Ok(Response::new(ReturnPlanResponse { plan: Some(plan), version }))
    }

    async fn publish_plan(
        &self,
        request: Request<PublishPlanRequest>,
    ) -> Result<Response<PublishPlanResponse>, Status> {
        let (plan, version) = self.0.publish(self.0.ctx.authorize(request).await?).await?;
        Ok(Response::new(PublishPlanResponse { plan: Some(plan), version }))
    }

    async fn render_plan(&self, request: Request<RenderPlanRequest>) -> Result<Response<RenderPlanResponse>, Status> {
        let (ask, call) = self.0.ctx.authorize(request).await?.split();
        let rendered = self.0.render(&call.tenant, &ask.name, ask.format(), call.now).await;
        Ok(Response::new(rendered.map_err(IntoStatus::into_status)?))
    }
}

/// How many of the plans go into one page: at least one.
fn fitting(plans: &[PlanView], size: u32) -> u32 {
    let mut bytes = 0;
    let fits = plans.iter().take_while(|plan| {
        bytes += plan.encoded_len();
        bytes <= MAX_PAGE_BYTES
    });
    u32::try_from(fits.count()).unwrap_or(size).clamp(1, size)
}

fn one_of_two(found: &str) -> muster_domain::Refusal {
    let next = "name a declared plan, or send a manifest";
    field_refusal("name", "FIELD_INVALID", "what is judged is named or sent", found, "name or manifest", next)
}
