//! gRPC: muster.schedule.v1.ScheduleService.

use std::{sync::Arc, time::Duration};

use muster_domain::{
    Refusal, TenantId,
    pb::schedule::v1::{
        GetScheduleRequest, GetScheduleResponse, ListCalendarRequest, ListCalendarResponse, ListSchedulesRequest,
        ListSchedulesResponse, PreviewScheduleRequest, PreviewScheduleResponse, RecordReviewRequest,
        RecordReviewResponse, schedule_service_server::ScheduleService,
    },
    time::{PbTimestamp, given},
};
use muster_eventlog::wait_for;
use muster_runtime::{page, refused, status::IntoStatus};
use tonic::{Request, Response, Status};

use super::{Schedules, projection::OCCURRENCES};
use crate::{projection::PROJECTION, query::Cursor};

/// How long a read waits for the tables to reach `min_version`.
const MAX_WAIT: Duration = Duration::from_secs(5);

type Answer<T> = Result<Response<T>, Status>;

pub(crate) struct Api(pub(crate) Arc<Schedules>);

impl Api {
    async fn wait(&self, tenant: &TenantId, min_version: u64) -> Result<(), Status> {
        if min_version == 0 {
            return Ok(());
        }
        for table in [PROJECTION, OCCURRENCES] {
            let waited = wait_for(&self.0.ctx.db, table, tenant, min_version, MAX_WAIT).await;
            waited.map_err(IntoStatus::into_status)?;
        }
        Ok(())
    }
}

#[tonic::async_trait]
impl ScheduleService for Api {
    async fn list_schedules(&self, request: Request<ListSchedulesRequest>) -> Answer<ListSchedulesResponse> {
        let (ask, call) = self.0.ctx.authorize(request).await?.split();
        let list = format!("schedules:{}", call.tenant);
        let asked = page::parse::<Cursor>(ask.page.as_ref(), &list).map_err(IntoStatus::into_status)?;
        self.wait(&call.tenant, ask.min_version).await?;
        let read = self.0.list(&call.tenant, asked.after.as_ref(), asked.size, call.now).await;
        let mut schedules = read.map_err(IntoStatus::into_status)?;
        let cursor =
            |found: &muster_domain::pb::schedule::v1::ScheduleView| ("schedule".to_owned(), found.name.clone());
        let page = page::finish(asked.size, &list, &mut schedules, cursor);
        schedules.retain(|found| {
            ask.resource.is_empty() || found.spec.as_ref().is_some_and(|spec| spec.resource == ask.resource)
        });
        Ok(Response::new(ListSchedulesResponse { schedules, page: Some(page) }))
    }

    async fn get_schedule(&self, request: Request<GetScheduleRequest>) -> Answer<GetScheduleResponse> {
        let (ask, call) = self.0.ctx.authorize(request).await?.split();
        self.wait(&call.tenant, ask.min_version).await?;
        let found = self.0.get(&call.tenant, &ask.name, call.now).await.map_err(IntoStatus::into_status)?;
        Ok(Response::new(found))
    }

    async fn preview_schedule(&self, request: Request<PreviewScheduleRequest>) -> Answer<PreviewScheduleResponse> {
        let (ask, call) = self.0.ctx.authorize(request).await?.split();
        let after = time("after", ask.after.as_ref())?.unwrap_or(call.now);
        let preview = self.0.preview(&call.tenant, &ask.name, ask.spec, ask.count, after).await;
        Ok(Response::new(preview.map_err(IntoStatus::into_status)?))
    }

    async fn list_calendar(&self, request: Request<ListCalendarRequest>) -> Answer<ListCalendarResponse> {
        let (ask, call) = self.0.ctx.authorize(request).await?.split();
        self.wait(&call.tenant, ask.min_version).await?;
        let from = time("from", ask.from.as_ref())?.unwrap_or(call.now);
        let month = jiff::SignedDuration::from_hours(31 * 24);
        let until = time("until", ask.until.as_ref())?.unwrap_or(from.checked_add(month).unwrap_or(from));
        let calendar = self.0.calendar(&call.tenant, from, until, call.now).await;
        Ok(Response::new(calendar.map_err(IntoStatus::into_status)?))
    }

    async fn record_review(&self, request: Request<RecordReviewRequest>) -> Answer<RecordReviewResponse> {
        let (schedule, version) = self.0.review(self.0.ctx.authorize(request).await?).await?;
        Ok(Response::new(RecordReviewResponse { schedule, version }))
    }
}

fn time(field: &str, at: Option<&PbTimestamp>) -> Result<Option<jiff::Timestamp>, Status> {
    given(field, at).map_err(|refusal: Refusal| refused(&refusal))
}
