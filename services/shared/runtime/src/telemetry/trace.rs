//! W3C trace context: in from requests, out to the log and to logs.

use http::HeaderMap;
use opentelemetry::{
    Context,
    propagation::{Extractor, Injector},
    trace::{SpanId, TraceContextExt, TraceId},
};
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// The trace a request says it belongs to. A malformed `traceparent` starts a new trace.
pub fn parent_of(headers: &HeaderMap) -> Context {
    opentelemetry::global::get_text_map_propagator(|propagator| propagator.extract(&Headers(headers)))
}

/// `traceparent` of the current span; absent outside a span or without telemetry.
pub fn current_traceparent() -> Option<String> {
    let mut carrier = Carrier::default();
    let context = tracing::Span::current().context();
    opentelemetry::global::get_text_map_propagator(|propagator| propagator.inject_context(&context, &mut carrier));
    carrier.traceparent
}

/// The ids, if the context belongs to a trace.
pub(super) fn ids_of(context: &Context) -> Option<(TraceId, SpanId)> {
    let span = context.span();
    let ids = span.span_context();
    ids.is_valid().then(|| (ids.trace_id(), ids.span_id()))
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(|value| value.to_str().ok())
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(http::HeaderName::as_str).collect()
    }
}

#[derive(Default)]
struct Carrier {
    traceparent: Option<String>,
}

impl Injector for Carrier {
    fn set(&mut self, key: &str, value: String) {
        if key == "traceparent" {
            self.traceparent = Some(value);
        }
    }
}
