//! Keeping the old primary from being one: at its next start before a hand-over, at once in a failover.

use std::time::Duration;

use crate::{
    Probe, ServiceAgent, StepDone, StepError,
    agent::ServerProcess,
    redis::{
        fact,
        roles::rewrite_configuration,
        work::{Work, fork_offset, is_primary, is_replica, is_settled, on_host, shown, unreachable},
    },
    step::{done, probed},
};

/// How long a failover lets a primary that still runs stop cleanly: it waits for replicas that are behind. Then it is
/// killed.
const CLEAN_CHANCE: Duration = Duration::from_secs(10);

/// Whatever cannot be written down shows here, while nothing was changed.
pub(super) async fn fence_restart(work: &Work<'_>) -> Result<StepDone, StepError> {
    let from = &work.from;
    let seen = work.look(from).await.map_err(|e| unreachable(from, &e))?.facts;
    if !is_primary(&seen) || !is_settled(&seen) {
        return Err(StepError::refused(format!("{} is not a settled primary ({})", from.name, seen.role)));
    }
    for node in [from, &work.target] {
        rewrite_configuration(work, node).await?;
    }
    let agent = work.agent(from)?;
    refuse_same_server(work, agent)?;
    agent.fence().await.map_err(on_host)?;
    Ok(done(
        format!("both wrote their configuration; a restart of {} makes it a replica", from.name),
        [(fact::OLD_REPLID, seen.replid)],
    ))
}

pub(super) async fn probe_primary(work: &Work<'_>) -> Probe {
    // What the target had when the fence came up cannot be asked again, and is asked anew: it only got less from there.
    match (prove_stopped(work).await, target_position(work).await) {
        (Ok(()), Ok(position)) => {
            let StepDone { note, outputs } = position;
            probed(StepDone { note: format!("{} is fenced and nothing of it runs; {note}", work.from.name), outputs })
        }
        (Err(_), _) => Probe::NotDone,
        (_, Err(error)) => Probe::Unknown(error.text),
    }
}

pub(super) async fn fence_primary(work: &Work<'_>) -> Result<StepDone, StepError> {
    let from = &work.from;
    let agent = work.agent(from)?;
    refuse_same_server(work, agent)?;
    let stopped_at = work.time();
    agent.fence().await.map_err(on_host)?;
    let mut how = "it was gone already";
    if agent.process().await.map_err(on_host)?.is_running() {
        how = match agent.stop(CLEAN_CHANCE).await {
            Ok(()) => "it was stopped",
            Err(error) => {
                tracing::warn!(%error, node = from.name, "no clean stop, killing it");
                agent.kill().await.map_err(on_host)?;
                "it was killed"
            }
        };
    }
    prove_stopped(work).await?;
    let StepDone { note, mut outputs } = target_position(work).await?;
    outputs.insert(fact::STOPPED_AT.to_owned(), stopped_at);
    if let Some(last) = &work.job.last_known_primary {
        outputs.insert(fact::LAST_PRIMARY_OFFSET.to_owned(), last.lsn.to_string());
        outputs.insert(fact::LAST_PRIMARY_AT.to_owned(), fact::time(last.at));
    }
    Ok(StepDone { note: format!("{} is fenced: {how}; {note}", from.name), outputs })
}

/// What the target has of the old primary's history.
async fn target_position(work: &Work<'_>) -> Result<StepDone, StepError> {
    let target = &work.target;
    let seen = work.look(target).await.map_err(|e| unreachable(target, &e))?.facts;
    // Promoted meanwhile: its history says where it took over.
    let (replid, offset) =
        if is_replica(&seen) { (seen.replid.clone(), seen.offset) } else { (seen.replid2.clone(), fork_offset(&seen)) };
    let note = format!("{} had received {}", target.name, shown(offset));
    let mut step = done(note, [(fact::OLD_REPLID, replid)]);
    if let Some(offset) = offset {
        step.outputs.insert(fact::TARGET_OFFSET.to_owned(), offset.to_string());
    }
    Ok(step)
}

/// An agent given twice would stop the target.
pub(in crate::redis) fn refuse_same_server(work: &Work<'_>, agent: &dyn ServiceAgent) -> Result<(), StepError> {
    if work.agent(&work.target).is_ok_and(|other| other.identity() == agent.identity()) {
        let (from, target) = (work.from.name, work.target.name);
        return Err(StepError::refused(format!("the agents of {from} and {target} are the same server")));
    }
    Ok(())
}

/// Fenced, and no process of it is left.
async fn prove_stopped(work: &Work<'_>) -> Result<(), StepError> {
    let (agent, from) = (work.agent(&work.from)?, work.from.name);
    if !agent.is_fenced().await.map_err(on_host)? {
        return Err(StepError::refused(format!("{from} is not fenced: a start would make it a primary")));
    }
    match agent.process().await.map_err(on_host)? {
        ServerProcess::Stopped => Ok(()),
        ServerProcess::Running(server) => {
            Err(StepError::refused(format!("processes {:?} of {from} are running", server.pids)))
        }
    }
}

/// Proof that the old primary cannot accept writes: a start makes it a replica, and what runs there now is one.
pub(in crate::redis) async fn prove_fence(work: &Work<'_>) -> Result<(), StepError> {
    let Err(not_stopped) = prove_stopped(work).await else { return Ok(()) };
    let (agent, from) = (work.agent(&work.from)?, &work.from);
    if !agent.is_fenced().await.map_err(on_host)? {
        return Err(not_stopped);
    }
    // Somebody started it behind the fence. It answers for itself: what cannot be asked is not proven.
    let seen = work.look(from).await.map_err(|e| unreachable(from, &e))?.facts;
    if is_replica(&seen) && seen.read_only != Some(false) {
        return Ok(());
    }
    Err(StepError::refused(format!("{} runs behind its fence and is a {}", from.name, seen.role)))
}
