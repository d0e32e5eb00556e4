use jiff::Timestamp;
use muster_domain::{
    pb::readiness::v1::{AlertKind, GetTrendRequest, Status},
    readiness::rules::codes,
    time::from_pb,
};
use muster_eventlog::{Projection, rebuild};
use sqlx::Row;
use std::{sync::Arc, time::Duration};

use super::world::{World, eventually, lsn, nothing, severed, spec};
use crate::{
    projection::ReadinessTables,
    read,
    stream::Hub,
    trend::{self, Range},
};

async fn status(world: &World) -> Option<Status> {
    world.view("orders-db").await?.assessment.map(|a| a.status())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn green_then_severed_then_red_and_told_then_well_again() {
    let world = World::new().await;
    world.declare("orders-db", spec(4)).await;
    let monitor = world.run().await;
    eventually("it is shown, and nothing is known of it", || async {
        world.view("orders-db").await.is_some_and(|v| v.owner == "shop" && v.freshness.is_none())
            && status(&world).await == Some(Status::Unknown)
    })
    .await;

    eventually("green in the log and in the view", || async {
        world.see("orders-db", nothing).await;
        world.state("orders-db").await.status == Some(Status::Green) && status(&world).await == Some(Status::Green)
    })
    .await;
    eventually("where it runs", || async {
        world.see("orders-db", nothing).await;
        let view = world.view("orders-db").await.unwrap();
        let quiet = view.open_alerts.is_empty() && view.last_known_good.is_none();
        view.active_site == "east" && view.freshness.is_some() && quiet
    })
    .await;

    let cut = lsn(Timestamp::now());
    eventually("the RPO alert", || async {
        world.see("orders-db", severed(cut)).await;
        world.state("orders-db").await.alert(AlertKind::RpoBreach).is_some()
    })
    .await;
    let told_at = Timestamp::now();
    assert_eq!(status(&world).await, Some(Status::Red));
    eventually("the alert in the tables", || async {
        read::alerts(&world.db, &world.tenant, "", false, None, 10).await.unwrap().len() == 2
    })
    .await;
    let alerts = read::alerts(&world.db, &world.tenant, "orders-db", false, None, 10).await.unwrap();
    let (_, rpo) = alerts.iter().find(|(_, a)| a.kind() == AlertKind::RpoBreach).unwrap();
    let breached = from_pb(rpo.condition_since.as_ref()).unwrap();
    let delay = told_at.duration_since(breached).as_secs_f64();
    assert!((1.0..5.0).contains(&delay), "told {delay} s after the breach");
    assert!(rpo.assessment.as_ref().unwrap().loss.as_ref().unwrap().text.contains("potential loss window up to"));

    eventually("well again", || async {
        world.see("orders-db", nothing).await;
        let state = world.state("orders-db").await;
        state.status == Some(Status::Green) && state.alerts.is_empty()
    })
    .await;
    tables_can_be_rebuilt(&world).await;
    history_is_kept(&world).await;
    monitor.stop().await;
}

async fn tables_can_be_rebuilt(world: &World) {
    eventually("no alert is open in the tables", || async {
        read::alerts(&world.db, &world.tenant, "", false, None, 10).await.unwrap().is_empty()
    })
    .await;
    let before = tables(world).await;
    rebuild(world.log.clone(), world.db.clone(), Arc::new(ReadinessTables), |_| {}).await.unwrap();
    eventually("the same tables again", || async { tables(world).await == before }).await;
}

async fn tables(world: &World) -> Vec<String> {
    let mut all = Vec::new();
    for table in ReadinessTables.tables() {
        let mut tx = world.db.tenant_tx(&world.tenant).await.unwrap();
        let sql = format!("SELECT t::text FROM {table} t ORDER BY 1");
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(&mut *tx).await.unwrap();
        all.push(format!("{table}: {}", rows.len()));
        all.extend(rows.iter().map(|row| row.get::<String, _>(0)));
    }
    all
}

async fn history_is_kept(world: &World) {
    let now = Timestamp::now();
    let minute_ago = now.saturating_sub(Duration::from_secs(60)).unwrap();
    let ask = GetTrendRequest { from: Some(muster_domain::time::to_pb(minute_ago)), ..Default::default() };
    eventually("history of the outage", || async {
        let range = Range::of(&ask, Timestamp::now()).unwrap();
        let trend = trend::read(&world.db, &world.tenant, "orders-db", range).await.unwrap();
        let seen: Vec<_> = trend.points.iter().filter(|p| p.observations > 0).collect();
        seen.iter().any(|p| p.worst() == Status::Red && p.rpo_max.is_some())
            && trend.points.iter().filter(|p| p.observations == 0).all(|p| p.rpo_max.is_none())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retired_resource_is_not_shown_and_leaves_no_alert() {
    let world = World::new().await;
    world.declare("orders-db", spec(2)).await;
    let monitor = world.run().await;
    eventually("green", || async {
        world.see("orders-db", nothing).await;
        world.state("orders-db").await.status == Some(Status::Green)
    })
    .await;
    let cut = lsn(Timestamp::now());
    eventually("an alert", || async {
        world.see("orders-db", severed(cut)).await;
        !world.state("orders-db").await.alerts.is_empty()
    })
    .await;
    world.retire("orders-db").await;
    eventually("no alert", || async { world.state("orders-db").await.alerts.is_empty() }).await;
    eventually("not shown", || async { world.view("orders-db").await.is_none() }).await;
    // Observations that were still under way change nothing.
    let version = world
        .log
        .load::<muster_domain::readiness::Readiness>(&world.tenant, &"orders-db".parse().unwrap())
        .await
        .unwrap()
        .version;
    world.declare("other-db", spec(2)).await;
    eventually("the next resource is judged", || async {
        world.see("orders-db", severed(cut)).await;
        world.see("other-db", nothing).await;
        world.state("other-db").await.status == Some(Status::Green)
    })
    .await;
    let after = world
        .log
        .load::<muster_domain::readiness::Readiness>(&world.tenant, &"orders-db".parse().unwrap())
        .await
        .unwrap()
        .version;
    assert_eq!(after, version);
    monitor.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watcher_gets_the_fleet_and_then_each_change() {
    let world = World::new().await;
    world.declare("orders-db", spec(60)).await;
    world.declare("billing-db", spec(60)).await;
    let monitor = world.run().await;
    eventually("both are known", || async {
        world.view("orders-db").await.is_some() && world.view("billing-db").await.is_some()
    })
    .await;
    let context = world.context();
    let hub = Hub::new(context.db.clone(), context.clock.clone(), context.shutdown.clone());
    let mut watcher = hub.watch(&world.tenant).unwrap();
    let first = watcher.recv().await.unwrap().unwrap();
    assert_eq!(first.resources.len(), 2);
    let mut seen = Vec::new();
    while !seen.contains(&("orders-db".to_owned(), Status::Green)) {
        world.see("orders-db", nothing).await;
        let news = tokio::time::timeout(Duration::from_millis(1500), watcher.recv()).await;
        let Ok(news) = news else { continue };
        let views = news.unwrap().unwrap().resources;
        seen.extend(views.into_iter().map(|view| (view.resource, view.assessment.unwrap().status())));
        assert!(seen.len() < 100, "{seen:?}");
    }
    // Nobody of another tenant sees anything of it.
    let mut other = hub.watch(&"globex".parse().unwrap()).unwrap();
    assert_eq!(other.recv().await.unwrap().unwrap().resources.len(), 0);
    context.shutdown.cancel();
    monitor.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_limits_that_were_declared_are_the_ones_that_are_used() {
    let world = World::new().await;
    world.declare("orders-db", spec(3600)).await;
    let monitor = world.run().await;
    eventually("green", || async {
        world.see("orders-db", nothing).await;
        world.state("orders-db").await.status == Some(Status::Green)
    })
    .await;
    // Replay is paused long ago, and nothing is late: only the byte limit speaks.
    let mut strict = spec(3600);
    strict.thresholds.as_mut().unwrap().unapplied_bytes_warning = Some(100);
    world.declare("orders-db", strict).await;
    eventually("yellow by the new limit", || async {
        world.see("orders-db", |_, b| b.replay_lsn = b.receive_lsn.map(|lsn| lsn - 101)).await;
        let view = world.view("orders-db").await.unwrap();
        let named = view.assessment.as_ref().is_some_and(|a| codes(a).any(|c| c.name() == "APPLY_LAG"));
        named && view.thresholds.is_some_and(|t| t.unapplied_bytes_warning == 100)
    })
    .await;
    monitor.stop().await;
}
