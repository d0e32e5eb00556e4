//! The process-wide Prometheus recorder.

use std::{sync::OnceLock, time::Duration};

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

/// From a local read (1 ms) to a request that ran into its timeout (30 s).
const SECONDS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
/// Histograms hold raw samples until they are drained; nobody may be scraping.
pub const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// The recorder of this process, installed at the first call.
pub fn handle() -> &'static PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE.get_or_init(|| {
        let builder = PrometheusBuilder::new();
        // The only error is an empty list of buckets; then histograms are summaries.
        let builder =
            builder.set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS).unwrap_or_default();
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        if metrics::set_global_recorder(recorder).is_err() {
            tracing::warn!("another metrics recorder is installed: /metrics will be empty");
        }
        describe();
        handle
    })
}

fn describe() {
    metrics::describe_counter!("muster_requests_total", "Requests answered, by kind, method and code");
    metrics::describe_histogram!(
        "muster_request_duration_seconds",
        metrics::Unit::Seconds,
        "Time to the head of the answer"
    );
    metrics::describe_counter!(
        "muster_task_ends_total",
        "Background tasks that ended or panicked and were started again"
    );
    metrics::describe_counter!("muster_denials_total", "Refused attempts, by code and whether they were recorded");
    metrics::describe_counter!("muster_denials_lost_total", "Refused attempts that could not be recorded");
    metrics::describe_counter!("muster_authentication_failures_total", "Calls without a usable token, by code");
    metrics::describe_gauge!(
        "muster_projection_lag_events",
        "Events not yet taken in, of the tenant that is most behind"
    );
    metrics::describe_counter!("muster_jwks_fetches_total", "Fetches of an issuer's keys, by outcome");
    metrics::describe_gauge!("muster_build_info", "Always 1; the version is a label");
    metrics::gauge!("muster_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
}
