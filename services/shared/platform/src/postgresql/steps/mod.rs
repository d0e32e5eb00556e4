//! The steps themselves. Each has a look at the real state (`probe`) and the deed (`run`); the deed
//! looks again itself, because time has passed.

mod promote;
mod rejoin;
mod replay;
mod stop;
mod verify;

use std::{
    future::Future,
    time::{Duration, Instant},
};

pub(super) use promote::lock_moves;
pub(super) use rejoin::drop_unused_slot;
pub(super) use verify::{fork_lsn, test_write};

use super::{
    plan::StepId,
    work::{POLL, Work},
};
use crate::{Facts, Probe, StepDone, StepError};

pub(super) async fn probe(work: &Work<'_>, step: StepId, facts: &Facts) -> Probe {
    match step {
        StepId::StopPrimary => stop::probe_stop(work).await,
        StepId::FencePrimary => stop::probe_fence(work).await,
        StepId::PromoteTarget => promote::probe(work, facts).await,
        StepId::CheckpointTarget => verify::probe_checkpoint(work, facts).await,
        StepId::CreateSlot => rejoin::probe_slot(work).await,
        StepId::RejoinOldPrimary => rejoin::probe_rejoin(work, facts).await,
        StepId::DropStaleSlot => rejoin::probe_stale_slot(work, facts).await,
        // Looking is all these do, or doing it again is harmless: they are done when they have run.
        StepId::CheckpointPrimary
        | StepId::ReadShutdownPosition
        | StepId::WaitForReplay
        | StepId::DrainReplay
        | StepId::VerifyTarget
        | StepId::WaitUntilProtected => Probe::NotDone,
    }
}

pub(super) async fn run(work: &Work<'_>, step: StepId, facts: &Facts) -> Result<StepDone, StepError> {
    match step {
        StepId::CheckpointPrimary => stop::checkpoint_primary(work).await,
        StepId::StopPrimary => stop::stop_primary(work).await,
        StepId::ReadShutdownPosition => stop::read_shutdown_position(work).await,
        StepId::FencePrimary => stop::fence_primary(work).await,
        StepId::WaitForReplay => replay::wait_for_replay(work, facts).await,
        StepId::DrainReplay => replay::drain(work, facts).await,
        StepId::PromoteTarget => promote::run(work, facts).await,
        StepId::VerifyTarget => verify::verify(work, facts).await,
        StepId::CheckpointTarget => verify::checkpoint(work, facts).await,
        StepId::CreateSlot => rejoin::create_slot(work).await,
        StepId::RejoinOldPrimary => rejoin::rejoin(work, facts).await,
        StepId::WaitUntilProtected => rejoin::wait_until_protected(work, facts).await,
        StepId::DropStaleSlot => rejoin::drop_stale_slot(work, facts).await,
    }
}

fn done<const N: usize>(note: impl Into<String>, outputs: [(&str, String); N]) -> StepDone {
    StepDone { note: note.into(), outputs: super::fact::outputs(outputs) }
}

fn probed(done: StepDone) -> Probe {
    Probe::Done { note: done.note, outputs: done.outputs }
}

/// What one look of a wait found.
enum Seen<T> {
    There(T),
    /// Not yet, and what it looks like now.
    Waiting(String),
}

/// Looks again and again until it is there or the time is over; then the last look is the answer.
async fn until<T, F>(limit: Duration, mut look: impl FnMut() -> F) -> Result<Result<T, String>, StepError>
where
    F: Future<Output = Result<Seen<T>, StepError>>,
{
    let deadline = Instant::now() + limit;
    loop {
        match look().await? {
            Seen::There(found) => return Ok(Ok(found)),
            Seen::Waiting(state) if Instant::now() >= deadline => return Ok(Err(state)),
            Seen::Waiting(_) => tokio::time::sleep(POLL).await,
        }
    }
}
