//! A pair of PostgreSQL servers to take things away from.

use jiff::{SignedDuration, Timestamp};

use crate::pb::common::v1::{Environment, Tier};
use crate::pb::inventory::v1::{Heartbeat, PostgresqlNode, PostgresqlTarget, ResourceSpec, resource_spec::Platform};
use crate::pb::observation::v1::{
    ErrorClass, NodeObservation, Observation, ObservationError, PostgresqlFacts, ReplicationSlot, WalReceiver,
    WalSender, node_observation,
};
use crate::pb::readiness::v1::{Assessment, ReadinessEvent, Status, readiness_event::Event};
use crate::readiness::state::{Readiness, decide};
use crate::readiness::thresholds::Limits;
use crate::readiness::watch::{Subject, Watch};
use crate::time::{duration_to_pb, to_pb};
use crate::{Aggregate, EventKind};

pub(super) const START: i64 = 1_760_000_000;
pub(super) const BASE_LSN: u64 = 0x3_0000_0000;

pub(super) fn secs(s: f64) -> SignedDuration {
    SignedDuration::from_millis((s * 1000.0) as i64)
}

/// `seconds` after the start of the story.
pub(super) fn at(seconds: f64) -> Timestamp {
    Timestamp::from_second(START).unwrap() + secs(seconds)
}

/// Tier 1, RPO 10 s, as in the demonstration.
pub(super) fn orders_db() -> ResourceSpec {
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
        environment: Environment::Production.into(),
        primary_site: "east".into(),
        dr_site: "west".into(),
        rpo: Some(duration_to_pb(secs(10.0))),
        platform: Some(Platform::Postgresql(PostgresqlTarget {
            nodes: vec![node("a", "east", 5001), node("b", "west", 5002)],
            heartbeat: Heartbeat::TransactionId.into(),
            ..Default::default()
        })),
        ..Default::default()
    }
}

pub(super) fn without_heartbeat() -> ResourceSpec {
    let mut spec = orders_db();
    if let Some(Platform::Postgresql(target)) = &mut spec.platform {
        target.heartbeat = Heartbeat::None.into();
    }
    spec
}

/// Both nodes as they answer at one moment. Healthy until something is changed.
#[derive(Debug, Clone)]
pub(super) struct Pair {
    pub(super) time: f64,
    pub(super) a: Result<PostgresqlFacts, ErrorClass>,
    pub(super) b: Result<PostgresqlFacts, ErrorClass>,
}

/// The primary writes 1,000 bytes a second.
pub(super) fn lsn_at(time: f64) -> u64 {
    BASE_LSN + (time * 1000.0) as u64
}

pub(super) fn healthy(time: f64) -> Pair {
    let now = to_pb(at(time));
    let lsn = lsn_at(time);
    let a = PostgresqlFacts {
        system_identifier: "7001".into(),
        server_version_num: 150_018,
        in_recovery: Some(false),
        server_time: Some(now),
        timeline: Some(1),
        current_lsn: Some(lsn),
        heartbeat_at: Some(now),
        heartbeat_lsn: Some(lsn),
        wal_senders: vec![WalSender {
            application_name: "b".into(),
            state: "streaming".into(),
            flush_lsn: Some(lsn),
            ..Default::default()
        }],
        slots: vec![ReplicationSlot {
            name: "b".into(),
            slot_type: "physical".into(),
            active: true,
            wal_status: "reserved".into(),
            restart_lsn: Some(lsn),
        }],
        ..Default::default()
    };
    let b = PostgresqlFacts {
        system_identifier: "7001".into(),
        in_recovery: Some(true),
        server_time: Some(now),
        timeline: Some(1),
        receive_lsn: Some(lsn),
        replay_lsn: Some(lsn),
        wal_receiver: Some(WalReceiver {
            status: "streaming".into(),
            received_timeline: 1,
            flushed_lsn: Some(lsn),
            last_message_receipt_at: Some(now),
            slot_name: "b".into(),
            sender_host: "127.0.0.1".into(),
            sender_port: 5001,
            ..Default::default()
        }),
        replay_pause_state: "not paused".into(),
        ..Default::default()
    };
    Pair { time, a: Ok(a), b: Ok(b) }
}

impl Pair {
    pub(super) fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    pub(super) fn a(&mut self) -> &mut PostgresqlFacts {
        self.a.as_mut().unwrap()
    }

    pub(super) fn b(&mut self) -> &mut PostgresqlFacts {
        self.b.as_mut().unwrap()
    }

    pub(super) fn receiver(&mut self) -> &mut WalReceiver {
        self.b().wal_receiver.as_mut().unwrap()
    }

    /// The standby holds what the primary had at `time`, and no more.
    pub(super) fn received_until(&mut self, time: f64) {
        let lsn = lsn_at(time);
        let b = self.b();
        (b.receive_lsn, b.replay_lsn) = (Some(lsn), Some(lsn));
        if let Some(receiver) = &mut b.wal_receiver {
            receiver.flushed_lsn = Some(lsn);
        }
    }

