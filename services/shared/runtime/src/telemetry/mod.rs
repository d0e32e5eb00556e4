//! Logs to standard error, traces over OTLP, metrics for Prometheus.

pub mod format;
pub mod metrics;
pub mod requests;
pub mod trace;

use std::time::Duration;

use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::WithExportConfig;
use opentelemetry_sdk::{Resource, propagation::TraceContextPropagator, trace::SdkTracerProvider};
use tracing_subscriber::{
    EnvFilter, Layer, filter::Targets, fmt::MakeWriter, layer::SubscriberExt, util::SubscriberInitExt,
};

use crate::config;

/// How long a stopping process waits for the last spans to leave.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(5);
const EXPORT_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    #[error(
        "telemetry.log_level '{value}' is not a filter: {problem}. Next: use a level such as info, or info,muster_executor=debug"
    )]
    LogLevel { value: String, problem: String },
    #[error(
        "telemetry.otlp_endpoint '{endpoint}' cannot be used: {problem}. Next: use the http(s) URL of an OTLP gRPC receiver"
    )]
    Endpoint { endpoint: String, problem: String },
    #[error("telemetry is already installed in this process")]
    AlreadyInstalled,
}

/// What runs until the process ends.
#[must_use = "call shutdown at the end, else the last spans are lost"]
#[derive(Debug)]
pub struct Telemetry {
    tracer_provider: SdkTracerProvider,
}

impl Telemetry {
    /// Once per process, inside the tokio runtime. Trace and span ids are real even when nothing is exported,
    /// so that `traceparent` in the log of events is never made up.
    pub fn install(config: &config::Telemetry, instance: &str) -> Result<Self, TelemetryError> {
        // Standard output belongs to commands.
        let telemetry = Self::install_with(config, instance, std::io::stderr)?;
        log_panics();
        Ok(telemetry)
    }

    /// The same, with the log lines going elsewhere.
    pub fn install_with<W>(config: &config::Telemetry, instance: &str, writer: W) -> Result<Self, TelemetryError>
    where
        W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
    {
        opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
        let tracer_provider = tracer_provider(config, instance)?;
        opentelemetry::global::set_tracer_provider(tracer_provider.clone());

        let level = EnvFilter::try_new(&config.log_level)
            .map_err(|e| TelemetryError::LogLevel { value: config.log_level.clone(), problem: e.to_string() })?;
        // Only our own spans become traces: the exporter's client must not trace its own exports.
        let traced = Targets::new().with_target("muster", tracing::Level::INFO);
        let spans = tracing_opentelemetry::layer().with_tracer(tracer_provider.tracer("muster")).with_filter(traced);
        tracing_subscriber::registry()
            .with(spans)
            .with(format::layer(config.log_format, writer).with_filter(level))
            .try_init()
            .map_err(|_| TelemetryError::AlreadyInstalled)?;

        metrics::handle();
        Ok(Self { tracer_provider })
    }

    /// Sends what is still waiting. Bounded, so that a dead collector cannot hold the process.
    pub async fn shutdown(self) {
        let flushed =
            tokio::task::spawn_blocking(move || self.tracer_provider.shutdown_with_timeout(FLUSH_TIMEOUT)).await;
        if let Ok(Err(error)) = flushed {
            tracing::warn!(%error, "the last traces could not be sent");
        }
    }
}

fn tracer_provider(config: &config::Telemetry, instance: &str) -> Result<SdkTracerProvider, TelemetryError> {
    let resource = Resource::builder()
        .with_service_name("muster")
        .with_attribute(opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .with_attribute(opentelemetry::KeyValue::new("service.instance.id", instance.to_owned()))
        .build();
    let builder = SdkTracerProvider::builder().with_resource(resource);
    let Some(endpoint) = &config.otlp_endpoint else { return Ok(builder.build()) };
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_tonic()
        .with_endpoint(endpoint)
        .with_timeout(EXPORT_TIMEOUT)
        .build()
        .map_err(|e| TelemetryError::Endpoint { endpoint: endpoint.clone(), problem: e.to_string() })?;
    Ok(builder.with_batch_exporter(exporter).build())
}

/// A panic becomes a log line like any other error; its task ends, not the process.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let message = panic.payload_as_str().unwrap_or("without a message");
        tracing::error!(place, message, "panic");
    }));
}
