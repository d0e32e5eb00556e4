//! What the facts of a move say about missing data. Patroni's moves hand on the same facts.

use muster_domain::statement::proven_none;

use super::{fact, lsn::Lsn};
use crate::{
    Facts,
    evidence::{Evidence, ONE_CLUSTER},
};

const SYNCHRONOUS: &str =
    "Covers commits that waited for the primary's disk; with synchronous_commit off, younger ones can be missing.";

pub(super) fn evidence(facts: &Facts) -> Option<Evidence> {
    let position = |name: &str| facts.get(name).and_then(|text| text.parse::<Lsn>().ok());
    let (stop, replayed) = (position(fact::SHUTDOWN_LSN), position(fact::TARGET_REPLAY_LSN));
    let received = position(fact::TARGET_RECEIVE_LSN).max(replayed);
    if stop.is_none() && received.is_none() {
        return None;
    }
    // Also in a failover: the old primary may have ended cleanly before it was found to be gone.
    let complete = stop.zip(replayed).filter(|(stop, replayed)| replayed > stop);
    Some(Evidence {
        complete: complete.map(|(stop, replayed)| proven_none(&stop.to_string(), &replayed.to_string())),
        received: received.map(|lsn| lsn.0),
        in_bytes: true,
        history: None,
        timeline: facts.get(fact::OLD_TIMELINE).and_then(|text| text.parse().ok()),
        last_commit_at: facts.get(fact::TARGET_LAST_COMMIT_AT).and_then(|text| text.parse().ok()),
        limits: vec![ONE_CLUSTER, SYNCHRONOUS],
    })
}
