//! The webhook channel against a receiver that verifies with the reference library and misbehaves on demand.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect};
use axum::routing::{get, post};
use jiff::SignedDuration;
use muster_domain::delivery::FailureCode;
use muster_notifier::channels::Channel;
use muster_notifier::channels::webhook::Webhook;
use standardwebhooks::Webhook as Verifier;

use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

use crate::support::{SECRET, outgoing, post_to, secrets};

type Received = Arc<Mutex<Vec<(HeaderMap, Bytes)>>>;

struct Receiver {
    url: String,
    received: Received,
}

impl Receiver {
    fn count(&self) -> usize {
        self.received.lock().unwrap().len()
    }
}

async fn receiver() -> Receiver {
    let received = Received::default();
    let seen = received.clone();
    let take = post(move |headers: HeaderMap, body: Bytes| async move {
        seen.lock().unwrap().push((headers, body));
        StatusCode::NO_CONTENT
    });
    let app = Router::new()
        .route("/take", take.clone())
        .route("/moved", post(|| async { Redirect::permanent("/take") }))
        .route("/gone", post(|| async { StatusCode::GONE }))
        .route("/bad", post(|| async { StatusCode::BAD_REQUEST }))
        .route(
            "/busy",
            post(|| async { (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "120")]).into_response() }),
        )
        .route("/away", post(|| async { StatusCode::SERVICE_UNAVAILABLE }))
        .route("/slow", post(std::future::pending::<StatusCode>))
        .route(
            "/endless",
            post(|| async {
                axum::body::Body::from_stream(futures::stream::repeat_with(|| {
                    Ok::<_, std::io::Error>(Bytes::from_static(&[b'x'; 1024]))
                }))
            }),
        )
        .route("/take", get(|| async { StatusCode::OK }));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    Receiver { url, received }
}

fn channel(allow: &[&str]) -> (tempfile::TempDir, Webhook) {
    let (dir, secrets) = secrets();
    (dir, Webhook::new(outgoing(allow), secrets))
}

#[tokio::test]
async fn what_arrives_is_what_was_signed() {
    let receiver = receiver().await;
    let (dir, webhook) = channel(&["127.0.0.1"]);
    // A rotation is under way: the new secret first.
    let new = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    std::fs::write(dir.path().join("acme/hook"), format!("{new}\n{SECRET}\n")).unwrap();
    let receipt = webhook.deliver(&post_to(&format!("{}/take", receiver.url))).await.unwrap();
    assert_eq!(receipt.0, "accepted by the webhook's receiver (HTTP 204)");

    let (headers, body) = receiver.received.lock().unwrap().remove(0);
    for secret in [new, SECRET] {
        Verifier::new(secret).unwrap().verify(&body, &headers).unwrap();
    }
    assert!(Verifier::new("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").unwrap().verify(&body, &headers).is_err());
    assert!(Verifier::new(SECRET).unwrap().verify(&[&body[..], b" "].concat(), &headers).is_err());
    assert_eq!(headers["content-type"], "application/json");
    assert!(headers["user-agent"].to_str().unwrap().starts_with("Muster/"));
    let id = headers["webhook-id"].to_str().unwrap();
    assert!(id.starts_with("msg_") && id.len() == 30 && !id.contains('.'), "{id}");

    let json: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(json["type"], "rpo.breached");
    assert_eq!(json["data"]["tenant"], "acme");
    assert_eq!(json["data"]["resource"], "orders-db");
    assert_eq!(json["data"]["tier"], "TIER_1");
    assert_eq!(json["data"]["reasons"][0], "RPO_BREACH: above the limit");
    assert!(json["timestamp"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok());
    assert!(body.len() < 20_000);
}

#[tokio::test]
async fn the_id_stays_over_attempts_and_endpoints_and_the_time_does_not() {
    let receiver = receiver().await;
    let (_dir, webhook) = channel(&["127.0.0.1"]);
    let mut attempt = post_to(&format!("{}/take?x=1", receiver.url));
    webhook.deliver(&attempt).await.unwrap();
    attempt.number = 2;
    attempt.now += SignedDuration::from_secs(7);
    attempt.delivery_id = uuid::Uuid::from_u128(2);
    webhook.deliver(&attempt).await.unwrap();
    let received = receiver.received.lock().unwrap();
    assert_eq!(received[0].0["webhook-id"], received[1].0["webhook-id"]);
    let second = |i: usize| received[i].0["webhook-timestamp"].to_str().unwrap().parse::<i64>().unwrap();
    assert_eq!(second(1) - second(0), 7);
    assert_eq!(received[0].1, received[1].1);
}

#[tokio::test]
async fn answers_mean_what_the_sheet_says() {
    let receiver = receiver().await;
    let (_dir, webhook) = channel(&["127.0.0.1"]);
    for (path, code, wait) in [
        ("/moved", FailureCode::Failed, None),
        ("/gone", FailureCode::Gone, None),
        ("/bad", FailureCode::Failed, None),
        ("/nowhere", FailureCode::Failed, None),
        ("/busy", FailureCode::Deferred, Some(SignedDuration::from_secs(120))),
        ("/away", FailureCode::Deferred, None),
    ] {
        let failure = webhook.deliver(&post_to(&format!("{}{path}", receiver.url))).await.unwrap_err();
        assert_eq!((failure.code, failure.retry_after), (code, wait), "{path}: {failure}");
    }
    assert_eq!(receiver.count(), 0, "a redirect was followed");
}

#[tokio::test]
async fn a_slow_or_endless_answer_does_not_hold_us() {
    let receiver = receiver().await;
    let (_dir, webhook) = channel(&["127.0.0.1"]);
    let started = Instant::now();
    let failure = webhook.deliver(&post_to(&format!("{}/slow", receiver.url))).await.unwrap_err();
    assert_eq!(failure.code, FailureCode::OutcomeUnknown, "{failure}");
    assert!(started.elapsed() < Duration::from_secs(60));
    webhook.deliver(&post_to(&format!("{}/endless", receiver.url))).await.unwrap();
}

#[tokio::test]
async fn a_reset_after_the_request_leaves_the_outcome_unknown_and_no_listener_does_not() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook?token=s3cret", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 64]).await;
            // Closed with data unread: the kernel answers with a reset.
        }
    });
    let (_dir, webhook) = channel(&["127.0.0.1"]);
    let failure = webhook.deliver(&post_to(&url)).await.unwrap_err();
    assert_eq!(failure.code, FailureCode::OutcomeUnknown, "{failure}");
    assert!(!failure.text.contains("s3cret"), "{failure}");

    let nobody = format!("http://127.0.0.1:{}/?token=s3cret", muster_local::free_port().unwrap());
    let failure = webhook.deliver(&post_to(&nobody)).await.unwrap_err();
    assert_eq!(failure.code, FailureCode::Unreachable, "{failure}");
    assert!(!failure.text.contains("s3cret"), "{failure}");
}

