//! Bringing the old primary back as the replica. It needs no rebuild: it has nothing that the new primary does not have.

use muster_domain::pb::observation::v1::MariadbFacts;

use crate::{
    Facts, Probe, StepDone, StepError,
    mariadb::{
        fact,
        replication::{Source, follow},
        work::{Work, at, follows, is_primary, is_read_only, on_host, threads, threads_run, unreachable},
    },
    step::{Seen, done, probed, until},
};

pub(super) async fn probe(work: &Work<'_>) -> Probe {
    let source = match work.source(&work.target) {
        Ok(source) => source,
        Err(error) => return Probe::Unknown(error.text),
    };
    match work.look(&work.from).await {
        Ok(seen) if is_read_only(&seen) && replicates(&seen, &source) => probed(following(work)),
        // It does not run, or not as it should: the deed decides.
        _ => Probe::NotDone,
    }
}

fn following(work: &Work<'_>) -> StepDone {
    done(format!("{} replicates from {}", work.from.name, work.target.name), [])
}

pub(in crate::mariadb) fn replicates(seen: &MariadbFacts, source: &Source) -> bool {
    seen.replica.as_ref().is_some_and(|replica| {
        follows(replica, &source.address) && replica.using_gtid == "Slave_Pos" && threads_run(replica)
    })
}

pub(super) async fn run(work: &Work<'_>, facts: &Facts) -> Result<StepDone, StepError> {
    let (from, target) = (work.from.name, work.target.name);
    let source = work.source(&work.target)?;
    let agent = work.agent(&work.from)?;
    if !agent.is_fenced().await.map_err(on_host)? {
        return Err(StepError::refused(format!("{from} carries no fence, so a start would make it accept writes")));
    }
    // It may have been stopped in the meantime. Fenced, it comes up read-only.
    agent.start(work.job.timeouts.start).await.map_err(on_host)?;
    work.prove_fence().await?;
    let seen = work.look(&work.from).await.map_err(|error| unreachable(from, &error))?;
    if replicates(&seen, &source) {
        return Ok(following(work));
    }
    let position = at(from, &seen)?;
    let ended = fact::position(facts, fact::FINAL_POSITION)?;
    let new = work.look(&work.target).await.map_err(|error| unreachable(target, &error))?;
    if !is_primary(&new) {
        return Err(StepError::refused(format!("{target} is not the primary, so {from} does not follow it")));
    }
    // A second attempt finds it further on, with what it already received of the new primary.
    if !(position == ended || at(target, &new)?.covers(&position) && has_followed(&seen, &source)) {
        return Err(StepError::refused(format!(
            "{from} ended at {ended} and is at {position}: somebody wrote there, and {target} lacks it. Export those transactions (mysqlbinlog) for the people who wrote them, and rebuild {from}"
        )));
    }
    let mut session = work.session(&work.from).await.map_err(|error| unreachable(from, &error))?;
    let followed = follow(&mut session, &source, &position).await;
    followed.map_err(|error| StepError::failed(format!("{from} was not pointed at {target}: {error}")))?;
    let seen = work.look(&work.from).await.map_err(|error| unreachable(from, &error))?;
    if !is_read_only(&seen) {
        return Err(StepError::failed(format!("{from} accepts writes: somebody else set read_only off")));
    }
    Ok(following(work))
}

/// Only a replica of the new primary can have more than the old primary ended with.
fn has_followed(seen: &MariadbFacts, source: &Source) -> bool {
    seen.replica.as_ref().is_some_and(|replica| follows(replica, &source.address))
}

/// Protected again: the returned node has everything the new primary had when the step began.
pub(in crate::mariadb) async fn wait_until_protected(work: &Work<'_>) -> Result<StepDone, StepError> {
    let (from, target) = (work.from.name, work.target.name);
    let source = work.source(&work.target)?;
    let primary = work.look(&work.target).await.map_err(|error| unreachable(target, &error))?;
    if !is_primary(&primary) {
        return Err(StepError::failed(format!("{target} is not the primary any more")));
    }
    let goal = at(target, &primary)?;
    let waited = until(work.job.timeouts.protected, || async {
        let seen = match work.look(&work.from).await {
            Ok(seen) => seen,
            Err(error) => return Ok(Seen::Waiting(unreachable(from, &error).text)),
        };
        let applied = at(from, &seen)?;
        Ok(if is_read_only(&seen) && replicates(&seen, &source) && applied.covers(&goal) {
            Seen::There(applied)
        } else {
            let error = seen.replica.as_ref().map(|r| format!("{}{}", r.last_io_error, r.last_sql_error));
            Seen::Waiting(format!("{}, applied {applied}, goal {goal} {}", threads(&seen), error.unwrap_or_default()))
        })
    })
    .await?;
    match waited {
        Ok(applied) => Ok(done(
            format!("{from} replicates from {target} and has applied {applied}"),
            [(fact::PROTECTED_AT, work.time())],
        )),
        Err(state) => Err(StepError::failed(format!(
            "{from} has not caught up with {target} within {:?}: {state}",
            work.job.timeouts.protected
        ))),
    }
}
