//! Going back from a switchover that failed before its promotion: the old primary starts again, on the
//! same timeline, with everything it had. Only with proof that the target is not a primary and cannot
//! become one any more.

use super::{
    fact,
    session::Session,
    steps::{drop_unused_slot, lock_moves},
    work::{Work, is_primary, is_standby, unreachable},
};
use crate::{
    Facts, MoveKind, StepError,
    agent::{AgentError, HostAgent},
};

pub(super) async fn run(work: &Work<'_>, facts: &Facts) -> Result<String, StepError> {
    let (from, target) = (&work.from.name, &work.target.name);
    if work.job.kind == MoveKind::Failover {
        return Err(StepError::refused(format!(
            "a failover is not taken back by itself: nobody knows whether {from} is healthy. Look at both nodes first"
        )));
    }
    if facts.contains_key(fact::NEW_TIMELINE) {
        return Err(StepError::refused(format!("{target} was promoted; going back means a new switchover")));
    }
    let agent = work.agent(work.from)?;
    if !agent.is_fenced().await.map_err(failed)? && is_old_primary_up(work).await {
        let slot = drop_slot(work).await;
        return Ok(format!("{from} was never taken out: it is the primary, and it was not touched{slot}"));
    }
    let held = hold_target_back(work, facts).await?;
    if is_old_primary_up(work).await {
        // Fenced and not stopped yet: without the fence everything is as it was.
        agent.unfence().await.map_err(failed)?;
    } else {
        restart_old_primary(work, agent, facts).await?;
    }
    drop(held);
    let slot = drop_slot(work).await;
    Ok(format!("{from} is the primary, on the same timeline as before; {target} was not promoted{slot}"))
}

/// Says so when it stays behind, and does not fail for it: the way back was what mattered.
async fn drop_slot(work: &Work<'_>) -> String {
    match drop_unused_slot(work).await {
        Ok(()) => String::new(),
        Err(error) => format!(
            ". Slot {} may be left on {} and would keep log there for ever, drop it: {error}",
            work.slot(),
            work.target.name
        ),
    }
}

/// What keeps the target a standby while the old primary comes up.
enum HeldBack {
    /// The lock on the answering target: no promotion of ours begins while it is held.
    #[expect(dead_code, reason = "held for its effect on the server: the lock ends with the session")]
    Locked(Session),
    /// Nothing of it runs, and a start makes it a standby.
    Stopped,
}

async fn hold_target_back(work: &Work<'_>, facts: &Facts) -> Result<HeldBack, StepError> {
    let target = &work.target.name;
    // A promotion comes after this fact. One that was asked for can still happen, although the target
    // is in recovery now; only a restart ends it.
    let may_be_asked_for = facts.contains_key(fact::TARGET_REPLAY_LSN);
    let session = match work.session(work.target).await {
        Ok(session) => session,
        Err(error) => return stopped_target(work, &error.message).await,
    };
    let session = locked_standby(work, facts, session).await?;
    if !may_be_asked_for {
        return Ok(HeldBack::Locked(session));
    }
    drop(session);
    let agent = work.agent(work.target).map_err(|error| {
        StepError::refused(format!(
            "a promotion of {target} may have been asked for, and only a restart of it would end that: {error}"
        ))
    })?;
    agent.stop(work.job.timeouts.stop).await.map_err(failed)?;
    // A promotion that won the race took its signal file away: then it is a primary, and stays one.
    if !agent.is_fenced().await.map_err(failed)? {
        agent.start(work.job.timeouts.start).await.map_err(failed)?;
        return Err(StepError::refused(format!(
            "{target} was promoted in the meantime; {from} stays fenced",
            from = work.from.name
        )));
    }
    agent.start(work.job.timeouts.start).await.map_err(failed)?;
    let session = work.session(work.target).await.map_err(|e| unreachable(target, &e))?;
    locked_standby(work, facts, session).await.map(HeldBack::Locked)
}

/// The target answers: it must be in recovery, on the old timeline, and stay so under the lock.
async fn locked_standby(work: &Work<'_>, facts: &Facts, mut session: Session) -> Result<Session, StepError> {
    let (from, target) = (&work.from.name, &work.target.name);
    lock_moves(&mut session, target).await?;
    let seen = work.look(work.target).await.map_err(|e| unreachable(target, &e))?;
    let control = work.agent(work.from)?.control_data().await.map_err(failed)?;
    let old = if facts.contains_key(fact::OLD_TIMELINE) {
        fact::timeline(facts, fact::OLD_TIMELINE)?
    } else {
        control.timeline
    };
    if seen.system_identifier != control.system_identifier {
        return Err(StepError::refused(format!("{target} and {from} belong to different systems")));
    }
    if is_standby(&seen) && seen.timeline == Some(old) {
        return Ok(session);
    }
    Err(StepError::refused(format!(
        "{target} is {} on timeline {:?}, not a standby on {old}: {from} stays fenced",
        if is_primary(&seen) { "a primary" } else { "a standby" },
        seen.timeline
    )))
}

/// The target does not answer: its host must tell that nothing runs there and that a start makes a standby.
async fn stopped_target(work: &Work<'_>, why: &str) -> Result<HeldBack, StepError> {
    let (from, target) = (&work.from.name, &work.target.name);
    let unproven = |what: &str| {
        StepError::refused(format!(
            "{target} does not answer ({why}) and {what}: nothing proves that it is not a primary, so {from} stays fenced"
        ))
    };
    let agent = work.agent(work.target).map_err(|_| unproven("has no host agent"))?;
    if agent.process().await.map_err(failed)?.is_running() {
        return Err(unproven("its processes run"));
    }
    let control = agent.control_data().await.map_err(failed)?;
    if !control.state.is_standby() || !agent.is_fenced().await.map_err(failed)? {
        return Err(unproven("was not a standby when it stopped"));
    }
    Ok(HeldBack::Stopped)
}

async fn restart_old_primary(work: &Work<'_>, agent: &dyn HostAgent, facts: &Facts) -> Result<(), StepError> {
    let from = &work.from.name;
    // Somebody may have started it behind the fence.
    agent.stop(work.job.timeouts.stop).await.map_err(failed)?;
    let control = agent.control_data().await.map_err(failed)?;
    if facts.contains_key(fact::OLD_TIMELINE) && control.timeline != fact::timeline(facts, fact::OLD_TIMELINE)? {
        return Err(StepError::refused(format!("{from} is on timeline {} now; it stays fenced", control.timeline)));
    }
    agent.unfence().await.map_err(failed)?;
    if let Err(error) = agent.start(work.job.timeouts.start).await {
        // It may have been too slow: what runs counts. If it does not, the fence goes up again.
        if !is_old_primary_up(work).await {
            let fenced = agent
                .fence()
                .await
                .map_or_else(|e| format!("could not be fenced again: {e}"), |()| "is fenced again".into());
            return Err(StepError::failed(format!("{from} did not start: {error}; it {fenced}")));
        }
    }
    if is_old_primary_up(work).await {
        return Ok(());
    }
    Err(StepError::unknown(format!("{from} was started and does not answer as a primary")))
}

async fn is_old_primary_up(work: &Work<'_>) -> bool {
    work.look(work.from).await.is_ok_and(|seen| is_primary(&seen))
}

fn failed(error: AgentError) -> StepError {
    StepError::failed(error.to_string())
}
