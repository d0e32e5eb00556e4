//! How a run ends: with what was measured, or with what is known. A move that failed before anything irreversible is
//! taken back where the platform proves that this is safe; everything else is left as it is, and said.

use jiff::SignedDuration;
use muster_domain::{
    execution::{self, Execution},
    pb::execution::v1::{
        Check, ExecutionFailed, ExecutionStopped, ExecutionSucceeded, MemberOutcome, Step, StepState, StepView,
    },
    statement::{unknown, worst},
    time::{duration_from_pb, duration_to_pb, to_pb},
};

use crate::{checks::list, error::RunError, run::Run, statement, step::planned};

pub(crate) const AS_IT_WAS: &str =
    "Nothing needs to be repaired. Remove the cause, then open a new request; it needs fresh approvals.";
pub(crate) const UNTOUCHED: &str = "Nothing was changed.";

/// Of those that were moved. One that is not known may be the longest.
fn longest_outage(members: &[MemberOutcome]) -> Option<SignedDuration> {
    let moved = members.iter().filter(|member| member.moved);
    let outages: Option<Vec<_>> = moved.map(|member| duration_from_pb(member.write_outage.as_ref())).collect();
    outages?.into_iter().max()
}

impl Run<'_> {
    pub(crate) async fn succeed(&self, execution: &Execution) -> Result<(), RunError> {
        let members = self.outcomes(execution).await;
        let rto = self.rto(execution);
        let target = execution.view.started.as_ref().and_then(|started| duration_from_pb(started.rto_target.as_ref()));
        let tolerated = execution.view.steps.iter().filter(|step| step.state() == StepState::Tolerated);
        let end = ExecutionSucceeded {
            finished_at: Some(to_pb(self.executor.ctx.clock.now())),
            rto_measured: rto.map(duration_to_pb),
            write_outage: longest_outage(&members).map(duration_to_pb),
            loss: worst(members.iter().filter_map(|m| Some((m.resource.as_str(), m.loss.as_ref()?)))),
            rto_met: rto.zip(target).is_some_and(|(rto, target)| rto <= target),
            tolerated: tolerated.map(|step| execution::id_of(step).to_owned()).collect(),
            members,
        };
        self.decide(|execution, me| execution::succeed(execution, me, end.clone())).await?;
        self.ended(execution, "succeeded");
        Ok(())
    }

    pub(crate) async fn end_unready(&self, execution: &Execution, checks: &[&Check]) -> Result<(), RunError> {
        let error = format!("prechecks are not passed: {}", list(checks));
        self.end_failed(execution, "", error, AS_IT_WAS, &[]).await
    }

    pub(crate) async fn end_unhealthy(&self, execution: &Execution, checks: &[&Check]) -> Result<(), RunError> {
        let error = format!("every step is done, and postchecks are not passed: {}", list(checks));
        let guidance = if self.moves(execution).next().is_none() {
            "Production was not moved. Look at each check, then repeat the drill."
        } else {
            "The move itself is complete: do not start the old primary on its own. Look at each check, and at both nodes, before clients are let in. Going back means a new switchover."
        };
        self.end_failed(execution, "", error, guidance, &[]).await
    }

    /// `doubts`: steps of which nobody can tell whether they took effect, and why.
    pub(crate) async fn end_failed_step(
        &self,
        execution: &Execution,
        step: &StepView,
        doubts: &[(String, String)],
    ) -> Result<(), RunError> {
        let plan = planned(step);
        self.end_failed(execution, &plan.id, step.note.clone(), &plan.guidance, doubts).await
    }

    /// No steps could be planned: the documents, or the platform's prechecks, say why.
    pub(crate) async fn end_unplanned(&self, execution: &Execution) -> Result<(), RunError> {
        let trouble = self.compile().await?.trouble;
        if !trouble.is_empty() {
            return self.end_without_job(execution, &trouble).await;
        }
        let checks = self.of_members().await;
        let error = format!("no plan could be made: {}", list(&execution::blocking(&checks)));
        self.end_failed(execution, "", error, AS_IT_WAS, &[]).await
    }

    /// Before anybody could touch a target, or in the middle with nobody able to: said as it is.
    pub(crate) async fn end_without_job(&self, execution: &Execution, error: &str) -> Result<(), RunError> {
        let touched = execution.has_touched();
        let guidance = match execution.next_step().filter(|_| touched) {
            Some(step) => planned(step).guidance,
            None => AS_IT_WAS.to_owned(),
        };
        let end = ExecutionFailed {
            finished_at: Some(to_pb(self.executor.ctx.clock.now())),
            step: String::new(),
            error: error.to_owned(),
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
        execution: &Execution,
        step: &str,
        error: String,
        guidance: &str,
        doubts: &[(String, String)],
    ) -> Result<(), RunError> {
        let after = self.aftermath(execution).await?;
        let end = ExecutionFailed {
            finished_at: Some(to_pb(self.executor.ctx.clock.now())),
            step: step.to_owned(),
            error,
            guidance: after.guidance(guidance),
            known_state: format!("{}{}", in_doubt(doubts), after.known_state),
            loss: after.loss,
            members: after.members,
        };
        self.decide(|execution, me| execution::fail(execution, me, end.clone())).await?;
        self.ended(execution, "failed");
        Ok(())
    }

    pub(crate) async fn end_stopped(
        &self,
        execution: &Execution,
        step: &StepView,
        doubts: &[(String, String)],
    ) -> Result<(), RunError> {
        let plan = planned(step);
        let stop = execution.view.stop_requested.clone().unwrap_or_default();
        let after = self.aftermath(execution).await?;
        let end = ExecutionStopped {
            finished_at: Some(to_pb(self.executor.ctx.clock.now())),
            reason: stop.reason,
            known_state: format!("{}{}", in_doubt(doubts), after.known_state),
            guidance: after.guidance(&guidance_of_stop(step, &plan)),
            before_step: plan.id,
            actor: stop.actor,
            loss: after.loss,
            members: after.members,
        };
        self.decide(|execution, me| execution::stop(execution, me, end.clone())).await?;
        self.ended(execution, "stopped");
        Ok(())
    }

    /// Of a live drill the way over counts: the way back restores nothing.
    fn rto(&self, execution: &Execution) -> Option<SignedDuration> {
        let first_halves = self.resources().map(|leg| statement::Told::of(leg, execution));
        match self.request_type() {
            muster_domain::pb::request::v1::RequestType::LiveDrill => first_halves
                .map(|told| told.rto(statement::confirmed_at(execution)))
                .collect::<Option<Vec<_>>>()?
                .into_iter()
                .max(),
            _ => statement::rto(execution),
        }
    }

    fn ended(&self, execution: &Execution, outcome: &'static str) {
        let kind = execution.view.started.as_ref().map(|started| started.r#type.clone()).unwrap_or_default();
        metrics::counter!("muster_executor_runs_total", "type" => kind, "outcome" => outcome).increment(1);
        tracing::info!(outcome, "a run ended");
    }
}

/// A step says what to do when it fails. One that nobody began has not failed.
fn guidance_of_stop(step: &StepView, plan: &Step) -> String {
    if step.attempts > 0 {
        return plan.guidance.clone();
    }
    format!(
        "Nothing failed: the run was stopped before \"{}\". Had that failed, this would be said: {}",
        plan.title, plan.guidance
    )
}

fn in_doubt(doubts: &[(String, String)]) -> String {
    let said = |(step, why): &(String, String)| format!("It cannot be told whether step {step} took effect: {why}. ");
    doubts.iter().map(said).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_outage_that_nobody_knows_may_be_the_longest() {
        let member = |moved: bool, seconds: Option<i64>| MemberOutcome {
            moved,
            write_outage: seconds.map(|seconds| duration_to_pb(SignedDuration::from_secs(seconds))),
            ..MemberOutcome::default()
        };
        let known = [member(true, Some(3)), member(true, Some(22)), member(false, None)];
        assert_eq!(longest_outage(&known), Some(SignedDuration::from_secs(22)));
        assert_eq!(longest_outage(&[member(true, Some(3)), member(true, None)]), None);
        assert_eq!(longest_outage(&[member(false, None)]), None);
    }
}
