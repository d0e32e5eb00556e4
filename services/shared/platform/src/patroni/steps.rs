//! The steps themselves. Each has a look at the real state (`probe`) and the deed (`run`); the deed looks again itself, because
//! time has passed.

mod move_leader;
mod verify;

use super::{plan::StepId, work::Work};
use crate::{
    Facts, MoveKind, Probe, StepDone, StepError, fact as common,
    postgresql::{
        Lsn,
        databases::{before, is_primary, is_standby, look},
        fact,
    },
    step::{done, proven},
};

/// Where the leader was when its positions were read: what it wrote by then must be on the target afterwards.
pub(super) const LEADER_LSN: &str = "leader_lsn";

pub(super) async fn probe(work: &Work<'_>, step: StepId, facts: &Facts) -> Probe {
    match step {
        StepId::MoveLeader => move_leader::probe(work, facts).await,
        // Looking is all these do, or doing it again is harmless: they are done when they have run.
        StepId::RecordPositions | StepId::VerifyTarget | StepId::WaitUntilProtected => Probe::NotDone,
    }
}

pub(super) async fn run(work: &Work<'_>, step: StepId, facts: &Facts) -> Result<StepDone, StepError> {
    match (step, work.job.kind) {
        (StepId::RecordPositions, MoveKind::Switchover) => record_before_switchover(work).await,
        (StepId::RecordPositions, MoveKind::Failover) => record_before_failover(work).await,
        (StepId::MoveLeader, MoveKind::Switchover) => move_leader::switch(work, facts).await,
        (StepId::MoveLeader, MoveKind::Failover) => move_leader::fail_over(work, facts).await,
        (StepId::VerifyTarget, _) => proven(|| verify::verify(work, facts)).await,
        (StepId::WaitUntilProtected, _) => verify::wait_until_protected(work, facts).await,
    }
}

async fn record_before_switchover(work: &Work<'_>) -> Result<StepDone, StepError> {
    let (from, target) = (&work.from.name, &work.target.name);
    let (leader, standby) = tokio::join!(look(&work.databases, from), look(&work.databases, target));
    let unreachable =
        |node: &str, error| StepError::refused(format!("{node} could not be asked, nothing was done: {error}"));
    let leader = leader.map_err(|error| unreachable(from, error))?;
    let standby = standby.map_err(|error| unreachable(target, error))?;
    if !is_primary(&leader) || !is_standby(&standby) {
        return Err(StepError::refused(format!(
            "{from} is not the primary or {target} is not a standby any more; nothing was done"
        )));
    }
    let at = leader.current_lsn.map(Lsn);
    let at = at.ok_or_else(|| StepError::refused(format!("{from} tells no position; nothing was done")))?;
    let mut step = done(format!("{from} is at {at}"), [(LEADER_LSN, at.to_string())]);
    step.outputs.extend(before(&standby));
    // The leader's own word about the timeline: a standby can lag behind it.
    if let Some(timeline) = leader.timeline {
        step.outputs.insert(fact::OLD_TIMELINE.to_owned(), timeline.to_string());
    }
    Ok(step)
}

/// Patroni may have promoted the target already: then the positions are where the new timeline left the old one.
async fn record_before_failover(work: &Work<'_>) -> Result<StepDone, StepError> {
    let target = &work.target.name;
    let seen = look(&work.databases, target).await;
    let seen =
        seen.map_err(|error| StepError::refused(format!("{target} could not be asked, nothing was done: {error}")))?;
    let mut step = if is_standby(&seen) {
        let mut step = done(format!("{target} is a standby"), []);
        step.outputs = before(&seen);
        step
    } else {
        let old = seen.timeline.and_then(|timeline| timeline.checked_sub(1)).filter(|timeline| *timeline > 0);
        let old = old
            .ok_or_else(|| StepError::refused(format!("the timeline of {target} cannot be told; nothing was done")))?;
        let mut step = done(
            format!("Patroni has promoted {target} already"),
            [(fact::OLD_TIMELINE, old.to_string()), (common::SYSTEM_IDENTIFIER, seen.system_identifier.clone())],
        );
        if let Some(fork) = work.fork_of(old).await {
            step.outputs.extend(verify::reached(Lsn(fork.lsn)));
        }
        step
    };
    if let Some(last) = &work.job.last_known_primary {
        step.outputs.insert(fact::LAST_PRIMARY_LSN.into(), Lsn(last.lsn).to_string());
        step.outputs.insert(fact::LAST_PRIMARY_AT.into(), common::time(last.at));
    }
    Ok(step)
}
