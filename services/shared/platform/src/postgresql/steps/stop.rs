//! Taking the old primary out: cleanly for a switchover, by all means for a failover. In both cases
//! the fence comes first, so that no moment exists in which a start would make a second primary (T5).

use std::time::Duration;

use super::{done, probed};
use crate::{
    Probe, StepDone, StepError,
    agent::{AgentError, ClusterState, ControlData, HostAgent, ServerProcess},
    postgresql::{
        fact,
        work::{Work, is_primary, is_standby, unreachable},
    },
};

/// How long a failover lets a primary that still runs stop cleanly. It would hand its last log to the
/// target; then it is killed.
const CLEAN_CHANCE: Duration = Duration::from_secs(10);

/// No right to checkpoint is no reason not to move: the stop writes one itself, it only takes longer.
const INSUFFICIENT_PRIVILEGE: &str = "42501";

pub(super) async fn checkpoint_primary(work: &Work<'_>) -> Result<StepDone, StepError> {
    let (from, target) = (&work.from.name, &work.target.name);
    let seen = work.look(work.from).await.map_err(|e| unreachable(from, &e))?;
    if !is_primary(&seen) {
        return Err(StepError::refused(format!("{from} is not a primary")));
    }
    let standby = work.look(work.target).await.map_err(|e| unreachable(target, &e))?;
    let mut session = work.session(work.from).await.map_err(|e| unreachable(from, &e))?;
    session.set_limit(work.job.timeouts.checkpoint).await.map_err(|e| unreachable(from, &e))?;
    let note = match session.execute("CHECKPOINT").await {
        Ok(()) => "checkpoint written".to_owned(),
        Err(error) if error.code.as_deref() == Some(INSUFFICIENT_PRIVILEGE) => {
            format!("skipped: {error}; the stop will take longer")
        }
        Err(error) => return Err(StepError::failed(format!("{from} did not write a checkpoint: {error}"))),
    };
    let used = standby.wal_receiver.map(|receiver| receiver.slot_name).unwrap_or_default();
    let stale = seen.slots.iter().find(|slot| slot.name == used).map(|slot| slot.name.clone());
    Ok(done(note, [(fact::STALE_SLOT, stale.unwrap_or_default())]))
}

pub(super) async fn probe_stop(work: &Work<'_>) -> Probe {
    match stopped(work).await {
        Ok(Some(control)) if control.state == ClusterState::ShutDown => {
            probed(done(format!("{} is fenced and was stopped cleanly", work.from.name), []))
        }
        Ok(Some(control)) if control.state.is_standby() => {
            Probe::Unknown(format!("{} was started again behind its fence ({})", work.from.name, control.state))
        }
        Ok(_) => Probe::NotDone,
        Err(error) => Probe::Unknown(error.text),
    }
}

/// The control data when nothing runs and the fence is up.
async fn stopped(work: &Work<'_>) -> Result<Option<ControlData>, StepError> {
    let agent = work.agent(work.from)?;
    if agent.process().await.map_err(failed)?.is_running() || !agent.is_fenced().await.map_err(failed)? {
        return Ok(None);
    }
    agent.control_data().await.map(Some).map_err(failed)
}

pub(super) async fn stop_primary(work: &Work<'_>) -> Result<StepDone, StepError> {
    let from = &work.from.name;
    let agent = work.agent(work.from)?;
    let before = agent.control_data().await.map_err(failed)?;
    refuse_wrong_server(work, agent, &before).await?;
    if !matches!(before.state, ClusterState::InProduction | ClusterState::ShuttingDown | ClusterState::ShutDown) {
        return Err(StepError::refused(format!("{from} is not a running primary ({})", before.state)));
    }
    let stopped_at = work.time();
    agent.fence().await.map_err(|e| StepError::failed(format!("{from} could not be fenced, it still runs: {e}")))?;
    match agent.stop(work.job.timeouts.stop).await {
        Ok(()) => {}
        Err(error) if matches!(agent.process().await, Ok(ServerProcess::Stopped)) => {
            tracing::warn!(%error, node = %from, "the stop reported an error, and the server is stopped");
        }
        Err(error) => {
            return Err(StepError::unknown(format!(
                "{from} was told to stop and still runs; it may yet stop: {error}"
            )));
        }
    }
    match stopped(work).await? {
        Some(control) if control.state == ClusterState::ShutDown => {
            Ok(done(format!("{from} is stopped cleanly and fenced"), [(fact::STOPPED_AT, stopped_at)]))
        }
        Some(control) => Err(StepError::failed(format!(
            "{from} ended without a shutdown checkpoint (state: {}): zero loss cannot be proven, nothing is promoted",
            control.state
        ))),
        None => Err(StepError::failed(format!("{from} is running again or lost its fence"))),
    }
}

