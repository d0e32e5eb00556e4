#![expect(clippy::unwrap_used, reason = "a test panics to fail")]
use jiff::SignedDuration;
use proptest::prelude::*;

use super::*;
use crate::pb::audit::v1::{AuditDomainSet, LogGapDetected};

fn opened(epoch: u32) -> EpochOpened {
    EpochOpened { epoch, verifier_key: format!("key-{epoch}"), first_sequence: 1, ..EpochOpened::default() }
}

fn now() -> Timestamp {
    "2026-11-22T10:00:00Z".parse().unwrap()
}

fn apply(log: &mut AuditLog, decided: Result<Option<AuditLogEvent>, crate::Refusal>) -> bool {
    let event = decided.unwrap();
    event.iter().for_each(|event| log.evolve(event));
    event.is_some()
}

fn begun() -> AuditLog {
    let mut log = AuditLog::default();
    assert!(apply(&mut log, open_epoch(&AuditLog::default(), &opened(1))));
    log
}

fn split(text: &str) -> SplitDetected {
    SplitDetected { text: text.into(), ..SplitDetected::default() }
}

#[test]
fn the_domain_is_what_the_first_one_said() {
    let mut domain = AuditDomain::default();
    domain.evolve(&set_domain(&domain, "audit.example").unwrap());
    assert_eq!(set_domain(&domain, "other.example"), None);
    let late = AuditDomainSet { domain: "other.example".into() };
    domain.evolve(&AuditDomainEvent { event: Some(audit_domain_event::Event::Set(late)) });
    assert_eq!(domain.domain.as_deref(), Some("audit.example"));
}

#[test]
fn epochs_follow_one_another_and_opening_one_twice_is_nothing() {
    let mut log = begun();
    assert_eq!(open_epoch(&log, &opened(1)).unwrap(), None);
    assert!(open_epoch(&log, &opened(3)).unwrap().is_some(), "the store remembers an epoch that the stream lost");
    assert!(apply(&mut log.clone(), open_epoch(&log, &opened(2))), "a promoted stream opens one without a person");
    assert!(apply(&mut log, detect_split(&begun(), &split("two trees"))));
    assert_eq!(open_epoch(&log, &opened(2)).unwrap_err().code, "LOG_STOPPED");
}

#[test]
fn both_keys_sign_until_the_old_one_ends() {
    let mut log = begun();
    let until = now() + SignedDuration::from_hours(30 * 24);
    assert!(apply(&mut log, rotate_key(&begun(), "new", until, "yearly", now())));
    let signing = |log: &AuditLog, at| -> Vec<String> {
        log.keys.iter().filter(|key| key.signs_at(at)).map(|key| key.verifier_key.clone()).collect()
    };
    assert_eq!(signing(&log, until - SignedDuration::from_nanos(1)), ["key-1", "new"]);
    assert_eq!(signing(&log, until), ["new"]);
    assert_eq!(rotate_key(&log, "new", until, "", now()).unwrap(), None, "asked for twice");
    assert_eq!(rotate_key(&log, "newer", until, "", now()).unwrap_err().code, "LOG_KEY_NOT_ROTATABLE");
    assert!(rotate_key(&log, "newer", until, "", until).unwrap().is_some());
    assert_eq!(rotate_key(&AuditLog::default(), "new", until, "", now()).unwrap_err().code, "LOG_KEY_NOT_ROTATABLE");
}

#[test]
fn a_revoked_key_stops_the_log_until_the_next_epoch() {
    let mut log = begun();
    let revoke = |key: &str| LogKeyRevoked {
        verifier_key: key.into(),
        last_good: Some(CheckpointRef { size: 7, ..CheckpointRef::default() }),
        reason: "stolen".into(),
    };
    assert_eq!(revoke_key(&log, &revoke("other")).unwrap_err().code, "LOG_KEY_UNKNOWN");
    assert!(apply(&mut log, revoke_key(&begun(), &revoke("key-1"))));
    assert_eq!(revoke_key(&log, &revoke("key-1")).unwrap(), None);
    assert!(log.keys.iter().all(|key| !key.signs_at(now())));
    assert_eq!(log.last_good().unwrap().size, 7);
    assert!(log.stopped.as_ref().unwrap().text().contains("stolen"));
    let next = open_epoch(&log, &opened(2));
    assert!(apply(&mut log, next));
    assert_eq!((log.stopped.is_none(), log.keys.len(), log.epochs.len()), (true, 1, 2));
}

#[test]
fn what_was_seen_first_stays_and_a_revoked_key_ends_it() {
    let mut log = begun();
    assert!(apply(&mut log, detect_split(&begun(), &split("the first"))));
    assert_eq!(detect_split(&log, &split("the second")).unwrap(), None);
    assert_eq!(rotate_key(&log, "new", now(), "", now()).unwrap_err().code, "LOG_KEY_NOT_ROTATABLE");
    let revoked = LogKeyRevoked { verifier_key: "key-1".into(), ..LogKeyRevoked::default() };
    let decided = revoke_key(&log, &revoked);
    assert!(apply(&mut log, decided));
    assert!(matches!(log.stopped, Some(Stopped::KeyRevoked(_))));
    assert!(detect_gap(&log, &LogGapDetected::default()).unwrap().is_some());
}

#[test]
fn what_comes_back_has_an_aggregate_for_each_month() {
    assert_eq!(AuditLog::monthly(now()), "record-2026-11");
    AuditLog::monthly(now()).parse::<crate::AggregateId>().unwrap();
}

proptest! {
    /// Whatever is asked in whatever order: epochs count up, at most two keys sign at once, and a log in which
    /// two trees were seen signs nothing.
    #[test]
    fn the_rules_hold_in_every_order(steps in prop::collection::vec((0_u8..5, 0_u32..4, 0_i64..90), 0..60)) {
        let mut log = AuditLog::default();
        let mut now = now();
        for (what, number, days) in steps {
            now += SignedDuration::from_hours(24 * days);
            let key = log.keys.get(number as usize).map(|key| key.verifier_key.clone()).unwrap_or_default();
            let decided = match what {
                0 => open_epoch(&log, &EpochOpened { verifier_key: format!("e{number}-{now}"), ..opened(number + 1) }),
                1 => rotate_key(&log, &format!("r{number}-{now}"), now + SignedDuration::from_hours(720), "", now),
                2 => revoke_key(&log, &LogKeyRevoked { verifier_key: key, ..LogKeyRevoked::default() }),
                3 => detect_split(&log, &split("two trees")),
                _ => detect_gap(&log, &LogGapDetected::default()),
            };
            if let Ok(Some(event)) = decided {
                log.evolve(&event);
            }
            let numbers: Vec<u32> = log.epochs.iter().map(|epoch| epoch.epoch).collect();
            prop_assert!(numbers.is_sorted_by(|one, next| one < next), "{:?}", numbers);
            prop_assert!(log.keys.iter().filter(|key| key.signs_at(now)).count() <= 2);
        }
    }
}
