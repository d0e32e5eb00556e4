//! One trace from the operator's command to the last step: a run continues the trace its confirmation was recorded in.

use http::{HeaderMap, HeaderValue};
use muster_runtime::telemetry::trace::parent_of;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::unfinished::RunKey;

pub(crate) fn span(run: &RunKey, traceparent: Option<&str>) -> Span {
    let span = tracing::info_span!("run", tenant = %run.tenant, request = %run.id);
    if let Some(value) = traceparent.and_then(|text| HeaderValue::from_str(text).ok()) {
        let headers = HeaderMap::from_iter([(http::HeaderName::from_static("traceparent"), value)]);
        // An error means that no telemetry is installed: then there is no trace to continue either.
        let _ = span.set_parent(parent_of(&headers));
    }
    span
}
