//! Making the target the primary of a failover, and the proof that it is one.

use muster_domain::pb::observation::v1::RedisFacts;

use super::fence::prove_fence;
use crate::{
    Facts, MoveKind, Probe, StepDone, StepError,
    redis::{
        fact,
        work::{Work, fork_offset, is_primary, is_replica, is_settled, shown, unreachable},
    },
    step::{Seen, done, probed, until},
};

pub(super) async fn probe(work: &Work<'_>, facts: &Facts) -> Probe {
    match work.look(&work.target).await {
        Err(error) => Probe::Unknown(unreachable(&work.target, &error).text),
        Ok(seen) if is_replica(&seen.facts) => Probe::NotDone,
        Ok(seen) => match promoted(work, facts, &seen.facts) {
            Ok(done) => probed(done),
            Err(error) => Probe::Unknown(error.text),
        },
    }
}

pub(super) async fn run(work: &Work<'_>, facts: &Facts) -> Result<StepDone, StepError> {
    let target = &work.target;
    let seen = work.look(target).await.map_err(|e| unreachable(target, &e))?.facts;
    if is_primary(&seen) {
        return promoted(work, facts, &seen);
    }
    let old = fact::required(facts, fact::OLD_REPLID)?;
    if seen.replid != old {
        return Err(StepError::refused(format!("{} holds another history now than when this move began", target.name)));
    }
    if seen.loading == Some(true) || seen.sync_in_progress == Some(true) {
        return Err(StepError::refused(format!(
            "{} is just loading or being filled: promoted now, it would miss data",
            target.name
        )));
    }
    // Right before it counts: nothing of the old primary accepts writes.
    prove_fence(work).await?;
    let mut session = work.session(target).await.map_err(|e| unreachable(target, &e))?;
    session.ask::<String>(&["REPLICAOF", "NO", "ONE"]).await.map_err(|error| {
        let text = format!("{} was asked to become the primary: {error}", target.name);
        if error.is_refusal() { StepError::failed(text) } else { StepError::unknown(text) }
    })?;
    let found = until(work.job.timeouts.promote, || async {
        let seen = work.look(target).await.map_err(|e| unreachable(target, &e))?.facts;
        Ok(if is_primary(&seen) { Seen::There(seen) } else { Seen::Waiting(seen.role) })
    })
    .await?;
    match found {
        Ok(seen) => promoted(work, facts, &seen),
        Err(role) => Err(StepError::unknown(format!("{} still says '{role}'", target.name))),
    }
}

/// A primary out of the old one's history, and not some other one.
fn promoted(work: &Work<'_>, facts: &Facts, seen: &RedisFacts) -> Result<StepDone, StepError> {
    let old = fact::required(facts, fact::OLD_REPLID)?;
    if seen.replid2 != old {
        return Err(StepError::unknown(format!(
            "{} is a primary, and not out of the history that this move began with",
            work.target.name
        )));
    }
    Ok(done(
        format!("{} is the primary from position {} on", work.target.name, shown(fork_offset(seen))),
        [
            (fact::NEW_REPLID, seen.replid.clone()),
            (fact::TAKEOVER_OFFSET, fork_offset(seen).map(|at| at.to_string()).unwrap_or_default()),
            (fact::PROMOTED_AT, work.time()),
        ],
    ))
}

/// The execution account may not write data: that the target is a settled primary, and no replica that was asked, is
/// what it can prove.
pub(super) async fn verify(work: &Work<'_>, facts: &Facts) -> Result<StepDone, StepError> {
    let target = &work.target;
    let seen = work.look(target).await.map_err(|e| unreachable(target, &e))?.facts;
    let (old, new) = (fact::required(facts, fact::OLD_REPLID)?, fact::required(facts, fact::NEW_REPLID)?);
    if !is_primary(&seen) || !is_settled(&seen) || seen.replid != new || seen.replid2 != old {
        return Err(StepError::failed(format!(
            "{} is '{}' in history {}, expected a primary in {new} out of {old}",
            target.name, seen.role, seen.replid
        )));
    }
    let mut step = done(format!("{} accepts writes", target.name), [(fact::WRITABLE_AT, work.time())]);
    if work.job.kind == MoveKind::Switchover {
        let last = compare_positions(work, old, &seen).await?;
        step.note.push_str(&format!(
            "; both sides name {last} as the last position of {}: nothing is missing",
            work.from.name
        ));
        step.outputs.insert(fact::FINAL_OFFSET.to_owned(), last.to_string());
    }
    Ok(step)
}

/// The old primary continued from its own last position into the new history; the target took over at its own. Equal
/// numbers prove that nothing was left behind.
async fn compare_positions(work: &Work<'_>, old: &str, target: &RedisFacts) -> Result<u64, StepError> {
    let from = &work.from;
    let joined = until(work.job.timeouts.statement, || async {
        let seen = work.look(from).await.map_err(|e| unreachable(from, &e))?.facts;
        // Until it has the new history its second position still is an older one.
        Ok(if seen.replid == target.replid { Seen::There(seen) } else { Seen::Waiting(seen.replid) })
    })
    .await?;
    let seen = joined.map_err(|at| {
        StepError::failed(format!("{} has not joined the history of {}, it is in {at}", from.name, work.target.name))
    })?;
    match (fork_offset(&seen).filter(|_| seen.replid2 == old), fork_offset(target)) {
        (Some(last), Some(taken)) if last == taken => Ok(last),
        (last, taken) => Err(StepError::failed(format!(
            "{} ended at {} and {} took over at {}: it cannot be said that nothing is missing",
            from.name,
            shown(last),
            work.target.name,
            shown(taken)
        ))),
    }
}
