//! The steps themselves. Each has a look at the real state (`probe`) and the deed (`run`); the deed looks again itself,
//! because time has passed.

mod apply;
mod detach;
mod fence;
mod promote;
mod read_only;
mod rejoin;
mod verify;

pub(super) use read_only::sees_sessions;
pub(super) use rejoin::{replicates, wait_until_protected};
pub(super) use verify::test_write;

use super::{plan::StepId, work::Work};
use crate::{Facts, Probe, StepDone, StepError, step::proven};

pub(super) async fn probe(work: &Work<'_>, step: StepId, facts: &Facts) -> Probe {
    match step {
        StepId::MakePrimaryReadOnly => read_only::probe(work).await,
        StepId::FencePrimary => fence::probe(work).await,
        StepId::DetachTarget => detach::probe(work).await,
        StepId::PromoteTarget => promote::probe(work, facts).await,
        StepId::RejoinOldPrimary => rejoin::probe(work).await,
        // Looking is all these do, or doing it again is harmless: they are done when they have run.
        StepId::EndSessions
        | StepId::ReadFinalPosition
        | StepId::WaitForApply
        | StepId::DrainRelayLog
        | StepId::KeepTargetWritable
        | StepId::VerifyTarget
        | StepId::WaitUntilProtected => Probe::NotDone,
    }
}

pub(super) async fn run(work: &Work<'_>, step: StepId, facts: &Facts) -> Result<StepDone, StepError> {
    match step {
        StepId::MakePrimaryReadOnly => read_only::run(work).await,
        StepId::EndSessions => read_only::end_sessions(work).await,
        StepId::ReadFinalPosition => read_only::read_final_position(work).await,
        StepId::WaitForApply => apply::wait_for_apply(work, facts).await,
        StepId::FencePrimary => fence::run(work).await,
        StepId::DrainRelayLog => apply::drain(work).await,
        StepId::DetachTarget => detach::run(work, facts).await,
        StepId::PromoteTarget => promote::run(work, facts).await,
        StepId::KeepTargetWritable => promote::keep(work).await,
        StepId::VerifyTarget => proven(|| verify::run(work)).await,
        StepId::RejoinOldPrimary => rejoin::run(work, facts).await,
        StepId::WaitUntilProtected => wait_until_protected(work).await,
    }
}
