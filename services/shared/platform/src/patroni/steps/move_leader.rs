//! The one step that changes something: Patroni is asked to move the leadership. It is judged by who leads afterwards and never
//! by what the call came back with: a second call is refused although the first one worked, and one without an answer may
//! still complete.

use std::time::Duration;

use crate::{
    Facts, Probe, StepDone, StepError, fact as common,
    patroni::{
        answers::Config,
        api::{Api, ApiError},
        leader::{Leader, leader},
        plan::answer_limit,
        work::Work,
    },
    postgresql::{
        databases::{is_primary, look},
        fact,
    },
    step::{Seen, done, probed, until},
};

/// Longer than Patroni is in between: it stops the old leader, gives the lock back, and the new one takes it within a round
/// (10 s by default).
const SETTLE: Duration = Duration::from_secs(20);

pub(super) async fn probe(work: &Work<'_>, facts: &Facts) -> Probe {
    match leader(work, facts).await {
        Ok(Leader::Moved { timeline }) => probed(moved(work, timeline)),
        Ok(Leader::NotMoved { .. }) => Probe::NotDone,
        Ok(Leader::Unclear(text)) => Probe::Unknown(text),
        Err(error) => Probe::Unknown(error.text),
    }
}

pub(super) async fn switch(work: &Work<'_>, facts: &Facts) -> Result<StepDone, StepError> {
    let (from, target) = (&work.from.name, &work.target.name);
    // A predecessor may have asked already, and Patroni may be at it: then the old leader is just stopping.
    let waited = until(SETTLE, || async {
        Ok(match leader(work, facts).await? {
            Leader::Moved { timeline } => Seen::There(Some(timeline)),
            Leader::NotMoved { leads: None } => Seen::Waiting(format!("nobody leads: {from} is stopping or lost")),
            Leader::NotMoved { leads: Some(_) } if streams(work).await? => Seen::There(None),
            Leader::NotMoved { .. } => {
                Seen::Waiting(format!("{target} does not stream, so it cannot take over without loss"))
            }
            Leader::Unclear(text) => Seen::Waiting(text),
        })
    });
    match waited.await? {
        Ok(Some(timeline)) => return Ok(moved(work, timeline)),
        Ok(None) => {}
        Err(state) => return Err(StepError::refused(format!("Patroni was asked for nothing: {state}"))),
    }
    let cluster = work.cluster().await;
    let cluster = cluster.map_err(|error| StepError::refused(format!("Patroni could not be asked: {error}")))?;
    if cluster.pause {
        return Err(StepError::refused("Patroni is paused, nothing was asked of it: `patronictl resume` first"));
    }
    let (asked_at, limit) = (work.time(), answer_limit(&work.job.timeouts));
    let answer = ask(work, |api| async move { api.switchover(from, target, limit).await }).await;
    let mut step = settle(work, facts, answer, "switchover").await?;
    step.outputs.insert(common::STOPPED_AT.to_owned(), asked_at);
    Ok(step)
}

async fn streams(work: &Work<'_>) -> Result<bool, StepError> {
    let target = &work.target.name;
    let seen = look(&work.databases, target).await;
    let seen = seen.map_err(|error| StepError::refused(format!("{target} could not be asked: {error}")))?;
    Ok(seen.wal_receiver.is_some_and(|receiver| receiver.status == "streaming"))
}

/// Patroni fails over by itself when the leader's lease is over. It is only asked to when it did not.
pub(super) async fn fail_over(work: &Work<'_>, facts: &Facts) -> Result<StepDone, StepError> {
    let target = &work.target.name;
    let config = work.config().await.unwrap_or_default();
    let patience = patience(&config);
    let waited = until(patience, || async {
        Ok(match leader(work, facts).await? {
            Leader::Moved { timeline } => Seen::There(timeline),
            Leader::NotMoved { leads } => {
                refuse_living_leader(work).await?;
                Seen::Waiting(match leads {
                    Some(name) => format!("{name} still holds the lock"),
                    None => String::new(),
                })
            }
            Leader::Unclear(text) => Seen::Waiting(text),
        })
    });
    match waited.await? {
        Ok(timeline) => {
            let mut step = moved(work, timeline);
            step.note.push_str("; Patroni did it by itself");
            return Ok(step);
        }
        // Nobody leads and nothing was left in the way: now it is asked.
        Err(state) if state.is_empty() => {}
        Err(state) => {
            return Err(StepError::refused(format!(
                "Patroni was not asked to promote {target} after {patience:?}: {state}"
            )));
        }
    }
    refuse_living_leader(work).await?;
    let limit = answer_limit(&work.job.timeouts);
    let answer = ask(work, |api| async move { api.failover(target, limit).await }).await;
    settle(work, facts, answer, "failover").await
}

