//! The gRPC face: reading only.

use std::{pin::Pin, time::Duration};

use futures::Stream;
use muster_domain::{
    audit::Export,
    pb::audit::v1::{
        self as pb, ExportCreated, ExportEvent, ExportEventsRequest, ExportEventsResponse, ExportFormat,
        ListEventsRequest, ListEventsResponse, audit_service_server::AuditService, export_event,
    },
    refusal::field_refusal,
};
use muster_eventlog::wait_for;
use muster_runtime::{Context, IntoStatus, page, refused, status::internal};
use tonic::{Request, Response, Status};

use crate::{
    changes, denied, export, filter, gaps, log, package, payload_key, projection, query, report, reviews, story,
};

/// How long a read waits for the table to show what its caller has just done.
const WAIT_FOR_VERSION: Duration = Duration::from_secs(5);
/// An export waits longer: it must be complete, and a rebuild may be under way.
const WAIT_FOR_EXPORT: Duration = Duration::from_secs(25);

pub(crate) struct Api {
    context: Context,
}

impl Api {
    pub(crate) fn new(context: Context) -> Self {
        Self { context }
    }
}

#[async_trait::async_trait]
impl AuditService for Api {
    async fn list_events(&self, request: Request<ListEventsRequest>) -> Result<Response<ListEventsResponse>, Status> {
        let call = self.context.authorize(request).await?;
        let ask = &call.message;
        let filter = filter::check(ask.filter.as_ref()).map_err(|r| refused(&r))?;
        let list = format!("events:{}:{}:{filter:?}", call.tenant, ask.newest_first);
        // The filter is part of the token: its digest is enough, and keeps the token short.
        let list = muster_domain::ids::derived_id(&[&list]).to_string();
        let page = page::parse::<u64>(ask.page.as_ref(), &list).map_err(|r| refused(&r))?;
        if ask.min_version > 0 {
            wait_for(&self.context.db, projection::NAME, &call.tenant, ask.min_version, WAIT_FOR_VERSION)
                .await
                .map_err(IntoStatus::into_status)?;
        }
        let mut records =
            query::records(&self.context.db, &call.tenant, &filter, ask.newest_first, page.after, page.size + 1)
                .await
                .map_err(|e| internal(&e))?;
        let next = page::finish(page.size, &list, &mut records, |record| record.sequence);
        Ok(Response::new(ListEventsResponse { records, page: Some(next) }))
    }

    type ExportEventsStream = Pin<Box<dyn Stream<Item = Result<ExportEventsResponse, Status>> + Send>>;

    /// The export itself is an event, and the export reaches up to it: complete at a known position.
    async fn export_events(
        &self,
        request: Request<ExportEventsRequest>,
    ) -> Result<Response<Self::ExportEventsStream>, Status> {
        let call = self.context.authorize(request).await?;
        let ask = &call.message;
        let filter = filter::check(ask.filter.as_ref()).map_err(|r| refused(&r))?;
        let format = match ask.format() {
            ExportFormat::Unspecified => {
                return Err(refused(&field_refusal(
                    "format",
                    "FIELD_INVALID",
                    "an export has a format",
                    "unspecified",
                    "json, csv",
                    "name the format",
                )));
            }
            ExportFormat::Oscal => {
                return Err(refused(&field_refusal(
                    "format",
                    "FIELD_INVALID",
                    "OSCAL is exported as a package",
                    "oscal",
                    "json, csv",
                    "ask for a package",
                )));
            }
            format => format,
        };
        let export_id = self.context.clock.new_id();
        let created = ExportCreated {
            export_id: export_id.to_string(),
            format: format_name(format).into(),
            filter: ask.filter.clone(),
            ..ExportCreated::default()
        };
        let event = ExportEvent { event: Some(export_event::Event::Created(created)) };
        let meta = call.meta("")?;
        let appended = self
            .context
            .log
            .append::<Export>(&call.tenant, &export_id.into(), 1, &meta, &event)
            .await
            .map_err(IntoStatus::into_status)?;
        let through = appended.sequence.max(ask.min_version);
        wait_for(&self.context.db, projection::NAME, &call.tenant, through, WAIT_FOR_EXPORT)
            .await
            .map_err(IntoStatus::into_status)?;
        Ok(Response::new(Box::pin(export::pieces(self.context.db.clone(), call.tenant, filter, format, through))))
    }

    type ExportPackageStream = Pin<Box<dyn Stream<Item = Result<pb::ExportPackageResponse, Status>> + Send>>;

    async fn export_package(
        &self,
        request: Request<pb::ExportPackageRequest>,
    ) -> Result<Response<Self::ExportPackageStream>, Status> {
        let call = self.context.authorize(request).await?;
        Ok(Response::new(package::export_package(&self.context, call).await?))
    }

    async fn get_log(&self, request: Request<pb::GetLogRequest>) -> Result<Response<pb::GetLogResponse>, Status> {
        let call = self.context.authorize(request).await?;
        Ok(Response::new(log::get_log(&self.context, call).await?))
    }

    async fn read_log_file(
        &self,
        request: Request<pb::ReadLogFileRequest>,
    ) -> Result<Response<pb::ReadLogFileResponse>, Status> {
        let call = self.context.authorize(request).await?;
        Ok(Response::new(log::read_log_file(&self.context, call).await?))
    }

    async fn prove_event(
        &self,
        request: Request<pb::ProveEventRequest>,
    ) -> Result<Response<pb::ProveEventResponse>, Status> {
        let call = self.context.authorize(request).await?;
        Ok(Response::new(log::prove_event(&self.context, call).await?))
    }

