//! Bringing the old primary back as the standby. After a clean stop it needs no rewind: it has nothing
//! that the new primary does not have.

use sqlx::Row;

use super::{Seen, done, probed, until};
use crate::{
    Facts, Probe, StepDone, StepError,
    agent::AgentError,
    postgresql::{
        errors::SqlError,
        fact,
        lsn::Lsn,
        session::Session,
        work::{Work, is_primary, is_standby, received, replayed, shown, unreachable},
    },
};

/// How often over a server that was just started may use up the time of a connection before it answers.
pub(in crate::postgresql) const ANSWER_TRIES: u32 = 10;

struct Slot {
    physical: bool,
    active: bool,
    /// It holds log, and has lost none of it.
    holds: bool,
}

async fn slot(session: &mut Session, name: &str) -> Result<Option<Slot>, SqlError> {
    let query = sqlx::query(
        "SELECT slot_type = 'physical' AS physical, active,
                restart_lsn IS NOT NULL AND wal_status IS DISTINCT FROM 'lost' AS holds
           FROM pg_replication_slots WHERE slot_name = $1",
    );
    let Some(row) = session.optional(query.bind(name.to_owned())).await? else { return Ok(None) };
    Ok(Some(Slot { physical: row.try_get("physical")?, active: row.try_get("active")?, holds: row.try_get("holds")? }))
}

pub(super) async fn probe_slot(work: &Work<'_>) -> Probe {
    let name = work.slot();
    let looked = async {
        let mut session = work.session(work.target).await?;
        slot(&mut session, &name).await
    };
    match looked.await {
        Ok(Some(slot)) if slot.physical && slot.holds => probed(slot_there(work, &name)),
        Ok(_) => Probe::NotDone,
        Err(error) => Probe::Unknown(unreachable(&work.target.name, &error).text),
    }
}

fn slot_there(work: &Work<'_>, name: &str) -> StepDone {
    done(format!("slot {name} exists on {}", work.target.name), [(fact::SLOT, name.to_owned())])
}

/// Slots do not come with a promotion (trap T3). Made on the standby, it holds the log from its last
/// restart point on, so everything the old primary can lack.
pub(in crate::postgresql) async fn create_slot(work: &Work<'_>) -> Result<StepDone, StepError> {
    let (node, name) = (&work.target.name, work.slot());
    let failed = |e: SqlError| StepError::failed(format!("slot {name} was not created on {node}: {e}"));
    let mut session = work.session(work.target).await.map_err(|e| unreachable(node, &e))?;
    match slot(&mut session, &name).await.map_err(failed)? {
        Some(slot) if !slot.physical => {
            return Err(StepError::failed(format!("{node} has a slot {name} that is not a physical one")));
        }
        Some(slot) if slot.holds => return Ok(slot_there(work, &name)),
        Some(_) => drop_slot(&mut session, &name).await.map_err(failed)?,
        None => {}
    }
    let query = sqlx::query("SELECT pg_create_physical_replication_slot($1::text::name, true)::text");
    session.one(query.bind(name.clone())).await.map_err(failed)?;
    Ok(slot_there(work, &name))
}

/// The same slot in a failover. Nothing waits for it there: without it the old primary may have to be rebuilt, and that is
/// all.
pub(super) async fn keep_log(work: &Work<'_>) -> StepDone {
    match create_slot(work).await {
        Ok(slot) => slot,
        Err(error) => {
            let from = &work.from.name;
            done(
                format!("{}; without it {from} may have to be rebuilt to come back. The failover goes on", error.text),
                [],
            )
        }
    }
}

/// A switchover that was taken back leaves a slot that nobody will use: it would hold log for ever.
pub(in crate::postgresql) async fn drop_unused_slot(work: &Work<'_>) -> Result<(), SqlError> {
    let name = work.slot();
    let mut session = work.session(work.target).await?;
    match slot(&mut session, &name).await? {
        Some(slot) if !slot.active => drop_slot(&mut session, &name).await,
        _ => Ok(()),
    }
}

