//! Systems that are watched, as a collector would see them: pairs of PostgreSQL servers that lose their link and get it
//! back, again and again, each at its own time.

use anyhow::Result;
use jiff::{SignedDuration, Timestamp};
use muster_domain::{
    inventory::{Declared, declare, document_id},
    pb::{
        common::v1::{Environment, Tier},
        inventory::v1::{
            Document, Heartbeat, Kind, PostgresqlNode, PostgresqlTarget, ResourceSpec, ThresholdOverrides,
            document::Spec, resource_spec::Platform,
        },
        observation::v1::{
            NodeObservation, Observation, PostgresqlFacts, ReplicationSlot, WalReceiver, WalSender, node_observation,
        },
    },
    time::{duration_to_pb, to_pb},
};
use muster_eventlog::Pending;

use crate::{history, stack::Nats};

const COLLECTOR: &str = "connector/bench";
const SYSTEM: &str = "7351944327117465301";
/// So many looks of a cycle find the link broken, from the first one on; in the others it is whole.
const BROKEN_LOOKS: u64 = 3;
const CYCLE_LOOKS: u64 = 12;
/// Bytes of log that a primary writes between two looks.
const WRITTEN: u64 = 4_096;
/// Documents of one append.
const DECLARED_AT_ONCE: usize = 50;

/// The tenant's systems, and how often each was looked at.
pub(super) struct Fleet {
    tenant: String,
    systems: Vec<System>,
    next: usize,
}

struct System {
    name: String,
    looks: u64,
    /// Within the cycle; each system begins elsewhere, so that at any time some break and some recover.
    phase: u64,
    broken: bool,
    /// What the standby holds.
    received: u64,
}

/// What one look saw.
pub(super) struct Look {
    pub(super) observation: Observation,
    /// The first look that finds it broken: a worse status has to be recorded.
    pub(super) breaks: bool,
}

impl Fleet {
    /// Declares so many systems in the tenant's log.
    pub(super) async fn declare(nats: &Nats, size: usize) -> Result<Self> {
        let names: Vec<String> = (0..size).map(|number| format!("db-{number:04}")).collect();
        for names in names.chunks(DECLARED_AT_ONCE) {
            let pending: Result<Vec<_>> = names.iter().map(|name| declaration(nats, name)).collect();
            nats.log.append_batch(&nats.tenant, pending?).await?;
        }
        let system = |(number, name)| System {
            name,
            looks: 0,
            phase: number as u64 % CYCLE_LOOKS,
            broken: false,
            received: WRITTEN,
        };
        let systems = names.into_iter().enumerate().map(system).collect();
        Ok(Self { tenant: nats.tenant.to_string(), systems, next: 0 })
    }

    pub(super) fn size(&self) -> usize {
        self.systems.len()
    }

    /// Looks at the next system. `flipping`: links break and mend; else all are whole.
    pub(super) fn look(&mut self, flipping: bool, now: Timestamp) -> Look {
        let size = self.systems.len();
        let system = &mut self.systems[self.next];
        self.next = (self.next + 1) % size;
        system.looks += 1;
        let place = (system.looks + system.phase) % CYCLE_LOOKS;
        // A break begins at its first look and not in the middle, also right after the flipping has begun.
        let broken = flipping && place < BROKEN_LOOKS && (system.broken || place == 0);
        let breaks = broken && !system.broken;
        system.broken = broken;
        Look { observation: system.observation(&self.tenant, now), breaks }
    }
}

impl System {
    fn observation(&mut self, tenant: &str, now: Timestamp) -> Observation {
        let written = self.looks * WRITTEN + WRITTEN;
        if !self.broken {
            self.received = written;
        }
        let node = |name: &str, site: &str, facts| NodeObservation {
            node: name.to_owned(),
            site: site.to_owned(),
            read_at: Some(to_pb(now)),
            took: Some(duration_to_pb(SignedDuration::from_millis(3))),
            result: Some(node_observation::Result::Postgresql(facts)),
        };
        Observation {
            tenant: tenant.to_owned(),
            resource: self.name.clone(),
            observed_at: Some(to_pb(now)),
            sequence: self.looks,
            collector: COLLECTOR.to_owned(),
            nodes: vec![node("a", "east", self.primary(written, now)), node("b", "west", self.standby(now))],
        }
    }

