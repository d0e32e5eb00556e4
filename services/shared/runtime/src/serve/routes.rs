//! Puts the routes of all services behind one door and the same guards.

use axum::{
    Router,
    extract::Request,
    middleware::{from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
};
use http::{HeaderName, HeaderValue, header};
use tonic::service::Routes;
use tower::ServiceExt;
use tower_http::set_header::SetResponseHeaderLayer;

use super::{ServeError, Service, Surroundings, guard, probes};
use crate::telemetry::requests::{observe_grpc, observe_http};

/// The gRPC and the HTTP side, told apart by the content type.
pub(super) fn build(around: &Surroundings, services: Vec<Service>) -> Result<Router, ServeError> {
    let (reporter, grpc_health) = tonic_health::server::health_reporter();
    let owners: Vec<(&'static str, &'static str)> =
        services.iter().flat_map(|s| s.grpc_names().iter().map(|name| (*name, s.name()))).collect();
    tokio::spawn(probes::mirror(around.health.clone(), reporter, owners, around.shutdown.clone()));

    let mut grpc = Routes::default()
        .add_service(grpc_health)
        .add_service(reflection_v1()?)
        .add_service(reflection_v1alpha()?)
        .into_axum_router();
    let mut http = probes::router(around);
    for service in services {
        let (grpc_routes, http_routes) = service.into_routers();
        grpc = grpc.merge(grpc_routes);
        if let Some(routes) = http_routes {
            http = http.merge(routes);
        }
    }
    let grpc = guard_grpc(grpc, around);
    let http = guard_http(http, around);
    Ok(Router::new().fallback(move |request: Request| {
        let side = if is_grpc(&request) { grpc.clone() } else { http.clone() };
        async move { side.oneshot(request).await.into_response() }
    }))
}

/// Browsers' calls below it belong to the console, which attaches the session's token and calls back in.
const CONSOLE_CALLS: &str = "/rpc/";

/// "application/grpc", "application/grpc+proto", "application/grpc-web", "application/grpc-web-text", …
fn is_grpc(request: &Request) -> bool {
    if request.uri().path().starts_with(CONSOLE_CALLS) {
        return false;
    }
    let content_type = request.headers().get(header::CONTENT_TYPE);
    content_type.is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}

/// Innermost first: time, panics, numbers and span, translation for browsers.
fn guard_grpc(router: Router, around: &Surroundings) -> Router {
    router
        .layer(from_fn_with_state(*around.config.request_timeout, guard::limit_grpc_time))
        .layer(from_fn(guard::catch_grpc_panic))
        .layer(from_fn(observe_grpc))
        .layer(tonic_web::GrpcWebLayer::new())
}

fn guard_http(router: Router, around: &Surroundings) -> Router {
    router
        .layer(from_fn_with_state(*around.config.request_timeout, guard::limit_http_time))
        .layer(from_fn(guard::catch_http_panic))
        .layer(default_header("x-content-type-options", "nosniff"))
        .layer(default_header("x-frame-options", "DENY"))
        .layer(default_header("referrer-policy", "no-referrer"))
        .layer(from_fn(observe_http))
}

/// Set unless the handler said otherwise.
fn default_header(name: &'static str, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::if_not_present(HeaderName::from_static(name), HeaderValue::from_static(value))
}

macro_rules! reflection {
    ($name:ident, $build:ident) => {
        fn $name() -> Result<
            impl tower::Service<
                Request<tonic::body::Body>,
                Error = std::convert::Infallible,
                Response = Response<tonic::body::Body>,
                Future: Send + 'static,
            > + tonic::server::NamedService
            + Clone
            + Send
            + Sync
            + 'static,
            tonic_reflection::server::Error,
        > {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(muster_proto::FILE_DESCRIPTOR_SET)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
                .$build()
        }
    };
}
// grpcurl and older clients still ask v1alpha.
reflection!(reflection_v1, build_v1);
reflection!(reflection_v1alpha, build_v1alpha);
