//! Redis pairs, healthy and otherwise: what each lie of the lag is judged to be.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test panics to fail")]

use jiff::{SignedDuration, Timestamp};

use crate::pb::common::v1::Tier;
use crate::pb::inventory::v1::{Node, RedisTarget, ResourceSpec, resource_spec::Platform};
use crate::pb::observation::v1::{
    ErrorClass, NodeObservation, Observation, ObservationError, RedisFacts, RedisReplica, node_observation,
};
use crate::pb::readiness::v1::{Assessment, Status};
use crate::readiness::thresholds::Limits;
use crate::readiness::watch::Watch;
use crate::time::{duration_to_pb, to_pb};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_760_000_000 + second).unwrap()
}

fn spec() -> ResourceSpec {
    let node = |name: &str, site: &str, port| Node {
        name: name.into(),
        site: site.into(),
        host: "127.0.0.1".into(),
        port,
        ..Default::default()
    };
    ResourceSpec {
        tier: Tier::Tier1.into(),
        primary_site: "east".into(),
        dr_site: "west".into(),
        rpo: Some(duration_to_pb(SignedDuration::from_secs(10))),
        platform: Some(Platform::Redis(RedisTarget {
            nodes: vec![node("a", "east", 6379), node("b", "west", 6380)],
            ..Default::default()
        })),
        ..Default::default()
    }
}

/// Both nodes as they answer at one moment.
struct Pair {
    a: Result<RedisFacts, ErrorClass>,
    b: Result<RedisFacts, ErrorClass>,
}

impl Pair {
    fn a(&mut self) -> &mut RedisFacts {
        self.a.as_mut().unwrap()
    }

    fn b(&mut self) -> &mut RedisFacts {
        self.b.as_mut().unwrap()
    }
}

fn offset(second: i64) -> u64 {
    10_000 + 100 * u64::try_from(second).unwrap()
}

fn healthy(second: i64) -> Pair {
    let common = RedisFacts {
        version: "7.0.15".into(),
        replid: "aaaa".into(),
        offset: Some(offset(second)),
        second_offset: Some(-1),
        loading: Some(false),
        failover_state: "no-failover".into(),
        keys: Some(1_000),
        cluster_enabled: Some(false),
        server_time: Some(to_pb(at(second))),
        ..Default::default()
    };
    let replica = RedisReplica { host: "127.0.0.1".into(), port: 6380, state: "online".into(), ..Default::default() };
    let a = RedisFacts { role: "master".into(), run_id: "ra".into(), replicas: vec![replica], ..common.clone() };
    let b = RedisFacts {
        role: "slave".into(),
        run_id: "rb".into(),
        link_up: Some(true),
        last_io_seconds_ago: Some(1),
        sync_in_progress: Some(false),
        source_host: "127.0.0.1".into(),
        source_port: 6379,
        read_only: Some(true),
        ..common
    };
    Pair { a: Ok(a), b: Ok(b) }
}

struct Story {
    watch: Watch,
    limits: Limits,
    sequence: u64,
}

impl Story {
    /// Looked at every two seconds, healthy until second 10.
    fn begin() -> Self {
        let spec = spec();
        let limits = Limits::effective(spec.tier(), spec.rpo.as_ref(), [], None);
        let mut story = Self { watch: Watch::new(at(0)), limits, sequence: 0 };
        for second in (0..=10).step_by(2) {
            story.see(second, healthy(second));
        }
        story
    }

    fn see(&mut self, second: i64, pair: Pair) -> Assessment {
        let node = |name: &str, site: &str, facts: Result<RedisFacts, ErrorClass>| NodeObservation {
            node: name.into(),
            site: site.into(),
            read_at: Some(to_pb(at(second))),
            took: Some(duration_to_pb(SignedDuration::from_millis(10))),
            result: Some(match facts {
                Ok(facts) => node_observation::Result::Redis(facts),
                Err(class) => node_observation::Result::Error(ObservationError {
                    class: class.into(),
                    message: "no answer".into(),
                }),
            }),
        };
        self.sequence += 1;
        let observation = Observation {
            observed_at: Some(to_pb(at(second))),
            sequence: self.sequence,
            collector: "connector/one".into(),
            nodes: vec![node("a", "east", pair.a), node("b", "west", pair.b)],
            ..Default::default()
        };
        assert!(self.watch.observe(&spec(), &observation, at(second)));
        self.watch.assessment(&self.limits, at(second))
    }

