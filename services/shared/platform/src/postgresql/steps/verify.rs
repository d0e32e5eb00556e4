//! Proof that the target is what it should be now.

use muster_domain::pb::observation::v1::PostgresqlFacts;
use sqlx::Row;

use super::{done, probed};
use crate::{
    Facts, MoveKind, Probe, StepDone, StepError,
    postgresql::{
        errors::SqlError,
        fact,
        lsn::Lsn,
        session::Session,
        work::{Work, is_primary, unreachable},
    },
};

pub(super) async fn verify(work: &Work<'_>, facts: &Facts) -> Result<StepDone, StepError> {
    let name = &work.target.name;
    let seen = promoted_target(work, facts).await?;
    let mut session = work.session(work.target).await.map_err(|e| unreachable(name, &e))?;
    let written = test_write(&mut session)
        .await
        .map_err(|e| StepError::failed(format!("{name} is a primary and did not accept a write: {e}")))?;
    let timeline = seen.timeline.unwrap_or_default();
    let mut step = done(
        format!("{name} committed a test transaction on timeline {timeline}, at {written}"),
        [(fact::WRITABLE_AT, work.time())],
    );
    if let Some(fork) = fork_lsn(work, &mut session, timeline).await {
        judge_fork(work, facts, fork)?;
        step.note.push_str(&format!("; the timeline began at {fork}"));
        step.outputs.insert(fact::FORK_LSN.to_owned(), fork.to_string());
    }
    Ok(step)
}

/// After a planned stop the new timeline must begin behind the shutdown checkpoint. A failover cannot
/// choose where it begins; what is missing is stated afterwards.
fn judge_fork(work: &Work<'_>, facts: &Facts, fork: Lsn) -> Result<(), StepError> {
    if work.job.kind == MoveKind::Failover {
        return Ok(());
    }
    let shutdown = fact::lsn(facts, fact::SHUTDOWN_LSN)?;
    if fork < shutdown {
        return Err(StepError::failed(format!(
            "the new timeline began at {fork}, before the shutdown checkpoint at {shutdown}: log is missing on the new primary"
        )));
    }
    Ok(())
}

/// The target as the primary on the timeline that the promotion opened.
async fn promoted_target(work: &Work<'_>, facts: &Facts) -> Result<PostgresqlFacts, StepError> {
    let name = &work.target.name;
    let timeline = fact::timeline(facts, fact::NEW_TIMELINE)?;
    let seen = work.look(work.target).await.map_err(|e| unreachable(name, &e))?;
    if is_primary(&seen) && seen.timeline == Some(timeline) {
        return Ok(seen);
    }
    Err(StepError::failed(format!(
        "{name} is {} on timeline {:?}, expected a primary on timeline {timeline}",
        if is_primary(&seen) { "a primary" } else { "in recovery" },
        seen.timeline
    )))
}

/// Commits a message in the log that no table and no schema is needed for. Waits for this server's disk
/// and not for a synchronous standby, which the new primary may not have yet.
pub(in crate::postgresql) async fn test_write(session: &mut Session) -> Result<Lsn, SqlError> {
    session.execute("SET synchronous_commit TO local").await?;
    // One statement is one transaction: it is committed when the answer is here.
    let row =
        session.one(sqlx::query("SELECT pg_logical_emit_message(true, 'muster', 'write check')::text AS at")).await?;
    let at: String = row.try_get("at")?;
    at.parse().map_err(|e: crate::postgresql::InvalidLsn| sqlx::Error::Protocol(e.to_string()).into())
}

/// Where a timeline left its parent, from the target's agent or from the server where it allows it.
pub(in crate::postgresql) async fn fork_lsn(work: &Work<'_>, session: &mut Session, timeline: u32) -> Option<Lsn> {
    if let Ok(agent) = work.agent(work.target)
        && let Ok(Some(fork)) = agent.fork_point(timeline).await
    {
        return Some(fork.lsn);
    }
    let path = format!("pg_wal/{timeline:08X}.history");
    let row = session.one(sqlx::query("SELECT pg_read_file($1) AS history").bind(path)).await.ok()?;
    let history: String = row.try_get("history").ok()?;
    let line = history.lines().rfind(|line| !line.trim().is_empty())?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// The control file names the new timeline only after a checkpoint (trap T4).
pub(super) async fn probe_checkpoint(work: &Work<'_>, facts: &Facts) -> Probe {
    let timeline = match fact::timeline(facts, fact::NEW_TIMELINE) {
        Ok(timeline) => timeline,
        Err(error) => return Probe::Unknown(error.text),
    };
    let looked = async {
        let mut session = work.session(work.target).await?;
        checkpoint_timeline(&mut session).await
    };
    match looked.await {
        Ok(found) if found == Some(timeline) => {
            probed(done(format!("the control file of {} names timeline {timeline}", work.target.name), []))
        }
        Ok(_) => Probe::NotDone,
        Err(error) => Probe::Unknown(unreachable(&work.target.name, &error).text),
    }
}

pub(super) async fn checkpoint(work: &Work<'_>, facts: &Facts) -> Result<StepDone, StepError> {
    let name = &work.target.name;
    promoted_target(work, facts).await?;
    let mut session = work.session(work.target).await.map_err(|e| unreachable(name, &e))?;
    session.set_limit(work.job.timeouts.checkpoint).await.map_err(|e| unreachable(name, &e))?;
    match session.execute("CHECKPOINT").await {
        Ok(()) => Ok(done(format!("checkpoint written on {name}"), [])),
        // The server makes one itself after a promotion, spread over its usual interval.
        Err(error) if error.code.as_deref() == Some("42501") => Ok(done(
            format!(
                "skipped: {error}. {name} writes one within its checkpoint_timeout; do not rewind against it before"
            ),
            [],
        )),
        Err(error) => Err(StepError::failed(format!("{name} did not write a checkpoint: {error}"))),
    }
}

async fn checkpoint_timeline(session: &mut Session) -> Result<Option<u32>, SqlError> {
    let row = session.one(sqlx::query("SELECT timeline_id FROM pg_control_checkpoint()")).await?;
    let timeline: Option<i32> = row.try_get("timeline_id")?;
    Ok(timeline.and_then(|timeline| u32::try_from(timeline).ok()))
}
