//! Replication on the target is stopped and forgotten, so that after its promotion no restart makes it follow again.

use muster_domain::pb::observation::v1::MariadbFacts;

use crate::{
    Facts, MoveKind, Probe, StepDone, StepError,
    mariadb::{
        fact,
        replication::forget_source,
        work::{Work, at, held, is_read_only, unreachable},
    },
    step::{done, probed},
};

pub(super) async fn probe(work: &Work<'_>) -> Probe {
    match work.look(&work.target).await {
        Err(error) => Probe::Unknown(unreachable(work.target.name, &error).text),
        Ok(seen) if seen.limited_view => {
            Probe::Unknown(format!("replication on {} is not visible to us", work.target.name))
        }
        Ok(seen) if seen.replica.is_none() => probed(detached(work)),
        Ok(_) => Probe::NotDone,
    }
}

fn detached(work: &Work<'_>) -> StepDone {
    done(format!("{} replicates from nobody", work.target.name), [])
}

pub(super) async fn run(work: &Work<'_>, facts: &Facts) -> Result<StepDone, StepError> {
    let target = work.target.name;
    let mut session = work.session(&work.target).await.map_err(|error| unreachable(target, &error))?;
    // A roll-back would set replication up again at the same time.
    work.lock_target(&mut session, work.job.timeouts.statement).await?;
    work.prove_fence().await?;
    let seen = work.look(&work.target).await.map_err(|error| unreachable(target, &error))?;
    if seen.replica.is_none() && !seen.limited_view {
        return Ok(detached(work));
    }
    if !is_read_only(&seen) {
        return Err(StepError::refused(format!("{target} accepts writes: somebody promoted it")));
    }
    must_have_all(work, facts, &seen)?;
    let forgotten = forget_source(&mut session).await;
    forgotten.map_err(|error| StepError::failed(format!("{target} did not forget its source: {error}")))?;
    Ok(detached(work))
}

/// Forgetting throws away what was received and not applied.
fn must_have_all(work: &Work<'_>, facts: &Facts, seen: &MariadbFacts) -> Result<(), StepError> {
    let target = work.target.name;
    let needed = match work.job.kind {
        MoveKind::Switchover => fact::position(facts, fact::FINAL_POSITION)?,
        // What it had received when it was drained; a restart since then may have emptied its relay log.
        MoveKind::Failover => fact::position(facts, fact::TARGET_RECEIVED_POSITION)?.merged(&held(target, seen)?),
    };
    let applied = at(target, seen)?;
    if applied.covers(&needed) {
        return Ok(());
    }
    Err(StepError::refused(format!("{target} has applied {applied}, and {needed} is needed")))
}
