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
mod work;

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
    name: "mariadb",
    serves: |spec| matches!(spec, PlatformSpec::Mariadb(_)),
    observer: |now| Arc::new(observe::MariadbObserver::new(now)),
    mover: || Arc::new(MariadbMover),
    evidence: evidence::evidence,
};

/// Holds nothing: everything a move needs is in the job, in the facts and on the servers.
struct MariadbMover;

#[async_trait]
impl Mover for MariadbMover {
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
