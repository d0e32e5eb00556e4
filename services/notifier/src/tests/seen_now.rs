//! Who is asked reads how the systems stand when they are asked, not when their status changed last.

use jiff::{SignedDuration, Timestamp};
use muster_domain::pb::common::v1::{Marker, Role, Tier};
use muster_domain::pb::inventory::v1::{
    ContactSpec, Heartbeat, Kind, PostgresqlNode, PostgresqlTarget, ResourceSpec, document::Spec,
    resource_spec::Platform,
};
use muster_domain::pb::observation::v1::{
    NodeObservation, Observation, ObservationBatch, PostgresqlFacts, WalReceiver, WalSender,
    node_observation::Result as NodeResult,
};
use muster_domain::pb::readiness::v1::{
    Assessment, ReadinessEvent, Status, StatusChanged, readiness_event::Event as Judged,
};
use muster_domain::pb::request::v1::RequestEvent;
use muster_domain::request::Request;
use muster_domain::time::{duration_to_pb, to_pb};
use muster_runtime::Config;

use super::ago;
use super::approvals::{REQUEST, opened, with_a_key_of_links};
use super::stage::Stage;

const OLD_POSITION: &str = "0/1";
const NOW_POSITION: u64 = 0x3_0000_2000;
const NOW_POSITION_WORDS: &str = "3/2000";

async fn scene() -> (Stage, tempfile::TempDir) {
    let secrets = with_a_key_of_links();
    let mut config = Config::default();
    config.secrets.directory = Some(secrets.path().to_owned());
    config.approval.intent_key_refs = vec!["file:links".into()];
    let mut stage = Stage::configured(config).await;
    stage.start().await;
    let ingo = ContactSpec {
        person: "https://idp.example|ingo".into(),
        email: "ingo@example.com".into(),
        asked_as: vec![Role::ApproverIt.into()],
        ..ContactSpec::default()
    };
    stage.declare(Kind::Contact, "ingo", Spec::ContactSpec(ingo)).await;
    let node = |name: &str, site: &str| PostgresqlNode { name: name.into(), site: site.into(), ..Default::default() };
    let spec = ResourceSpec {
        tier: Tier::Tier2.into(),
        primary_site: "fra".into(),
        dr_site: "ams".into(),
        rpo: Some(duration_to_pb(SignedDuration::from_secs(10))),
        platform: Some(Platform::Postgresql(PostgresqlTarget {
            nodes: vec![node("a", "fra"), node("b", "ams")],
            heartbeat: Heartbeat::TransactionId.into(),
            ..PostgresqlTarget::default()
        })),
        ..ResourceSpec::default()
    };
    stage.declare(Kind::Resource, "orders-db", Spec::ResourceSpec(spec)).await;
    (stage, secrets)
}

/// Green two days ago, and nothing has changed since.
async fn was_green_long_ago(stage: &Stage) {
    let then = ago(SignedDuration::from_hours(48));
    let assessment = Assessment {
        status: Status::Green.into(),
        observed_at: Some(to_pb(then)),
        primary: Some(Marker { node: "a".into(), lsn: OLD_POSITION.into(), ..Marker::default() }),
        ..Assessment::default()
    };
    let changed =
        StatusChanged { resource: "orders-db".into(), assessment: Some(assessment), ..StatusChanged::default() };
    stage.readiness(ReadinessEvent { event: Some(Judged::StatusChanged(changed)) }, then).await;
}

/// As a connector sees a pair that is well.
async fn is_measured(stage: &Stage) {
    let now = Timestamp::now();
    let (time, lsn) = (Some(to_pb(now)), Some(NOW_POSITION));
    let primary = PostgresqlFacts {
        system_identifier: "7001".into(),
        in_recovery: Some(false),
        server_time: time,
        timeline: Some(1),
        current_lsn: lsn,
        heartbeat_at: time,
        heartbeat_lsn: lsn,
        wal_senders: vec![WalSender { state: "streaming".into(), ..WalSender::default() }],
        ..PostgresqlFacts::default()
    };
    let standby = PostgresqlFacts {
        system_identifier: "7001".into(),
        in_recovery: Some(true),
        server_time: time,
        timeline: Some(1),
        receive_lsn: lsn,
        replay_lsn: lsn,
        wal_receiver: Some(WalReceiver {
            status: "streaming".into(),
            received_timeline: 1,
            last_message_receipt_at: time,
            ..WalReceiver::default()
        }),
        ..PostgresqlFacts::default()
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
        resource: "orders-db".into(),
        observed_at: time,
        sequence: 1,
        collector: "connector/test".into(),
        nodes: vec![node("a", primary), node("b", standby)],
    };
    let batch =
        ObservationBatch { tenant: "acme".into(), collector: "connector/test".into(), observations: vec![observation] };
    stage.ctx.log.publish_observations(&batch).await.unwrap();
}

/// What the one who is asked reads of positions and of what was seen.
async fn asked(stage: &Stage) -> (String, String) {
    let event = RequestEvent { event: Some(opened(Tier::Tier2)) };
    stage.append::<Request>(REQUEST, event, Timestamp::now()).await;
    stage.until("Ingo is asked", |list| list.iter().any(|d| d.message_kind == "approval.asked")).await;
    stage.until("it went out", |list| list.iter().all(|d| d.finished_at.is_some())).await;
    let message = stage.mail.attempts().into_iter().find(|a| a.message.kind == "approval.asked").unwrap().message;
    let fact = |name: &str| message.facts.iter().find(|fact| fact.name == name).unwrap().value.clone();
    (fact("Positions"), fact("Seen"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_asked_reads_the_positions_of_now() {
    let (mut stage, _secrets) = scene().await;
    was_green_long_ago(&stage).await;
    is_measured(&stage).await;
    let (positions, seen) = asked(&stage).await;
    assert!(positions.contains(NOW_POSITION_WORDS) && !positions.contains("at 0/1"), "{positions}");
    assert!(!seen.contains("48 h") && seen.ends_with("s ago"), "{seen}");
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_nobody_measures_an_old_green_is_not_called_green() {
    let (mut stage, _secrets) = scene().await;
    was_green_long_ago(&stage).await;
    let (positions, seen) = asked(&stage).await;
    assert!(positions.contains("at 0/1"), "what was known last: {positions}");
    assert!(!seen.contains("green") && seen.contains("48 h"), "{seen}");
    stage.stop().await;
}
