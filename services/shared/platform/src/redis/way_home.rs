//! The old primary of a failover comes back: it starts behind its fence, as a replica of nobody, and then becomes the
//! replica of the present primary. Redis replaces everything that it holds by a copy of that one, so what it has alone is
//! gone for good. How much that is stands in the record before: in bytes where both still know of one history, and always
//! in keys.

use muster_domain::pb::{execution::v1::Step, observation::v1::RedisFacts};

use super::{
    fact,
    roles::rewrite_configuration,
    steps::{has_caught_up, prove_fence, refuse_same_server},
    work::{Work, fork_offset, is_primary, is_replica, is_settled, on_host, shown, unreachable},
};
use crate::{
    Facts, Probe, StepDone, StepError,
    step::{Seen, done, probed, until},
    way_home::{self, RECONNECT, StepId, Words},
};

/// Whether the target has a place behind the primary. One that is a primary itself has to be looked at by a person: it is
/// not brought back, and the ordinary prechecks refuse it.
pub(super) async fn follows(work: &Work<'_>) -> bool {
    let looked = until(RECONNECT, || async {
        Ok(match work.look(&work.target).await {
            Err(_) => Seen::There(false),
            Ok(seen) if !is_replica(&seen.facts) || seen.facts.link_up == Some(true) => Seen::There(true),
            // A copy that is under way takes its time, and is waited for by nobody here.
            Ok(seen) if seen.facts.sync_in_progress == Some(true) => Seen::There(true),
            Ok(seen) if !work.follows(&seen.facts, &work.from) => Seen::There(false),
            Ok(_) => Seen::Waiting(String::new()),
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
            title: format!("Start {node} behind its fence and read what it holds"),
            limit: timeouts.start + timeouts.statement * 4,
            guidance: format!("{untouched} See why it does not start or answer (its log)."),
        },
        StepId::ReturnOriginal => Words {
            title: format!("Make {node} a replica of {primary}, which replaces everything that it holds"),
            limit: timeouts.start + timeouts.statement * 4,
            guidance: format!(
                "{untouched} On {node}: REPLICAOF {} {} and CONFIG REWRITE; then request the failback again.",
                work.from.host, work.from.port
            ),
        },
        StepId::WaitUntilFollowing => Words {
            title: format!("Wait until {node} follows {primary} and has everything"),
            limit: timeouts.protected,
            guidance: format!(
                "{primary} is the primary and was not touched. See the log of {node} (masterauth, network, output buffer \
                 limits of {primary}), then request the failback again."
            ),
        },
    })
}

pub(super) async fn probe(back: &Work<'_>, step: StepId) -> Probe {
    if step == StepId::WaitUntilFollowing {
        return Probe::NotDone;
    }
    let looked = async {
        primary(back).await?;
        // It does not run, or not as it should: the deed decides.
        let Ok(seen) = back.look(&back.from).await else { return Ok(None) };
        Ok::<_, StepError>(is_back(back, &seen.facts).then(|| already(back)))
    };
    match looked.await {
        Ok(Some(done)) => probed(done),
        Ok(None) => Probe::NotDone,
        Err(error) => Probe::Unknown(error.text),
    }
}

fn is_back(back: &Work<'_>, seen: &RedisFacts) -> bool {
    back.follows(seen, &back.target) && seen.link_up == Some(true)
}

fn already(back: &Work<'_>) -> StepDone {
    let note = format!("{} follows {} already", back.from.name, back.target.name);
    done(note, [(fact::ORIGINAL_DIVERGED, false.to_string())])
}

async fn primary(back: &Work<'_>) -> Result<RedisFacts, StepError> {
    let target = &back.target;
    let seen = back.look(target).await.map_err(|error| unreachable(target, &error))?.facts;
    if is_primary(&seen) && is_settled(&seen) && seen.loading != Some(true) {
        return Ok(seen);
    }
    Err(StepError::refused(format!("{} is not a settled primary any more ({})", target.name, seen.role)))
}

pub(super) async fn run(back: &Work<'_>, step: StepId, facts: &Facts) -> Result<StepDone, StepError> {
    let primary = primary(back).await?;
    if step == StepId::WaitUntilFollowing {
        let waited = has_caught_up(back, &primary).await?;
        // A restart finds its place again only when it is written down, and there is no replica to write down before.
        rewrite_configuration(back, &back.from).await?;
        return Ok(done(waited, []));
    }
    let seen = behind_its_fence(back).await?;
    if is_back(back, &seen) {
        return Ok(already(back));
    }
    refuse_an_empty_primary(back, &seen, &primary)?;
    match step {
        StepId::MeasureOriginal => Ok(measure(back, &seen, &primary)),
        _ => replicate(back, facts).await,
    }
}

/// It runs, is a replica, and would be one after a restart. A node that is a primary has data that nobody may discard
/// without having looked at it.
async fn behind_its_fence(back: &Work<'_>) -> Result<RedisFacts, StepError> {
    let from = &back.from;
    let agent = back.agent(from)?;
    refuse_same_server(back, agent)?;
    if let Ok(seen) = back.look(from).await
        && !is_replica(&seen.facts)
    {
        let text = format!("{} runs as a primary: find out who writes to it, nothing was done", from.name);
        return Err(StepError::refused(text));
    }
    agent.fence().await.map_err(on_host)?;
    agent.start(back.job.timeouts.start).await.map_err(on_host)?;
    // Just started, it reads its file first.
    let loaded = until(back.job.timeouts.start, || async {
        Ok(match back.look(from).await {
            Ok(seen) if seen.facts.loading == Some(true) => Seen::Waiting("it is loading".to_owned()),
            Ok(seen) => Seen::There(seen.facts),
            Err(error) => Seen::Waiting(error.message),
        })
    });
    let seen = loaded.await?.map_err(|why| StepError::failed(format!("{} does not answer: {why}", from.name)))?;
    prove_fence(back).await?;
    Ok(seen)
}

/// A primary that came back empty would empty the last copy of the data.
fn refuse_an_empty_primary(back: &Work<'_>, seen: &RedisFacts, primary: &RedisFacts) -> Result<(), StepError> {
    match (seen.keys, primary.keys) {
        (Some(held), Some(0)) if held > 0 => Err(StepError::refused(format!(
            "{} holds no key and {} holds {held}: a copy would empty it. Find out which one has the data",
            back.target.name, back.from.name
        ))),
        (_, None) => Err(StepError::failed(format!("{} does not tell how many keys it holds", back.target.name))),
        _ => Ok(()),
    }
}

/// What the node has alone, as far as both still know of one history.
enum Alone {
    Nothing,
    Bytes(u64),
    /// It was restarted, or its history is older than the primary remembers.
    NotKnown,
}

fn alone(seen: &RedisFacts, primary: &RedisFacts) -> Alone {
    let shared = if seen.replid.is_empty() {
        None
    } else if seen.replid == primary.replid {
        primary.offset
    } else {
        fork_offset(primary).filter(|_| seen.replid == primary.replid2)
    };
    match seen.offset.zip(shared).map(|(end, shared)| end.saturating_sub(shared)) {
        Some(0) => Alone::Nothing,
        Some(bytes) => Alone::Bytes(bytes),
        None => Alone::NotKnown,
    }
}

fn measure(back: &Work<'_>, seen: &RedisFacts, primary: &RedisFacts) -> StepDone {
    let (node, source) = (back.from.name, back.target.name);
    let (diverged, what) = match alone(seen, primary) {
        Alone::Nothing => ("false", format!("{source} has all of it")),
        Alone::Bytes(bytes) => ("true", format!("{bytes} bytes of commands are on {node} alone")),
        Alone::NotKnown => (
            "true",
            format!("how much of it is on {node} alone cannot be told: it is in a history that {source} does not know"),
        ),
    };
    let note = format!(
        "{node} holds {} keys and is at {}; {source} holds {} keys and took over at {}; {what}. A copy of {source} replaces \
         everything that {node} holds: what is there alone is discarded for good",
        shown_keys(seen),
        shown(seen.offset),
        shown_keys(primary),
        shown(fork_offset(primary)),
    );
    let mut step = done(note, [(fact::ORIGINAL_DIVERGED, diverged.to_owned())]);
    for (name, value) in [(fact::ORIGINAL_OFFSET, seen.offset), (fact::ORIGINAL_KEYS, seen.keys)] {
        step.outputs.extend(value.map(|value| (name.to_owned(), value.to_string())));
    }
    step
}

fn shown_keys(facts: &RedisFacts) -> String {
    facts.keys.map_or_else(|| "an unknown number of".to_owned(), |keys| keys.to_string())
}

async fn replicate(back: &Work<'_>, facts: &Facts) -> Result<StepDone, StepError> {
    // Only what stands in the record may go.
    fact::required(facts, fact::ORIGINAL_DIVERGED)?;
    let (from, target) = (&back.from, &back.target);
    let mut session = back.session(from).await.map_err(|error| unreachable(from, &error))?;
    let asked = session.ask::<String>(&["REPLICAOF", target.host, &target.port.to_string()]).await;
    asked.map_err(|error| {
        let text = format!("{} was asked to follow {}: {error}", from.name, target.name);
        if error.is_refusal() { StepError::failed(text) } else { StepError::unknown(text) }
    })?;
    let seen = back.look(from).await.map_err(|error| unreachable(from, &error))?.facts;
    if !back.follows(&seen, target) {
        return Err(StepError::failed(format!("{} does not say that it follows {}", from.name, target.name)));
    }
    Ok(done(format!("{} is a replica of {}, and takes a copy of it", from.name, target.name), []))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(replid: &str, offset: u64) -> RedisFacts {
        RedisFacts { replid: replid.into(), offset: Some(offset), ..RedisFacts::default() }
    }

    /// A primary that took over from "old" at 100.
    fn present() -> RedisFacts {
        RedisFacts { replid2: "old".into(), second_offset: Some(101), ..node("new", 900) }
    }

    #[test]
    fn what_is_alone_is_counted_only_in_a_history_that_both_know() {
        assert!(matches!(alone(&node("old", 100), &present()), Alone::Nothing));
        assert!(matches!(alone(&node("old", 160), &present()), Alone::Bytes(60)));
        assert!(matches!(alone(&node("new", 800), &present()), Alone::Nothing));
        assert!(matches!(alone(&node("restarted", 0), &present()), Alone::NotKnown));
        assert!(matches!(alone(&node("", 100), &present()), Alone::NotKnown));
        let forgotten = RedisFacts { second_offset: None, ..present() };
        assert!(matches!(alone(&node("old", 100), &forgotten), Alone::NotKnown));
    }
}
