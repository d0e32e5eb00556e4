//! The step that cannot be taken back. It is judged by what the target is afterwards and never by what the call returned.

use crate::{
    Facts, MoveKind, Probe, StepDone, StepError,
    mariadb::{
        fact,
        work::{Work, at, is_primary, is_read_only, on_host, unreachable},
    },
    step::{Seen, done, probed, until},
};

/// What the target is, compared with what it was before.
enum Target {
    /// It replicates from nobody and refuses writes.
    Ready,
    Promoted,
    /// Neither: it must not be touched any more.
    Neither(String),
}

async fn target(work: &Work<'_>, facts: &Facts) -> Result<Target, StepError> {
    let name = work.target.name;
    let seen = work.look(&work.target).await.map_err(|error| unreachable(name, &error))?;
    let position = at(name, &seen)?;
    let needed = fact::position(facts, fact::TARGET_APPLIED_POSITION)?;
    if !position.covers(&needed) {
        return Ok(Target::Neither(format!(
            "{name} is at {position} and had {needed} before: it is another server, or was restored"
        )));
    }
    if seen.limited_view || seen.replica.is_some() {
        let text = format!("replication is set up on {name}, or not visible: somebody else changed it");
        return Ok(Target::Neither(text));
    }
    Ok(match (is_primary(&seen), is_read_only(&seen)) {
        (true, _) => Target::Promoted,
        (_, true) => Target::Ready,
        _ => Target::Neither(format!("{name} does not tell whether it accepts writes")),
    })
}

pub(super) async fn probe(work: &Work<'_>, facts: &Facts) -> Probe {
    match target(work, facts).await {
        Ok(Target::Promoted) => probed(promoted(work)),
        Ok(Target::Ready) => Probe::NotDone,
        Ok(Target::Neither(text)) => Probe::Unknown(text),
        Err(error) => Probe::Unknown(error.text),
    }
}

pub(super) async fn run(work: &Work<'_>, facts: &Facts) -> Result<StepDone, StepError> {
    let name = work.target.name;
    let mut session = work.session(&work.target).await.map_err(|error| unreachable(name, &error))?;
    work.lock_target(&mut session, work.job.timeouts.promote).await?;
    // Under the lock: a roll-back cannot take the fence away any more.
    work.prove_fence().await?;
    match target(work, facts).await? {
        Target::Promoted => return Ok(promoted(work)),
        Target::Neither(text) => return Err(StepError::refused(text)),
        Target::Ready => {}
    }
    must_be_the_end(work, facts).await?;
    let called = session.execute("SET GLOBAL read_only = 0").await;
    let wait = until(work.job.timeouts.statement, || async {
        Ok(match target(work, facts).await {
            Ok(Target::Promoted) => Seen::There(()),
            Ok(Target::Ready) => Seen::Waiting("it still refuses writes".into()),
            Ok(Target::Neither(text)) => return Err(StepError::failed(text)),
            Err(error) => Seen::Waiting(error.text),
        })
    });
    match (wait.await?, called) {
        (Ok(()), _) => Ok(promoted(work)),
        // The server's own refusal has no effect later.
        (Err(_), Err(error)) if error.number.is_some() => {
            Err(StepError::failed(format!("{name} was not promoted: {error}")))
        }
        (Err(state), called) => {
            let answer = called.err().map_or_else(String::new, |error| format!(" (the call ended with: {error})"));
            Err(StepError::unknown(format!(
                "{name} was told to accept writes and does not yet; it may still happen: {state}{answer}"
            )))
        }
    }
}

fn promoted(work: &Work<'_>) -> StepDone {
    done(format!("{} accepts writes", work.target.name), [(fact::PROMOTED_AT, work.time())])
}

/// Nothing was written on the old primary since its final position was read, as far as it can be asked.
async fn must_be_the_end(work: &Work<'_>, facts: &Facts) -> Result<(), StepError> {
    if work.job.kind == MoveKind::Failover {
        // What is missing is stated afterwards; it cannot be fetched any more.
        return Ok(());
    }
    let from = work.from.name;
    let end = fact::position(facts, fact::FINAL_POSITION)?;
    let applied = fact::position(facts, fact::TARGET_APPLIED_POSITION)?;
    if !applied.covers(&end) {
        return Err(StepError::refused(format!(
            "{} has applied {applied}, and {from} ended at {end}",
            work.target.name
        )));
    }
    if !work.process(&work.from).await?.is_running() {
        return Ok(());
    }
    let seen = work.look(&work.from).await.map_err(|error| StepError::refused(unreachable(from, &error).text))?;
    let now = at(from, &seen)?;
    if now == end {
        return Ok(());
    }
    Err(StepError::refused(format!(
        "{from} ended at {end} and is at {now}: somebody wrote there since, and the target lacks it"
    )))
}

/// The promotion is in memory alone until here: a restart in between leaves a pair that refuses writes, and not two
/// primaries.
pub(super) async fn keep(work: &Work<'_>) -> Result<StepDone, StepError> {
    let name = work.target.name;
    let seen = work.look(&work.target).await.map_err(|error| unreachable(name, &error))?;
    if !is_primary(&seen) {
        return Err(StepError::refused(format!("{name} is not the primary, so its fence stays")));
    }
    work.prove_fence().await?;
    work.agent(&work.target)?.unfence().await.map_err(on_host)?;
    Ok(done(format!("{name} carries no fence: a restart keeps it the primary"), []))
}
