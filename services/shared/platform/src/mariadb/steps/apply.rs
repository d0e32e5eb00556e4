//! Waiting until the target has applied what it must have before it is promoted.

use muster_domain::{pb::observation::v1::MariadbFacts, readiness::mariadb::Position};

use crate::{
    Facts, StepDone, StepError,
    mariadb::{
        fact,
        work::{Work, at, held, is_read_only, threads, unreachable},
    },
    step::{Seen, done, until},
};

/// The target has everything when its position covers where the old primary ended.
pub(super) async fn wait_for_apply(work: &Work<'_>, facts: &Facts) -> Result<StepDone, StepError> {
    let (from, target) = (work.from.name, work.target.name);
    let end = fact::position(facts, fact::FINAL_POSITION)?;
    let waited = until(work.job.timeouts.replay, || async {
        let seen = replica(work).await?;
        let applied = at(target, &seen)?;
        Ok(if applied.covers(&end) {
            Seen::There((held(target, &seen)?, applied))
        } else {
            let received = held(target, &seen)?;
            Seen::Waiting(format!("{target} has applied {applied}, received {received} ({})", threads(&seen)))
        })
    })
    .await?;
    match waited {
        Ok((received, applied)) => {
            Ok(positions(format!("{target} has applied {applied}, everything up to {end}"), &received, &applied))
        }
        Err(state) => Err(StepError::failed(format!(
            "{from} ended at {end} and {target} did not get there within {:?}: {state}",
            work.job.timeouts.replay
        ))),
    }
}

/// Everything received is applied: what is not is thrown away when replication is forgotten.
pub(super) async fn drain(work: &Work<'_>) -> Result<StepDone, StepError> {
    let target = work.target.name;
    let failed = |error| unreachable(target, &error);
    let before = replica(work).await?;
    let (received, applied) = (held(target, &before)?, at(target, &before)?);
    let status = before.replica.unwrap_or_default();
    let mut session = work.session(&work.target).await.map_err(failed)?;
    if status.sql_running != "Yes" && !applied.covers(&received) {
        if status.io_running == "No" {
            // With GTID, starting one of two stopped threads empties the relay log.
            return Err(StepError::failed(format!(
                "{target} has received {received} and applied {applied}, and both its threads stand: starting them would throw the rest away ({} {})",
                status.last_sql_errno, status.last_sql_error
            )));
        }
        session.execute("START SLAVE SQL_THREAD").await.map_err(failed)?;
    }
    session.execute("STOP SLAVE IO_THREAD").await.map_err(failed)?;
    let drained = until(work.job.timeouts.replay, || async {
        let seen = replica(work).await?;
        let (received, applied) = (held(target, &seen)?, at(target, &seen)?);
        let stopped = seen.replica.as_ref().filter(|r| r.sql_running != "Yes" && r.last_sql_errno != 0);
        if let Some(replica) = stopped.filter(|_| !applied.covers(&received)) {
            return Err(StepError::failed(format!(
                "the applier of {target} stands at {applied}, {received} is received: error {}: {}",
                replica.last_sql_errno, replica.last_sql_error
            )));
        }
        Ok(if applied.covers(&received) {
            Seen::There((received, applied))
        } else {
            Seen::Waiting(format!("applied {applied}, received {received} ({})", threads(&seen)))
        })
    })
    .await?;
    match drained {
        Ok((received, applied)) => {
            Ok(positions(format!("{target} has received {received} and applied all of it"), &received, &applied))
        }
        Err(state) => Err(StepError::failed(format!(
            "{target} has not applied what it received within {:?}: {state}",
            work.job.timeouts.replay
        ))),
    }
}

/// One look at the target, which must still be a read-only replica.
async fn replica(work: &Work<'_>) -> Result<MariadbFacts, StepError> {
    let target = work.target.name;
    let seen = work.look(&work.target).await.map_err(|error| unreachable(target, &error))?;
    if !is_read_only(&seen) {
        return Err(StepError::failed(format!("{target} accepts writes: somebody promoted it")));
    }
    if seen.replica.is_none() {
        return Err(StepError::failed(format!("{target} replicates from nobody any more: somebody changed it")));
    }
    Ok(seen)
}

fn positions(note: String, received: &Position, applied: &Position) -> StepDone {
    done(
        note,
        [(fact::TARGET_RECEIVED_POSITION, received.to_string()), (fact::TARGET_APPLIED_POSITION, applied.to_string())],
    )
}
