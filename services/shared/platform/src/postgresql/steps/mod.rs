//! The steps themselves. Each has a look at the real state (`probe`) and the deed (`run`); the deed
//! looks again itself, because time has passed.

mod promote;
mod rejoin;
mod replay;
mod stop;
mod verify;

pub(super) use promote::lock_moves;
pub(super) use rejoin::{
    ANSWER_TRIES, create_slot, drop_unused_slot, rejoin as rejoin_old_primary, streams_from_target,
    wait_until_protected,
};
pub(super) use verify::{fork_lsn, test_write};

use super::{plan::StepId, work::Work};
use crate::{
    Facts, Probe, StepDone, StepError,
    step::{Seen, done, probed, proven, until},
};

pub(super) async fn probe(work: &Work<'_>, step: StepId, facts: &Facts) -> Probe {
    match step {
        StepId::StopPrimary => stop::probe_stop(work).await,
        StepId::FencePrimary => stop::probe_fence(work).await,
        StepId::PromoteTarget => promote::probe(work, facts).await,
        StepId::CheckpointTarget => verify::probe_checkpoint(work, facts).await,
        StepId::CreateSlot | StepId::KeepLog => rejoin::probe_slot(work).await,
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
        StepId::VerifyTarget => proven(|| verify::verify(work, facts)).await,
        StepId::CheckpointTarget => verify::checkpoint(work, facts).await,
        StepId::CreateSlot => create_slot(work).await,
        StepId::KeepLog => Ok(rejoin::keep_log(work).await),
        StepId::RejoinOldPrimary => rejoin::rejoin(work, facts).await,
        StepId::WaitUntilProtected => wait_until_protected(work, facts).await,
        StepId::DropStaleSlot => rejoin::drop_stale_slot(work, facts).await,
    }
}
