//! The gRPC face: reading only.

use std::{pin::Pin, time::Duration};

use futures::Stream;
use muster_domain::{
    audit::Export,
    pb::audit::v1::{
        ExportCreated, ExportEvent, ExportEventsRequest, ExportEventsResponse, ExportFormat, ListEventsRequest,
        ListEventsResponse, audit_service_server::AuditService, export_event,
    },
    refusal::field_refusal,
};
use muster_eventlog::wait_for;
use muster_runtime::{Context, IntoStatus, page, refused, status::internal};
use tonic::{Request, Response, Status};

use crate::{export, filter, projection, query};

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
            format => format,
        };
        let export_id = self.context.clock.new_id();
        let created = ExportCreated {
            export_id: export_id.to_string(),
            format: format_name(format).into(),
            filter: ask.filter.clone(),
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
}

fn format_name(format: ExportFormat) -> &'static str {
    match format {
        ExportFormat::Csv => "csv",
        ExportFormat::Json | ExportFormat::Unspecified => "json",
    }
}
