//! After a failover the old primary is fenced and left. A failback brings it back first: it is measured, rewound where
//! its history left the new primary's, and started as its standby.
//! Everything here works on the turned job, see [`crate::way_home`].

use std::time::Duration;

use muster_domain::pb::{execution::v1::Step, observation::v1::PostgresqlFacts};

use super::{
    fact,
    lsn::Lsn,
    steps::{ANSWER_TRIES, create_slot, rejoin_old_primary, streams_from_target, wait_until_protected},
    work::{Work, is_primary, is_standby, received, replayed, shown, unreachable},
};
use crate::{
    Facts, Probe, StepDone, StepError,
    agent::{AgentError, ClusterState},
    step::{Seen, done, probed, until},
    way_home::{self, RECONNECT, StepId, StepId::*, Words},
};

/// A rewind copies whole files of what has changed; a large database takes its time, and production does not wait.
const REWIND: Duration = Duration::from_secs(4 * 3600);
/// More promotions than this between two nodes are not followed back.
const MAX_FORKS: u32 = 64;

/// Whether the target has a place behind the primary. One that runs as a primary has to be looked at by a person: it is
/// not brought back, and the ordinary prechecks refuse it.
pub(super) async fn follows(work: &Work<'_>) -> bool {
    let looked = until(RECONNECT, || async {
        Ok(match work.look(work.target).await {
            Err(_) => Seen::There(false),
            Ok(seen) if is_primary(&seen) => Seen::There(true),
            Ok(seen) if seen.wal_receiver.as_ref().is_some_and(|receiver| receiver.status == "streaming") => {
                Seen::There(true)
            }
            Ok(_) => Seen::Waiting(String::new()),
        })
    });
    matches!(looked.await, Ok(Ok(true)))
}

pub(super) fn steps(work: &Work<'_>) -> Vec<Step> {
    let (node, primary) = (&work.target.name, &work.from.name);
    let timeouts = &work.job.timeouts;
    let rebuild = format!(
        "{primary} is the primary and was not touched. {node} is fenced: leave it so. Rebuild it with a base backup of \
         {primary}, with standby.signal, and start it; then request the failback again."
    );
    way_home::steps(node, |id| match id {
        MeasureOriginal => Words {
            title: format!("Start {node} behind its fence, read how far its history goes, and stop it"),
            limit: timeouts.start + timeouts.stop,
            guidance: format!(
                "{primary} is the primary and was not touched. Read the log of {node}. Do not remove its standby.signal."
            ),
        },
        ReturnOriginal => Words {
            title: format!("Rewind {node} where it must be, and start it as the standby of {primary}"),
            limit: timeouts.start * 2 + timeouts.stop + timeouts.checkpoint + REWIND,
            guidance: rebuild.clone(),
        },
        WaitUntilFollowing => Words {
            title: format!("Wait until {node} streams from {primary} and has caught up"),
            limit: timeouts.protected,
            guidance: format!("Read both logs. If log that {node} needs is gone: {rebuild}"),
        },
    })
}

/// The present primary, and what the steps of a rejoin want to know about it.
async fn primary(work: &Work<'_>) -> Result<Facts, StepError> {
    let name = &work.target.name;
    let seen = work.look(work.target).await.map_err(|e| unreachable(name, &e))?;
    let timeline = seen.timeline.filter(|_| is_primary(&seen)).map(|timeline| timeline.to_string());
    let timeline = timeline.ok_or_else(|| StepError::refused(format!("{name} is not the primary any more")))?;
    let known = [
        (fact::SYSTEM_IDENTIFIER, seen.system_identifier),
        // What it has to be on, and nothing that came before: whether it left is found out by measuring.
        (fact::OLD_TIMELINE, timeline.clone()),
        (fact::NEW_TIMELINE, timeline),
    ];
    Ok(known.map(|(name, value)| (name.to_owned(), value)).into())
}

pub(super) async fn probe(work: &Work<'_>, step: StepId) -> Probe {
    if step == WaitUntilFollowing {
        return Probe::NotDone;
    }
    let looked = async {
        let known = primary(work).await?;
        Ok::<_, StepError>(streams_from_target(work, &known).await?.then(|| already(work)))
    };
    match looked.await {
        Ok(Some(done)) => probed(done),
        Ok(None) => Probe::NotDone,
        Err(error) => Probe::Unknown(error.text),
    }
}

fn already(work: &Work<'_>) -> StepDone {
    let note = format!("{} streams from {} already", work.from.name, work.target.name);
    done(note, [(fact::ORIGINAL_DIVERGED, false.to_string())])
}

pub(super) async fn run(work: &Work<'_>, step: StepId, facts: &Facts) -> Result<StepDone, StepError> {
    let known = primary(work).await?;
    if step == WaitUntilFollowing {
        let waited = wait_until_protected(work, &known).await?;
        // When the system is protected after the move is another thing.
        return Ok(StepDone { outputs: Facts::new(), ..waited });
    }
    if streams_from_target(work, &known).await? {
        return Ok(already(work));
    }
    work.agent(work.from)?.half_rewound().await.map_err(failed)?;
    must_be_out(work).await?;
    match step {
        MeasureOriginal => measure(work, &known).await,
        _ => bring_back(work, &known, facts).await,
    }
}