    /// What one changed look is judged to be.
    fn then(mut self, change: impl FnOnce(&mut Pair)) -> Assessment {
        let mut pair = healthy(12);
        change(&mut pair);
        self.see(12, pair)
    }
}

fn codes(assessment: &Assessment) -> Vec<&str> {
    assessment.reasons.iter().map(|reason| reason.code.as_str()).collect()
}

#[test]
fn a_healthy_pair_is_green_with_its_numbers() {
    let judged = Story::begin().then(|_| {});
    assert_eq!((judged.status(), codes(&judged)), (Status::Green, vec!["RPO_OK"]));
    assert_eq!(judged.not_received_bytes, Some(0));
    assert_eq!(judged.primary.expect("seen").system_identifier, "aaaa");
}

#[test]
fn a_link_that_is_down_is_broken_although_both_offsets_are_equal() {
    let mut story = Story::begin();
    let mut rpo = SignedDuration::ZERO;
    for second in [12, 14, 30] {
        let mut pair = healthy(10);
        (pair.b().link_up, pair.b().last_io_seconds_ago) = (Some(false), Some(-1));
        pair.a().replicas.clear();
        let judged = story.see(second, pair);
        assert_eq!(judged.status(), Status::Red);
        assert!(codes(&judged).contains(&"RECEIVER_NOT_STREAMING"), "{:?}", codes(&judged));
        let now = crate::time::duration_from_pb(judged.rpo_now.as_ref()).expect("known");
        assert!(now > rpo, "equality is history: the window grows");
        rpo = now;
    }
}

#[test]
fn a_frozen_primary_is_unknown_and_never_zero() {
    let mut story = Story::begin();
    for second in (12..40).step_by(2) {
        let mut pair = healthy(10);
        pair.a = Err(ErrorClass::Unreachable);
        pair.b().last_io_seconds_ago = Some(second - 10);
        let judged = story.see(second, pair);
        assert_ne!(judged.status(), Status::Green);
        assert_eq!(judged.rpo_now, None, "the replica says 'link up', and nobody knows what the primary wrote");
        assert_eq!(codes(&judged).contains(&"RECEIVER_SILENT"), second > 25, "{second}: {:?}", codes(&judged));
    }
}

#[test]
fn a_primary_that_came_back_empty_is_told_until_its_data_is_back() {
    let restarted = |second, keys| {
        let mut pair = healthy(second);
        for facts in [&mut pair.a, &mut pair.b] {
            let facts = facts.as_mut().unwrap();
            (facts.replid, facts.offset, facts.keys) = ("bbbb".into(), Some(14), Some(keys));
        }
        pair
    };
    let mut story = Story::begin();
    for second in [12, 14, 60] {
        let judged = story.see(second, restarted(second, 0));
        assert_eq!(judged.status(), Status::Red, "{second}");
        assert!(codes(&judged).contains(&"DATA_COLLAPSED"), "{second}: {:?}", codes(&judged));
    }
    let judged = story.see(62, restarted(62, 990));
    assert!(!codes(&judged).contains(&"DATA_COLLAPSED"));
}

#[test]
fn a_promotion_continues_the_history_and_a_clean_up_of_keys_is_no_collapse() {
    let promoted = Story::begin().then(|pair| {
        std::mem::swap(&mut pair.a, &mut pair.b);
        for facts in [&mut pair.a, &mut pair.b] {
            let facts = facts.as_mut().unwrap();
            (facts.replid, facts.replid2, facts.keys) = ("bbbb".into(), "aaaa".into(), Some(3));
        }
        pair.b().replicas[0].port = 6379;
        pair.a().source_port = 6380;
    });
    assert!(!codes(&promoted).contains(&"DATA_COLLAPSED"), "{:?}", codes(&promoted));
    assert!(codes(&promoted).contains(&"RUNNING_ON_DR_SITE"));
    let emptied = Story::begin().then(|pair| {
        pair.a().keys = Some(0);
        pair.b().keys = Some(0);
    });
    assert!(!codes(&emptied).contains(&"DATA_COLLAPSED"), "the same history: somebody removed them");
}

