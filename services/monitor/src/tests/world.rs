//! Servers, tenants, resources, and what a connector would see.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering},
};

use jiff::{SignedDuration, Timestamp};
use muster_domain::{
    TenantId,
    inventory::{Declared, declare, document_id, retire},
    pb::{
        common::v1::{Actor, Tier},
        inventory::v1::{
            Document, Heartbeat, Kind, PostgresqlNode, PostgresqlTarget, ResourceSpec, ThresholdOverrides,
            document::Spec, resource_spec::Platform,
        },
        observation::v1::{
            NodeObservation, Observation, ObservationBatch, PostgresqlFacts, WalReceiver, WalSender,
            node_observation::Result as NodeResult,
        },
        readiness::v1::ReadinessView,
    },
    readiness::Readiness,
    time::{duration_to_pb, to_pb},
};
use muster_eventlog::{Database, EventLog, LogConfig, Meta, db};
use muster_local::{nats::NatsServer, postgres::TemporaryDatabase};
use muster_runtime::{
    Clock, Config, Context, Health,
    serve::{Surroundings, serve_on},
};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{MIGRATIONS, read, service};

pub(super) use muster_local::eventually;

pub(super) struct World {
    pub(super) log: EventLog,
    pub(super) db: Database,
    pub(super) tenant: TenantId,
    nats: NatsServer,
    sequence: AtomicU64,
}

/// A running monitor.
pub(super) struct Running {
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    pub(super) async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.unwrap();
    }
}

impl World {
    pub(super) async fn new() -> Self {
        let (nats, postgres) = tokio::join!(NatsServer::temporary(), TemporaryDatabase::create());
        let (nats, postgres) = (nats.unwrap(), postgres.unwrap());
        let log = EventLog::connect(&LogConfig { url: nats.url(), ..LogConfig::default() }).await.unwrap();
        log.provision().await.unwrap();
        let tenant: TenantId = "acme".parse().unwrap();
        log.provision_tenant(&tenant).await.unwrap();
        Database::prepare(&postgres.superuser_url()).await.unwrap();
        Database::migrate(&postgres.url(db::OWNER_ROLE), &[MIGRATIONS]).await.unwrap();
        let db = Database::connect(&postgres.url(db::SERVICE_ROLE)).await.unwrap();
        db::assert_row_level_security(db.pool()).await.unwrap();
        Self { log, db, tenant, nats, sequence: 0.into() }
    }

    pub(super) fn nats_pid(&self) -> Option<u32> {
        self.nats.pid()
    }

    /// The service as `muster run monitor` runs it.
    pub(super) async fn run(&self) -> Running {
        let context = self.context();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let around = Surroundings {
            config: context.config.server.clone(),
            health: Health::new(),
            shutdown: context.shutdown.clone(),
        };
        let monitor = service(&context);
        let task = tokio::spawn(async move { serve_on(around, vec![monitor], listener).await.unwrap() });
        Running { shutdown: context.shutdown, task }
    }

    pub(super) fn context(&self) -> Context {
        Context::assemble(Config::default(), Clock::system(), self.log.clone(), self.db.clone()).unwrap()
    }

    pub(super) async fn declare(&self, name: &str, spec: ResourceSpec) {
        let id = document_id(Kind::Resource, name).unwrap();
        let document = Document {
            kind: Kind::Resource.into(),
            tenant: self.tenant.to_string(),
            name: name.into(),
            spec: Some(Spec::ResourceSpec(spec)),
            ..Default::default()
        };
        let decided = |state: &Declared| Ok::<_, ()>(declare(state, &document, "test", Timestamp::now()));
        self.log.decide::<Declared, ()>(&self.tenant, &id, &meta(), decided).await.unwrap();
    }

    pub(super) async fn retire(&self, name: &str) {
        let id = document_id(Kind::Resource, name).unwrap();
        let decided = |state: &Declared| retire(state, "test");
        self.log.decide::<Declared, _>(&self.tenant, &id, &meta(), decided).await.unwrap();
    }

    /// As a connector would see it now.
    pub(super) async fn see(&self, resource: &str, change: impl Fn(&mut PostgresqlFacts, &mut PostgresqlFacts)) {
        let observation = self.observation(resource, change);
        self.publish(vec![observation]).await;
    }

    pub(super) async fn publish(&self, observations: Vec<Observation>) {
        let batch =
            ObservationBatch { tenant: self.tenant.to_string(), collector: "connector/test".into(), observations };
        self.log.publish_observations(&batch).await.unwrap();
    }