/// A lease that is over, and two rounds to notice it.
fn patience(config: &Config) -> Duration {
    Duration::from_secs(config.ttl.saturating_add(config.loop_wait.saturating_mul(2)).min(MAX_PATIENCE_SECONDS))
}

/// Patroni's own default is 50 s. A longer setting must not hold a failover up for an hour.
const MAX_PATIENCE_SECONDS: u64 = 120;

async fn refuse_living_leader(work: &Work<'_>) -> Result<(), StepError> {
    let from = &work.from.name;
    match look(&work.databases, from).await {
        Ok(seen) if is_primary(&seen) => Err(StepError::refused(format!(
            "{from} answers as a primary, so it is not lost: request a switchover, which loses nothing"
        ))),
        _ => Ok(()),
    }
}

/// From the target, or, when that cannot even be connected to, from the other member: both do the same.
async fn ask<F>(work: &Work<'_>, question: impl Fn(Api) -> F) -> Result<String, ApiError>
where
    F: Future<Output = Result<String, ApiError>>,
{
    match question(work.api(work.target)?).await {
        Err(ApiError::Unreachable(_) | ApiError::Tls(_)) => question(work.api(work.from)?).await,
        answer => answer,
    }
}

async fn settle(
    work: &Work<'_>,
    facts: &Facts,
    answer: Result<String, ApiError>,
    action: &str,
) -> Result<StepDone, StepError> {
    let target = &work.target.name;
    let may_still_happen = may_still_happen(&answer);
    let limit = if may_still_happen { work.job.timeouts.promote } else { Duration::ZERO };
    let waited = until(limit, || async {
        Ok(match leader(work, facts).await? {
            Leader::Moved { timeline } => Seen::There(timeline),
            Leader::NotMoved { leads } => Seen::Waiting(match leads {
                Some(name) => format!("{name} leads"),
                None => "nobody leads".to_owned(),
            }),
            Leader::Unclear(text) => Seen::Waiting(text),
        })
    });
    let state = match waited.await? {
        Ok(timeline) => return Ok(moved(work, timeline)),
        Err(state) => state,
    };
    let said = match &answer {
        Ok(text) => format!("Patroni answered: {text}"),
        Err(error) => format!("Patroni, asked for the {action}: {error}"),
    };
    let text = format!("{target} does not lead: {state}. {said}");
    Err(match answer {
        Err(ApiError::Configuration(_) | ApiError::Unreachable(_) | ApiError::Tls(_)) => StepError::refused(text),
        _ if may_still_happen => StepError::unknown(text),
        _ => StepError::failed(text),
    })
}

/// Whether the leadership may still move after this answer. Patroni says 503 "failed" when it took the request back, and
/// 503 "status unknown" when it only stopped waiting.
fn may_still_happen(answer: &Result<String, ApiError>) -> bool {
    match answer {
        Ok(_) | Err(ApiError::NoAnswer(_) | ApiError::Protocol(_)) => true,
        Err(ApiError::Refused { status, text }) => *status >= 500 && !text.ends_with("failed"),
        Err(ApiError::Configuration(_) | ApiError::Unreachable(_) | ApiError::Tls(_)) => false,
    }
}

fn moved(work: &Work<'_>, timeline: u32) -> StepDone {
    done(
        format!("{} leads, as the primary on timeline {timeline}", work.target.name),
        [(fact::NEW_TIMELINE, timeline.to_string()), (common::PROMOTED_AT, work.time())],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_refusal_is_the_end_of_a_request() {
        let refused = |status, text: &str| Err(ApiError::Refused { status, text: text.into() });
        for answer in [
            refused(412, "leader name does not match"),
            refused(400, "x"),
            refused(401, "no auth header received"),
            refused(503, "Switchover failed"),
            Err(ApiError::Unreachable("refused".into())),
        ] {
            assert!(!may_still_happen(&answer), "{answer:?}");
        }
        for answer in [
            Ok("Successfully switched over".into()),
            refused(503, "Switchover status unknown"),
            refused(500, ""),
            Err(ApiError::NoAnswer("timed out".into())),
        ] {
            assert!(may_still_happen(&answer), "{answer:?}");
        }
    }

    #[test]
    fn the_wait_for_patronis_own_failover_is_its_lease_and_has_an_end() {
        let config = |ttl, loop_wait| Config { ttl, loop_wait, ..Config::default() };
        assert_eq!(patience(&Config::default()).as_secs(), 50);
        assert_eq!(patience(&config(20, 1)).as_secs(), 22);
        assert_eq!(patience(&config(u64::MAX, u64::MAX)).as_secs(), MAX_PATIENCE_SECONDS);
    }
}
