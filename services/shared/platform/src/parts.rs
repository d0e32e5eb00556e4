//! A [`Mover`] out of the parts that differ from platform to platform. What is the same around them stands here once: the
//! job with its nodes found, the step found by its name, and what is said when one of them is not there.

use std::future::Future;

use async_trait::async_trait;
use muster_domain::pb::{
    common::v1::Marker,
    execution::v1::{Check, Step},
};

use crate::{Facts, MoveJob, MoveKind, Mover, Probe, StepDone, StepError, checks::failed, step::answered, way_home};

/// One platform's parts. All of them look at the real state; none remembers anything.
pub(crate) trait Parts: Send + Sync + 'static {
    /// One job with its two nodes found.
    type Work<'a>: Send + Sync;
    type StepId: Copy + Send + Sync;

    fn work(job: &MoveJob) -> Result<Self::Work<'_>, StepError>;

    /// The steps of that kind of move, in their order.
    fn steps(kind: MoveKind) -> &'static [Self::StepId];

    fn name(step: Self::StepId) -> &'static str;

    fn planned(step: Self::StepId, work: &Self::Work<'_>) -> Step;

    fn prechecks(work: &Self::Work<'_>) -> impl Future<Output = Vec<Check>> + Send;

    fn markers(work: &Self::Work<'_>) -> impl Future<Output = (Vec<Marker>, Vec<String>)> + Send;

    fn probe(work: &Self::Work<'_>, step: Self::StepId, facts: &Facts) -> impl Future<Output = Probe> + Send;

    fn run(
        work: &Self::Work<'_>,
        step: Self::StepId,
        facts: &Facts,
    ) -> impl Future<Output = Result<StepDone, StepError>> + Send;

    fn postchecks(work: &Self::Work<'_>, facts: &Facts) -> impl Future<Output = Vec<Check>> + Send;

    fn rollback(work: &Self::Work<'_>, facts: &Facts) -> impl Future<Output = Result<String, StepError>> + Send;

    fn known_state(work: &Self::Work<'_>, facts: &Facts) -> impl Future<Output = String> + Send;

    /// See [`Mover::follows`].
    fn follows(_work: &Self::Work<'_>) -> impl Future<Output = bool> + Send {
        async { true }
    }

    /// See [`Mover::way_home`].
    fn way_home(_work: &Self::Work<'_>) -> Vec<Step> {
        Vec::new()
    }

    /// See [`Mover::way_home_checks`].
    fn way_home_checks(_work: &Self::Work<'_>) -> impl Future<Output = Vec<Check>> + Send {
        async { Vec::new() }
    }

    /// `work` is that of the turned job, in which the node that comes back is `from`.
    fn probe_home(_back: &Self::Work<'_>, step: way_home::StepId) -> impl Future<Output = Probe> + Send {
        async move { Probe::Unknown(unknown_step(&format!("{step:?}")).text) }
    }

    /// As [`Self::probe_home`].
    fn run_home(
        _back: &Self::Work<'_>,
        step: way_home::StepId,
        _facts: &Facts,
    ) -> impl Future<Output = Result<StepDone, StepError>> + Send {
        async move { Err(unknown_step(&format!("{step:?}"))) }
    }
}

#[async_trait]
impl<P: Parts> Mover for P {
    fn plan(&self, job: &MoveJob) -> Vec<Step> {
        // The prechecks say what is wrong with a job that has no work.
        let Ok(work) = P::work(job) else { return Vec::new() };
        P::steps(job.kind).iter().map(|step| P::planned(*step, &work)).collect()
    }

    async fn follows(&self, job: &MoveJob) -> bool {
        match P::work(job) {
            Ok(work) => P::follows(&work).await,
            Err(_) => true,
        }
    }

    fn way_home(&self, job: &MoveJob) -> Vec<Step> {
        P::work(job).map(|work| P::way_home(&work)).unwrap_or_default()
    }

    async fn way_home_checks(&self, job: &MoveJob) -> Vec<Check> {
        match P::work(job) {
            Ok(work) => answered(|| P::way_home_checks(&work)).await,
            Err(error) => vec![incomplete(error)],
        }
    }

    async fn prechecks(&self, job: &MoveJob) -> Vec<Check> {
        match P::work(job) {
            Ok(work) => answered(|| P::prechecks(&work)).await,
            Err(error) => vec![incomplete(error)],
        }
    }

    async fn markers(&self, job: &MoveJob) -> (Vec<Marker>, Vec<String>) {
        match P::work(job) {
            Ok(work) => P::markers(&work).await,
            Err(error) => (Vec::new(), vec![error.text]),
        }
    }

    async fn probe(&self, job: &MoveJob, step_id: &str, facts: &Facts) -> Probe {
        let looked = async {
            if let Some(step) = way_home::StepId::parse(step_id) {
                let turned = way_home::turned(job);
                return Ok(P::probe_home(&P::work(&turned)?, step).await);
            }
            let (work, step) = find::<P>(job, step_id)?;
            Ok(P::probe(&work, step, facts).await)
        };
        looked.await.unwrap_or_else(|error: StepError| Probe::Unknown(error.text))
    }

    async fn run(&self, job: &MoveJob, step_id: &str, facts: &Facts) -> Result<StepDone, StepError> {
        tracing::info!(tenant = %job.tenant, resource = %job.resource, step = step_id, "running a step");
        if let Some(step) = way_home::StepId::parse(step_id) {
            let turned = way_home::turned(job);
            return P::run_home(&P::work(&turned)?, step, facts).await;
        }
        let (work, step) = find::<P>(job, step_id)?;
        P::run(&work, step, facts).await
    }

    async fn postchecks(&self, job: &MoveJob, facts: &Facts) -> Vec<Check> {
        match P::work(job) {
            Ok(work) => answered(|| P::postchecks(&work, facts)).await,
            Err(error) => vec![incomplete(error)],
        }
    }

    async fn rollback(&self, job: &MoveJob, facts: &Facts) -> Result<String, StepError> {
        P::rollback(&P::work(job)?, facts).await
    }

    async fn known_state(&self, job: &MoveJob, facts: &Facts) -> String {
        match P::work(job) {
            Ok(work) => P::known_state(&work, facts).await,
            Err(error) => error.text,
        }
    }
}

fn find<'a, P: Parts>(job: &'a MoveJob, step_id: &str) -> Result<(P::Work<'a>, P::StepId), StepError> {
    let step = P::steps(job.kind).iter().copied().find(|step| P::name(*step) == step_id);
    Ok((P::work(job)?, step.ok_or_else(|| unknown_step(step_id))?))
}

fn unknown_step(name: &str) -> StepError {
    StepError::refused(format!("'{name}' is not a step of this plan; it was made by another version"))
}

fn incomplete(error: StepError) -> Check {
    failed("job_is_complete", "", "", error.text)
}
