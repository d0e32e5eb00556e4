//! gRPC, gRPC-Web and HTTP on one real socket.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use crate::common::{Served, eventually, listener, start};
use axum::{Router, routing::get};
use http::StatusCode;
use muster_runtime::{Health, Service};
use tonic::{Code, Request, transport::Channel};
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};

async fn serve(services: Vec<Service>) -> Served {
    start(listener().await, services, Health::new())
}

async fn channel(served: &Served) -> Channel {
    Channel::from_shared(served.url("")).unwrap().connect().await.unwrap()
}

fn page() -> Service {
    Service::new("console").http(
        Router::new()
            .route("/hello", get(|| async { "hello" }))
            .route(
                "/panic",
                get(|| async {
                    if true {
                        panic!("boom")
                    }
                }),
            )
            .route("/slow", get(std::future::pending::<()>)),
    )
}

#[tokio::test]
async fn grpc_health_and_reflection_answer() {
    let served = serve(vec![page()]).await;
    let channel = channel(&served).await;
    let health = HealthClient::new(channel.clone()).check(HealthCheckRequest::default()).await.unwrap();
    assert_eq!(health.into_inner().status(), ServingStatus::Serving);

    let ask = ServerReflectionRequest {
        message_request: Some(MessageRequest::ListServices(String::new())),
        ..Default::default()
    };
    let mut answers = ServerReflectionClient::new(channel)
        .server_reflection_info(tokio_stream::once(ask))
        .await
        .unwrap()
        .into_inner();
    let Some(MessageResponse::ListServicesResponse(list)) = answers.message().await.unwrap().unwrap().message_response
    else {
        panic!("no list")
    };
    let names: Vec<String> = list.service.into_iter().map(|s| s.name).collect();
    for name in ["muster.request.v1.ApprovalService", "muster.audit.v1.AuditService", "grpc.health.v1.Health"] {
        assert!(names.iter().any(|n| n == name), "{name} in {names:?}");
    }
}

#[tokio::test]
async fn grpc_web_over_http_1_answers() {
    let served = serve(vec![page()]).await;
    let response = reqwest::Client::new()
        .post(served.url("/grpc.health.v1.Health/Check"))
        .header("content-type", "application/grpc-web+proto")
        .header("x-grpc-web", "1")
        // One frame: not compressed, no bytes.
        .body(vec![0_u8; 5])
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["content-type"], "application/grpc-web+proto");
    let body = response.bytes().await.unwrap();
    // The message { status: SERVING }, then the trailers as a frame of their own.
    assert_eq!(&body[..7], [0, 0, 0, 0, 2, 8, 1]);
    assert_eq!(body[7], 0x80);
    assert!(String::from_utf8_lossy(&body[12..]).contains("grpc-status:0"));
}

#[tokio::test]
async fn http_routes_answer_beside_it() {
    let served = serve(vec![page()]).await;
    let response = reqwest::get(served.url("/hello")).await.unwrap();
    assert_eq!(response.headers()["x-content-type-options"], "nosniff");
    assert_eq!(response.headers()["x-frame-options"], "DENY");
    assert_eq!(response.text().await.unwrap(), "hello");
    assert_eq!(reqwest::get(served.url("/nowhere")).await.unwrap().status(), StatusCode::NOT_FOUND);
    assert_eq!(reqwest::get(served.url("/livez")).await.unwrap().status(), StatusCode::OK);
    let metrics = reqwest::get(served.url("/metrics")).await.unwrap().text().await.unwrap();
    assert!(metrics.contains(r#"muster_requests_total{kind="http",method="GET /hello",code="200"}"#), "{metrics}");
}

#[tokio::test]
async fn an_unknown_method_is_unimplemented_and_makes_no_series() {
    let served = serve(vec![page()]).await;
    let mut client = tonic::client::Grpc::new(channel(&served).await);
    client.ready().await.unwrap();
    let path = http::uri::PathAndQuery::from_static("/invented.v1.Service/Method");
    let codec = tonic_prost::ProstCodec::<HealthCheckRequest, HealthCheckRequest>::default();
    let status = client.unary(Request::new(HealthCheckRequest::default()), path, codec).await.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);
    let metrics = reqwest::get(served.url("/metrics")).await.unwrap().text().await.unwrap();
    assert!(!metrics.contains("invented"), "{metrics}");
    assert!(metrics.contains(r#"kind="grpc",method="unknown""#), "{metrics}");
}

#[tokio::test]
async fn a_panic_and_a_slow_handler_are_answers() {
    let served = serve(vec![page()]).await;
    assert_eq!(reqwest::get(served.url("/panic")).await.unwrap().status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(reqwest::get(served.url("/slow")).await.unwrap().status(), StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(reqwest::get(served.url("/hello")).await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn readyz_names_the_failed_check_and_grpc_health_follows() {
    let well = Arc::new(AtomicBool::new(true));
    let seen = well.clone();
    let service = Service::new("monitor").check("lag", move || {
        let ok = seen.load(Ordering::SeqCst);
        async move { if ok { Ok(()) } else { Err("behind by 90 s".to_owned()) } }
    });
    let served = start(listener().await, vec![service], Health::new());
    let ready = || async { reqwest::get(served.url("/readyz")).await.unwrap().status() == StatusCode::OK };
    eventually("ready", ready).await;

    well.store(false, Ordering::SeqCst);
    eventually("not ready", || async { !ready().await }).await;
    let body: serde_json::Value = reqwest::get(served.url("/readyz")).await.unwrap().json().await.unwrap();
    assert_eq!(body["ready"], false);
    assert_eq!(body["checks"][0]["name"], "lag");
    assert_eq!(body["checks"][0]["problem"], "behind by 90 s");

    let client = HealthClient::new(channel(&served).await);
    eventually("grpc says so too", || {
        let mut client = client.clone();
        async move {
            client.check(HealthCheckRequest::default()).await.unwrap().into_inner().status()
                == ServingStatus::NotServing
        }
    })
    .await;
}

#[tokio::test]
async fn shutdown_ends_tasks_and_is_bounded() {
    let stopped = Arc::new(AtomicBool::new(false));
    let token = tokio_util::sync::CancellationToken::new();
    let (task_token, flag) = (token.clone(), stopped.clone());
    let polite = page().task("polite", move || {
        let (token, flag) = (task_token.clone(), flag.clone());
        async move {
            token.cancelled().await;
            flag.store(true, Ordering::SeqCst);
        }
    });
    let stubborn = Service::new("stubborn").task("deaf", std::future::pending::<()>);
    let served = serve(vec![polite, stubborn]).await;
    assert_eq!(reqwest::get(served.url("/hello")).await.unwrap().status(), StatusCode::OK);
    token.cancel();
    served.shutdown.cancel();
    tokio::time::timeout(std::time::Duration::from_secs(8), served.ended).await.unwrap().unwrap().unwrap();
    assert!(stopped.load(Ordering::SeqCst));
}

#[tokio::test]
async fn two_services_of_one_name_are_refused() {
    let served = serve(vec![page(), Service::new("console")]).await;
    assert!(served.ended.await.unwrap().is_err());
}
