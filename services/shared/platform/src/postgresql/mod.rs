//! PostgreSQL streaming replication without a cluster manager, versions 13 to 18: two servers, one
//! replicates from the other, and a host agent can stop and start them.
//!
//! Where the facts come from: the PostgreSQL manual ("Monitoring Statistics", "System Administration
//! Functions", pg_rewind), repeated on real servers by the tests of this crate.
//!
//! Architecture Invariant: two nodes never accept writes at the same time. The old primary is fenced
//! before the target is promoted, the fence is proven again under a lock right before the promotion,
//! and it is taken away only with proof that the target is not promoted and will not be.

pub(crate) mod databases;
pub(crate) mod errors;
mod evidence;
pub mod fact;
mod facts;
mod kept;
mod lsn;
mod markers;
mod observe;
mod plan;
mod postchecks;
mod prechecks;
mod rollback;
pub(crate) mod session;
mod state;
mod steps;
mod way_home;
mod work;

use std::sync::Arc;

use muster_domain::pb::{
    common::v1::Marker,
    execution::v1::{Check, Step},
    inventory::v1::resource_spec::Platform as PlatformSpec,
};

pub use kept::KeptSessions;
pub use lsn::{InvalidLsn, Lsn};
use plan::StepId;
use work::Work;

use crate::{
    Facts, MoveJob, MoveKind, Probe, StepDone, StepError, checks, parts::Parts, registry::Platform,
    way_home::StepId as HomeStep,
};

pub const PLATFORM: Platform = Platform {
    name: "postgresql",
    serves: |spec| matches!(spec, PlatformSpec::Postgresql(_)),
    observer: |now| Arc::new(observe::PostgresqlObserver::new(now)),
    mover: || Arc::new(PostgresqlMover),
    evidence: evidence::evidence,
};

/// Holds nothing: everything a move needs is in the job, in the facts and on the servers.
struct PostgresqlMover;

impl Parts for PostgresqlMover {
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
        markers::read(work).await
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

    async fn follows(work: &Self::Work<'_>) -> bool {
        way_home::follows(work).await
    }

    fn way_home(work: &Self::Work<'_>) -> Vec<Step> {
        way_home::steps(work)
    }

    async fn way_home_checks(work: &Self::Work<'_>) -> Vec<Check> {
        prechecks::before_way_home(work).await
    }

    async fn probe_home(back: &Self::Work<'_>, step: HomeStep) -> Probe {
        way_home::probe(back, step).await
    }

    async fn run_home(back: &Self::Work<'_>, step: HomeStep, facts: &Facts) -> Result<StepDone, StepError> {
        way_home::run(back, step, facts).await
    }
}
