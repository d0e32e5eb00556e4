//! What the facts of a move say about missing data.

use muster_domain::statement::proven_by;

use super::fact;
use crate::{
    Facts,
    evidence::{Evidence, ONE_CLUSTER},
};

const ASYNCHRONOUS: &str =
    "Redis replicates asynchronously: a write that was acknowledged can be missing, whatever WAIT said of it.";

pub(super) fn evidence(facts: &Facts) -> Option<Evidence> {
    let offset = |name: &str| facts.get(name).and_then(|text| text.parse::<u64>().ok());
    let (last, taken) = (offset(fact::FINAL_OFFSET), offset(fact::TAKEOVER_OFFSET));
    let received = offset(fact::TARGET_OFFSET).or(taken);
    if last.is_none() && received.is_none() {
        return None;
    }
    let complete = last.zip(taken).filter(|(last, taken)| last == taken);
    let proof = complete.map(|(last, taken)| {
        proven_by(&format!(
            "the old primary paused writes and handed over at {last}, and the target took over at {taken}, the same position"
        ))
    });
    Some(Evidence {
        complete: proof,
        received,
        in_bytes: true,
        history: facts.get(fact::OLD_REPLID).cloned(),
        timeline: Some(0),
        last_commit_at: None,
        limits: vec![ONE_CLUSTER, ASYNCHRONOUS],
    })
}

#[cfg(test)]
mod tests {
    use muster_domain::pb::common::v1::LossCertainty;

    use super::*;

    fn facts(pairs: &[(&str, &str)]) -> Facts {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn only_equal_last_positions_prove_that_nothing_is_missing() {
        let handed = |last, taken| evidence(&facts(&[(fact::FINAL_OFFSET, last), (fact::TAKEOVER_OFFSET, taken)]));
        let complete = handed("700", "700").and_then(|evidence| evidence.complete);
        assert_eq!(complete.map(|statement| statement.certainty()), Some(LossCertainty::ProvenNone));
        assert_eq!(handed("701", "700").and_then(|evidence| evidence.complete), None);
        let lost = evidence(&facts(&[(fact::TARGET_OFFSET, "640"), (fact::TAKEOVER_OFFSET, "640")]));
        assert!(lost.is_some_and(|evidence| evidence.complete.is_none() && evidence.received == Some(640)));
        assert_eq!(evidence(&facts(&[(fact::OLD_REPLID, "aa")])), None);
    }
}