pub(super) async fn read_shutdown_position(work: &Work<'_>) -> Result<StepDone, StepError> {
    let from = &work.from.name;
    let Some(control) = stopped(work).await? else {
        return Err(StepError::failed(format!("{from} is not both stopped and fenced any more")));
    };
    if control.state != ClusterState::ShutDown {
        return Err(StepError::failed(format!("{from} was not stopped cleanly (state: {})", control.state)));
    }
    Ok(done(
        format!("shutdown checkpoint at {} on timeline {}", control.checkpoint, control.timeline),
        [
            (fact::SHUTDOWN_LSN, control.checkpoint.to_string()),
            (fact::OLD_TIMELINE, control.timeline.to_string()),
            (fact::SYSTEM_IDENTIFIER, control.system_identifier),
        ],
    ))
}

pub(super) async fn probe_fence(work: &Work<'_>) -> Probe {
    match stopped(work).await {
        Ok(Some(control)) => match fenced(work, &control, None) {
            Ok(done) => probed(done),
            Err(error) => Probe::Unknown(error.text),
        },
        Ok(None) => Probe::NotDone,
        Err(error) => Probe::Unknown(error.text),
    }
}

pub(super) async fn fence_primary(work: &Work<'_>) -> Result<StepDone, StepError> {
    let from = &work.from.name;
    let agent = work.agent(work.from)?;
    let before = agent.control_data().await.map_err(failed)?;
    refuse_wrong_server(work, agent, &before).await?;
    let running = agent.process().await.map_err(failed)?.is_running();
    if running && before.state.is_standby() {
        return Err(StepError::refused(format!(
            "{from} runs as a standby ({}), so it is not the lost primary: check which agent belongs to which node",
            before.state
        )));
    }
    let began = work.time();
    agent.fence().await.map_err(|e| StepError::failed(format!("{from} could not be fenced: {e}")))?;
    if running && let Err(error) = agent.stop(CLEAN_CHANCE).await {
        tracing::warn!(%error, node = %from, "no clean stop in time, the processes are killed");
        agent.kill().await.map_err(|e| StepError::failed(format!("the fence of {from} is not proven: {e}")))?;
    }
    work.prove_fence().await?;
    match stopped(work).await? {
        Some(control) => fenced(work, &control, Some(began)),
        None => Err(StepError::failed(format!("{from} was started again while it was fenced"))),
    }
}

/// What a fenced server's control file tells the later steps.
fn fenced(work: &Work<'_>, control: &ControlData, began: Option<String>) -> Result<StepDone, StepError> {
    let from = &work.from.name;
    let clean = control.state == ClusterState::ShutDown;
    let mut step = done(
        if clean {
            format!("{from} is fenced; it was stopped cleanly at {}", control.checkpoint)
        } else {
            format!("{from} is fenced; no process of it is left ({})", control.state)
        },
        // Not the timeline: a crashed server's control file can name the one before (trap T4).
        [(fact::SYSTEM_IDENTIFIER, control.system_identifier.clone())],
    );
    if clean {
        // With it a failover, too, can prove that nothing is missing.
        step.outputs.insert(fact::SHUTDOWN_LSN.into(), control.checkpoint.to_string());
    }
    if let Some(began) = began {
        step.outputs.insert(fact::STOPPED_AT.into(), began);
    }
    if let Some(last) = &work.job.last_known_primary {
        step.outputs.insert(fact::LAST_PRIMARY_LSN.into(), crate::postgresql::Lsn(last.lsn).to_string());
        step.outputs.insert(fact::LAST_PRIMARY_AT.into(), fact::time(last.at));
    }
    Ok(step)
}

/// The last look before something is stopped: is the agent's server of the same cluster as the target,
/// is it another one than the target, and is the target there to take over?
async fn refuse_wrong_server(work: &Work<'_>, agent: &dyn HostAgent, control: &ControlData) -> Result<(), StepError> {
    let (from, target) = (&work.from.name, &work.target.name);
    let seen = work.look(work.target).await.map_err(|error| {
        StepError::refused(format!("{target} could not be asked, so {from} is not stopped: {error}"))
    })?;
    if !is_standby(&seen) {
        return Err(StepError::refused(format!("{target} is not in recovery, so there is nothing to promote")));
    }
    if seen.system_identifier != control.system_identifier {
        return Err(StepError::refused(format!(
            "{target} belongs to system {}, the server behind the agent of {from} to {}",
            seen.system_identifier, control.system_identifier
        )));
    }
    let same_agent = work.agent(work.target).is_ok_and(|other| other.identity() == agent.identity());
    if same_agent {
        return Err(StepError::refused(format!("the agents of {from} and {target} are the same server")));
    }
    Ok(())
}

fn failed(error: AgentError) -> StepError {
    StepError::failed(error.to_string())
}
