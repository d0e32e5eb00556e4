#![expect(clippy::unwrap_used, reason = "a test panics to fail")]
//! What two servers answer, and what is made of it.

use jiff::{SignedDuration, Timestamp};

use super::primary_sample;
use crate::pb::common::v1::{LossCertainty, Tier};
use crate::pb::inventory::v1::{MariadbTarget, Node, ResourceSpec, resource_spec::Platform};
use crate::pb::observation::v1::{
    ErrorClass, MariadbFacts, MariadbReplica, NodeObservation, Observation, ObservationError, node_observation,
};
use crate::pb::readiness::v1::{Assessment, Status};
use crate::readiness::thresholds::Limits;
use crate::readiness::watch::Watch;
use crate::time::{duration_to_pb, to_pb};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + second).unwrap()
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
        platform: Some(Platform::Mariadb(MariadbTarget {
            nodes: vec![node("a", "east", 3301), node("b", "west", 3302)],
            ..Default::default()
        })),
        ..Default::default()
    }
}

/// A primary that has written up to `sequence`.
fn primary(sequence: u64) -> MariadbFacts {
    MariadbFacts {
        server_id: Some(1),
        read_only: Some(false),
        gtid_binlog_pos: Some(format!("0-1-{sequence}")),
        gtid_slave_pos: Some(String::new()),
        gtid_binlog_state: Some(format!("0-1-{sequence}")),
        gtid_strict_mode: Some(true),
        log_bin: Some(true),
        log_slave_updates: Some(true),
        wsrep_on: Some(false),
        ..Default::default()
    }
}

/// A standby that has received and applied up to `sequence`.
fn standby(sequence: u64) -> MariadbFacts {
    MariadbFacts {
        server_id: Some(2),
        read_only: Some(true),
        gtid_slave_pos: Some(format!("0-1-{sequence}")),
        replica: Some(MariadbReplica {
            io_running: "Yes".into(),
            sql_running: "Yes".into(),
            seconds_behind: Some(0),
            gtid_io_pos: Some(format!("0-1-{sequence}")),
            using_gtid: "Slave_Pos".into(),
            sql_delay: Some(0),
            source_server_id: Some(1),
            ..Default::default()
        }),
        ..primary(sequence)
    }
}

type Answer = Result<MariadbFacts, ErrorClass>;

fn observation(second: i64, answers: [Answer; 2]) -> Observation {
    let nodes = ["a", "b"].into_iter().zip(answers).map(|(node, answer)| NodeObservation {
        node: node.into(),
        read_at: Some(to_pb(at(second))),
        took: Some(duration_to_pb(SignedDuration::from_millis(100))),
        result: Some(match answer {
            Ok(facts) => node_observation::Result::Mariadb(facts),
            Err(class) => {
                node_observation::Result::Error(ObservationError { class: class.into(), message: "no".into() })
            }
        }),
        ..Default::default()
    });
    Observation {
        observed_at: Some(to_pb(at(second))),
        sequence: u64::try_from(second).unwrap() + 1,
        collector: "c".into(),
        nodes: nodes.collect(),
        ..Default::default()
    }
}

/// The judgement after these looks, one every two seconds.
fn judged(looks: Vec<[Answer; 2]>) -> Assessment {
    let (spec, mut watch, mut now) = (spec(), Watch::new(at(0)), 0);
    for answers in looks {
        now += 2;
        assert!(watch.observe(&spec, &observation(now, answers), at(now)));
    }
    watch.assessment(&Limits::built_in(Tier::Tier1), at(now))
}

/// Healthy for some looks, and then this.
fn after_health(answers: [Answer; 2]) -> Assessment {
    let healthy = |n| [Ok(primary(n)), Ok(standby(n))];
    judged(vec![healthy(100), healthy(110), healthy(120), answers])
}

fn codes(assessment: &Assessment) -> Vec<&str> {
    assessment.reasons.iter().map(|reason| reason.code.as_str()).collect()
}

fn changed(mut facts: MariadbFacts, change: impl Fn(&mut MariadbFacts)) -> Answer {
    change(&mut facts);
    Ok(facts)
}

fn replica(sequence: u64, change: impl Fn(&mut MariadbReplica)) -> Answer {
    changed(standby(sequence), |facts| change(facts.replica.as_mut().unwrap()))
}

