//! A PostgreSQL pair whose roles Patroni keeps (4.x; members of 3.x answer the same): every change of role goes through its
//! REST API, because anything else fights it. What the databases are is read from the databases themselves, with the same code
//! as for a pair without a manager.
//!
//! Where the facts come from: Patroni's documentation of its REST API, repeated on a real cluster by the tests of this crate.
//!
//! Architecture Invariant: Muster never promotes, stops or fences a member itself. That two members do not accept writes at the
//! same time is Patroni's leader lock; here it is only proven afterwards, by looking at both databases.

mod answers;
mod api;
mod leader;
mod observe;
mod plan;
mod postchecks;
mod prechecks;
mod rollback;
mod state;
mod steps;
mod work;

use std::sync::Arc;

use muster_domain::pb::{
    common::v1::Marker,
    execution::v1::{Check, Step},
    inventory::v1::resource_spec::Platform as PlatformSpec,
};
use plan::StepId;
use work::Work;

use crate::{
    Facts, MoveJob, MoveKind, Probe, StepDone, StepError, parts::Parts, postgresql::databases, registry::Platform,
};

pub const PLATFORM: Platform = Platform {
    name: "patroni",
    serves: |spec| matches!(spec, PlatformSpec::Patroni(_)),
    observer: |now| Arc::new(observe::PatroniObserver::new(now)),
    mover: || Arc::new(PatroniMover),
    // Its moves hand on the facts of its databases.
    evidence: crate::postgresql::PLATFORM.evidence,
};

/// Holds nothing: everything a move needs is in the job, in the facts and with the members.
struct PatroniMover;

impl Parts for PatroniMover {
    type Work<'a> = Work<'a>;
    type StepId = StepId;

    fn work(job: &MoveJob) -> Result<Work<'_>, StepError> {
        Work::of(job)
    }

    fn steps(kind: MoveKind) -> &'static [StepId] {
        plan::steps_of(kind)
    }

    fn name(step: StepId) -> &'static str {
        step.as_str()
    }

    fn planned(step: StepId, work: &Self::Work<'_>) -> Step {
        step.planned(work)
    }

    async fn prechecks(work: &Self::Work<'_>) -> Vec<Check> {
        prechecks::run(work).await
    }

    async fn markers(work: &Self::Work<'_>) -> (Vec<Marker>, Vec<String>) {
        databases::markers(&work.databases).await
    }

    async fn probe(work: &Self::Work<'_>, step: StepId, facts: &Facts) -> Probe {
        steps::probe(work, step, facts).await
    }

    async fn run(work: &Self::Work<'_>, step: StepId, facts: &Facts) -> Result<StepDone, StepError> {
        steps::run(work, step, facts).await
    }

    async fn postchecks(work: &Self::Work<'_>, facts: &Facts) -> Vec<Check> {
        postchecks::run(work, facts).await
    }

    async fn rollback(work: &Self::Work<'_>, facts: &Facts) -> Result<String, StepError> {
        rollback::run(work, facts).await
    }

    async fn known_state(work: &Self::Work<'_>, facts: &Facts) -> String {
        state::describe(work, facts).await
    }
}
