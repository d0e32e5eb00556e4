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
mod work;

pub(crate) use info::keys;

use std::sync::Arc;

use async_trait::async_trait;
use muster_domain::pb::{
    common::v1::Marker,
    execution::v1::{Check, Step},
    inventory::v1::resource_spec::Platform as PlatformSpec,
};

use plan::StepId;
use work::Work;

use crate::{Facts, MoveJob, Mover, Probe, StepDone, StepError, checks, registry::Platform};

pub const PLATFORM: Platform = Platform {
    name: "redis",
    serves: |spec| matches!(spec, PlatformSpec::Redis(_)),
    observer: |now| Arc::new(observe::RedisObserver::new(now)),
    mover: || Arc::new(RedisMover),
    evidence: evidence::evidence,
};

/// Holds nothing: everything a move needs is in the job, in the facts and on the servers.
struct RedisMover;

#[async_trait]
impl Mover for RedisMover {
    fn plan(&self, job: &MoveJob) -> Vec<Step> {
        match Work::of(job) {
            Ok(work) => plan::steps_of(job.kind).iter().map(|step| step.planned(&work)).collect(),
            // The prechecks say what is wrong with the job.
            Err(_) => Vec::new(),
        }
    }

    async fn prechecks(&self, job: &MoveJob) -> Vec<Check> {
        match Work::of(job) {
            Ok(work) => prechecks::run(&work).await,
            Err(error) => vec![checks::failed("job_is_complete", "", "", error.text)],
        }
    }

    async fn markers(&self, job: &MoveJob) -> (Vec<Marker>, Vec<String>) {
        match Work::of(job) {
            Ok(work) => markers::read(&work).await,
            Err(error) => (Vec::new(), vec![error.text]),
        }
    }

    async fn probe(&self, job: &MoveJob, step_id: &str, facts: &Facts) -> Probe {
        match find(job, step_id) {
            Ok((work, step)) => steps::probe(&work, step, facts).await,
            Err(error) => Probe::Unknown(error.text),
        }
    }

    async fn run(&self, job: &MoveJob, step_id: &str, facts: &Facts) -> Result<StepDone, StepError> {
        let (work, step) = find(job, step_id)?;
        tracing::info!(tenant = %job.tenant, resource = %job.resource, step = step.as_str(), "running a step");
        steps::run(&work, step, facts).await
    }

    async fn postchecks(&self, job: &MoveJob, facts: &Facts) -> Vec<Check> {
        match Work::of(job) {
            Ok(work) => postchecks::run(&work, facts).await,
            Err(error) => vec![checks::failed("job_is_complete", "", "", error.text)],
        }
    }

    async fn rollback(&self, job: &MoveJob, _facts: &Facts) -> Result<String, StepError> {
        rollback::run(&Work::of(job)?).await
    }

    async fn known_state(&self, job: &MoveJob, facts: &Facts) -> String {
        match Work::of(job) {
            Ok(work) => state::describe(&work, facts).await,
            Err(error) => error.text,
        }
    }
}

fn find<'a>(job: &'a MoveJob, step_id: &str) -> Result<(Work<'a>, StepId), StepError> {
    let step = StepId::parse(job.kind, step_id).ok_or_else(|| {
        StepError::refused(format!("'{step_id}' is not a step of this plan; it was made by another version"))
    })?;
    Ok((Work::of(job)?, step))
}
