//! The evidence of a request says how its systems stand when it is opened, not when their status changed last.

use jiff::{SignedDuration, Timestamp};
use muster_domain::{
    pb::{
        observation::v1::{
            NodeObservation, Observation, ObservationBatch, PostgresqlFacts, WalReceiver, WalSender,
            node_observation::Result as NodeResult,
        },
        readiness::v1::{Assessment, ReadinessEvent, Status, StatusChanged, readiness_event::Event},
    },
    readiness::Readiness,
    time::{duration_from_pb, duration_to_pb, to_pb},
};

use crate::world::{RESOURCE, World, acme, eventually, meta};

/// Green two days ago, and nothing has changed since.
async fn was_green_long_ago(world: &World) {
    let then = Timestamp::now() - SignedDuration::from_hours(48);
    let assessment =
        Assessment { status: Status::Green.into(), observed_at: Some(to_pb(then)), ..Assessment::default() };
    let changed = StatusChanged { resource: RESOURCE.into(), assessment: Some(assessment), ..StatusChanged::default() };
    let event = ReadinessEvent { event: Some(Event::StatusChanged(changed)) };
    world.log.append::<Readiness>(&acme(), &RESOURCE.parse().unwrap(), 1, &meta(), &event).await.unwrap();
}

async fn is_measured(world: &World) {
    let now = Timestamp::now();
    let (time, lsn) = (Some(to_pb(now)), Some(0x3_0000_2000));
    let common = PostgresqlFacts {
        system_identifier: "7001".into(),
        server_time: time,
        timeline: Some(1),
        ..Default::default()
    };
    let primary = PostgresqlFacts {
        in_recovery: Some(false),
        current_lsn: lsn,
        wal_senders: vec![WalSender { state: "streaming".into(), ..WalSender::default() }],
        ..common.clone()
    };
    let receiver = WalReceiver { status: "streaming".into(), received_timeline: 1, ..WalReceiver::default() };
    let standby = PostgresqlFacts {
        in_recovery: Some(true),
        receive_lsn: lsn,
        replay_lsn: lsn,
        wal_receiver: Some(WalReceiver { last_message_receipt_at: time, ..receiver }),
        ..common
    };
    let node = |name: &str, facts| NodeObservation {
        node: name.into(),
        read_at: time,
        took: Some(duration_to_pb(SignedDuration::from_millis(5))),
        result: Some(NodeResult::Postgresql(facts)),
        ..NodeObservation::default()
    };
    let observation = Observation {
        tenant: "acme".into(),
        resource: RESOURCE.into(),
        observed_at: time,
        sequence: 1,
        collector: "connector/test".into(),
        nodes: vec![node("a", primary), node("b", standby)],
    };
    let batch =
        ObservationBatch { tenant: "acme".into(), collector: "connector/test".into(), observations: vec![observation] };
    world.log.publish_observations(&batch).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn approvers_read_of_now_and_an_old_green_is_not_called_green() {
    let world = World::start().await;
    was_green_long_ago(&world).await;
    let seen = async || {
        let evidence = world.olga().open("").await.unwrap().opened.unwrap().evidence.unwrap();
        let age = duration_from_pb(evidence.members[0].age.as_ref());
        (evidence.members[0].status.clone(), age, evidence.markers)
    };
    // The service's fold takes the judgement in a moment after it is in the log.
    eventually("the recorded judgement is known", async || seen().await.1.is_some()).await;
    let (status, age, _) = seen().await;
    assert_eq!(status, "unknown", "nobody has looked for two days");
    assert!(age.unwrap() >= SignedDuration::from_hours(48));

    is_measured(&world).await;
    let (_, age, markers) = seen().await;
    assert!(age.unwrap() < SignedDuration::from_mins(1), "{age:?}");
    assert_eq!(markers.iter().map(|marker| marker.lsn.as_str()).collect::<Vec<_>>(), ["3/2000", "3/2000"]);
}
