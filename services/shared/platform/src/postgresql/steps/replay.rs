//! Waiting until the target has applied what it must have before it is promoted.

use muster_domain::{pb::observation::v1::PostgresqlFacts, time};

use super::{Seen, done, until};
use crate::{
    Facts, StepDone, StepError,
    postgresql::{
        errors::SqlError,
        fact,
        lsn::Lsn,
        session::Session,
        work::{Work, is_standby, received, replayed, shown, unreachable},
    },
};

/// The target has everything when its replay is beyond the beginning of the shutdown checkpoint's
/// record: that record is the last one a clean stop writes.
pub(super) async fn wait_for_replay(work: &Work<'_>, facts: &Facts) -> Result<StepDone, StepError> {
    let (from, target) = (&work.from.name, &work.target.name);
    let shutdown = fact::lsn(facts, fact::SHUTDOWN_LSN)?;
    let waited = until(work.job.timeouts.replay, || async {
        let seen = look(work, facts).await?;
        Ok(match replayed(&seen) {
            Some(lsn) if lsn > shutdown => Seen::There(seen),
            lsn => Seen::Waiting(format!(
                "{target} has applied up to {}, received up to {} (replay: {})",
                shown(lsn),
                shown(received(&seen)),
                seen.replay_pause_state
            )),
        })
    })
    .await?;
    match waited {
        Ok(seen) => Ok(positions(
            format!(
                "{target} has applied up to {}, beyond the shutdown checkpoint at {shutdown}",
                shown(replayed(&seen))
            ),
            &seen,
        )),
        Err(state) => Err(StepError::failed(format!(
            "{from} stopped at {shutdown} and {target} did not get there within {:?}: {state}",
            work.job.timeouts.replay
        ))),
    }
}

/// Everything received is applied. A replay that does not get there is no reason to stay down: the
/// promotion itself ends a pause and applies all that was received first.
pub(super) async fn drain(work: &Work<'_>, facts: &Facts) -> Result<StepDone, StepError> {
    let target = &work.target.name;
    resume_replay(work).await;
    let drained = until(work.job.timeouts.replay, || async {
        let seen = look(work, facts).await?;
        let delayed = seen.recovery_min_apply_delay.as_ref().is_some_and(|delay| delay.seconds > 0 || delay.nanos > 0);
        let complete = replayed(&seen).is_some() && replayed(&seen) >= received(&seen);
        Ok(if complete || delayed {
            Seen::There(seen)
        } else {
            Seen::Waiting(format!("applied {}, received {}", shown(replayed(&seen)), shown(received(&seen))))
        })
    })
    .await?;
    let (seen, note) = match drained {
        Ok(seen) => {
            let note = format!(
                "{target} has received up to {} and applied up to {}",
                shown(received(&seen)),
                shown(replayed(&seen))
            );
            (seen, note)
        }
        Err(state) => {
            (look(work, facts).await?, format!("not finished in time ({state}); the promotion applies the rest"))
        }
    };
    let timeline = seen.timeline.ok_or_else(|| {
        StepError::failed(format!("the timeline of {target} cannot be told, so its promotion could not be judged"))
    })?;
    let mut step = positions(note, &seen);
    step.outputs.insert(fact::OLD_TIMELINE.to_owned(), timeline.to_string());
    Ok(step)
}

/// One look at the target, which must still be a standby of this system.
async fn look(work: &Work<'_>, facts: &Facts) -> Result<PostgresqlFacts, StepError> {
    let target = &work.target.name;
    let seen = work.look(work.target).await.map_err(|e| unreachable(target, &e))?;
    let system = fact::required(facts, fact::SYSTEM_IDENTIFIER)?;
    if seen.system_identifier != system {
        return Err(StepError::failed(format!("{target} belongs to system {}, not {system}", seen.system_identifier)));
    }
    if !is_standby(&seen) {
        return Err(StepError::failed(format!("{target} is not in recovery any more: somebody promoted it")));
    }
    Ok(seen)
}

fn positions(note: String, seen: &PostgresqlFacts) -> StepDone {
    let mut step = done(note, []);
    let mut put = |name: &str, lsn: Option<Lsn>| {
        // Absent stays absent: unknown is never zero.
        if let Some(lsn) = lsn {
            step.outputs.insert(name.to_owned(), lsn.to_string());
        }
    };
    put(fact::TARGET_RECEIVE_LSN, received(seen));
    put(fact::TARGET_REPLAY_LSN, replayed(seen));
    if let Some(at) = time::from_pb(seen.last_replayed_commit_at.as_ref()) {
        step.outputs.insert(fact::TARGET_LAST_COMMIT_AT.to_owned(), fact::time(at));
    }
    step
}

/// Best effort: without the right to resume, the promotion ends the pause.
async fn resume_replay(work: &Work<'_>) {
    async fn resume(session: &mut Session) -> Result<(), SqlError> {
        session.execute("SELECT pg_wal_replay_resume() WHERE pg_is_wal_replay_paused()").await
    }
    let resumed = match work.session(work.target).await {
        Ok(mut session) => resume(&mut session).await,
        Err(error) => Err(error),
    };
    if let Err(error) = resumed {
        tracing::info!(%error, node = %work.target.name, "replay was not resumed before the promotion");
    }
}
