use std::sync::Arc;

use muster_domain::{
    pb::readiness::v1::{AlertKind, Status},
    readiness::rules::codes,
};
use muster_eventlog::{run_projection, run_timers};
use tokio::sync::Mutex;

use super::world::{World, eventually, nothing, spec};
use crate::{Monitor, freshness, projection::ReadinessTables};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_collection_stops_the_status_degrades_and_lost_sight_is_told() {
    let world = World::new().await;
    world.declare("orders-db", spec(60)).await;
    let monitor = world.run().await;
    eventually("green", || async {
        world.see("orders-db", nothing).await;
        world.state("orders-db").await.status == Some(Status::Green)
    })
    .await;
    let seen = Mutex::new(Vec::new());
    eventually("the lost-sight alert", || async {
        seen.lock().await.extend(world.view("orders-db").await.and_then(|view| view.assessment).map(|a| a.status()));
        world.state("orders-db").await.alert(AlertKind::LostSight).is_some()
    })
    .await;
    let seen = seen.into_inner();
    assert!(seen.contains(&Status::Yellow), "stale before it is lost: {seen:?}");
    eventually("unknown, with what was known last", || async {
        let view = world.view("orders-db").await.unwrap();
        let assessment = view.assessment.unwrap();
        assessment.status() == Status::Unknown
            && codes(&assessment).any(|c| c.name() == "SIGHT_LOST")
            && view.last_known_good.is_some_and(|good| good.status() == Status::Green)
            && view.active_site.is_empty()
            && view.freshness.is_some_and(|f| f.seconds >= 5)
    })
    .await;
    monitor.stop().await;
}

/// No worker runs: the timers alone notice it, and a reader is answered by the rules.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silence_is_noticed_although_nothing_judges_any_more() {
    let world = World::new().await;
    world.declare("orders-db", spec(60)).await;
    let monitor = world.run().await;
    eventually("green in the tables", || async {
        world.see("orders-db", nothing).await;
        let view = world.view("orders-db").await;
        view.and_then(|v| v.assessment).is_some_and(|a| a.status() == Status::Green)
    })
    .await;
    monitor.stop().await;

    let context = world.context();
    let bare = Monitor::new(&context);
    tokio::spawn(run_projection(
        context.log.clone(),
        context.db.clone(),
        Arc::new(ReadinessTables),
        context.shutdown.clone(),
    ));
    tokio::spawn(run_timers(
        context.log.clone(),
        freshness::HANDLER,
        Arc::new(freshness::Silence(bare)),
        context.shutdown.clone(),
    ));
    eventually("the lost-sight alert", || async {
        world.state("orders-db").await.alert(AlertKind::LostSight).is_some()
    })
    .await;
    assert_eq!(world.state("orders-db").await.status, Some(Status::Unknown));
    context.shutdown.cancel();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_never_observed_is_unknown_and_told() {
    let world = World::new().await;
    world.declare("orders-db", spec(60)).await;
    let monitor = world.run().await;
    eventually("told", || async { world.state("orders-db").await.alert(AlertKind::LostSight).is_some() }).await;
    let assessment = world.view("orders-db").await.unwrap().assessment.unwrap();
    assert!(codes(&assessment).any(|c| c.name() == "NEVER_OBSERVED"));
    monitor.stop().await;
}
