//! Going back from a switchover that failed before its promotion: the old primary accepts writes again, with everything it
//! had. Only with proof that the target refuses writes and will go on doing so.

use muster_domain::pb::observation::v1::MariadbFacts;

use super::{
    errors::SqlError,
    fact,
    replication::follow,
    session::Session,
    work::{Work, at, is_primary, is_read_only, on_host, unreachable},
};
use crate::{Facts, MoveKind, StepError};

pub(super) async fn run(work: &Work<'_>, facts: &Facts) -> Result<String, StepError> {
    let (from, target) = (work.from.name, work.target.name);
    if work.job.kind == MoveKind::Failover {
        return Err(StepError::refused(format!(
            "a failover is not taken back by itself: nobody knows whether {from} is healthy. Look at both nodes first"
        )));
    }
    if facts.contains_key(fact::PROMOTED_AT) {
        return Err(StepError::refused(format!("{target} was promoted; going back means a new switchover")));
    }
    let agent = work.agent(&work.from)?;
    let fenced = agent.is_fenced().await.map_err(on_host)?;
    if !fenced && work.look(&work.from).await.is_ok_and(|seen| is_primary(&seen)) {
        return Ok(format!("{from} was never taken out: it is the primary, and it was not touched"));
    }
    let held = hold_target_back(work).await?;
    // Fenced, it comes up read-only.
    agent.start(work.job.timeouts.start).await.map_err(on_host)?;
    let seen = old_primary(work, facts).await?;
    agent.unfence().await.map_err(on_host)?;
    let opened = open(work).await;
    if let Err(error) = opened {
        let again = agent.fence().await;
        let again = again.map_or_else(|e| format!("could not be fenced again: {e}"), |()| "is fenced again".to_owned());
        return Err(StepError::failed(format!("{from} does not accept writes yet: {error}; it {again}")));
    }
    let link = reattach(work, held, &seen).await;
    Ok(format!("{from} is the primary again, with everything it had; {target} was not promoted{link}"))
}

/// What keeps the target from accepting writes while the old primary does again.
enum HeldBack {
    /// The lock on the answering target: no promotion of ours begins while the session lives.
    Locked(Session),
    /// Nothing of it runs, and a start makes it read-only.
    Stopped,
}

async fn hold_target_back(work: &Work<'_>) -> Result<HeldBack, StepError> {
    let (from, target) = (work.from.name, work.target.name);
    let agent = work.agent(&work.target)?;
    let mut session = match work.session(&work.target).await {
        Ok(session) => session,
        Err(error) => return stopped_target(work, &error).await,
    };
    work.lock_target(&mut session, work.job.timeouts.statement).await?;
    let seen = work.look(&work.target).await.map_err(|error| unreachable(target, &error))?;
    if !is_read_only(&seen) {
        return Err(StepError::refused(format!("{target} accepts writes: {from} stays fenced")));
    }
    // Also after a restart.
    agent.fence().await.map_err(on_host)?;
    Ok(HeldBack::Locked(session))
}

/// The target does not answer: its host must tell that nothing runs there, and a start must make it read-only.
async fn stopped_target(work: &Work<'_>, why: &SqlError) -> Result<HeldBack, StepError> {
    let (from, target) = (work.from.name, work.target.name);
    let agent = work.agent(&work.target)?;
    if agent.process().await.map_err(on_host)?.is_running() {
        return Err(StepError::refused(format!(
            "{target} does not answer ({why}) and its process runs: nothing proves that it refuses writes, so {from} stays fenced"
        )));
    }
    agent.fence().await.map_err(on_host)?;
    // Between the two looks it may have been started, without the fence.
    if agent.process().await.map_err(on_host)?.is_running() {
        return Err(StepError::refused(format!("{target} is just starting, so {from} stays fenced: try again")));
    }
    Ok(HeldBack::Stopped)
}

/// It must be what it was: with the final position it had, and following nobody.
async fn old_primary(work: &Work<'_>, facts: &Facts) -> Result<MariadbFacts, StepError> {
    let from = work.from.name;
    let seen = work.look(&work.from).await.map_err(|error| unreachable(from, &error))?;
    if seen.replica.is_some() || seen.limited_view {
        return Err(StepError::refused(format!("{from} was made a replica in the meantime; it stays fenced")));
    }
    if facts.contains_key(fact::FINAL_POSITION) {
        let (ended, now) = (fact::position(facts, fact::FINAL_POSITION)?, at(from, &seen)?);
        if !now.covers(&ended) {
            return Err(StepError::refused(format!("{from} ended at {ended} and is at {now}: it stays fenced")));
        }
    }
    Ok(seen)
}

async fn open(work: &Work<'_>) -> Result<(), StepError> {
    let from = work.from.name;
    let mut session = work.session(&work.from).await.map_err(|error| unreachable(from, &error))?;
    session.execute("SET GLOBAL read_only = 0").await.map_err(|error| unreachable(from, &error))?;
    let seen = work.look(&work.from).await.map_err(|error| unreachable(from, &error))?;
    if is_primary(&seen) { Ok(()) } else { Err(StepError::failed(format!("{from} still refuses writes"))) }
}

/// The target follows again. Says so when that fails, and does not fail for it: the way back was what mattered.
async fn reattach(work: &Work<'_>, held: HeldBack, from: &MariadbFacts) -> String {
    let target = work.target.name;
    let HeldBack::Locked(mut session) = held else {
        return format!(". {target} is stopped: start it, and see that it follows");
    };
    match follow_again(work, &mut session, from).await {
        Ok(()) => format!(", and follows {}", work.from.name),
        Err(error) => format!(". {target} does not follow {} yet: {error}", work.from.name),
    }
}

async fn follow_again(work: &Work<'_>, session: &mut Session, from: &MariadbFacts) -> Result<(), StepError> {
    let (name, target) = (work.from.name, work.target.name);
    let failed = |error| unreachable(target, &error);
    let seen = work.look(&work.target).await.map_err(failed)?;
    if seen.replica.is_some() {
        // Nothing was forgotten yet; starting what runs changes nothing.
        return session.execute("START SLAVE").await.map_err(failed);
    }
    let (position, ahead) = (at(target, &seen)?, at(name, from)?);
    if !ahead.covers(&position) {
        return Err(StepError::failed(format!("{target} is at {position}, which {name} at {ahead} has not")));
    }
    follow(session, &work.source(&work.from)?, &position).await.map_err(failed)
}