    fn primary(&self, written: u64, now: Timestamp) -> PostgresqlFacts {
        let sender = WalSender {
            application_name: "b".to_owned(),
            state: "streaming".to_owned(),
            sent_lsn: Some(written),
            flush_lsn: Some(written),
            replay_lsn: Some(written),
            sync_state: "async".to_owned(),
            reply_at: Some(to_pb(now)),
        };
        let slot = ReplicationSlot {
            name: "b".to_owned(),
            slot_type: "physical".to_owned(),
            active: !self.broken,
            wal_status: "reserved".to_owned(),
            restart_lsn: Some(self.received),
        };
        PostgresqlFacts {
            system_identifier: SYSTEM.to_owned(),
            server_version_num: 150_018,
            in_recovery: Some(false),
            server_time: Some(to_pb(now)),
            timeline: Some(1),
            current_lsn: Some(written),
            heartbeat_at: Some(to_pb(now)),
            heartbeat_lsn: Some(written),
            wal_senders: if self.broken { Vec::new() } else { vec![sender] },
            slots: vec![slot],
            ..PostgresqlFacts::default()
        }
    }

    fn standby(&self, now: Timestamp) -> PostgresqlFacts {
        let receiver = WalReceiver {
            status: "streaming".to_owned(),
            received_timeline: 1,
            flushed_lsn: Some(self.received),
            last_message_receipt_at: Some(to_pb(now)),
            latest_end_lsn: Some(self.received),
            latest_end_at: Some(to_pb(now)),
            slot_name: "b".to_owned(),
            sender_host: "127.0.0.1".to_owned(),
            sender_port: 5_001,
        };
        PostgresqlFacts {
            system_identifier: SYSTEM.to_owned(),
            server_version_num: 150_018,
            in_recovery: Some(true),
            server_time: Some(to_pb(now)),
            timeline: Some(1),
            receive_lsn: Some(self.received),
            replay_lsn: Some(self.received),
            wal_receiver: (!self.broken).then_some(receiver),
            replay_pause_state: "not paused".to_owned(),
            ..PostgresqlFacts::default()
        }
    }
}

fn declaration(nats: &Nats, name: &str) -> Result<Pending> {
    let document = Document {
        kind: Kind::Resource.into(),
        tenant: nats.tenant.to_string(),
        name: name.to_owned(),
        spec: Some(Spec::ResourceSpec(spec())),
        ..Document::default()
    };
    let event = declare(&Declared::default(), &document, "ada", Timestamp::now());
    let event = event.ok_or_else(|| anyhow::anyhow!("{name} was not declared"))?;
    Ok(Pending::new::<Declared>(&document_id(Kind::Resource, name)?, 1, &history::meta(name), &event))
}

/// Recovers faster than the built-in limits, so that it can break often; alerts at tier 1's own pace.
fn spec() -> ResourceSpec {
    let node = |name: &str, site: &str, port| PostgresqlNode {
        name: name.to_owned(),
        site: site.to_owned(),
        host: "127.0.0.1".to_owned(),
        port,
        agent: String::new(),
    };
    let seconds = |seconds| Some(duration_to_pb(SignedDuration::from_secs(seconds)));
    ResourceSpec {
        display_name: "A database".to_owned(),
        tier: Tier::Tier1.into(),
        environment: Environment::Production.into(),
        owner: "orders-team".to_owned(),
        primary_site: "east".to_owned(),
        dr_site: "west".to_owned(),
        rpo: seconds(60),
        rto: seconds(300),
        thresholds: Some(ThresholdOverrides { recover_for: seconds(1), ..ThresholdOverrides::default() }),
        platform: Some(Platform::Postgresql(PostgresqlTarget {
            nodes: vec![node("a", "east", 5_001), node("b", "west", 5_002)],
            heartbeat: Heartbeat::TransactionId.into(),
            ..PostgresqlTarget::default()
        })),
        ..ResourceSpec::default()
    }
}