/// A node that accepts writes has data that nobody may discard without having looked at it.
async fn must_be_out(work: &Work<'_>) -> Result<(), StepError> {
    let agent = work.agent(work.from)?;
    let runs = agent.process().await.map_err(failed)?.is_running();
    if runs && agent.control_data().await.map_err(failed)?.state == ClusterState::InProduction {
        let name = &work.from.name;
        return Err(StepError::refused(format!(
            "{name} runs as a primary: find out who writes to it, nothing was done"
        )));
    }
    Ok(())
}

/// Behind its fence a crashed server repairs itself and says how far its log goes.
async fn measure(work: &Work<'_>, known: &Facts) -> Result<StepDone, StepError> {
    let (node, timeouts) = (&work.from.name, &work.job.timeouts);
    let agent = work.agent(work.from)?;
    agent.fence().await.map_err(failed)?;
    if !agent.process().await.map_err(failed)?.is_running() {
        agent.start(timeouts.start).await.map_err(failed)?;
    }
    work.prove_fence().await?;
    let seen = answer(work).await?;
    let end = received(&seen).max(replayed(&seen));
    agent.stop(timeouts.stop).await.map_err(failed)?;
    let end = end.ok_or_else(|| {
        StepError::failed(format!(
            "{node} does not say how far its log goes, so nobody knows what a rewind would discard"
        ))
    })?;
    let fork = match seen.timeline {
        Some(timeline) => fork_of(work, fact::timeline(known, fact::NEW_TIMELINE)?, timeline).await?,
        None => None,
    };
    let timeline = seen.timeline.map_or_else(|| "an unknown timeline".to_owned(), |t| format!("timeline {t}"));
    let (diverged, what) = match fork {
        Some(fork) if end <= fork => (false, format!("{} has all of it", work.target.name)),
        Some(fork) => (
            true,
            format!(
                "{} left that history at {fork}: {} bytes of log behind it are on {node} alone, and a rewind discards them for good",
                work.target.name,
                end.bytes_since(fork)
            ),
        ),
        None => (
            true,
            format!("where {} left that history is not known: what is on {node} alone is discarded", work.target.name),
        ),
    };
    let outputs = [(fact::ORIGINAL_END_LSN, end.to_string()), (fact::ORIGINAL_DIVERGED, diverged.to_string())];
    Ok(done(format!("the log of {node} ends at {} on {timeline}; {what}", shown(Some(end))), outputs))
}

/// Where the primary's history, on timeline `now`, left that timeline. The end of everything when it is the primary's own.
pub(super) async fn fork_of(work: &Work<'_>, now: u32, timeline: u32) -> Result<Option<Lsn>, StepError> {
    let agent = work.agent(work.target)?;
    let mut at = now;
    if at == timeline {
        let seen = work.look(work.target).await.map_err(|e| unreachable(&work.target.name, &e))?;
        return Ok(seen.current_lsn.map(Lsn));
    }
    for _ in 0..MAX_FORKS {
        let Some(fork) = agent.fork_point(at).await.map_err(failed)? else { return Ok(None) };
        if fork.parent_timeline == timeline {
            return Ok(Some(fork.lsn));
        }
        if fork.parent_timeline >= at {
            return Ok(None);
        }
        at = fork.parent_timeline;
    }
    Ok(None)
}

/// It was just started: on a busy host its first session takes its time.
async fn answer(work: &Work<'_>) -> Result<PostgresqlFacts, StepError> {
    let name = &work.from.name;
    let answered = until(work.job.timeouts.connect * ANSWER_TRIES, || async {
        Ok(match work.look(work.from).await {
            Ok(seen) if is_standby(&seen) => Seen::There(seen),
            Ok(_) => return Err(StepError::refused(format!("{name} runs as a primary, nothing of it is discarded"))),
            Err(error) => Seen::Waiting(unreachable(name, &error).text),
        })
    });
    answered.await?.map_err(StepError::failed)
}

async fn bring_back(work: &Work<'_>, known: &Facts, facts: &Facts) -> Result<StepDone, StepError> {
    let timeouts = &work.job.timeouts;
    let agent = work.agent(work.from)?;
    let diverged = fact::required(facts, fact::ORIGINAL_DIVERGED)? == "true";
    let slot = create_slot(work).await?;
    let source = work.return_path()?;
    agent.fence().await.map_err(failed)?;
    agent.stop(timeouts.stop).await.map_err(failed)?;
    let rewound = if diverged {
        checkpoint(work).await?;
        let said = agent.rewind(&source, &source.login, REWIND).await.map_err(failed)?;
        let end = facts.get(fact::ORIGINAL_END_LSN).map_or("an unknown position", String::as_str);
        format!("{said}, what it had alone up to {end} is discarded; ")
    } else {
        "no rewind was needed; ".to_owned()
    };
    let joined = rejoin_old_primary(work, known).await?;
    Ok(done(format!("{}; {rewound}{}", slot.note, joined.note), []))
}

/// A control file that names the timeline before would make the rewind believe that nothing diverged.
async fn checkpoint(work: &Work<'_>) -> Result<(), StepError> {
    let name = &work.target.name;
    let mut session = work.session(work.target).await.map_err(|e| unreachable(name, &e))?;
    session.set_limit(work.job.timeouts.checkpoint).await.map_err(|e| unreachable(name, &e))?;
    match session.execute("CHECKPOINT").await {
        // Without the right to it the server's own, since the failover, has to do: the rewind looks.
        Err(error) if error.code.as_deref() == Some("42501") => Ok(()),
        other => other.map_err(|e| StepError::failed(format!("{name} did not write a checkpoint: {e}"))),
    }
}

fn failed(error: AgentError) -> StepError {
    StepError::failed(error.to_string())
}
