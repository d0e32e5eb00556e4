//! Proof that the target is what it should be now, that the old leader follows, and that nothing was left out.

use std::time::Duration;

use super::LEADER_LSN;
use crate::{
    Facts, StepDone, StepError, fact as common,
    patroni::{
        leader::{Leader, leader},
        work::Work,
    },
    postgresql::{
        Lsn,
        databases::{self, old_primary_checkpoint, test_write},
        fact,
    },
    step::{Seen, done, until},
};

/// Patroni writes its history down a round after the promotion.
const HISTORY_LIMIT: Duration = Duration::from_secs(25);
/// Between the beginning of a shutdown checkpoint and the end of its record: the record and one page header.
const SHUTDOWN_RECORD_BYTES: u64 = 256;

pub(super) async fn verify(work: &Work<'_>, facts: &Facts) -> Result<StepDone, StepError> {
    let name = &work.target.name;
    let timeline = fact::timeline(facts, fact::NEW_TIMELINE)?;
    match leader(work, facts).await? {
        Leader::Moved { timeline: found } if found == timeline => {}
        Leader::Moved { timeline } => return Err(StepError::failed(format!("{name} is on timeline {timeline} now"))),
        Leader::NotMoved { .. } => return Err(StepError::failed(format!("{name} is a standby"))),
        Leader::Unclear(text) => return Err(StepError::failed(text)),
    }
    let written = test_write(&work.databases).await;
    let written =
        written.map_err(|error| StepError::failed(format!("{name} leads and did not accept a write: {error}")))?;
    let mut step = done(
        format!("{name} committed a test transaction on timeline {timeline}, at {written}"),
        [(common::WRITABLE_AT, work.time())],
    );
    if let Some(fork) = work.fork_of(fact::timeline(facts, fact::OLD_TIMELINE)?).await {
        step.outputs.extend(reached(Lsn(fork.lsn)));
    }
    Ok(step)
}

/// Where the new timeline left the old one is what the target had, and what it had applied.
pub(super) fn reached(fork: Lsn) -> Facts {
    common::outputs([
        (fact::FORK_LSN, fork.to_string()),
        (fact::TARGET_RECEIVE_LSN, fork.to_string()),
        (fact::TARGET_REPLAY_LSN, fork.to_string()),
    ])
}

pub(super) async fn wait_until_protected(work: &Work<'_>, facts: &Facts) -> Result<StepDone, StepError> {
    let mut step = databases::wait_until_protected(&work.databases, facts).await?;
    let old = fact::timeline(facts, fact::OLD_TIMELINE)?;
    // Soon after the return: the old primary's next checkpoint of its own replaces the one of its stop.
    let shutdown = shutdown(work, facts, old).await;
    let fork = until(HISTORY_LIMIT, || async {
        Ok(match work.fork_of(old).await {
            Some(fork) => Seen::There(Lsn(fork.lsn)),
            None => Seen::Waiting("Patroni has not written its history yet".to_owned()),
        })
    });
    let Ok(fork) = fork.await? else { return Ok(step) };
    step.outputs.extend(reached(fork));
    judge_fork(work, facts, fork)?;
    if let Some(shutdown) = shutdown.filter(|shutdown| is_end_of(*shutdown, fork)) {
        step.note.push_str(&format!(
            "; it was stopped cleanly at {shutdown}, and the new timeline begins at {fork}, right behind that"
        ));
        step.outputs.insert(fact::SHUTDOWN_LSN.to_owned(), shutdown.to_string());
    }
    Ok(step)
}

/// What the leader had written before Patroni was asked must be on the new primary.
fn judge_fork(work: &Work<'_>, facts: &Facts, fork: Lsn) -> Result<(), StepError> {
    let before = fact::lsn(facts, LEADER_LSN)?;
    if fork >= before {
        return Ok(());
    }
    Err(StepError::failed(format!(
        "the new timeline began at {fork}, and {} was at {before} before the switchover: log is missing on {}",
        work.from.name, work.target.name
    )))
}

/// The shutdown checkpoint that the old primary's control file names, when it is the one of this switchover: on the old
/// timeline, and behind what was written before Patroni was asked. Anything else proves nothing and is not said.
async fn shutdown(work: &Work<'_>, facts: &Facts, old: u32) -> Option<Lsn> {
    let before = fact::lsn(facts, LEADER_LSN).ok()?;
    let checkpoint = old_primary_checkpoint(&work.databases).await.ok()??;
    let ours = checkpoint.is_of_shutdown() && checkpoint.timeline == old && checkpoint.lsn >= before;
    ours.then_some(checkpoint.lsn)
}

/// Whether the log ends with this checkpoint's record: then nothing was written behind it, and nothing left out.
fn is_end_of(shutdown: Lsn, fork: Lsn) -> bool {
    fork > shutdown && fork.bytes_since(shutdown) <= SHUTDOWN_RECORD_BYTES
}
