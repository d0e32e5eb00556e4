//! A run belongs to the trace of the command that confirmed it.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use muster_domain::pb::request::v1::RequestType;
use muster_eventlog::live_fold;
use muster_runtime::{Telemetry, config};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::{
    movers::{Around, movers},
    world::{World, eventually},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_event_of_a_run_continues_the_trace_of_its_confirmation() {
    let _telemetry =
        Telemetry::install(&config::Telemetry { log_level: "off".into(), ..Default::default() }, "test").unwrap();
    let mut world = World::start().await;
    // A run that ends at once is enough.
    world.config.executor.agents.clear();
    let (find, _) = movers(Around::Nothing);
    let _executor = world.executor(find).await;
    let request = world.approved(RequestType::Switchover, "east").await;
    world.confirm(&request).instrument(tracing::info_span!(target: "muster_test", "command")).await;
    world.ended(&request).await;

    let seen = Arc::new(Mutex::new(Vec::new()));
    let (folded, stop) = (seen.clone(), CancellationToken::new());
    let _fold = live_fold(
        &world.log,
        &["request", "execution", "reservation"],
        move |record| {
            // "00-<trace>-<span>-01"
            let trace = record.traceparent.as_ref().map(|text| text.split('-').nth(1).unwrap().to_owned());
            folded.lock().unwrap().push((record.event_type.clone(), trace));
        },
        stop.clone(),
    );
    let of = |event: &str| seen.lock().unwrap().iter().find(|(kind, _)| kind == event).map(|(_, trace)| trace.clone());
    eventually("the events are read", async || of("resource.released").is_some()).await;
    stop.cancel();
    let command = of("request.confirmed").unwrap().expect("the command has a trace");
    let events = ["resource.reserved", "execution.started", "execution.failed", "resource.released"];
    let traces: BTreeSet<_> = events.iter().map(|event| of(event).unwrap()).collect();
    assert_eq!(traces, BTreeSet::from([Some(command)]));
}
