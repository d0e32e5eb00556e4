use jiff::Timestamp;
use muster_domain::pb::readiness::v1::{AlertKind, Status};

use super::world::{World, eventually, lsn, nothing, severed, spec};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_invents_no_green_and_keeps_what_was_decided() {
    let world = World::new().await;
    world.declare("orders-db", spec(3)).await;
    let monitor = world.run().await;
    eventually("green", || async {
        world.see("orders-db", nothing).await;
        world.state("orders-db").await.status == Some(Status::Green)
    })
    .await;
    let cut = lsn(Timestamp::now());
    eventually("the alert", || async {
        world.see("orders-db", severed(cut)).await;
        world.state("orders-db").await.alert(AlertKind::RpoBreach).is_some()
    })
    .await;
    monitor.stop().await;
    let before = world.state("orders-db").await;

    // The outage goes on while no monitor is there.
    world.see("orders-db", severed(cut)).await;
    let monitor = world.run().await;
    // Judged from what was observed in the meantime: the window is known, not begun anew.
    eventually("judged again", || async {
        world.see("orders-db", severed(cut)).await;
        let view = world.view("orders-db").await.unwrap();
        assert_ne!(view.assessment.as_ref().map(|a| a.status()), Some(Status::Green));
        let fresh = view.freshness.as_ref().is_some_and(|f| f.seconds < 2);
        fresh && view.assessment.is_some_and(|a| a.rpo_now.is_some_and(|rpo| rpo.seconds >= 4))
    })
    .await;
    let after = world.state("orders-db").await;
    assert_eq!(after.status, Some(Status::Red));
    for (kind, alert) in &before.alerts {
        assert_eq!(after.alerts.get(kind).map(|a| &a.id), Some(&alert.id), "still the same alert");
    }
    eventually("well again", || async {
        world.see("orders-db", nothing).await;
        let state = world.state("orders-db").await;
        state.status == Some(Status::Green) && state.alerts.is_empty()
    })
    .await;
    monitor.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_monitors_share_the_work_and_write_each_decision_once() {
    let world = World::new().await;
    world.declare("orders-db", spec(2)).await;
    let (one, two) = (world.run().await, world.run().await);
    eventually("green", || async {
        world.see("orders-db", nothing).await;
        world.state("orders-db").await.status == Some(Status::Green)
    })
    .await;
    // The owner of the shard goes, the other takes over.
    one.stop().await;
    let cut = lsn(Timestamp::now());
    eventually("the alert", || async {
        world.see("orders-db", severed(cut)).await;
        world.state("orders-db").await.alert(AlertKind::RpoBreach).is_some()
    })
    .await;
    assert_eq!(world.state("orders-db").await.opened, 2, "broken replication and the RPO, each once");
    two.stop().await;
}
