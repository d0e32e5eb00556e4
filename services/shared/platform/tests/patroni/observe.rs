//! What is seen of a cluster, and of one that is broken.

use muster_domain::pb::observation::v1::{
    ErrorClass, NodeObservation, PatroniFacts, node_observation::Result as NodeResult,
};

use crate::{
    cluster::{Cluster, login, observer},
    drive::eventually,
};

fn facts(observation: &NodeObservation) -> &PatroniFacts {
    match observation.result.as_ref().unwrap() {
        NodeResult::Patroni(facts) => facts,
        other => panic!("{}: {other:?}", observation.node),
    }
}

#[tokio::test]
async fn the_database_is_looked_at_and_its_manager_beside_it() {
    let Some(mut cluster) = Cluster::start().await else { return };
    let observer = observer();
    let target = cluster.watched();
    let seen = observer.observe(&target).await;
    let (a, b) = (facts(&seen[0]), facts(&seen[1]));
    assert_eq!((a.role.as_str(), b.role.as_str()), ("primary", "replica"));
    assert_eq!((a.paused, b.unlocked, a.pending_restart), (Some(false), Some(false), Some(false)));
    assert!(a.patroni_version.starts_with("4.") && a.scope == "ledger" && a.dcs_last_seen.is_some());
    let (primary, standby) = (a.database.as_ref().unwrap(), b.database.as_ref().unwrap());
    assert_eq!((primary.in_recovery, standby.in_recovery), (Some(false), Some(true)));
    assert!(primary.current_lsn.is_some() && standby.replay_lsn.is_some() && !primary.limited_view);
    assert!(a.api_error.is_empty() && a.database_error.is_empty());

    cluster.pause(true).await;
    assert_eq!(facts(&observer.observe(&target).await[1]).paused, Some(true));

    // An account that the database refuses is said as that, whatever Patroni tells.
    let mut refused = target.clone();
    refused.monitor = login("mon", "wrong");
    match observer.observe(&refused).await[0].result.as_ref().unwrap() {
        NodeResult::Error(error) => assert_eq!(error.class(), ErrorClass::Credential),
        other => panic!("{other:?}"),
    }

    // The manager is gone, the database is not: positions are still known.
    cluster.0.member_mut("a").kill_patroni().await.unwrap();
    let seen = observer.observe(&target).await;
    assert!(!facts(&seen[0]).api_error.is_empty() && facts(&seen[0]).database.is_some());
    assert_eq!((facts(&seen[0]).paused, facts(&seen[0]).role.as_str()), (None, ""), "unknown is not false");

    // The database is gone, its manager is not (paused, it does not start it again).
    cluster.0.member("b").sql("CHECKPOINT").await.unwrap();
    cluster.0.member("b").stop_database().await.unwrap();
    eventually("the lost database is seen", async || {
        let seen = observer.observe(&target).await;
        facts(&seen[1]).database.is_none() && !facts(&seen[1]).database_error.is_empty()
    })
    .await;

    // Neither: an error, and no facts.
    cluster.0.member_mut("b").kill().await.unwrap();
    match observer.observe(&target).await[1].result.as_ref().unwrap() {
        NodeResult::Error(error) => assert_eq!(error.class(), ErrorClass::Unreachable),
        other => panic!("{other:?}"),
    };
}