#[tokio::test]
async fn private_addresses_are_refused_before_anything_is_sent() {
    let receiver = receiver().await;
    let port = receiver.url.rsplit(':').next().unwrap();
    let (_dir, webhook) = channel(&[]);
    for url in [
        format!("{}/take", receiver.url),
        format!("https://localhost:{port}/take"),
        "https://localhost/take".into(),
        "https://169.254.169.254/latest/meta-data".into(),
        "https://[::1]/".into(),
    ] {
        let failure = webhook.deliver(&post_to(&url)).await.unwrap_err();
        assert_eq!(failure.code, FailureCode::Forbidden, "{url}: {failure}");
    }
    assert_eq!(receiver.count(), 0);
}

#[tokio::test]
async fn a_tls_endpoint_that_nobody_vouches_for_gets_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    // It answers the greeting with something that is not TLS.
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, b"HTTP/1.1 200 OK\r\n\r\n").await;
        }
    });
    let (_dir, webhook) = channel(&["127.0.0.1"]);
    let failure = webhook.deliver(&post_to(&format!("https://127.0.0.1:{port}/"))).await.unwrap_err();
    assert_eq!(failure.code, FailureCode::Unreachable, "{failure}");
}

#[tokio::test]
async fn a_missing_or_wrong_secret_is_named_and_nothing_is_sent() {
    let receiver = receiver().await;
    let (dir, webhook) = channel(&["127.0.0.1"]);
    let mut attempt = post_to(&format!("{}/take", receiver.url));
    std::fs::write(dir.path().join("acme/hook"), "hunter2-is-not-a-secret").unwrap();
    let failure = webhook.deliver(&attempt).await.unwrap_err();
    assert_eq!(failure.code, FailureCode::Misconfigured);
    assert!(!failure.text.contains("hunter2"), "{failure}");
    attempt.secret_ref = "file:other".into();
    assert_eq!(webhook.deliver(&attempt).await.unwrap_err().code, FailureCode::Misconfigured);
    assert_eq!(receiver.count(), 0);
}
