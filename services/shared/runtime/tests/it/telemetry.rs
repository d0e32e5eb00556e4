//! Trace ids are real without a collector, and a caller's trace goes on.

use std::sync::{Arc, Mutex};

use crate::common::{listener, start};
use axum::{Router, routing::get};
use muster_runtime::{Health, Service, Telemetry, config, telemetry::trace::current_traceparent};

async fn traceparent() -> String {
    tracing::warn!(resource = "orders-db", "asked");
    current_traceparent().unwrap_or_default()
}

/// The lines that this process logs.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Takes in what is exported over OTLP.
async fn collector(received: Lines) -> String {
    let export = move |body: axum::body::Bytes| {
        std::io::Write::write_all(&mut received.clone(), &body).unwrap();
        async { ([("content-type", "application/grpc"), ("grpc-status", "0")], "") }
    };
    let listener = listener().await;
    let url = format!("http://{}", listener.local_addr().unwrap());
    let path = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
    tokio::spawn(async move { axum::serve(listener, Router::new().route(path, axum::routing::post(export))).await });
    url
}

#[tokio::test]
async fn a_traceparent_goes_through_and_one_is_made_without() {
    let lines = Lines::default();
    let writer = lines.clone();
    let exported = Lines::default();
    let config =
        config::Telemetry { otlp_endpoint: Some(collector(exported.clone()).await), ..config::Telemetry::default() };
    let telemetry = Telemetry::install_with(&config, "test", move || writer.clone()).unwrap();
    let service = Service::new("echo").http(Router::new().route("/trace", get(traceparent)));
    let served = start(listener().await, vec![service], Health::new());

    let sent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let ask = |header: &'static str| {
        let request = reqwest::Client::new().get(served.url("/trace")).header("traceparent", header);
        async { request.send().await.unwrap().text().await.unwrap() }
    };
    let continued = ask(sent).await;
    assert_eq!(continued[..36], sent[..36], "the trace id stays");
    assert_ne!(continued, sent, "the span is ours");

    let (one, two) = (ask("garbage").await, ask("garbage").await);
    for made in [&one, &two] {
        assert_eq!((made.len(), &made[..3]), (55, "00-"), "{made}");
        assert!(!made.contains("00000000000000000000000000000000"), "{made}");
    }
    assert_ne!(one[3..35], two[3..35]);

    let written = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let line = written.lines().find(|line| line.contains("asked") && line.contains(&continued[3..35])).unwrap();
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!(
        (line["trace_id"].as_str(), line["span_id"].as_str()),
        (Some(&continued[3..35]), Some(&continued[36..52])),
        "{line}"
    );
    assert_eq!(
        (line["level"].as_str(), line["resource"].as_str(), line["message"].as_str()),
        (Some("WARN"), Some("orders-db"), Some("asked"))
    );

    // Shutting down sends what is still waiting.
    telemetry.shutdown().await;
    let id = u128::from_str_radix(&continued[3..35], 16).unwrap().to_be_bytes();
    assert!(exported.0.lock().unwrap().windows(16).any(|window| window == id), "the trace was not exported");
}
