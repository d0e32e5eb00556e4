//! The old primary of a failover comes back: it follows from where it is when the present primary has all of its
//! transactions, and is built anew as a copy of that one when it has some of its own. Those are named in the record before
//! that, and its data directory is kept beside the new one: they are out of the system, and nobody loses them unasked.
//!
//! Replication itself would not notice them: it goes on, silently, until a change of roles (see the contract of GTIDs in
//! `muster_domain::readiness::mariadb`). So the histories are compared, and nothing is tried out.

mod compare;

use std::time::Duration;

use muster_domain::{pb::execution::v1::Step, pb::observation::v1::MariadbFacts, readiness::mariadb::history};

use self::compare::alone;
use super::{
    fact,
    replication::{Source, follow},
    steps::{replicates, wait_until_protected},
    work::{
        Work, at, follows as is_set_to_follow, held, is_primary, is_read_only, on_host, shown, threads_run, unreachable,
    },
};
use crate::{
    CopySource, Facts, Probe, StepDone, StepError,
    step::{Seen, done, probed, until},
    way_home::{self, RECONNECT, StepId, Words},
};

/// A dump of a large database takes its time, and production does not wait.
const REBUILD: Duration = Duration::from_secs(6 * 3600);
/// So long a replica may need to say that its source has not kept what it lacks.
const FIRST_ANSWER: Duration = Duration::from_secs(10);
/// The source has purged what the replica asks for, or never had it. MariaDB: ER_MASTER_FATAL_ERROR_READING_BINLOG.
const NOT_IN_THE_LOG: u32 = 1236;

/// Whether the target has a place behind the primary. One that accepts writes has to be looked at by a person: it is not
/// brought back, and the ordinary prechecks refuse it.
pub(super) async fn follows(work: &Work<'_>) -> bool {
    let Ok(source) = work.source(&work.from) else { return true };
    let looked = until(RECONNECT, || async {
        Ok(match work.look(&work.target).await {
            Err(_) => Seen::There(false),
            Ok(seen) if !is_read_only(&seen) || seen.limited_view => Seen::There(true),
            Ok(seen) => match &seen.replica {
                None => Seen::There(false),
                // A name that leads to the same server by another way is judged by the prechecks, not here.
                Some(replica) if threads_run(replica) => Seen::There(true),
                Some(replica) if !is_set_to_follow(replica, &source.address) => Seen::There(false),
                Some(_) => Seen::Waiting(String::new()),
            },
        })
    });
    matches!(looked.await, Ok(Ok(true)))
}

pub(super) fn steps(work: &Work<'_>) -> Vec<Step> {
    let (node, primary) = (work.target.name, work.from.name);
    let timeouts = &work.job.timeouts;
    let untouched = format!("{primary} is the primary and was not touched. {node} is fenced: leave it so.");
    way_home::steps(node, |id| match id {
        StepId::MeasureOriginal => Words {
            title: format!("Start {node} behind its fence and compare its transactions with those of {primary}"),
            limit: timeouts.start + timeouts.statement * 4,
            guidance: format!("{untouched} See why it does not start or answer (its error log)."),
        },
        StepId::ReturnOriginal => Words {
            title: format!("Make {node} a replica of {primary}; build it anew first if it has transactions of its own"),
            limit: timeouts.start * 2 + timeouts.stop + REBUILD,
            guidance: format!(
                "{untouched} Its old data is in its data directory, or beside it as *.muster-kept-*. Rebuild it by hand \
                 (mariadb-backup of {primary}), read-only, point it at {primary} by GTID, and request the failback again."
            ),
        },
        StepId::WaitUntilFollowing => Words {
            title: format!("Wait until {node} replicates from {primary} and has caught up"),
            limit: timeouts.protected,
            guidance: format!(
                "{primary} is the primary and was not touched. See SHOW REPLICA STATUS on {node}, then request again."
            ),
        },
    })
}