#[test]
fn a_pair_that_replicates_is_green_with_positions_and_no_bytes() {
    let good = after_health([Ok(primary(130)), Ok(standby(130))]);
    assert_eq!((good.status(), codes(&good)), (Status::Green, vec!["RPO_OK"]));
    assert_eq!((good.not_received_bytes, good.not_applied_bytes), (None, None));
    assert_eq!(good.loss.as_ref().unwrap().missing_bytes, None, "positions count transactions");
    let (p, s) = (good.primary.unwrap(), good.standby.unwrap());
    assert_eq!((p.lsn.as_str(), p.system_identifier.as_str(), p.timeline), ("0-1-130", "mariadb-gtid-domains:0", 0));
    assert_eq!((s.lsn.as_str(), s.role.as_str()), ("0-1-130", "standby"));
}

/// The number is 0 behind a dead receiver, and absent behind a stopped applier: threads come first.
#[test]
fn a_stopped_thread_is_red_whatever_the_lag_in_seconds_says() {
    for (change, code) in [
        ((|r| r.io_running = "No".into()) as fn(&mut MariadbReplica), "RECEIVER_NOT_STREAMING"),
        (|r| r.sql_running = "No".into(), "APPLIER_STOPPED"),
        (
            |r| {
                r.io_running = "Connecting".into();
                r.last_io_errno = 2003;
            },
            "RECEIVER_NOT_STREAMING",
        ),
        (|r| r.using_gtid = "No".into(), "GTID_NOT_USED"),
        (|r| r.source_server_id = Some(9), "FOLLOWS_OTHER"),
    ] {
        let judged = after_health([Ok(primary(130)), replica(130, change)]);
        assert_eq!(judged.status(), Status::Red, "{code}");
        assert!(codes(&judged).contains(&code), "{code}: {:?}", codes(&judged));
    }
}

#[test]
fn connecting_is_neither_yes_nor_no() {
    let connecting = |sequence| [Ok(primary(sequence)), replica(130, |r| r.io_running = "Connecting".into())];
    let judged = after_health(connecting(130));
    assert_eq!((judged.status(), codes(&judged)), (Status::Unknown, vec!["RECEIVER_CONNECTING"]));
    assert_eq!(judged.rpo_now, None, "neither flowing nor severed: not known");
}

/// A severed standby of an idle primary looks caught up: both positions are equal, and the indicator grows.
#[test]
fn an_indicator_grows_while_nothing_flows() {
    let healthy = [Ok(primary(100)), Ok(standby(100))];
    let cut = || [Ok(primary(100)), replica(100, |r| r.io_running = "No".into())];
    let mut looks = vec![healthy.clone(), healthy];
    looks.extend((0..10).map(|_| cut()));
    let judged = judged(looks);
    assert!(crate::time::duration_from_pb(judged.rpo_now.as_ref()).unwrap() >= SignedDuration::from_secs(20));
}

#[test]
fn what_is_received_is_held_and_what_is_not_received_is_not() {
    let applied_late = changed(standby(130), |facts| facts.gtid_slave_pos = Some("0-1-101".into()));
    assert_eq!(codes(&after_health([Ok(primary(130)), applied_late])), ["RPO_OK"]);
    // 20 s of writes that did not arrive, with both threads running: the positions tell.
    let mut looks = vec![[Ok(primary(100)), Ok(standby(100))]];
    looks.extend((1..=10).map(|n| [Ok(primary(100 + n)), Ok(standby(100))]));
    let judged = judged(looks);
    let rpo = crate::time::duration_from_pb(judged.rpo_now.as_ref()).unwrap();
    assert!(rpo >= SignedDuration::from_secs(20), "{rpo}");
}

#[test]
fn a_stray_transaction_makes_positions_incomparable() {
    let stray = changed(standby(130), |facts| facts.gtid_binlog_state = Some("0-1-130,0-2-125".into()));
    let judged = after_health([Ok(primary(130)), stray]);
    assert!(codes(&judged).contains(&"ERRANT_TRANSACTIONS"), "{:?}", codes(&judged));
    assert_eq!((judged.status(), judged.rpo_now), (Status::Red, None));
    assert_eq!(judged.loss.unwrap().certainty(), LossCertainty::Unknown);
    // What the primary itself wrote after it was asked is no stray.
    assert_eq!(codes(&after_health([Ok(primary(130)), Ok(standby(133))])), ["RPO_OK"]);
    // And a primary that fell back behind what the standby held lost something.
    assert!(codes(&after_health([Ok(primary(90)), Ok(standby(120))])).contains(&"STANDBY_AHEAD"));
}