async fn drop_slot(session: &mut Session, name: &str) -> Result<(), SqlError> {
    let query = sqlx::query("SELECT pg_drop_replication_slot($1::text::name)::text");
    session.one(query.bind(name.to_owned())).await.map(drop)
}

pub(super) async fn probe_rejoin(work: &Work<'_>, facts: &Facts) -> Probe {
    match streams_from_target(work, facts).await {
        Ok(true) => probed(done(format!("{} streams from {}", work.from.name, work.target.name), [])),
        Ok(false) => Probe::NotDone,
        Err(error) => Probe::Unknown(error.text),
    }
}

/// Whether the old primary is a standby that streams through its slot on the new timeline.
pub(in crate::postgresql) async fn streams_from_target(work: &Work<'_>, facts: &Facts) -> Result<bool, StepError> {
    let timeline = fact::timeline(facts, fact::NEW_TIMELINE)?;
    let agent = work.agent(work.from)?;
    let process = agent.process().await.map_err(failed)?;
    if !process.is_running() {
        return Ok(false);
    }
    // It runs and cannot be asked (yet): the deed decides, it begins with a stop.
    let Ok(seen) = work.look(work.from).await else { return Ok(false) };
    if is_primary(&seen) {
        return Err(StepError::failed(format!("{} runs as a primary", work.from.name)));
    }
    Ok(seen.wal_receiver.is_some_and(|receiver| {
        receiver.status == "streaming" && receiver.slot_name == work.slot() && receiver.received_timeline == timeline
    }))
}

pub(in crate::postgresql) async fn rejoin(work: &Work<'_>, facts: &Facts) -> Result<StepDone, StepError> {
    let (from, target) = (&work.from.name, &work.target.name);
    let agent = work.agent(work.from)?;
    work.prove_fence().await?;
    if streams_from_target(work, facts).await? {
        return Ok(done(format!("{from} streams from {target}"), []));
    }
    let control = agent.control_data().await.map_err(failed)?;
    let system = fact::required(facts, fact::SYSTEM_IDENTIFIER)?;
    if control.system_identifier != system {
        return Err(StepError::refused(format!(
            "{from} belongs to system {}, not {system}",
            control.system_identifier
        )));
    }
    must_not_need_rewind(work, facts, control.checkpoint, control.timeline)?;
    let source = work.return_path()?;
    agent.stop(work.job.timeouts.stop).await.map_err(failed)?;
    agent.configure_standby(&source).await.map_err(failed)?;
    agent.start(work.job.timeouts.start).await.map_err(|e| {
        StepError::failed(format!("{from} is configured as the standby of {target} and did not start: {e}"))
    })?;
    // It has just been started: on a busy host its first session takes its time, and one try is no answer.
    let answered = until(work.job.timeouts.connect * ANSWER_TRIES, || async {
        Ok(match work.look(work.from).await {
            Ok(seen) => Seen::There(seen),
            Err(error) => Seen::Waiting(unreachable(from, &error).text),
        })
    });
    let seen = answered.await?.map_err(StepError::failed)?;
    if !is_standby(&seen) {
        // Never leave two primaries behind, whatever made this happen.
        let stopped = agent.kill().await;
        return Err(StepError::failed(format!(
            "{from} came up as a primary and was {}",
            stopped.map_or_else(|e| format!("not stopped: {e}"), |()| "ended at once".into())
        )));
    }
    Ok(done(format!("{from} runs as a standby of {target}, through slot {}", source.slot), []))
}

/// The old primary has log of its old timeline behind the fork: started as it is it could not follow.
fn must_not_need_rewind(work: &Work<'_>, facts: &Facts, checkpoint: Lsn, timeline: u32) -> Result<(), StepError> {
    let old = fact::timeline(facts, fact::OLD_TIMELINE)?;
    let fork = if facts.contains_key(fact::FORK_LSN) { Some(fact::lsn(facts, fact::FORK_LSN)?) } else { None };
    match fork {
        Some(fork) if timeline == old && checkpoint > fork => Err(StepError::refused(format!(
            "{} has a checkpoint at {checkpoint} on timeline {old}, behind the fork at {fork}: it must be rewound first (pg_rewind)",
            work.from.name
        ))),
        _ => Ok(()),
    }
}

