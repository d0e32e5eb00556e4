//! MariaDB, asynchronous or semi-synchronous replication by GTID, 10.6 to 12: two servers, one replicates from the other,
//! and a host agent can stop, start and fence them.
//!
//! Where the facts come from: the MariaDB manual ("Global Transaction ID", "SHOW REPLICA STATUS", "Read-Only"), repeated on
//! real servers by the tests of this crate.
//!
//! Architecture Invariant: two nodes never accept writes of clients at the same time. The old primary is read-only, and
//! would be after a restart, before the target stops being so; that is proven again under a lock right before, and taken
//! back only with proof that the target is read-only and stays so. Accounts with READ_ONLY ADMIN write in spite of it:
//! the final position is read twice and again before the promotion, so that such a write stops the move.

mod errors;
mod evidence;
pub mod fact;
mod facts;
mod markers;
mod observe;
mod plan;
mod postchecks;
mod prechecks;
mod replication;
mod rollback;
mod session;
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
use plan::StepId;
use work::Work;

use crate::{
    Facts, MoveJob, MoveKind, Probe, StepDone, StepError, parts::Parts, registry::Platform,
    way_home::StepId as HomeStep,
};

pub const PLATFORM: Platform = Platform {
    name: "mariadb",
    serves: |spec| matches!(spec, PlatformSpec::Mariadb(_)),
    observer: |now| Arc::new(observe::MariadbObserver::new(now)),
    mover: || Arc::new(MariadbMover),
    evidence: evidence::evidence,
};

/// Holds nothing: everything a move needs is in the job, in the facts and on the servers.
struct MariadbMover;

impl Parts for MariadbMover {
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
