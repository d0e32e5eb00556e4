//! What the facts of a move say about missing data. Positions count transactions, not bytes.

use muster_domain::{readiness::mariadb::Position, statement::proven_by};

use super::fact;
use crate::{
    Facts,
    evidence::{Evidence, ONE_CLUSTER},
};

const ASYNCHRONOUS: &str =
    "Replication is asynchronous: what the lost primary acknowledged after the last look at it is counted as missing.";

pub(super) fn evidence(facts: &Facts) -> Option<Evidence> {
    let position = |name: &str| facts.get(name).and_then(|text| text.parse::<Position>().ok());
    let (end, applied) = (position(fact::FINAL_POSITION), position(fact::TARGET_APPLIED_POSITION));
    if end.is_none() && applied.is_none() {
        return None;
    }
    let complete = end.zip(applied.as_ref()).filter(|(end, applied)| applied.covers(end));
    let proof = complete.map(|(end, applied)| {
        proven_by(&format!("the old primary refused writes from {end} on and the target has applied {applied}"))
    });
    Some(Evidence {
        complete: proof,
        received: applied.map(|applied| applied.transactions()),
        in_bytes: false,
        history: facts.get(fact::SYSTEM_IDENTIFIER).cloned(),
        timeline: Some(0),
        last_commit_at: None,
        limits: vec![ONE_CLUSTER, ASYNCHRONOUS],
    })
}
