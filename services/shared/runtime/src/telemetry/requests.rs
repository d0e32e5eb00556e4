//! One span and one set of numbers for every request, gRPC or HTTP.

use std::{collections::HashSet, sync::OnceLock, time::Instant};

use axum::{
    extract::{MatchedPath, Request},
    middleware::Next,
    response::Response,
};
use prost::Message;
use tracing::{Instrument, field::Empty};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::trace;

/// What every method that is not ours is counted as: a caller must not be able to make time series.
const UNKNOWN: &str = "unknown";

/// Middleware for the gRPC routes.
pub async fn observe_grpc(request: Request, next: Next) -> Response {
    let path = request.uri().path().trim_start_matches('/');
    let method = known_methods().get(path).map_or(UNKNOWN, String::as_str);
    observe("grpc", method.to_owned(), request, next).await
}

/// Middleware for the HTTP routes.
pub async fn observe_http(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or(UNKNOWN, MatchedPath::as_str);
    let method = format!("{} {route}", verb(request.method()));
    observe("http", method, request, next).await
}

async fn observe(kind: &'static str, method: String, request: Request, next: Next) -> Response {
    let span = tracing::info_span!("request", otel.name = %method, otel.kind = "server", kind, method, tenant = Empty, actor = Empty, code = Empty);
    // An error means that no telemetry is installed: then there is no parent to keep either.
    let _ = span.set_parent(trace::parent_of(request.headers()));
    let started = Instant::now();
    let response = next.run(request).instrument(span.clone()).await;
    let code = code_of(kind, &response);
    span.record("code", code.as_str());
    metrics::counter!("muster_requests_total", "kind" => kind, "method" => method.clone(), "code" => code).increment(1);
    metrics::histogram!("muster_request_duration_seconds", "kind" => kind, "method" => method)
        .record(started.elapsed());
    response
}

/// A gRPC error of a unary call stands in the head; its absence there means that an answer follows.
fn code_of(kind: &str, response: &Response) -> String {
    if kind == "http" {
        return response.status().as_u16().to_string();
    }
    match tonic::Status::from_header_map(response.headers()) {
        Some(status) => format!("{:?}", status.code()),
        None if response.status().is_success() => "Ok".to_owned(),
        None => response.status().as_u16().to_string(),
    }
}

fn verb(method: &http::Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "POST" => "POST",
        "PUT" => "PUT",
        "DELETE" => "DELETE",
        "HEAD" => "HEAD",
        _ => "OTHER",
    }
}

/// "muster.request.v1.ApprovalService/ApproveRequest" and the standard services.
fn known_methods() -> &'static HashSet<String> {
    static METHODS: OnceLock<HashSet<String>> = OnceLock::new();
    METHODS.get_or_init(|| {
        [
            muster_proto::FILE_DESCRIPTOR_SET,
            tonic_health::pb::FILE_DESCRIPTOR_SET,
            tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
        ]
        .into_iter()
        .filter_map(|set| prost_types::FileDescriptorSet::decode(set).ok())
        .flat_map(|set| set.file)
        .flat_map(|file| methods_of(&file))
        .collect()
    })
}

fn methods_of(file: &prost_types::FileDescriptorProto) -> Vec<String> {
    let package = file.package();
    let of_service = |service: &prost_types::ServiceDescriptorProto| {
        let name = format!("{package}.{}", service.name());
        service.method.iter().map(move |method| format!("{name}/{}", method.name())).collect::<Vec<_>>()
    };
    file.service.iter().flat_map(of_service).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_methods_and_the_standard_ones_are_known() {
        let known = known_methods();
        for method in ["muster.request.v1.ApprovalService/ApproveRequest", "grpc.health.v1.Health/Check"] {
            assert!(known.contains(method), "{method}");
        }
        assert!(!known.contains("x.Y/Z"));
    }
}