pub(super) async fn probe(work: &Work<'_>, step: StepId) -> Probe {
    if step == StepId::WaitUntilFollowing {
        return Probe::NotDone;
    }
    let looked = async {
        let source = work.source(&work.target)?;
        // It does not run, or not as it should: the deed decides.
        let Ok(seen) = work.look(&work.from).await else { return Ok(None) };
        // Asked after the node: what is on the primary by then is nothing that the node has alone.
        let primary = primary(work).await?;
        Ok::<_, StepError>(is_back(&seen, &primary, &source)?.then(|| already(work)))
    };
    match looked.await {
        Ok(Some(done)) => probed(done),
        Ok(None) => Probe::NotDone,
        Err(error) => Probe::Unknown(error.text),
    }
}

/// It follows, and has nothing of its own.
fn is_back(seen: &MariadbFacts, primary: &MariadbFacts, source: &Source) -> Result<bool, StepError> {
    Ok(is_read_only(seen) && replicates(seen, source) && alone(seen, primary)?.is_nothing())
}

fn already(work: &Work<'_>) -> StepDone {
    let note = format!("{} replicates from {} already", work.from.name, work.target.name);
    done(note, [(fact::ORIGINAL_DIVERGED, false.to_string())])
}

async fn primary(work: &Work<'_>) -> Result<MariadbFacts, StepError> {
    let name = work.target.name;
    let seen = work.look(&work.target).await.map_err(|error| unreachable(name, &error))?;
    if is_primary(&seen) {
        return Ok(seen);
    }
    Err(StepError::refused(format!("{name} is not the primary any more")))
}

pub(super) async fn run(work: &Work<'_>, step: StepId, facts: &Facts) -> Result<StepDone, StepError> {
    if step == StepId::WaitUntilFollowing {
        let waited = wait_until_protected(work).await?;
        // When the system is protected after the move is another thing.
        return Ok(StepDone { outputs: Facts::new(), ..waited });
    }
    primary(work).await?;
    let seen = behind_its_fence(work).await?;
    let primary = primary(work).await?;
    if is_back(&seen, &primary, &work.source(&work.target)?)? {
        return Ok(already(work));
    }
    match step {
        StepId::MeasureOriginal => measure(work, &seen, &primary),
        _ => bring_back(work, facts, seen, primary).await,
    }
}

/// It runs, refuses writes and would after a restart. A node that accepts writes has data that nobody may discard without
/// having looked at it.
async fn behind_its_fence(work: &Work<'_>) -> Result<MariadbFacts, StepError> {
    let name = work.from.name;
    let agent = work.agent(&work.from)?;
    agent.finish_rebuild().await.map_err(on_host)?;
    if let Ok(seen) = work.look(&work.from).await
        && !is_read_only(&seen)
    {
        let text = format!("{name} runs and accepts writes: find out who writes to it, nothing was done");
        return Err(StepError::refused(text));
    }
    if work.agent(&work.target)?.identity() == agent.identity() {
        return Err(StepError::refused("the agents of both nodes are the same server"));
    }
    agent.fence().await.map_err(on_host)?;
    agent.start(work.job.timeouts.start).await.map_err(on_host)?;
    work.prove_fence().await?;
    work.look(&work.from).await.map_err(|error| unreachable(name, &error))
}

fn measure(work: &Work<'_>, seen: &MariadbFacts, primary: &MariadbFacts) -> Result<StepDone, StepError> {
    let (node, source) = (work.from.name, work.target.name);
    let end = at(node, seen)?;
    let alone = alone(seen, primary)?;
    let what = if alone.is_nothing() {
        format!("{source} has all of it")
    } else {
        format!(
            "{source} does not have {alone}. {node} is built anew as a copy of {source}, without them; its data directory \
             is kept on its host, and mariadb-binlog reads them there"
        )
    };
    let outputs = [
        (fact::ORIGINAL_POSITION, end.to_string()),
        (fact::ORIGINAL_DIVERGED, (!alone.is_nothing()).to_string()),
        (fact::ORIGINAL_ALONE, alone.to_string()),
    ];
    Ok(done(format!("{node} ends at {}; {what}", shown(Some(&end))), outputs))
}

