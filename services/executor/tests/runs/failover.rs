//! The unplanned move: the primary is gone, and the statement about what may be missing is never smaller than the truth.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use muster_domain::{
    pb::{
        common::v1::LossCertainty,
        execution::v1::ExecutionState,
        inventory::v1::resource_spec::Platform,
        observation::v1::{Observation, ObservationBatch},
        request::v1::RequestType,
    },
    time::{duration_from_pb, from_pb, to_pb},
};
use muster_platform::{Login, ObserveTarget, registry::platform_of};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    killed::{dies, doomed_executor},
    movers::{Around, movers},
    traffic::{Guard, Writer},
    world::{RESOURCE, World, eventually},
};

/// The connector's work: looks at both nodes and publishes what it saw.
fn observe(world: &World) -> DropGuard {
    let stop = CancellationToken::new();
    let (log, ended) = (world.log.clone(), stop.clone());
    let spec = Platform::Postgresql(world.pair.target());
    let observer = (platform_of(&spec).unwrap().observer)(Arc::new(Timestamp::now));
    let monitor = Login { user: "mon".into(), password: "mon-password".to_owned().into() };
    let target = ObserveTarget { tenant: "acme".into(), resource: RESOURCE.into(), spec, monitor };
    tokio::spawn(async move {
        for sequence in 1.. {
            let nodes = observer.observe(&target).await;
            let observation = Observation {
                tenant: "acme".into(),
                resource: RESOURCE.into(),
                observed_at: Some(to_pb(Timestamp::now())),
                sequence,
                collector: "connector/test".into(),
                nodes,
            };
            let batch = ObservationBatch {
                tenant: "acme".into(),
                collector: "connector/test".into(),
                observations: vec![observation],
            };
            log.publish_observations(&batch).await.unwrap();
            tokio::select! {
                () = ended.cancelled() => return,
                () = tokio::time::sleep(Duration::from_millis(200)) => {}
            }
        }
    });
    stop.drop_guard()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_stated_window_covers_what_was_really_lost() {
    let mut world = World::start().await;
    let observing = observe(&world);
    let writer = Writer::start(&world.pair);
    eventually("the application writes", async || writer.count() > 200).await;
    // The standby is cut off, and the primary goes on without it.
    world.pair.b.sql("ALTER SYSTEM SET primary_conninfo = ''").await.unwrap();
    world.pair.b.sql("SELECT pg_reload_conf()").await.unwrap();
    eventually("the standby receives nothing", async || {
        world.pair.b.sql("SELECT count(*) FROM pg_stat_wal_receiver").await.unwrap().trim() == "0"
    })
    .await;
    let written = writer.count();
    eventually("rows that the standby does not have", async || writer.count() > written + 200).await;
    world.pair.a.kill().await.unwrap();

    // The executor that fences it dies, and one that comes only now has to read what was seen before.
    let guard = Guard::start(&world.pair, "a", "b");
    let child = doomed_executor(&world, "fence-primary", "after");
    let request = world.confirmed(RequestType::Failover, "east").await;
    dies(child).await;
    let (find, _) = movers(Around::Nothing);
    let _executor = world.executor(find).await;
    let view = world.ended(&request).await;
    guard.stop().await;
    drop(observing);
    let acknowledged = writer.stop().await;
    assert_eq!(view.state(), ExecutionState::Succeeded, "{view:#?}");

    let kept = world.pair.rows("b").await;
    let lost: Vec<_> = acknowledged.iter().filter(|(number, _)| kept.binary_search(number).is_err()).collect();
    assert!(lost.len() > 100, "the test must really lose rows, lost {}", lost.len());
    let loss = view.succeeded.unwrap().loss.unwrap();
    assert_eq!(loss.certainty(), LossCertainty::Bounded, "{loss:?}");
    let (caught_up, window) =
        (from_pb(loss.caught_up_to.as_ref()).unwrap(), duration_from_pb(loss.window.as_ref()).unwrap());
    let (first, last) = (lost[0].1, lost[lost.len() - 1].1);
    assert!(caught_up <= first, "said to be caught up to {caught_up}, and a row of {first} is missing");
    assert!(caught_up + window >= last, "the window ends at {}, and a row of {last} is missing", caught_up + window);
    assert!(loss.missing_bytes.is_some_and(|bytes| bytes > 0), "{loss:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_any_observation_nothing_is_claimed_beyond_the_last_commit() {
    let mut world = World::start().await;
    world.pair.a.sql("INSERT INTO ledger VALUES (1)").await.unwrap();
    eventually("the row is on the standby", async || world.pair.rows("b").await == [1]).await;
    world.pair.a.kill().await.unwrap();
    let (find, _) = movers(Around::Nothing);
    let _executor = world.executor(find).await;
    let request = world.confirmed(RequestType::Failover, "east").await;
    let view = world.ended(&request).await;
    assert_eq!(view.state(), ExecutionState::Succeeded, "{view:#?}");
    let loss = view.succeeded.unwrap().loss.unwrap();
    assert_eq!(loss.certainty(), LossCertainty::Bounded, "{loss:?}");
    assert_eq!(loss.missing_bytes, None, "unknown is never zero");
    assert!(loss.limits.iter().any(|limit| limit.contains("own clock")), "{loss:?}");
}
