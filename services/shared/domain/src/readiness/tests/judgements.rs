//! Given these facts, this status with these reasons. One row a case.

use super::given::{Pair, Story, codes, healthy, lsn_at, orders_db, without_heartbeat};
use crate::pb::common::v1::LossCertainty;
use crate::pb::inventory::v1::resource_spec::Platform;
use crate::pb::observation::v1::{ErrorClass, WalSender};
use crate::pb::readiness::v1::Status::{self, Green, Red, Unknown, Yellow};
use crate::time::{duration_from_pb, duration_to_pb, to_pb};

type Change = fn(&mut Pair);

/// Both nodes are read at about the same time, so in a single look a busy standby may be ahead.
const NEEDS_A_LOOK_BEFORE: &str = "the primary lost log";

/// After two healthy looks (at 0 s and 2 s) the look at 4 s is changed.
const ONE_LOOK: &[(&str, Change, Status, &str)] = &[
    ("nothing is wrong", |_| {}, Green, "RPO_OK"),
    (
        "idle primary: an old last commit is no lag (L1)",
        |p| p.b().last_replayed_commit_at = Some(to_pb(super::given::at(-523.0))),
        Green,
        "RPO_OK",
    ),
    (
        "the last message is 30 s old, as on an idle link (L2)",
        |p| p.receiver().last_message_receipt_at = Some(to_pb(super::given::at(4.0 - 30.0))),
        Green,
        "RPO_OK",
    ),
    ("received until two looks ago", |p| p.received_until(1.0), Green, "RPO_OK"),
    ("severed, received = replayed (L2)", |p| p.severed_at(2.0), Red, "RECEIVER_MISSING SENDER_MISSING RPO_OK"),
    ("the receiver is starting", |p| p.receiver().status = "starting".into(), Red, "RECEIVER_NOT_STREAMING RPO_OK"),
    (
        "the last message is 40 s old (L4)",
        |p| p.receiver().last_message_receipt_at = Some(to_pb(super::given::at(4.0 - 40.0))),
        Yellow,
        "RECEIVER_SILENT RPO_OK",
    ),
    ("the last message has no time", |p| p.receiver().last_message_receipt_at = None, Yellow, "RECEIVER_SILENT RPO_OK"),
    (
        "the last message is from the future",
        |p| p.receiver().last_message_receipt_at = Some(to_pb(super::given::at(60.0))),
        Yellow,
        "RECEIVER_SILENT RPO_OK",
    ),
    ("replay is paused (L3)", |p| p.b().replay_pause_state = "paused".into(), Yellow, "REPLAY_PAUSED RPO_OK"),
    (
        "replay is delayed on purpose",
        |p| p.b().recovery_min_apply_delay = Some(duration_to_pb(super::given::secs(60.0))),
        Yellow,
        "REPLAY_DELAYED RPO_OK",
    ),
    (
        "100 MiB are not applied (L3)",
        |p| p.b().replay_lsn = Some(lsn_at(4.0) - 100 * 1024 * 1024),
        Yellow,
        "APPLY_LAG RPO_OK",
    ),
    ("the heartbeat did not commit", |p| p.a().heartbeat_at = None, Yellow, "HEARTBEAT_MISSED RPO_OK"),
    ("the slot is lost", |p| p.a().slots[0].wal_status = "lost".into(), Red, "SLOT_LOST RPO_OK"),
    (
        "the slot is about to be lost",
        |p| p.a().slots[0].wal_status = "unreserved".into(),
        Yellow,
        "SLOT_AT_RISK RPO_OK",
    ),
    ("there is no slot", |p| p.receiver().slot_name.clear(), Yellow, "SLOT_MISSING RPO_OK"),
    (
        "only a base backup is being sent",
        |p| p.a().wal_senders = vec![WalSender { state: "backup".into(), ..Default::default() }],
        Red,
        "SENDER_MISSING RPO_OK",
    ),
    (
        "only pg_receivewal is being sent to",
        |p| p.a().wal_senders[0].application_name = "pg_receivewal".into(),
        Red,
        "SENDER_MISSING RPO_OK",
    ),
    (
        "the standby follows somebody else",
        |p| {
            p.a().wal_senders.clear();
            p.receiver().sender_port = 7777;
        },
        Red,
        "FOLLOWS_OTHER RPO_OK",
    ),
    ("the primary is on a newer timeline", |p| p.a().timeline = Some(2), Red, "TIMELINE_DIVERGED"),
    ("the standby is on a newer timeline", |p| p.receiver().received_timeline = 2, Red, "TIMELINE_DIVERGED"),
    (
        "the standby's control file lags behind (T4)",
        |p| {
            p.b().timeline = Some(0);
        },
        Green,
        "RPO_OK",
    ),
    (
        NEEDS_A_LOOK_BEFORE,
        |p| {
            p.a().current_lsn = Some(lsn_at(1.0));
            p.a().heartbeat_lsn = Some(lsn_at(1.0));
        },
        Red,
        "STANDBY_AHEAD",
    ),
    ("two different databases", |p| p.b().system_identifier = "7002".into(), Red, "SYSTEM_MISMATCH"),
    (
        "two primaries, one promoted",
        |p| {
            p.b().in_recovery = Some(false);
            p.b().timeline = Some(2);
        },
        Red,
        "TWO_PRIMARIES",
    ),
    ("two primaries on one timeline", |p| p.b().in_recovery = Some(false), Red, "TWO_PRIMARIES SAME_SERVER"),
    (
        "two primaries of two databases",
        |p| {
            p.b().in_recovery = Some(false);
            p.b().system_identifier = "7002".into();
        },
        Red,
        "TWO_PRIMARIES SYSTEM_MISMATCH",
    ),
    ("no primary", |p| p.a().in_recovery = Some(true), Red, "NO_PRIMARY"),
    ("the standby's account sees too little", |p| p.b().limited_view = true, Unknown, "PERMISSION_LIMITED"),
    (
        "the primary's account sees too little",
        |p| {
            p.a().limited_view = true;
            p.a().wal_senders.clear();
        },
        Unknown,
        "PERMISSION_LIMITED",
    ),
    ("the receiver's columns are hidden", |p| p.receiver().status.clear(), Unknown, "PERMISSION_LIMITED"),
    ("the receiver's timeline is hidden", |p| p.receiver().received_timeline = 0, Unknown, "PERMISSION_LIMITED"),
    ("no identity is told", |p| p.b().system_identifier.clear(), Unknown, "PERMISSION_LIMITED"),
    ("a role is not told", |p| p.b().in_recovery = None, Unknown, "ROLE_UNKNOWN STANDBY_UNREACHABLE"),
    (
        "the standby does not answer, the primary still sends",
        |p| p.b = Err(ErrorClass::Unreachable),
        Yellow,
        "STANDBY_UNREACHABLE",
    ),
    (
        "the standby does not answer, the primary sends to nobody",
        |p| {
            p.a().wal_senders.clear();
            p.b = Err(ErrorClass::Unreachable);
        },
        Red,
        "SENDER_MISSING STANDBY_UNREACHABLE RPO_OK",
    ),
    (
        "the primary does not answer, the standby still receives",
        |p| p.a = Err(ErrorClass::Unreachable),
        Yellow,
        "PRIMARY_UNREACHABLE",
    ),
    (
        "the primary is dead",
        |p| {
            p.a = Err(ErrorClass::Unreachable);
            p.severed_at(4.0);
        },
        Red,
        "RECEIVER_MISSING PRIMARY_UNREACHABLE RPO_OK",
    ),
    (
        "both do not answer",
        |p| {
            p.a = Err(ErrorClass::Unreachable);
            p.b = Err(ErrorClass::Unreachable);
        },
        Yellow,
        "PRIMARY_UNREACHABLE STANDBY_UNREACHABLE",
    ),
    ("the account is refused", |p| p.b = Err(ErrorClass::Credential), Yellow, "CREDENTIAL_REFUSED STANDBY_UNREACHABLE"),
    (
        "logged in and not allowed",
        |p| p.b = Err(ErrorClass::Permission),
        Yellow,
        "PERMISSION_REFUSED STANDBY_UNREACHABLE",
    ),
    ("starting up", |p| p.b = Err(ErrorClass::NotReady), Yellow, "NODE_NOT_READY STANDBY_UNREACHABLE"),
    ("an answer without sense", |p| p.b = Err(ErrorClass::Protocol), Yellow, "ANSWER_INVALID STANDBY_UNREACHABLE"),
    (
        "a secret that does not resolve",
        |p| p.b = Err(ErrorClass::Configuration),
        Yellow,
        "CONFIGURATION_ERROR STANDBY_UNREACHABLE",
    ),
];

