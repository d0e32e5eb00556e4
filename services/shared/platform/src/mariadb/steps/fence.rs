//! Taking a lost primary out by all means: nothing of it runs, and a start makes it read-only.

use std::time::Duration;

use crate::{
    Probe, StepDone, StepError,
    mariadb::{
        fact,
        work::{Work, held, is_read_only, on_host, unreachable},
    },
    step::{done, probed},
};

/// How long a failover lets a primary that still runs stop cleanly; then it is killed.
const CLEAN_CHANCE: Duration = Duration::from_secs(10);

pub(super) async fn probe(work: &Work<'_>) -> Probe {
    match fenced(work).await {
        Ok(true) => match outputs(work, None).await {
            Ok(done) => probed(done),
            Err(error) => Probe::Unknown(error.text),
        },
        Ok(false) => Probe::NotDone,
        Err(error) => Probe::Unknown(error.text),
    }
}

async fn fenced(work: &Work<'_>) -> Result<bool, StepError> {
    let agent = work.agent(&work.from)?;
    Ok(!agent.process().await.map_err(on_host)?.is_running() && agent.is_fenced().await.map_err(on_host)?)
}

pub(super) async fn run(work: &Work<'_>) -> Result<StepDone, StepError> {
    let (from, target) = (work.from.name, work.target.name);
    let standby = work.look(&work.target).await.map_err(|error| {
        StepError::refused(format!("{target} could not be asked, so {from} is left as it is: {error}"))
    })?;
    if standby.replica.is_none() || !is_read_only(&standby) {
        return Err(StepError::refused(format!("{target} is no read-only replica, so there is nothing to promote")));
    }
    let agent = work.agent(&work.from)?;
    if work.agent(&work.target)?.identity() == agent.identity() {
        return Err(StepError::refused(format!("the agents of {from} and {target} are the same server")));
    }
    // A replica that runs there is not the lost primary.
    if let Ok(seen) = work.look(&work.from).await
        && seen.replica.is_some()
    {
        return Err(StepError::refused(format!(
            "{from} runs as a replica, so it is not the lost primary: check which agent belongs to which node"
        )));
    }
    let began = work.time();
    agent.fence().await.map_err(|error| StepError::failed(format!("{from} could not be fenced: {error}")))?;
    if agent.process().await.map_err(on_host)?.is_running()
        && let Err(error) = agent.stop(CLEAN_CHANCE).await
    {
        tracing::warn!(%error, node = from, "no clean stop in time, the process is killed");
        let unproven = |error| StepError::failed(format!("the fence of {from} is not proven: {error}"));
        agent.kill().await.map_err(unproven)?;
    }
    work.prove_fence().await?;
    if !fenced(work).await? {
        return Err(StepError::failed(format!("{from} was started again while it was fenced")));
    }
    outputs(work, Some(began)).await
}

/// What the target holds is read here as well: from now on it cannot receive more of the old primary.
async fn outputs(work: &Work<'_>, began: Option<String>) -> Result<StepDone, StepError> {
    let (from, target) = (work.from.name, work.target.name);
    let standby = work.look(&work.target).await.map_err(|error| unreachable(target, &error))?;
    let received = held(target, &standby)?;
    let mut step = done(
        format!("{from} is fenced; no process of it is left"),
        [(fact::SYSTEM_IDENTIFIER, received.system_identifier())],
    );
    if let Some(began) = began {
        step.outputs.insert(fact::STOPPED_AT.into(), began);
    }
    if let Some(last) = &work.job.last_known_primary {
        step.outputs.insert(fact::LAST_PRIMARY_TRANSACTIONS.into(), last.lsn.to_string());
        step.outputs.insert(fact::LAST_PRIMARY_AT.into(), fact::time(last.at));
    }
    Ok(step)
}
