//! An event carries the trace it was decided in.

use muster_local::nats::NatsServer;
use opentelemetry::trace::TracerProvider;
use tracing_subscriber::layer::SubscriberExt;

use crate::support::{Counter, counted, id, meta, provisioned, tenant, the_whole_log};

#[tokio::test]
async fn a_traced_append_carries_its_trace() {
    let nats = NatsServer::temporary().await.unwrap();
    let log = provisioned(nats.url(), 1, &["acme"]).await;
    let tracer = opentelemetry_sdk::trace::SdkTracerProvider::default().tracer("test");
    let subscriber = tracing_subscriber::registry().with(tracing_opentelemetry::layer().with_tracer(tracer));
    let _default = tracing::subscriber::set_default(subscriber);
    let append = async { log.append::<Counter>(&tenant("acme"), &id("traced"), 1, &meta(), &counted(1)).await };
    tracing::Instrument::instrument(append, tracing::info_span!("deciding")).await.unwrap();
    let records = the_whole_log(&log, &["counter"]).await;
    let traceparent = records[0].traceparent.clone().unwrap();
    let parts: Vec<_> = traceparent.split('-').map(str::len).collect();
    assert_eq!(parts, [2, 32, 16, 2], "{traceparent}");
}
