//! gRPC: reads only.

use std::time::Duration;

use muster_domain::{
    TenantId,
    pb::readiness::v1::{
        GetReadinessRequest, GetReadinessResponse, GetTrendRequest, GetTrendResponse, ListAlertsRequest,
        ListAlertsResponse, ListReadinessRequest, ListReadinessResponse, WatchReadinessRequest, WatchReadinessResponse,
        monitor_service_server::MonitorService,
    },
    refusal::refusal,
};
use muster_eventlog::wait_for;
use muster_runtime::{Context, IntoStatus, page, refused};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use crate::{
    PROJECTION, read,
    stream::{Hub, fleet_or_status},
    trend::{self, Range},
    view::rank,
};

/// How long a reader waits for the tables to show what they have just done.
const WAIT_FOR_VERSION: Duration = Duration::from_secs(5);

pub(crate) struct Api {
    ctx: Context,
    hub: Hub,
}

impl Api {
    pub(crate) fn new(ctx: &Context) -> Self {
        let hub = Hub::new(ctx.db.clone(), ctx.clock.clone(), ctx.shutdown.clone());
        Self { ctx: ctx.clone(), hub }
    }

    async fn reached(&self, tenant: &TenantId, min_version: u64) -> Result<(), Status> {
        if min_version == 0 {
            return Ok(());
        }
        wait_for(&self.ctx.db, PROJECTION, tenant, min_version, WAIT_FOR_VERSION).await.map_err(IntoStatus::into_status)
    }

    async fn is_declared(&self, tenant: &TenantId, resource: &str) -> Result<(), Status> {
        let known = read::known(&self.ctx.db, tenant, Some(resource)).await.map_err(IntoStatus::into_status)?;
        if known.is_empty() { Err(not_found(resource)) } else { Ok(()) }
    }
}

#[tonic::async_trait]
impl MonitorService for Api {
    async fn list_readiness(
        &self,
        request: Request<ListReadinessRequest>,
    ) -> Result<Response<ListReadinessResponse>, Status> {
        let call = self.ctx.authorize(request).await?;
        let list = format!("readiness:{}", call.tenant);
        let page = page::parse::<Cursor>(call.message.page.as_ref(), &list).map_err(IntoStatus::into_status)?;
        self.reached(&call.tenant, call.message.min_version).await?;
        let fleet = fleet_or_status(&self.ctx.db, &call.tenant, self.ctx.clock.now()).await?;
        // A resource whose status changes between two pages can come twice or not at all, as in any list
        // that is sorted by what changes; a watcher sees all.
        let after = |view: &_| page.after.as_ref().is_none_or(|after| cursor(view) > *after);
        let size = usize::try_from(page.size).unwrap_or(usize::MAX);
        let mut resources: Vec<_> = fleet.into_iter().filter(after).take(size.saturating_add(1)).collect();
        let next = page::finish(page.size, &list, &mut resources, cursor);
        Ok(Response::new(ListReadinessResponse { resources, page: Some(next) }))
    }

    async fn get_readiness(
        &self,
        request: Request<GetReadinessRequest>,
    ) -> Result<Response<GetReadinessResponse>, Status> {
        let call = self.ctx.authorize(request).await?;
        self.reached(&call.tenant, call.message.min_version).await?;
        let name = &call.message.resource;
        let known = read::known(&self.ctx.db, &call.tenant, Some(name)).await.map_err(IntoStatus::into_status)?;
        let known = known.into_values().next().ok_or_else(|| not_found(name))?;
        Ok(Response::new(GetReadinessResponse { resource: Some(known.view(self.ctx.clock.now())) }))
    }

    type WatchReadinessStream = ReceiverStream<Result<WatchReadinessResponse, Status>>;

    async fn watch_readiness(
        &self,
        request: Request<WatchReadinessRequest>,
    ) -> Result<Response<Self::WatchReadinessStream>, Status> {
        let call = self.ctx.authorize(request).await?;
        Ok(Response::new(ReceiverStream::new(self.hub.watch(&call.tenant)?)))
    }

    async fn get_trend(&self, request: Request<GetTrendRequest>) -> Result<Response<GetTrendResponse>, Status> {
        let call = self.ctx.authorize(request).await?;
        let range = Range::of(&call.message, self.ctx.clock.now()).map_err(|r| refused(&r))?;
        self.is_declared(&call.tenant, &call.message.resource).await?;
        let trend = trend::read(&self.ctx.db, &call.tenant, &call.message.resource, range).await;
        Ok(Response::new(trend.map_err(IntoStatus::into_status)?))
    }

    async fn list_alerts(&self, request: Request<ListAlertsRequest>) -> Result<Response<ListAlertsResponse>, Status> {
        let call = self.ctx.authorize(request).await?;
        let ask = &call.message;
        let list = format!("alerts:{}:{}:{}", call.tenant, ask.resource, ask.include_resolved);
        let page = page::parse::<i64>(ask.page.as_ref(), &list).map_err(IntoStatus::into_status)?;
        self.reached(&call.tenant, ask.min_version).await?;
        let limit = i64::from(page.size) + 1;
        let rows =
            read::alerts(&self.ctx.db, &call.tenant, &ask.resource, ask.include_resolved, page.after, limit).await;
        let mut rows = rows.map_err(IntoStatus::into_status)?;
        let next = page::finish(page.size, &list, &mut rows, |(sequence, _)| *sequence);
        let alerts = rows.into_iter().map(|(_, alert)| alert).collect();
        Ok(Response::new(ListAlertsResponse { alerts, page: Some(next) }))
    }
}

/// The sort key, in a form that a page token can carry: smaller is earlier in the list.
type Cursor = (u8, i32, String);

fn cursor(view: &muster_domain::pb::readiness::v1::ReadinessView) -> Cursor {
    let (severity, tier, name) = rank(view);
    (u8::MAX - severity.0, tier, name)
}

fn not_found(resource: &str) -> Status {
    refused(&refusal(
        "RESOURCE_NOT_FOUND",
        "there is no such resource in use in this tenant",
        resource,
        "a declared resource",
        "list them with ListReadiness; resource names are as declared",
    ))
}
