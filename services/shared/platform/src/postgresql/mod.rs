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

use async_trait::async_trait;
use muster_domain::pb::{
    common::v1::Marker,
    execution::v1::{Check, Step},
    inventory::v1::resource_spec::Platform as PlatformSpec,
};

pub use lsn::{InvalidLsn, Lsn};
use plan::StepId;
use work::Work;

use crate::{Facts, MoveJob, Mover, Probe, StepDone, StepError, checks, registry::Platform};

pub const PLATFORM: Platform = Platform {
    name: "postgresql",
    serves: |spec| matches!(spec, PlatformSpec::Postgresql(_)),
    observer: |now| Arc::new(observe::PostgresqlObserver::new(now)),
    mover: || Arc::new(PostgresqlMover),
    evidence: evidence::evidence,
};

/// Holds nothing: everything a move needs is in the job, in the facts and on the servers.
struct PostgresqlMover;

#[async_trait]
impl Mover for PostgresqlMover {
    fn plan(&self, job: &MoveJob) -> Vec<Step> {
        match Work::of(job) {
            Ok(work) => plan::steps_of(job.kind).iter().map(|step| step.planned(&work)).collect(),
            // The prechecks say what is wrong with the job.
            Err(_) => Vec::new(),
        }
    }

    async fn follows(&self, job: &MoveJob) -> bool {
        match Work::of(job) {
            Ok(work) => way_home::follows(&work).await,
            // The prechecks say what is wrong with the job.
            Err(_) => true,
        }
    }

    fn way_home(&self, job: &MoveJob) -> Vec<Step> {
        match Work::of(job) {
            Ok(work) => way_home::steps(&work),
            Err(_) => Vec::new(),
        }
    }

    async fn way_home_checks(&self, job: &MoveJob) -> Vec<Check> {
        match Work::of(job) {
            Ok(work) => prechecks::before_way_home(&work).await,
            Err(error) => vec![checks::failed("job_is_complete", "", "", error.text)],
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
        if let Some(step) = way_home::StepId::parse(step_id) {
            return way_home::probe(job, step).await;
        }
        match find(job, step_id) {
            Ok((work, step)) => steps::probe(&work, step, facts).await,
            Err(error) => Probe::Unknown(error.text),
        }
    }

    async fn run(&self, job: &MoveJob, step_id: &str, facts: &Facts) -> Result<StepDone, StepError> {
        if let Some(step) = way_home::StepId::parse(step_id) {
            tracing::info!(tenant = %job.tenant, resource = %job.resource, step = step_id, "running a step");
            return way_home::run(job, step, facts).await;
        }
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

    async fn rollback(&self, job: &MoveJob, facts: &Facts) -> Result<String, StepError> {
        rollback::run(&Work::of(job)?, facts).await
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