/// Each single thing that is wrong has its own word, and none leaves it green.
#[test]
fn every_fault_has_its_reason() {
    type Change = fn(&mut Pair);
    let cases: [(&str, Status, Change); 11] = [
        ("TWO_PRIMARIES", Status::Red, |p| p.b().role = "master".into()),
        ("NO_PRIMARY", Status::Red, |p| p.a().role = "slave".into()),
        ("SAME_SERVER", Status::Red, |p| {
            p.b().role = "master".into();
            p.b().run_id = "ra".into();
        }),
        ("SYSTEM_MISMATCH", Status::Red, |p| p.b().replid = "cccc".into()),
        ("TIMELINE_DIVERGED", Status::Red, |p| (p.a().replid, p.a().replid2) = ("bbbb".into(), "aaaa".into())),
        ("SYNC_IN_PROGRESS", Status::Red, |p| p.b().sync_in_progress = Some(true)),
        ("FOLLOWS_OTHER", Status::Red, |p| {
            p.a().replicas.clear();
            p.b().source_port = 1;
        }),
        ("STANDBY_WRITABLE", Status::Red, |p| p.b().read_only = Some(false)),
        ("STANDBY_AHEAD", Status::Red, |p| p.a().offset = Some(offset(2))),
        ("CLUSTER_MODE", Status::Unknown, |p| p.b().cluster_enabled = Some(true)),
        ("NODE_NOT_READY", Status::Yellow, |p| p.b().loading = Some(true)),
    ];
    for (code, status, change) in cases {
        let judged = Story::begin().then(change);
        assert!(codes(&judged).contains(&code), "{code}: {:?}", codes(&judged));
        assert_eq!(judged.status(), status, "{code}");
    }
}

#[test]
fn what_is_not_told_is_never_green() {
    type Change = fn(&mut Pair);
    let cases: [Change; 5] = [
        |p| p.a().role.clear(),
        |p| p.b().link_up = None,
        |p| p.b().last_io_seconds_ago = None,
        |p| p.a = Err(ErrorClass::Credential),
        |p| p.b = Err(ErrorClass::Unreachable),
    ];
    for (index, change) in cases.into_iter().enumerate() {
        let judged = Story::begin().then(change);
        assert_ne!(judged.status(), Status::Green, "case {index}: {:?}", codes(&judged));
    }
    let mut story = Story::begin();
    for second in [12, 14, 16, 18, 20, 22] {
        let mut pair = healthy(second);
        pair.b().offset = None;
        let judged = story.see(second, pair);
        assert_eq!(judged.not_received_bytes, None);
    }
}

proptest::proptest! {
    /// Whatever is left out or wrong on the side that follows: green needs a live link, a whole copy, and one history.
    #[test]
    fn green_is_earned_by_every_fact(
        link_up in proptest::option::of(proptest::bool::ANY),
        last_io in proptest::option::of(-1_i64..40),
        sync in proptest::option::of(proptest::bool::ANY),
        read_only in proptest::option::of(proptest::bool::ANY),
        online in proptest::bool::ANY,
        same_history in proptest::bool::ANY,
        offset in proptest::option::of(0_u64..20_000),
    ) {
        let judged = Story::begin().then(|pair| {
            let b = pair.b();
            (b.link_up, b.last_io_seconds_ago, b.sync_in_progress) = (link_up, last_io, sync);
            (b.read_only, b.offset) = (read_only, offset);
            if !same_history {
                b.replid = "cccc".into();
            }
            if !online {
                pair.a().replicas.clear();
            }
        });
        if judged.status() == Status::Green {
            let heard = last_io.is_some_and(|age| (0..=15).contains(&age));
            proptest::prop_assert!(link_up == Some(true) && heard && sync != Some(true), "{judged:?}");
            proptest::prop_assert!(read_only != Some(false) && online && same_history, "{judged:?}");
            proptest::prop_assert!(judged.rpo_now.is_some(), "{judged:?}");
        }
    }
}