/// Protected again: the returned node has everything the new primary had when the step began.
pub(in crate::postgresql) async fn wait_until_protected(work: &Work<'_>, facts: &Facts) -> Result<StepDone, StepError> {
    let (from, target) = (&work.from.name, &work.target.name);
    let timeline = fact::timeline(facts, fact::NEW_TIMELINE)?;
    let primary = work.look(work.target).await.map_err(|e| unreachable(target, &e))?;
    let goal = primary.current_lsn.filter(|_| is_primary(&primary)).map(Lsn);
    let goal = goal.ok_or_else(|| StepError::failed(format!("{target} is not the primary any more")))?;
    let waited = until(work.job.timeouts.protected, || async {
        let seen = match work.look(work.from).await {
            Ok(seen) => seen,
            Err(error) => return Ok(Seen::Waiting(unreachable(from, &error).text)),
        };
        let receiver = seen.wal_receiver.clone().unwrap_or_default();
        let streams = receiver.status == "streaming" && receiver.received_timeline == timeline;
        let caught_up = received(&seen) >= Some(goal) && replayed(&seen) >= Some(goal);
        Ok(if is_standby(&seen) && streams && caught_up {
            Seen::There(seen)
        } else {
            Seen::Waiting(format!(
                "receiver {}, received {}, applied {}, goal {goal} on timeline {timeline}",
                if receiver.status.is_empty() { "none" } else { &receiver.status },
                shown(received(&seen)),
                shown(replayed(&seen))
            ))
        })
    })
    .await?;
    match waited {
        Ok(seen) => Ok(done(
            format!(
                "{from} streams from {target} on timeline {timeline} and has applied up to {}",
                shown(replayed(&seen))
            ),
            [(fact::PROTECTED_AT, work.time())],
        )),
        Err(state) => Err(StepError::failed(format!(
            "{from} has not caught up with {target} within {:?}: {state}",
            work.job.timeouts.protected
        ))),
    }
}

pub(super) async fn probe_stale_slot(work: &Work<'_>, facts: &Facts) -> Probe {
    let Some(name) = stale_slot(facts) else { return probed(nothing_stale()) };
    let looked = async {
        let mut session = work.session(work.from).await?;
        slot(&mut session, name).await
    };
    match looked.await {
        Ok(None) => probed(done(format!("slot {name} is gone from {}", work.from.name), [])),
        Ok(Some(_)) => Probe::NotDone,
        Err(error) => Probe::Unknown(unreachable(&work.from.name, &error).text),
    }
}

pub(super) async fn drop_stale_slot(work: &Work<'_>, facts: &Facts) -> Result<StepDone, StepError> {
    let Some(name) = stale_slot(facts) else { return Ok(nothing_stale()) };
    let node = &work.from.name;
    let failed = |e: SqlError| StepError::failed(format!("slot {name} was not dropped on {node}: {e}"));
    let mut session = work.session(work.from).await.map_err(|e| unreachable(node, &e))?;
    match slot(&mut session, name).await.map_err(failed)? {
        None => {}
        Some(slot) if slot.active => {
            return Ok(done(format!("slot {name} on {node} is in use by another: left there"), []));
        }
        Some(_) => drop_slot(&mut session, name).await.map_err(failed)?,
    }
    Ok(done(format!("slot {name} is gone from {node}"), []))
}

fn stale_slot(facts: &Facts) -> Option<&str> {
    facts.get(fact::STALE_SLOT).map(String::as_str).filter(|name| !name.is_empty())
}

fn nothing_stale() -> StepDone {
    done("no slot was used before", [])
}

fn failed(error: AgentError) -> StepError {
    StepError::failed(error.to_string())
}