#[test]
fn settings_that_would_fail_a_change_of_roles_are_findings() {
    for (change, code, status) in [
        ((|f| f.read_only = Some(false)) as fn(&mut MariadbFacts), "STANDBY_WRITABLE", Status::Red),
        (|f| f.replication_filters = vec!["replicate_do_db=app".into()], "REPLICATION_FILTERED", Status::Red),
        (|f| f.log_slave_updates = Some(false), "LOG_UPDATES_OFF", Status::Yellow),
        (|f| f.gtid_strict_mode = Some(false), "GTID_NOT_STRICT", Status::Yellow),
        (|f| f.replica.as_mut().unwrap().sql_delay = Some(3600), "REPLAY_DELAYED", Status::Yellow),
        (|f| f.replica.as_mut().unwrap().seconds_behind = Some(61), "APPLY_LAG", Status::Yellow),
        (|f| f.wsrep_on = Some(true), "GALERA_ACTIVE", Status::Unknown),
        (|f| f.limited_view = true, "PERMISSION_LIMITED", Status::Unknown),
        (|f| f.server_id = Some(1), "SAME_SERVER", Status::Red),
    ] {
        let judged = after_health([Ok(primary(130)), changed(standby(130), change)]);
        assert!(codes(&judged).contains(&code), "{code}: {:?}", codes(&judged));
        assert_eq!(judged.status(), status, "{code}");
    }
}

#[test]
fn roles_are_told_by_replication_and_by_who_accepts_writes() {
    let second = changed(primary(130), |facts| facts.server_id = Some(2));
    assert!(codes(&after_health([Ok(primary(130)), second])).contains(&"TWO_PRIMARIES"));
    let held = changed(primary(130), |facts| facts.read_only = Some(true));
    assert!(codes(&after_health([held, Ok(standby(130))])).contains(&"NO_PRIMARY"));
    let bare = changed(standby(130), |facts| facts.replica = None);
    assert!(codes(&after_health([Ok(primary(130)), bare])).contains(&"RECEIVER_MISSING"));
    let silent = after_health([Err(ErrorClass::Unreachable), Ok(standby(130))]);
    assert_eq!(codes(&silent), ["PRIMARY_UNREACHABLE"]);
    let elsewhere = after_health([Ok(standby(130)), Ok(primary(130))]);
    assert!(codes(&elsewhere).contains(&"RUNNING_ON_DR_SITE"));
}

/// Nothing that a server leaves out is taken for good: no single absence gives green.
#[test]
fn what_is_not_told_is_never_green() {
    for forget in [
        (|f| f.read_only = None) as fn(&mut MariadbFacts),
        |f| f.gtid_binlog_pos = None,
        |f| f.gtid_binlog_pos = Some("nonsense".into()),
    ] {
        let mut answers = [primary(130), standby(130)];
        forget(&mut answers[0]);
        let [a, b] = answers;
        assert_ne!(judged(vec![[Ok(a), Ok(b)]]).status(), Status::Green);
    }
    let [a, mut b] = [primary(130), standby(130)];
    b.gtid_slave_pos = None;
    assert_ne!(judged(vec![[Ok(a), Ok(b)]]).status(), Status::Green);
}

#[test]
fn only_a_primary_gives_a_sample() {
    assert_eq!(primary_sample(&primary(77)), Some(("mariadb-gtid-domains:0".into(), 77)));
    let two = MariadbFacts { gtid_binlog_pos: Some("1-1-3,0-1-77".into()), ..primary(77) };
    assert_eq!(primary_sample(&two), Some(("mariadb-gtid-domains:0,1".into(), 80)));
    assert_eq!(primary_sample(&standby(77)), None);
    assert_eq!(primary_sample(&MariadbFacts { read_only: None, ..primary(77) }), None);
    assert_eq!(primary_sample(&MariadbFacts { gtid_binlog_pos: None, ..primary(77) }), None);
}
