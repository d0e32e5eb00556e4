//! /livez, /readyz, /metrics, and the same readiness for gRPC clients.

use std::time::Duration;

use axum::{Json, Router, http::StatusCode, response::IntoResponse, routing::get};
use http::header;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tonic_health::{ServingStatus, server::HealthReporter};

use super::Surroundings;
use crate::{
    health::{CheckReport, Health, Report, SHARED},
    telemetry,
};

/// How fast a failed check reaches gRPC clients that watch.
const MIRROR_INTERVAL: Duration = Duration::from_secs(2);

pub(super) fn router(around: &Surroundings) -> Router {
    let (health, shutdown) = (around.health.clone(), around.shutdown.clone());
    Router::new()
        .route("/livez", get(|| async { Json(json!({ "alive": true })) }))
        .route("/readyz", get(move || readyz(health.clone(), shutdown.clone())))
        .route("/metrics", get(metrics))
}

async fn readyz(health: Health, shutdown: CancellationToken) -> impl IntoResponse {
    let report = report(&health, &shutdown).await;
    let status = if report.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, [(header::CACHE_CONTROL, "no-store")], Json(report))
}

/// A process that is stopping says so before it closes.
async fn report(health: &Health, shutdown: &CancellationToken) -> Report {
    if shutdown.is_cancelled() {
        let stopping = CheckReport {
            service: SHARED.to_owned(),
            name: "running".to_owned(),
            ok: false,
            problem: Some("the process is stopping".to_owned()),
            notice: None,
        };
        return Report { ready: false, checks: vec![stopping] };
    }
    health.report().await
}

async fn metrics() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], telemetry::metrics::handle().render())
}

/// Keeps grpc.health.v1 equal to /readyz: "" for all, and each gRPC service by its own and the shared checks.
pub(super) async fn mirror(
    health: Health,
    reporter: HealthReporter,
    owners: Vec<(&'static str, &'static str)>,
    shutdown: CancellationToken,
) {
    loop {
        let report = report(&health, &shutdown).await;
        reporter.set_service_status("", status(report.ready)).await;
        for (grpc, service) in &owners {
            let ready = !shutdown.is_cancelled() && report.is_service_ready(service);
            reporter.set_service_status(*grpc, status(ready)).await;
        }
        if shutdown.is_cancelled() {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(MIRROR_INTERVAL) => {}
            // Once more, to say "not serving".
            () = shutdown.cancelled() => {}
        }
    }
}

fn status(ready: bool) -> ServingStatus {
    if ready { ServingStatus::Serving } else { ServingStatus::NotServing }
}