    /// The link was cut at `time`: no receiver, no sender, a position that stays.
    pub(super) fn severed_at(&mut self, time: f64) {
        if self.b.is_ok() {
            self.received_until(time);
            self.b().wal_receiver = None;
        }
        if let Ok(a) = &mut self.a {
            a.wal_senders.clear();
        }
    }

    pub(super) fn observation(&self, sequence: u64) -> Observation {
        let node = |name: &str, site: &str, facts: &Result<PostgresqlFacts, ErrorClass>| NodeObservation {
            node: name.into(),
            site: site.into(),
            read_at: Some(to_pb(at(self.time))),
            took: Some(duration_to_pb(secs(0.01))),
            result: Some(match facts {
                Ok(facts) => node_observation::Result::Postgresql(facts.clone()),
                Err(class) => node_observation::Result::Error(ObservationError {
                    class: (*class).into(),
                    message: "connection refused".into(),
                }),
            }),
        };
        Observation {
            tenant: "acme".into(),
            resource: "orders-db".into(),
            observed_at: Some(to_pb(at(self.time))),
            sequence,
            collector: "connector/one".into(),
            nodes: vec![node("a", "east", &self.a), node("b", "west", &self.b)],
        }
    }
}

/// The whole path, as the monitor drives it: observations and ticks in, events out.
pub(super) struct Story {
    pub(super) spec: ResourceSpec,
    pub(super) limits: Limits,
    pub(super) watch: Watch,
    pub(super) state: Readiness,
    pub(super) events: Vec<(f64, ReadinessEvent)>,
    sequence: u64,
}

impl Story {
    pub(super) fn of(spec: ResourceSpec) -> Self {
        let limits = Limits::effective(spec.tier(), spec.rpo.as_ref(), [], spec.thresholds.as_ref());
        Self { spec, limits, watch: Watch::new(at(0.0)), state: Readiness::default(), events: Vec::new(), sequence: 0 }
    }

    pub(super) fn new() -> Self {
        Self::of(orders_db())
    }

    /// An observation arrives when it is made.
    pub(super) fn see(&mut self, pair: &Pair) -> bool {
        self.arrive(&pair.clone(), at(pair.time))
    }

    pub(super) fn arrive(&mut self, pair: &Pair, now: Timestamp) -> bool {
        self.sequence += 1;
        let accepted = self.watch.observe(&self.spec, &pair.observation(self.sequence), now);
        self.tick_at(now);
        accepted
    }

    pub(super) fn tick(&mut self, time: f64) {
        self.tick_at(at(time));
    }

    pub(super) fn tick_at(&mut self, now: Timestamp) {
        let subject =
            Subject { tenant: "acme", resource: "orders-db", version: 3, spec: &self.spec, limits: &self.limits };
        let Some(inputs) = self.watch.look(&subject, now) else { return };
        let time = now.duration_since(at(0.0)).as_secs_f64();
        for _ in 0..20 {
            let Some(event) = decide(&self.state, &inputs, now) else { return };
            self.state.evolve(&event);
            self.events.push((time, event));
        }
        panic!("decide does not come to an end: {:?}", self.events.last());
    }

    /// Healthy looks every two seconds.
    pub(super) fn healthy_until(&mut self, from: f64, to: f64) {
        self.looks(from, to, |_| {});
    }

    /// A look every two seconds, and a tick each half second between, as the monitor does.
    pub(super) fn looks(&mut self, from: f64, to: f64, change: impl Fn(&mut Pair)) {
        let mut time = from;
        while time <= to {
            self.see(&healthy(time).with(&change));
            for between in [0.5, 1.0, 1.5] {
                self.tick(time + between);
            }
            time += 2.0;
        }
    }

    pub(super) fn assessment(&self, time: f64) -> Assessment {
        self.watch.assessment(&self.limits, at(time))
    }

    pub(super) fn status(&self) -> Status {
        self.state.status.expect("judged")
    }

    /// "12.0 alert.opened RPO_BREACH", one line an event.
    pub(super) fn told(&self) -> String {
        self.events.iter().map(|(time, event)| format!("{time:>6.1} {} {}\n", event.kind(), what(event))).collect()
    }
}

fn what(event: &ReadinessEvent) -> String {
    let codes = |a: &Option<Assessment>| codes(a.as_ref().unwrap());
    match event.event.as_ref().unwrap() {
        Event::StatusChanged(e) => {
            format!(
                "{} -> {} {}",
                e.from().as_str_name(),
                e.assessment.as_ref().unwrap().status().as_str_name(),
                codes(&e.assessment)
            )
        }
        Event::AlertOpened(e) => format!("{} {}", e.kind().as_str_name(), e.severity().as_str_name()),
        Event::AlertUpdated(e) => e.kind().as_str_name().to_string(),
        Event::AlertResolved(e) => e.kind().as_str_name().to_string(),
    }
}

pub(super) fn codes(assessment: &Assessment) -> String {
    assessment.reasons.iter().map(|r| r.code.as_str()).collect::<Vec<_>>().join(" ")
}
