//! The step that cannot be taken back. It is judged by what the target is afterwards and never by what
//! the call returned: `pg_promote` gives an error the second time, and false while it still goes on.

use std::time::{Duration, Instant};

use super::{Seen, done, probed, until};
use crate::{
    Facts, Probe, StepDone, StepError,
    postgresql::{
        errors::SqlError,
        fact,
        session::Session,
        work::{POLL, Work, is_standby, replayed, shown, unreachable},
    },
};

/// "muster", as the number of an advisory lock on the target.
const MOVE_LOCK: i64 = 0x6D75_7374_6572;

/// What the target is, compared with the markers taken before.
enum Target {
    Standby,
    Promoted {
        timeline: u32,
    },
    /// Neither: it must not be touched any more.
    Neither(String),
}

async fn target(work: &Work<'_>, facts: &Facts) -> Result<Target, StepError> {
    let name = &work.target.name;
    let system = fact::required(facts, fact::SYSTEM_IDENTIFIER)?;
    let old = fact::timeline(facts, fact::OLD_TIMELINE)?;
    let seen = work.look(work.target).await.map_err(|e| unreachable(name, &e))?;
    if seen.system_identifier != system {
        return Ok(Target::Neither(format!("{name} belongs to system {}, not {system}", seen.system_identifier)));
    }
    Ok(match (is_standby(&seen), seen.timeline) {
        (true, Some(timeline)) if timeline == old => Target::Standby,
        (false, Some(timeline)) if Some(timeline) == old.checked_add(1) => Target::Promoted { timeline },
        (standby, timeline) => Target::Neither(format!(
            "{name} is {} on timeline {}, expected a standby on {old} or a primary on the next: somebody else moved it",
            if standby { "a standby" } else { "a primary" },
            timeline.map_or_else(|| "unknown".to_owned(), |timeline| timeline.to_string())
        )),
    })
}

pub(super) async fn probe(work: &Work<'_>, facts: &Facts) -> Probe {
    match target(work, facts).await {
        Ok(Target::Promoted { timeline }) => probed(promoted(work, timeline)),
        Ok(Target::Standby) => Probe::NotDone,
        Ok(Target::Neither(text)) => Probe::Unknown(text),
        Err(error) => Probe::Unknown(error.text),
    }
}

pub(super) async fn run(work: &Work<'_>, facts: &Facts) -> Result<StepDone, StepError> {
    let name = &work.target.name;
    let mut session = work.session(work.target).await.map_err(|e| unreachable(name, &e))?;
    wait_for_lock(&mut session, name, work.job.timeouts.promote).await?;
    // Under the lock: a roll-back cannot take the fence away any more.
    work.prove_fence().await?;
    match target(work, facts).await? {
        Target::Promoted { timeline } => return Ok(promoted(work, timeline)),
        Target::Neither(text) => return Err(StepError::refused(text)),
        Target::Standby => {}
    }
    must_have_shutdown(work, facts).await?;
    let called = call_promote(&mut session, work.job.timeouts.promote).await;
    if let Err(error) = &called
        && error.code.as_deref() == Some("42501")
    {
        return Err(StepError::failed(format!(
            "{name} was not promoted: {error}. Grant EXECUTE on pg_promote(boolean, integer) to {}",
            work.job.execute.user
        )));
    }
    let wait = until(work.job.timeouts.promote, || async {
        Ok(match target(work, facts).await {
            Ok(Target::Promoted { timeline }) => Seen::There(timeline),
            Ok(Target::Standby) => Seen::Waiting("it is still in recovery".into()),
            Ok(Target::Neither(text)) => return Err(StepError::failed(text)),
            Err(error) => Seen::Waiting(error.text),
        })
    });
    match wait.await? {
        Ok(timeline) => Ok(promoted(work, timeline)),
        Err(state) => {
            let answer = called.err().map_or_else(String::new, |error| format!(" (the call ended with: {error})"));
            Err(StepError::unknown(format!(
                "{name} was told to become the primary and is not one yet; it may still happen: {state}{answer}"
            )))
        }
    }
}

fn promoted(work: &Work<'_>, timeline: u32) -> StepDone {
    done(
        format!("{} is a primary on timeline {timeline}", work.target.name),
        [(fact::NEW_TIMELINE, timeline.to_string()), (fact::PROMOTED_AT, work.time())],
    )
}

/// One promotion or roll-back at a time on a target. The lock belongs to the server's session: it
/// outlives a client that dies while its promotion goes on, and ends with it.
async fn try_lock(session: &mut Session, node: &str) -> Result<bool, StepError> {
    let query = sqlx::query("SELECT pg_try_advisory_lock($1) AS locked").bind(MOVE_LOCK);
    let row = session.one(query).await.map_err(|e| unreachable(node, &e))?;
    sqlx::Row::try_get(&row, "locked").map_err(|error| unreachable(node, &SqlError::from(error)))
}

/// The promotion of a predecessor that died may still be under way: its lock ends with it.
async fn wait_for_lock(session: &mut Session, node: &str, limit: Duration) -> Result<(), StepError> {
    let deadline = Instant::now() + limit;
    while !try_lock(session, node).await? {
        if Instant::now() >= deadline {
            return Err(StepError::unknown(format!("another promotion or roll-back is under way on {node}")));
        }
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}

/// Keeps promotions away from the target as long as the session lives.
pub(in crate::postgresql) async fn lock_moves(session: &mut Session, node: &str) -> Result<(), StepError> {
    if try_lock(session, node).await? {
        return Ok(());
    }
    Err(StepError::refused(format!("another promotion or roll-back is under way on {node}")))
}

/// The old primary was stopped cleanly: then everything up to its last record must be here.
async fn must_have_shutdown(work: &Work<'_>, facts: &Facts) -> Result<(), StepError> {
    let name = &work.target.name;
    if work.job.kind == crate::MoveKind::Failover {
        // What is missing is stated afterwards; it cannot be fetched any more.
        return Ok(());
    }
    let shutdown = fact::lsn(facts, fact::SHUTDOWN_LSN)?;
    let control = work.agent(work.from)?.control_data().await.map_err(|e| StepError::refused(e.to_string()))?;
    if control.checkpoint != shutdown {
        return Err(StepError::refused(format!(
            "{} has run since its stop: its last checkpoint is {}, it was {shutdown}",
            work.from.name, control.checkpoint
        )));
    }
    let seen = work.look(work.target).await.map_err(|e| unreachable(name, &e))?;
    match replayed(&seen) {
        Some(lsn) if lsn > shutdown => Ok(()),
        lsn => Err(StepError::refused(format!("{name} has applied up to {}, not beyond {shutdown}", shown(lsn)))),
    }
}

async fn call_promote(session: &mut Session, limit: Duration) -> Result<(), SqlError> {
    // The server waits, we wait a little longer.
    session.set_limit(limit + Duration::from_secs(5)).await?;
    let seconds = i32::try_from(limit.as_secs()).unwrap_or(i32::MAX).max(1);
    session.one(sqlx::query("SELECT pg_promote(true, $1)").bind(seconds)).await.map(drop)
}
