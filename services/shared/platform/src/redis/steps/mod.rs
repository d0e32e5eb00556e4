//! The steps themselves. Each has a look at the real state (`probe`) and the deed (`run`); the deed looks again itself,
//! because time has passed.

mod fence;
mod hand_over;
mod promote;
mod roles;

pub(super) use fence::{prove_fence, refuse_same_server};
pub(super) use roles::has_caught_up;

use super::{plan::StepId, work::Work};
use crate::{Facts, Probe, StepDone, StepError, step::proven};

pub(super) async fn probe(work: &Work<'_>, step: StepId, facts: &Facts) -> Probe {
    match step {
        StepId::HandOver => hand_over::probe(work, facts).await,
        StepId::FencePrimary => fence::probe_primary(work).await,
        StepId::PromoteTarget => promote::probe(work, facts).await,
        // Looking is all these do, or doing it again changes nothing: they are done when they have run.
        StepId::FenceRestart | StepId::VerifyTarget | StepId::PersistRoles | StepId::WaitUntilProtected => {
            Probe::NotDone
        }
    }
}

pub(super) async fn run(work: &Work<'_>, step: StepId, facts: &Facts) -> Result<StepDone, StepError> {
    match step {
        StepId::FenceRestart => fence::fence_restart(work).await,
        StepId::HandOver => hand_over::run(work, facts).await,
        StepId::FencePrimary => fence::fence_primary(work).await,
        StepId::PromoteTarget => promote::run(work, facts).await,
        StepId::VerifyTarget => proven(|| promote::verify(work, facts)).await,
        StepId::PersistRoles => roles::persist(work).await,
        StepId::WaitUntilProtected => roles::wait_until_protected(work, facts).await,
    }
}
