//! FAILOVER: the primary pauses writes, waits until the target has everything, and changes places with it. It works in
//! the background; what it came to is told by the roles, and a second one is refused by a server that has handed over.

use crate::{
    Facts, Probe, StepDone, StepError,
    redis::{
        fact,
        work::{Work, fork_offset, is_primary, is_replica, is_settled, unreachable},
    },
    step::{Seen, done, probed, until},
};
use muster_domain::pb::observation::v1::RedisFacts;

pub(super) async fn probe(work: &Work<'_>, facts: &Facts) -> Probe {
    match both(work).await {
        Err(error) => Probe::Unknown(error.text),
        Ok((from, target)) => match outcome(work, facts, &from, &target) {
            Ok(Some(found)) => probed(found),
            // Under way, too: then the run only waits for it.
            Ok(None) => Probe::NotDone,
            Err(error) => Probe::Unknown(error.text),
        },
    }
}

pub(super) async fn run(work: &Work<'_>, facts: &Facts) -> Result<StepDone, StepError> {
    let (from, target) = (&work.from, &work.target);
    let (seen, standby) = both(work).await?;
    if let Some(found) = outcome(work, facts, &seen, &standby)? {
        return Ok(found);
    }
    let stopped_at = work.time();
    if is_settled(&seen) {
        if !work.agent(from)?.is_fenced().await.map_err(crate::redis::work::on_host)? {
            return Err(StepError::refused(format!("{} is not fenced: a restart would make it a primary", from.name)));
        }
        ask(work, &seen).await?;
    }
    let limit = work.job.timeouts.replay + work.job.timeouts.promote;
    let settled = until(limit, || async {
        // A server that changes its role may not answer for a moment.
        let Ok((seen, standby)) = both(work).await else { return Ok(Seen::Waiting("one side does not answer".into())) };
        if let Some(found) = outcome(work, facts, &seen, &standby)? {
            return Ok(Seen::There(Ok(found)));
        }
        // It gave up: the time was over, or the target refused. The roles are as before.
        if is_primary(&seen) && is_settled(&seen) {
            return Ok(Seen::There(Err(())));
        }
        Ok(Seen::Waiting(format!("{} says '{}'", from.name, seen.failover_state)))
    })
    .await?;
    match settled {
        Ok(Ok(mut found)) => {
            found.outputs.insert(fact::STOPPED_AT.to_owned(), stopped_at);
            Ok(found)
        }
        Ok(Err(())) => Err(StepError::failed(format!(
            "{} gave the hand-over up: {} did not have everything in time, or did not take over. Nothing was changed",
            from.name, target.name
        ))),
        Err(state) => {
            Err(StepError::unknown(format!("the hand-over did not come to an end within {limit:?}: {state}")))
        }
    }
}

async fn ask(work: &Work<'_>, primary: &RedisFacts) -> Result<(), StepError> {
    let (from, target) = (&work.from, &work.target);
    // FAILOVER takes exactly the pair that the primary knows its replica by.
    let known = primary.replicas.iter().find(|replica| replica.port == target.port && replica.state == "online");
    let Some(known) = known else {
        return Err(StepError::refused(format!("{} has no online replica at port {}", from.name, target.port)));
    };
    let limit = work.job.timeouts.replay.as_millis().max(1).to_string();
    let mut session = work.session(from).await.map_err(|e| unreachable(from, &e))?;
    let command = ["FAILOVER", "TO", &known.host, &known.port.to_string(), "TIMEOUT", &limit];
    match session.ask::<String>(&command).await {
        Ok(_) => Ok(()),
        Err(error) if error.is_refusal() => {
            Err(StepError::failed(format!("{} refused to hand over: {error}. Nothing was changed", from.name)))
        }
        Err(error) => {
            Err(StepError::unknown(format!("{} was asked to hand over, and gave no answer: {error}", from.name)))
        }
    }
}

/// First the old primary: it is a settled replica only after the target has become the primary. Side by side the look at a
/// busy target could come first, from before that, and show two replicas that never were.
async fn both(work: &Work<'_>) -> Result<(RedisFacts, RedisFacts), StepError> {
    let from = work.look(&work.from).await.map_err(|e| unreachable(&work.from, &e))?;
    let target = work.look(&work.target).await.map_err(|e| unreachable(&work.target, &e))?;
    Ok((from.facts, target.facts))
}

/// `None`: the old primary still is the primary. An error: neither is true, and nothing is done on a guess.
fn outcome(
    work: &Work<'_>,
    facts: &Facts,
    from: &RedisFacts,
    target: &RedisFacts,
) -> Result<Option<StepDone>, StepError> {
    if is_primary(from) && is_replica(target) {
        return Ok(None);
    }
    if is_primary(from) && is_primary(target) {
        // The old one has let go only in its own words: for a moment both call themselves primary, with writes paused.
        return if is_settled(from) {
            let (a, b) = (work.from.name, work.target.name);
            Err(StepError::unknown(format!("{a} and {b} both call themselves primary")))
        } else {
            Ok(None)
        };
    }
    if !is_settled(from) || (is_replica(from) && is_replica(target)) {
        let settling = !is_settled(from);
        let text = format!("{} and {} are both replicas now", work.from.name, work.target.name);
        return if settling { Ok(None) } else { Err(StepError::unknown(text)) };
    }
    let old = fact::required(facts, fact::OLD_REPLID)?;
    if target.replid2 != old {
        return Err(StepError::unknown(format!(
            "{} is a primary, and not out of the history of {} that this move began with",
            work.target.name, work.from.name
        )));
    }
    Ok(Some(done(
        format!("{} handed over to {}", work.from.name, work.target.name),
        [
            (fact::NEW_REPLID, target.replid.clone()),
            (fact::TAKEOVER_OFFSET, fork_offset(target).map(|at| at.to_string()).unwrap_or_default()),
            (fact::PROMOTED_AT, work.time()),
        ],
    )))
}
