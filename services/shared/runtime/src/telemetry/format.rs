//! Log lines that carry the ids of the trace they belong to.

use std::fmt;

use tracing::{Event, Subscriber, dispatcher};
use tracing_subscriber::{
    Layer,
    fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter, format, format::Writer},
    registry::LookupSpan,
};

use super::trace;
use crate::config::LogFormat;

/// The layer that writes the lines.
pub fn layer<S, W>(kind: LogFormat, writer: W) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    // Fields of spans are formatted by the layer: colours off here, too, or logs are full of escapes.
    let layer = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(false);
    match kind {
        LogFormat::Json => Box::new(layer.json().map_event_format(|_| WithTrace {
            inner: format().json().flatten_event(true).with_span_list(false),
            json: true,
        })),
        LogFormat::Text => {
            Box::new(layer.map_event_format(|_| WithTrace { inner: format().with_ansi(false), json: false }))
        }
    }
}

/// Adds `trace_id` and `span_id` to what the inner format writes.
struct WithTrace<F> {
    inner: F,
    json: bool,
}

impl<S, N, F> FormatEvent<S, N> for WithTrace<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut line = String::new();
        self.inner.format_event(context, Writer::new(&mut line), event)?;
        // Not the layer's own view: a level filter would hide the span whose ids we want.
        let ids = dispatcher::get_default(|dispatch| {
            let span = dispatch.current_span().id().cloned()?;
            trace::ids_of(&tracing_opentelemetry::get_otel_context(&span, dispatch)?)
        });
        match ids {
            None => writer.write_str(&line),
            Some((trace_id, span_id)) if self.json => match line.strip_prefix('{') {
                Some(rest) => write!(writer, "{{\"trace_id\":\"{trace_id}\",\"span_id\":\"{span_id}\",{rest}"),
                None => writer.write_str(&line),
            },
            Some((trace_id, span_id)) => writeln!(writer, "{} trace_id={trace_id} span_id={span_id}", line.trim_end()),
        }
    }
}
