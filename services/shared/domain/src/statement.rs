//! What can honestly be said about missing data (FR-014): conservative, in words, with its limits.

use jiff::{SignedDuration, Timestamp};

use crate::pb::common::v1::{LossCertainty, LossStatement};
use crate::time::{duration_to_pb, humane, to_pb};

/// A clean stop, and the target replayed past the shutdown checkpoint: the only proof of zero loss.
pub fn proven_none(stop_lsn: &str, replayed_lsn: &str) -> LossStatement {
    LossStatement {
        certainty: LossCertainty::ProvenNone.into(),
        caught_up_to: None,
        window: Some(duration_to_pb(SignedDuration::ZERO)),
        missing_bytes: Some(0),
        text: format!(
            "No committed data is missing: the old primary was stopped cleanly at {stop_lsn} and the target replayed to {replayed_lsn}, past that position."
        ),
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
}