#[test]
fn one_look_after_healthy_ones() {
    let mut wrong = String::new();
    for (case, change, status, expected) in ONE_LOOK {
        let mut story = Story::new();
        story.see(&healthy(0.0));
        story.see(&healthy(2.0));
        story.see(&healthy(4.0).with(change));
        let assessment = story.assessment(4.0);
        let mut codes: Vec<&str> = assessment.reasons.iter().map(|r| r.code.as_str()).collect();
        let mut wanted: Vec<&str> = expected.split(' ').collect();
        codes.sort_unstable();
        wanted.sort_unstable();
        if assessment.status() != *status || codes != wanted {
            wrong.push_str(&format!("{case}: {:?} {codes:?}, not {status:?} {wanted:?}\n", assessment.status()));
        }
        assert_eq!(story.status(), assessment.status(), "{case}: worse is recorded at once");
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn a_first_look_at_something_broken_is_never_green_and_invents_no_number() {
    for (case, change, status, _) in ONE_LOOK {
        let mut story = Story::new();
        story.see(&healthy(4.0).with(change));
        let first = story.assessment(4.0);
        if *case == NEEDS_A_LOOK_BEFORE {
            continue;
        }
        assert!(*status == Green || first.status() != Green, "{case}");
        assert!(*status != Red || first.status() == Red, "{case}");
        let never_live = codes(&first).contains("MISSING") && !codes(&first).contains("SLOT_MISSING");
        assert!(!never_live || first.rpo_now.is_none(), "{case}: nothing was ever known to be received");
    }
}

#[test]
fn an_idle_primary_without_heartbeat_is_ready_as_long_as_the_link_is_alive() {
    let idle = |p: &mut Pair| {
        let lsn = lsn_at(0.0);
        p.a().current_lsn = Some(lsn);
        p.received_until(0.0);
    };
    let mut story = Story::of(without_heartbeat());
    story.looks(0.0, 120.0, idle);
    assert_eq!(story.assessment(120.0).status(), Green);

    // Severed: received still equals written, and the window grows all the same.
    story.looks(122.0, 160.0, |p| {
        idle(p);
        p.severed_at(0.0);
    });
    let severed = story.assessment(160.0);
    assert_eq!(
        codes(&severed),
        "RPO_BREACH RECEIVER_MISSING SENDER_MISSING".split(' ').fold(codes(&severed), |all, code| {
            assert!(all.contains(code), "{all}");
            all
        })
    );
    assert_eq!(severed.not_received_bytes, Some(0), "the distance in bytes says nothing here");
    assert!(duration_from_pb(severed.rpo_now.as_ref()).unwrap() > super::given::secs(39.0));
    let loss = severed.loss.unwrap();
    assert_eq!(loss.certainty(), LossCertainty::Bounded);
    assert!(loss.text.contains("potential loss window up to 40 s"), "{}", loss.text);
}

#[test]
fn a_missed_heartbeat_is_a_loss_window_that_grows_and_never_no_data_loss() {
    let mut story = Story::new();
    story.healthy_until(0.0, 20.0);
    story.looks(22.0, 60.0, |p| p.a().heartbeat_at = None);
    let assessment = story.assessment(60.0);
    assert_eq!(assessment.status(), Red, "{}", codes(&assessment));
    assert!(codes(&assessment).contains("HEARTBEAT_MISSED") && codes(&assessment).contains("RPO_BREACH"));
    let loss = assessment.loss.unwrap();
    assert_eq!(duration_from_pb(loss.window.as_ref()).map(|d| d.as_secs()), Some(40));
    assert!(!format!("{} {:?}", loss.text, loss.limits).to_lowercase().contains("no data loss"));
}

#[test]
fn a_paused_replay_costs_time_to_restore_and_no_data() {
    let mut story = Story::new();
    story.healthy_until(0.0, 10.0);
    story.looks(12.0, 300.0, |p| {
        p.b().replay_lsn = Some(lsn_at(12.0));
        p.b().replay_pause_state = "paused".into();
    });
    let assessment = story.assessment(300.0);
    assert_eq!(
        (assessment.status(), assessment.not_received_bytes, assessment.not_applied_bytes),
        (Yellow, Some(0), Some(288_000))
    );
}

#[test]
fn a_lagging_standby_shows_its_lag_in_time() {
    let mut story = Story::new();
    story.healthy_until(0.0, 20.0);
    // The link is alive and too slow: at 40 s the standby holds what was written at 27 s.
    story.looks(22.0, 40.0, |p| p.received_until(20.0 + (p.time - 20.0) * 0.35));
    let assessment = story.assessment(40.0);
    assert_eq!(codes(&assessment), "RPO_BREACH");
    assert_eq!(
        duration_from_pb(assessment.rpo_now.as_ref()).map(|d| d.as_secs()),
        Some(14),
        "the newest position held is that of 26 s"
    );
    assert_eq!(assessment.not_received_bytes, Some(13_000));
}

#[test]
fn a_standby_that_was_restarted_holds_what_it_replayed() {
    let mut story = Story::new();
    story.healthy_until(0.0, 10.0);
    // Streaming begins again at a segment's start, behind what was replayed.
    story.see(&healthy(12.0).with(|p| {
        p.b().receive_lsn = Some(lsn_at(-5.0));
        p.receiver().flushed_lsn = None;
    }));
    let assessment = story.assessment(12.0);
    assert_eq!(
        (assessment.status(), assessment.not_received_bytes, assessment.not_applied_bytes),
        (Green, Some(0), Some(0))
    );
}

#[test]
fn a_dead_primary_leaves_a_window_and_no_number_of_bytes_that_reads_as_proof() {
    let mut story = Story::new();
    story.healthy_until(0.0, 20.0);
    story.looks(22.0, 40.0, |p| {
        p.a = Err(ErrorClass::Unreachable);
        p.severed_at(20.0);
    });
    let loss = story.assessment(40.0).loss.unwrap();
    assert_eq!(loss.missing_bytes, None);
    assert_eq!(
        loss.text,
        "Caught up to 2025-10-09T08:53:39Z; potential loss window up to 20 s; distance in bytes not known."
    );
}

#[test]
fn after_a_promotion_nothing_of_the_old_line_counts() {
    let mut story = Story::new();
    story.healthy_until(0.0, 20.0);
    let promoted = |time: f64| {
        let mut pair = healthy(time);
        std::mem::swap(&mut pair.a, &mut pair.b);
        pair.b().timeline = Some(2);
        pair.b().wal_senders.clear();
        pair.a = Err(ErrorClass::Unreachable);
        pair
    };
    story.see(&promoted(22.0));
    let alone = story.assessment(22.0);
    assert_eq!((alone.status(), alone.rpo_now.is_none()), (Red, true), "{}", codes(&alone));
    assert_eq!(alone.loss.unwrap().certainty(), LossCertainty::Unknown);

    // The old primary returns as a standby of the new one.
    let returned = |time: f64| {
        let mut pair = healthy(time);
        std::mem::swap(&mut pair.a, &mut pair.b);
        pair.b().timeline = Some(2);
        let receiver = pair.a().wal_receiver.as_mut().unwrap();
        (receiver.received_timeline, receiver.sender_port) = (2, 5002);
        pair
    };
    for step in 0..10 {
        story.see(&returned(24.0 + f64::from(step) * 2.0));
    }
    assert_eq!(codes(&story.assessment(42.0)), "RUNNING_ON_DR_SITE RPO_OK");
    assert_eq!(story.status(), Green);
    assert_eq!(story.watch.active_site(), Some("west"));
}

#[test]
fn one_server_behind_two_names_is_no_pair() {
    let mut spec = orders_db();
    if let Some(Platform::Postgresql(target)) = &mut spec.platform {
        target.nodes[1].port = target.nodes[0].port;
    }
    let mut story = Story::of(spec);
    story.see(&healthy(0.0));
    assert!(codes(&story.assessment(0.0)).contains("SAME_SERVER"));
    assert_eq!(story.status(), Red);
}

#[test]
fn a_target_of_one_node_cannot_be_judged() {
    let mut spec = orders_db();
    if let Some(Platform::Postgresql(target)) = &mut spec.platform {
        target.nodes.pop();
    }
    let mut story = Story::of(spec);
    story.see(&healthy(0.0));
    story.see(&healthy(2.0));
    assert_eq!(story.assessment(2.0).status(), Unknown);
}

#[test]
fn an_old_answer_inside_a_new_observation_is_no_answer() {
    let mut story = Story::new();
    story.healthy_until(0.0, 10.0);
    let mut observation = healthy(12.0).observation(1000);
    observation.nodes[1].read_at = Some(to_pb(super::given::at(-120.0)));
    assert!(story.watch.observe(&story.spec.clone(), &observation, super::given::at(12.0)));
    assert_eq!(story.assessment(12.0).status(), Yellow);
    assert!(codes(&story.assessment(12.0)).contains("ANSWER_INVALID"));
}

#[test]
fn the_numbers_stand_behind_the_judgement() {
    let mut story = Story::new();
    story.healthy_until(0.0, 10.0);
    let assessment = story.assessment(10.0);
    insta::assert_yaml_snapshot!(assessment);
}
