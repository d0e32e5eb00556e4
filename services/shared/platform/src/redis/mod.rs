//! Redis and Valkey, one primary and one replica without Sentinel and without cluster mode, Redis 6.2 to 8 and Valkey
//! 7.2 to 9. The host agents fence: a configuration file that makes each start a replica's.
//!
//! Where the facts come from: the Redis manual (INFO, FAILOVER, REPLICAOF), repeated on real servers by the tests.
//!
//! Replication is asynchronous: a write that was acknowledged can be missing after a failover, whatever WAIT said. A
//! completed hand-over (FAILOVER without FORCE) misses nothing: the primary pauses writes until the target has all of
//! them, and both sides name the same last position afterwards.
//!
//! Architecture Invariant: two nodes never accept writes at the same time. FAILOVER changes both roles in one act; a
//! failover promotes only behind a proven fence; before either, a restart of the old primary makes a replica.

mod errors;
mod evidence;
pub mod fact;
mod info;
mod markers;
mod observe;
mod plan;
mod postchecks;
mod prechecks;
mod roles;
mod rollback;
mod session;
mod state;
mod steps;
mod way_home;
mod work;

pub(crate) use info::keys;

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
    name: "redis",
    serves: |spec| matches!(spec, PlatformSpec::Redis(_)),
    observer: |now| Arc::new(observe::RedisObserver::new(now)),
    mover: || Arc::new(RedisMover),
    evidence: evidence::evidence,
};

/// Holds nothing: everything a move needs is in the job, in the facts and on the servers.
struct RedisMover;

impl Parts for RedisMover {
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

    async fn rollback(work: &Self::Work<'_>, _facts: &Facts) -> Result<String, StepError> {
        rollback::run(work).await
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
