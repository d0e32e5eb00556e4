//! How a run ends: with what was measured, or with what is known. A move that failed before anything irreversible is
//! taken back where the platform proves that this is safe; everything else is left as it is, and said.

use std::time::Duration;

use muster_domain::{
    execution::{self, Execution},
    pb::{
        common::v1::LossStatement,
        execution::v1::{Check, ExecutionFailed, ExecutionStopped, ExecutionSucceeded, StepState, StepView},
    },
    statement::unknown,
    time::{duration_from_pb, duration_to_pb, to_pb},
};

use crate::{
    error::RunError,
    job::{Job, JobError},
    run::{Run, in_time},
    statement,
    step::planned,
};

const LOOK_LIMIT: Duration = Duration::from_secs(60);
/// A stop, a start and a restart of the other side, each within its own limit.
const ROLLBACK_LIMIT: Duration = Duration::from_secs(900);

const AS_IT_WAS: &str =
    "Nothing needs to be repaired. Remove the cause, then open a new request; it needs fresh approvals.";
const UNTOUCHED: &str = "Nothing was changed.";

/// How things stand when a run ends early.
struct Aftermath {
    known_state: String,
    /// The system is as it was before the run, for certain.
    restored: bool,
    loss: Option<LossStatement>,
}

impl Run<'_> {
    pub(crate) async fn succeed(&self, job: &Job, execution: &Execution) -> Result<(), RunError> {
        let rto = statement::rto(execution);
        let target = execution.view.started.as_ref().and_then(|started| duration_from_pb(started.rto_target.as_ref()));
        let end = ExecutionSucceeded {
            finished_at: Some(to_pb(self.executor.ctx.clock.now())),
            rto_measured: rto.map(duration_to_pb),
            write_outage: statement::write_outage(execution).map(duration_to_pb),
            loss: Some(self.loss(job, execution)),
            rto_met: rto.zip(target).is_some_and(|(rto, target)| rto <= target),
            ..ExecutionSucceeded::default()
        };
        self.decide(|execution, me| execution::succeed(execution, me, end.clone())).await?;
        self.ended(execution, "succeeded");
        Ok(())
    }

    pub(crate) async fn end_unready(
        &self,
        job: &Job,
        execution: &Execution,
        checks: &[&Check],
    ) -> Result<(), RunError> {
        let error = format!("prechecks are not passed: {}", list(checks));
        self.end_failed(job, execution, "", error, AS_IT_WAS).await
    }

    pub(crate) async fn end_unhealthy(
        &self,
        job: &Job,
        execution: &Execution,
        checks: &[&Check],
    ) -> Result<(), RunError> {
        let error = format!("every step is done, and postchecks are not passed: {}", list(checks));
        let guidance = "The move itself is complete: do not start the old primary on its own. Look at each check, and at both nodes, before clients are let in. Going back means a new switchover.";
        self.end_failed(job, execution, "", error, guidance).await
    }

    pub(crate) async fn end_failed_step(
        &self,
        job: &Job,
        execution: &Execution,
        step: &StepView,
    ) -> Result<(), RunError> {
        let plan = planned(step);
        self.end_failed(job, execution, &plan.id, step.note.clone(), &plan.guidance).await
    }

    /// The platform found no steps to plan: its prechecks say why.
    pub(crate) async fn end_unplanned(&self, job: &Job, execution: &Execution) -> Result<(), RunError> {
        let checks = in_time(job.mover.prechecks(&job.job)).await;
        let error = format!("no plan could be made: {}", list(&execution::blocking(&checks)));
        self.end_failed(job, execution, "", error, AS_IT_WAS).await
    }

    /// Before anybody could touch the target, or in the middle with nobody able to: said as it is.
    pub(crate) async fn end_without_job(&self, execution: &Execution, error: &JobError) -> Result<(), RunError> {
        let touched = execution.has_touched();
        let guidance = match execution.next_step().filter(|_| touched) {
            Some(step) => planned(step).guidance,
            None => AS_IT_WAS.to_owned(),
        };
        let end = ExecutionFailed {
            finished_at: Some(to_pb(self.executor.ctx.clock.now())),
            step: String::new(),
            error: error.to_string(),
            known_state: if touched {
                "Not known: the executor cannot log in to the target or its hosts. Steps were begun before.".to_owned()
            } else {
                UNTOUCHED.to_owned()
            },
            guidance,
            loss: touched.then(|| unknown("the target could not be asked")),
            ..ExecutionFailed::default()
        };
        self.decide(|execution, me| execution::fail(execution, me, end.clone())).await?;
        self.ended(execution, "failed");
        Ok(())
    }

    async fn end_failed(
        &self,
        job: &Job,
        execution: &Execution,
        step: &str,
        error: String,
        guidance: &str,
    ) -> Result<(), RunError> {
        let after = self.aftermath(job, execution).await?;
        let end = ExecutionFailed {
            finished_at: Some(to_pb(self.executor.ctx.clock.now())),
            step: step.to_owned(),
            error,
            guidance: if after.restored { AS_IT_WAS.to_owned() } else { guidance.to_owned() },
            known_state: after.known_state,
            loss: after.loss,
            ..ExecutionFailed::default()
        };
        self.decide(|execution, me| execution::fail(execution, me, end.clone())).await?;
        self.ended(execution, "failed");
        Ok(())
    }

    /// `in_doubt`: what cannot be told about the step that was under way.
    pub(crate) async fn end_stopped(
        &self,
        job: &Job,
        execution: &Execution,
        step: &StepView,
        in_doubt: Option<&str>,
    ) -> Result<(), RunError> {
        let plan = planned(step);
        let stop = execution.view.stop_requested.clone().unwrap_or_default();
        let after = self.aftermath(job, execution).await?;
        let doubt = in_doubt
            .map(|why| format!("It cannot be told whether step {} took effect: {why}. ", plan.id))
            .unwrap_or_default();
        let end = ExecutionStopped {
            finished_at: Some(to_pb(self.executor.ctx.clock.now())),
            before_step: plan.id,
            reason: stop.reason,
            known_state: format!("{doubt}{}", after.known_state),
            guidance: if after.restored { AS_IT_WAS.to_owned() } else { plan.guidance },
            actor: stop.actor,
            loss: after.loss,
            ..ExecutionStopped::default()
        };
        self.decide(|execution, me| execution::stop(execution, me, end.clone())).await?;
        self.ended(execution, "stopped");
        Ok(())
    }

    /// Takes back what can be taken back, then looks at both nodes.
    async fn aftermath(&self, job: &Job, execution: &Execution) -> Result<Aftermath, RunError> {
        if !execution.has_touched() {
            let known_state = format!("{UNTOUCHED} {}", self.known_state(job, execution).await);
            return Ok(Aftermath { known_state, restored: true, loss: None });
        }
        if irreversible(execution, &[StepState::Succeeded]) {
            let known_state = self.known_state(job, execution).await;
            return Ok(Aftermath { known_state, restored: false, loss: Some(self.loss(job, execution)) });
        }
        let taken_back = self.take_back(job, execution).await?;
        let (restored, account) = match &taken_back {
            Ok(text) => (true, format!("Taken back: {text}.")),
            Err(text) => (false, format!("Not taken back: {text}.")),
        };
        let in_doubt = !restored && irreversible(execution, &[StepState::Running, StepState::Failed]);
        let loss = in_doubt.then(|| unknown("it is not known whether the target was promoted"));
        let known_state = format!("{account} {}", self.known_state(job, execution).await);
        Ok(Aftermath { known_state, restored, loss })
    }

    /// The platform decides whether it is provably safe. Only the run's owner asks it to.
    async fn take_back(&self, job: &Job, execution: &Execution) -> Result<Result<String, String>, RunError> {
        let owner = self.current().await?.executor;
        if owner != self.executor.ctx.instance {
            return Err(RunError::NotOurs(format!("{owner} has taken the run over")));
        }
        let outcome = tokio::time::timeout(ROLLBACK_LIMIT, job.mover.rollback(&job.job, &execution.facts)).await;
        let outcome = match outcome {
            Ok(outcome) => outcome.map_err(|error| error.text),
            Err(_) => Err(format!("it did not come to an end within {} s", ROLLBACK_LIMIT.as_secs())),
        };
        let word = if outcome.is_ok() { "done" } else { "refused" };
        metrics::counter!("muster_executor_rollbacks_total", "outcome" => word).increment(1);
        tracing::warn!(outcome = ?outcome, "roll-back");
        Ok(outcome)
    }

    async fn known_state(&self, job: &Job, execution: &Execution) -> String {
        let looked = tokio::time::timeout(LOOK_LIMIT, job.mover.known_state(&job.job, &execution.facts)).await;
        looked.unwrap_or_else(|_| format!("The nodes could not be asked within {} s.", LOOK_LIMIT.as_secs()))
    }

    fn loss(&self, job: &Job, execution: &Execution) -> LossStatement {
        let positions = &self.executor.positions;
        statement::loss(execution, &positions.of(&job.job.tenant, &job.job.resource, &job.job.from_node))
    }

    fn ended(&self, execution: &Execution, outcome: &'static str) {
        let kind = execution.view.started.as_ref().map(|started| started.r#type.clone()).unwrap_or_default();
        metrics::counter!("muster_executor_runs_total", "type" => kind, "outcome" => outcome).increment(1);
        tracing::info!(outcome, "a run ended");
    }
}

/// Whether a step that cannot be taken back is in one of these states.
fn irreversible(execution: &Execution, states: &[StepState]) -> bool {
    let is_final = |step: &&StepView| step.step.as_ref().is_some_and(|planned| !planned.idempotent);
    execution.view.steps.iter().filter(is_final).any(|step| states.contains(&step.state()))
}

/// "target_streams (the target receives nothing); …"
fn list(checks: &[&Check]) -> String {
    checks.iter().map(|check| format!("{} ({})", check.name, check.text)).collect::<Vec<_>>().join("; ")
}