async fn bring_back(
    work: &Work<'_>,
    facts: &Facts,
    seen: MariadbFacts,
    primary: MariadbFacts,
) -> Result<StepDone, StepError> {
    let (node, source) = (work.from.name, work.target.name);
    let found = alone(&seen, &primary)?;
    let told = fact::required(facts, fact::ORIGINAL_DIVERGED)? == "true";
    if found.is_nothing() {
        point_at(work, &seen).await?;
        return if purged(work, &seen, &primary).await? {
            let rebuilt = rebuild(work, &primary).await?;
            Ok(done(format!("{source} has not kept the log that {node} lacks; {rebuilt}"), []))
        } else {
            Ok(done(format!("{node} replicates from {source}, from where it ended"), []))
        };
    }
    // Only what stands in the record may go, and all of it is known by its end.
    let measured = facts.get(fact::ORIGINAL_ALONE).map(String::as_str);
    if !told || measured != Some(found.to_string().as_str()) {
        return Err(StepError::refused(format!(
            "{node} has {found}, which is not what was measured: somebody wrote there in between. Nothing was discarded"
        )));
    }
    let rebuilt = rebuild(work, &primary).await?;
    Ok(done(format!("{rebuilt}; {found} are not in the system any more"), []))
}

async fn point_at(work: &Work<'_>, seen: &MariadbFacts) -> Result<(), StepError> {
    let (node, source) = (work.from.name, work.target.name);
    let position = at(node, seen)?;
    let mut session = work.session(&work.from).await.map_err(|error| unreachable(node, &error))?;
    let followed = follow(&mut session, &work.source(&work.target)?, &position).await;
    followed.map_err(|error| StepError::failed(format!("{node} was not pointed at {source}: {error}")))
}

/// Whether the source has not kept what the node lacks. Anything else shows when it is waited for.
async fn purged(work: &Work<'_>, began: &MariadbFacts, primary: &MariadbFacts) -> Result<bool, StepError> {
    let node = work.from.name;
    let (start, goal) = (at(node, began)?, at(work.target.name, primary)?);
    let answered = until(FIRST_ANSWER, || async {
        let seen = work.look(&work.from).await.map_err(|error| unreachable(node, &error))?;
        let got = held(node, &seen)?;
        Ok(match &seen.replica {
            Some(replica) if replica.last_io_errno == NOT_IN_THE_LOG => Seen::There(true),
            // Running threads say nothing yet: they run until the source has looked into its log.
            Some(replica) if threads_run(replica) && (got != start || got.covers(&goal)) => Seen::There(false),
            _ => Seen::Waiting(String::new()),
        })
    });
    Ok(answered.await?.unwrap_or(false))
}

/// A new copy of the primary in the place of the node's data, and the node following it.
async fn rebuild(work: &Work<'_>, primary: &MariadbFacts) -> Result<String, StepError> {
    let (node, source) = (work.from.name, work.target.name);
    let agent = work.agent(&work.from)?;
    let Source { address, login } = work.source(&work.target)?;
    let history = history(primary).ok_or_else(|| StepError::failed(format!("{source} tells no history")))?;
    let copy = CopySource {
        tls: address.uses_tls(),
        host: address.host,
        port: address.port,
        login,
        history: history.to_string(),
    };
    agent.stop(work.job.timeouts.stop).await.map_err(on_host)?;
    let kept = agent.rebuild(&copy, REBUILD).await.map_err(on_host)?;
    let seen = behind_its_fence(work).await?;
    point_at(work, &seen).await?;
    Ok(format!("{node} was built anew as a copy of {source}, its old data is in {kept}"))
}