    type StreamLeavesStream = Pin<Box<dyn Stream<Item = Result<pb::StreamLeavesResponse, Status>> + Send>>;

    async fn stream_leaves(
        &self,
        request: Request<pb::StreamLeavesRequest>,
    ) -> Result<Response<Self::StreamLeavesStream>, Status> {
        let call = self.context.authorize(request).await?;
        Ok(Response::new(log::stream_leaves(&self.context, call).await?))
    }

    async fn rotate_log_key(
        &self,
        request: Request<pb::RotateLogKeyRequest>,
    ) -> Result<Response<pb::RotateLogKeyResponse>, Status> {
        let call = self.context.authorize(request).await?;
        Ok(Response::new(log::rotate_log_key(&self.context, call).await?))
    }

    async fn revoke_log_key(
        &self,
        request: Request<pb::RevokeLogKeyRequest>,
    ) -> Result<Response<pb::RevokeLogKeyResponse>, Status> {
        let call = self.context.authorize(request).await?;
        Ok(Response::new(log::revoke_log_key(&self.context, call).await?))
    }

    async fn destroy_payload_key(
        &self,
        request: Request<pb::DestroyPayloadKeyRequest>,
    ) -> Result<Response<pb::DestroyPayloadKeyResponse>, Status> {
        let call = self.context.authorize(request).await?;
        Ok(Response::new(payload_key::destroy_payload_key(&self.context, call).await?))
    }

    async fn get_run_report(
        &self,
        request: Request<pb::GetRunReportRequest>,
    ) -> Result<Response<pb::GetRunReportResponse>, Status> {
        let call = self.context.authorize(request).await?;
        Ok(Response::new(Box::pin(report::get_run_report(&self.context, call)).await?))
    }

    async fn get_story(&self, request: Request<pb::GetStoryRequest>) -> Result<Response<pb::GetStoryResponse>, Status> {
        let call = self.context.authorize(request).await?;
        Ok(Response::new(story::get_story(&self.context, call).await?))
    }

    async fn list_denied_attempts(
        &self,
        request: Request<pb::ListDeniedAttemptsRequest>,
    ) -> Result<Response<pb::ListDeniedAttemptsResponse>, Status> {
        let call = self.context.authorize(request).await?;
        Ok(Response::new(denied::list_denied_attempts(&self.context, call).await?))
    }

    async fn list_configuration_changes(
        &self,
        request: Request<pb::ListConfigurationChangesRequest>,
    ) -> Result<Response<pb::ListConfigurationChangesResponse>, Status> {
        let call = self.context.authorize(request).await?;
        Ok(Response::new(changes::list_configuration_changes(&self.context, call).await?))
    }

    async fn list_gaps(&self, request: Request<pb::ListGapsRequest>) -> Result<Response<pb::ListGapsResponse>, Status> {
        let call = self.context.authorize(request).await?;
        Ok(Response::new(gaps::list_gaps(&self.context, call).await?))
    }

    async fn open_gap(&self, request: Request<pb::OpenGapRequest>) -> Result<Response<pb::OpenGapResponse>, Status> {
        let call = self.context.authorize(request).await?;
        Ok(Response::new(gaps::open_gap(&self.context, call).await?))
    }

    async fn plan_gap(&self, request: Request<pb::PlanGapRequest>) -> Result<Response<pb::PlanGapResponse>, Status> {
        let call = self.context.authorize(request).await?;
        Ok(Response::new(gaps::plan_gap(&self.context, call).await?))
    }

    async fn close_gap(&self, request: Request<pb::CloseGapRequest>) -> Result<Response<pb::CloseGapResponse>, Status> {
        let call = self.context.authorize(request).await?;
        let tenant = call.tenant.clone();
        let answer = gaps::close_gap(&self.context, call).await?;
        Ok(self.context.sealed(&tenant, answer.sequence, answer).await)
    }

    async fn accept_gap(
        &self,
        request: Request<pb::AcceptGapRequest>,
    ) -> Result<Response<pb::AcceptGapResponse>, Status> {
        let call = self.context.authorize(request).await?;
        let tenant = call.tenant.clone();
        let answer = gaps::accept_gap(&self.context, call).await?;
        Ok(self.context.sealed(&tenant, answer.sequence, answer).await)
    }

    async fn reopen_gap(
        &self,
        request: Request<pb::ReopenGapRequest>,
    ) -> Result<Response<pb::ReopenGapResponse>, Status> {
        let call = self.context.authorize(request).await?;
        Ok(Response::new(gaps::reopen_gap(&self.context, call).await?))
    }

    async fn review_drill(
        &self,
        request: Request<pb::ReviewDrillRequest>,
    ) -> Result<Response<pb::ReviewDrillResponse>, Status> {
        let call = self.context.authorize(request).await?;
        let tenant = call.tenant.clone();
        let answer = reviews::review_drill(&self.context, call).await?;
        Ok(self.context.sealed(&tenant, answer.sequence, answer).await)
    }

    async fn review_audit(
        &self,
        request: Request<pb::ReviewAuditRequest>,
    ) -> Result<Response<pb::ReviewAuditResponse>, Status> {
        let call = self.context.authorize(request).await?;
        let tenant = call.tenant.clone();
        let answer = reviews::review_audit(&self.context, call).await?;
        Ok(self.context.sealed(&tenant, answer.sequence, answer).await)
    }
}

fn format_name(format: ExportFormat) -> &'static str {
    match format {
        ExportFormat::Csv => "csv",
        ExportFormat::Oscal => "oscal",
        ExportFormat::Json | ExportFormat::Unspecified => "json",
    }
}
