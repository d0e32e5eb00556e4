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

use async_trait::async_trait;
use muster_domain::pb::{
    common::v1::Marker,
    execution::v1::{Check, Step},
    inventory::v1::resource_spec::Platform as PlatformSpec,
};
use plan::StepId;
use work::Work;

use crate::{
    Facts, MoveJob, Mover, Probe, StepDone, StepError, checks::failed, postgresql::databases, registry::Platform,
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

#[async_trait]
impl Mover for PatroniMover {
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
            Err(error) => vec![failed("job_is_complete", "", "", error.text)],
        }
    }

    async fn markers(&self, job: &MoveJob) -> (Vec<Marker>, Vec<String>) {
        match Work::of(job) {
            Ok(work) => databases::markers(&work.databases).await,
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
            Err(error) => vec![failed("job_is_complete", "", "", error.text)],
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
