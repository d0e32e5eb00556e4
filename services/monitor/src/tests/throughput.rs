//! A thousand observations a second, measured by hand: `cargo test --release -p muster-monitor throughput -- --ignored --nocapture`.

use std::time::Duration;

use jiff::Timestamp;
use muster_domain::{
    Aggregate,
    pb::readiness::v1::{ReadinessEvent, Status, readiness_event::Event},
    readiness::Readiness,
    time::from_pb,
};
use muster_eventlog::live_fold;
use tokio_util::sync::CancellationToken;

use super::world::{World, eventually, lsn, nothing, severed, spec};

const RESOURCES: usize = 1000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes a minute and measures; run it by hand"]
async fn a_thousand_observations_a_second() {
    let world = World::new().await;
    let names: Vec<String> = (0..RESOURCES).map(|n| format!("db-{n}")).collect();
    for name in &names {
        world.declare(name, spec(60)).await;
    }
    let (sender, mut recorded) = tokio::sync::mpsc::unbounded_channel();
    let fold = live_fold(
        &world.log,
        &[Readiness::KIND],
        move |record| {
            if let Ok(ReadinessEvent { event: Some(Event::StatusChanged(e)) }) = record.decode() {
                let observed_at = from_pb(e.assessment.and_then(|a| a.observed_at).as_ref());
                let _ = sender.send((Timestamp::now(), observed_at, record.id.clone())); // measured later
            }
        },
        CancellationToken::new(),
    );
    fold.caught_up().await;
    let monitor = world.run().await;
    eventually("all green", || async {
        round(&world, &names, |_| false, 0).await;
        world.state(&names[RESOURCES - 1]).await.status == Some(Status::Green)
    })
    .await;
    while recorded.try_recv().is_ok() {}

    // Twenty rounds of one second: in each, a twentieth of the fleet is cut off and so turns red.
    let cut = lsn(Timestamp::now());
    for turn in 0..20_usize {
        let began = tokio::time::Instant::now();
        round(&world, &names, |n| n % 20 <= turn, cut).await;
        tokio::time::sleep_until(began + Duration::from_secs(1)).await;
    }
    let mut took = Vec::new();
    while took.len() < RESOURCES {
        let next = tokio::time::timeout(Duration::from_secs(20), recorded.recv()).await.unwrap().unwrap();
        if let (at, Some(observed_at), _) = next {
            took.push(at.duration_since(observed_at).as_secs_f64() * 1000.0);
        }
    }
    took.sort_by(f64::total_cmp);
    let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize];
    println!("observation to recorded status: p50 {:.1} ms, p99 {:.1} ms, worst {:.1} ms", at(0.5), at(0.99), at(1.0));
    assert!(at(0.99) < 1000.0);
    assert!(world.nats_pid().is_some());
    monitor.stop().await;
}

/// One look at each, in ten messages over the second.
async fn round(world: &World, names: &[String], is_cut: impl Fn(usize) -> bool, cut: u64) {
    for (index, part) in names.chunks(RESOURCES / 10).enumerate() {
        let first = index * RESOURCES / 10;
        let observations = part.iter().enumerate().map(|(n, name)| {
            if is_cut(first + n) { world.observation(name, severed(cut)) } else { world.observation(name, nothing) }
        });
        world.publish(observations.collect()).await;
        tokio::time::sleep(Duration::from_millis(80)).await;
    }
}