    pub(super) fn observation(
        &self,
        resource: &str,
        change: impl Fn(&mut PostgresqlFacts, &mut PostgresqlFacts),
    ) -> Observation {
        let now = Timestamp::now();
        let (mut a, mut b) = healthy(now);
        change(&mut a, &mut b);
        let node = |name: &str, facts| NodeObservation {
            node: name.into(),
            read_at: Some(to_pb(now)),
            took: Some(duration_to_pb(SignedDuration::from_millis(5))),
            result: Some(NodeResult::Postgresql(facts)),
            ..Default::default()
        };
        Observation {
            tenant: self.tenant.to_string(),
            resource: resource.into(),
            observed_at: Some(to_pb(now)),
            sequence: self.sequence.fetch_add(1, Ordering::Relaxed) + 1,
            collector: "connector/test".into(),
            nodes: vec![node("a", a), node("b", b)],
        }
    }

    /// What the log says.
    pub(super) async fn state(&self, resource: &str) -> Readiness {
        self.log.load::<Readiness>(&self.tenant, &resource.parse().unwrap()).await.unwrap().state
    }

    /// What a reader would be answered now.
    pub(super) async fn view(&self, resource: &str) -> Option<ReadinessView> {
        let known: BTreeMap<_, _> = read::known(&self.db, &self.tenant, Some(resource)).await.unwrap();
        known.into_values().next().map(|known| known.view(Timestamp::now()))
    }
}

fn meta() -> Meta {
    let actor = Actor { id: "service:test".into(), ..Default::default() };
    Meta { event_id: Uuid::now_v7(), actor, time: Timestamp::now(), correlation: Uuid::now_v7(), causation: None }
}

/// Short limits, so that a story takes seconds.
pub(super) fn spec(rpo_s: i64) -> ResourceSpec {
    let seconds = |s: i64| Some(duration_to_pb(SignedDuration::from_secs(s)));
    let node = |name: &str, site: &str, port| PostgresqlNode {
        name: name.into(),
        site: site.into(),
        host: "127.0.0.1".into(),
        port,
        agent: String::new(),
    };
    ResourceSpec {
        display_name: "Orders".into(),
        tier: Tier::Tier1.into(),
        owner: "shop".into(),
        primary_site: "east".into(),
        dr_site: "west".into(),
        rpo: seconds(rpo_s),
        thresholds: Some(ThresholdOverrides {
            breach_for: seconds(1),
            recover_for: seconds(2),
            stale_after: seconds(3),
            lost_after: seconds(5),
            ..Default::default()
        }),
        platform: Some(Platform::Postgresql(PostgresqlTarget {
            nodes: vec![node("a", "east", 5001), node("b", "west", 5002)],
            heartbeat: Heartbeat::TransactionId.into(),
            ..Default::default()
        })),
        ..Default::default()
    }
}

/// A position that follows the clock: a primary that always writes.
pub(super) fn lsn(at: Timestamp) -> u64 {
    at.as_millisecond().unsigned_abs()
}

fn healthy(now: Timestamp) -> (PostgresqlFacts, PostgresqlFacts) {
    let (time, lsn) = (Some(to_pb(now)), Some(lsn(now)));
    let a = PostgresqlFacts {
        system_identifier: "7001".into(),
        in_recovery: Some(false),
        server_time: time,
        timeline: Some(1),
        current_lsn: lsn,
        heartbeat_at: time,
        heartbeat_lsn: lsn,
        wal_senders: vec![WalSender { state: "streaming".into(), ..Default::default() }],
        slots: vec![muster_domain::pb::observation::v1::ReplicationSlot {
            name: "b".into(),
            slot_type: "physical".into(),
            active: true,
            wal_status: "reserved".into(),
            restart_lsn: lsn,
        }],
        ..Default::default()
    };
    let b = PostgresqlFacts {
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
            slot_name: "b".into(),
            sender_port: 5001,
            ..Default::default()
        }),
        ..Default::default()
    };
    (a, b)
}

/// The link was cut when the primary was at `position`.
pub(super) fn severed(position: u64) -> impl Fn(&mut PostgresqlFacts, &mut PostgresqlFacts) {
    move |a, b| {
        a.wal_senders.clear();
        b.wal_receiver = None;
        (b.receive_lsn, b.replay_lsn) = (Some(position), Some(position));
    }
}

pub(super) fn nothing(_: &mut PostgresqlFacts, _: &mut PostgresqlFacts) {}
