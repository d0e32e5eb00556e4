//! What can honestly be said about missing data (FR-014): conservative, in words, with its limits.

use jiff::{SignedDuration, Timestamp};

use crate::pb::common::v1::{LossCertainty, LossStatement};
use crate::time::{duration_from_pb, duration_to_pb, humane, to_pb};

/// PostgreSQL: a clean stop, and the target replayed past the shutdown checkpoint.
pub fn proven_none(stop_lsn: &str, replayed_lsn: &str) -> LossStatement {
    proven_by(&format!(
        "the old primary was stopped cleanly at {stop_lsn} and the target replayed to {replayed_lsn}, past that position"
    ))
}

/// Nothing is missing, and this is the proof: where the old primary ended, and that the target has it.
pub fn proven_by(proof: &str) -> LossStatement {
    LossStatement {
        certainty: LossCertainty::ProvenNone.into(),
        caught_up_to: None,
        window: Some(duration_to_pb(SignedDuration::ZERO)),
        missing_bytes: Some(0),
        text: format!("No committed data is missing: {proof}."),
        limits: vec![
            "Covers commits on this database cluster only, not writes an application held back or sent elsewhere."
                .into(),
        ],
    }
}

/// Something can be missing, and this bounds it. `caught_up_to` is a time for which a marker or
/// heartbeat is known to be on the standby; the window runs from there to `as_of`.
pub fn bounded(
    caught_up_to: Timestamp,
    as_of: Timestamp,
    missing_bytes: Option<u64>,
    limits: Vec<String>,
) -> LossStatement {
    let window = as_of.duration_since(caught_up_to).max(SignedDuration::ZERO);
    let bytes = match missing_bytes {
        Some(n) => format!("; last known distance {n} bytes"),
        None => "; distance in bytes not known".into(),
    };
    LossStatement {
        certainty: LossCertainty::Bounded.into(),
        caught_up_to: Some(to_pb(caught_up_to)),
        window: Some(duration_to_pb(window)),
        missing_bytes,
        text: format!("Caught up to {caught_up_to:.0}; potential loss window up to {}{bytes}.", humane(window)),
        limits,
    }
}

/// Nothing bounds it.
pub fn unknown(why: &str) -> LossStatement {
    LossStatement {
        certainty: LossCertainty::Unknown.into(),
        caught_up_to: None,
        window: None,
        missing_bytes: None,
        text: format!("Marker unavailable: cannot prove completeness ({why})."),
        limits: vec!["No position of the lost side is known; the loss window cannot be bounded.".into()],
    }
}

/// Of several resources the one that says least: what nothing bounds before what is bounded, a longer window before a
/// shorter one. It names whose it is. `None`: there are none.
pub fn worst<'a>(of: impl IntoIterator<Item = (&'a str, &'a LossStatement)>) -> Option<LossStatement> {
    let all: Vec<(&str, &LossStatement)> = of.into_iter().collect();
    let severity = |statement: &LossStatement| match statement.certainty() {
        LossCertainty::Unknown | LossCertainty::Unspecified => 2,
        LossCertainty::Bounded => 1,
        LossCertainty::ProvenNone => 0,
    };
    let window = |statement: &LossStatement| duration_from_pb(statement.window.as_ref());
    let (resource, statement) =
        all.iter().max_by_key(|(_, statement)| (severity(statement), window(statement), statement.missing_bytes))?;
    let text = match all.as_slice() {
        [_] => statement.text.clone(),
        _ => format!("{resource}: {} Of {} resources this is the worst.", statement.text, all.len()),
    };
    Some(LossStatement { text, ..(*statement).clone() })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::expect_used, reason = "a test panics to fail")]
    use super::*;

    #[test]
    fn a_window_never_shrinks_below_zero_and_never_claims_proof() {
        let t = Timestamp::from_second(1_700_000_000).expect("valid");
        let later = t + SignedDuration::from_secs(60);
        // The standby's clock runs ahead: the window is zero, and still only a bound.
        let statement = bounded(later, t, None, vec![]);
        assert_eq!(statement.certainty, i32::from(LossCertainty::Bounded));
        assert_eq!(statement.window.as_ref().map(|w| w.seconds), Some(0));
        assert!(!statement.text.to_lowercase().contains("no data loss"));
    }

    #[test]
    fn unknown_has_no_window() {
        assert_eq!(unknown("primary never seen").window, None);
    }

    #[test]
    fn of_several_resources_the_worst_is_said_and_named() {
        let t = Timestamp::from_second(1_700_000_000).expect("valid");
        let none = proven_none("0/1", "0/2");
        let short = bounded(t, t + SignedDuration::from_secs(5), Some(1), vec![]);
        let long = bounded(t, t + SignedDuration::from_secs(60), None, vec![]);
        let lost = unknown("never seen");
        let said = |all: &[(&str, &LossStatement)]| worst(all.iter().copied()).map(|statement| statement.text);
        assert_eq!(said(&[("a", &none)]), Some(none.text.clone()));
        assert!(said(&[("a", &short), ("b", &long), ("c", &none)]).is_some_and(|text| text.starts_with("b: ")));
        assert!(said(&[("a", &short), ("b", &lost), ("c", &none)]).is_some_and(|text| text.starts_with("b: ")));
        assert_eq!(said(&[]), None);
    }
}
