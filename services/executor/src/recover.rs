//! Going on with what somebody else began: the log says which step has a claim and no outcome, the target says whether
//! its effect is there. Nobody's memory is asked.

use std::time::Duration;

use muster_domain::{
    execution::{self, Execution, id_of},
    pb::execution::v1::{Step, StepView},
};
use muster_eventlog::Outcome;
use muster_platform::Probe;
use tokio::time::Instant;

use crate::{actions::Look, error::RunError, run::Run, step::planned};

/// What a killed executor asked for can still be on its way in the target. A step that must not be done twice is looked
/// at for this long before it is begun again.
const STILL_ON_ITS_WAY: Duration = Duration::from_secs(5);
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// How often a step that was left behind is looked at while the run is paused.
const WHILE_PAUSED: Duration = Duration::from_secs(1);

impl Run<'_> {
    /// We hold the lease, so whoever had the run is gone or was told to stop. From this event on it writes nothing.
    pub(crate) async fn take_over(&self) -> Result<(), RunError> {
        let execution = self.current().await?;
        if !execution.is_running() {
            return Ok(());
        }
        let (note, now) = (account(&execution), self.executor.ctx.clock.now());
        let decided = self.decide(|execution, me| execution::take_over(execution, me, &note, now)).await?;
        if decided.outcome == Outcome::Appended {
            metrics::counter!("muster_executor_takeovers_total").increment(1);
            tracing::warn!(previous = execution.executor, note, "taking over a run");
        }
        Ok(())
    }

    /// A claim without an outcome, and nobody works on it.
    pub(crate) async fn settle(&self, execution: &Execution, step: &StepView) -> Result<(), RunError> {
        let plan = planned(step);
        if self.is_for_a_person(&plan) {
            return self.ask_person(&plan).await;
        }
        match self.look_long_enough(execution, &plan).await {
            Probe::Done { note, outputs } => self.finish(&plan, &note, outputs, true).await,
            // Nothing is claimed while the run is paused: somebody resumes it, and then the target is asked again.
            Probe::NotDone if execution.view.paused.is_some() => {
                tokio::time::sleep(WHILE_PAUSED).await;
                Ok(())
            }
            // For a step that is not idempotent the platform proves once more, under its own lock, that it may.
            Probe::NotDone => self.claim_and_perform(execution, &plan, true).await,
            Probe::Unknown(why) => {
                self.give_up(format!(
                    "Step {} was claimed and has no outcome, and it cannot be told whether it took effect: {why}",
                    plan.id
                ))
                .await
            }
        }
    }

    /// The run is to end, and steps have claims and no outcome: what became of each is found out as far as it can be.
    pub(crate) async fn settle_before_the_end(
        &self,
        execution: &Execution,
        steps: &[&StepView],
    ) -> Result<(), RunError> {
        let (mut doubts, mut found) = (Vec::new(), false);
        for step in steps {
            let plan = planned(step);
            match self.look_long_enough(execution, &plan).await {
                Probe::Done { note, outputs } => {
                    self.finish(&plan, &note, outputs, true).await?;
                    found = true;
                }
                Probe::NotDone => {}
                Probe::Unknown(why) => doubts.push((plan.id, why)),
            }
        }
        match (execution.failed_step(), steps.first()) {
            // The log has changed: what comes next follows from it.
            _ if found => Ok(()),
            (Some(failed), _) => self.end_failed_step(execution, failed, &doubts).await,
            (None, Some(step)) => self.end_stopped(execution, step, &doubts).await,
            (None, None) => Ok(()),
        }
    }

    async fn look_long_enough(&self, execution: &Execution, step: &Step) -> Probe {
        match self.look(execution, step, Look::AfterClaim).await {
            Probe::NotDone if !step.idempotent => self.wait_for_effect(execution, step).await,
            seen => seen,
        }
    }

    async fn wait_for_effect(&self, execution: &Execution, step: &Step) -> Probe {
        let deadline = Instant::now() + STILL_ON_ITS_WAY;
        loop {
            tokio::time::sleep(LOOK_AGAIN).await;
            let seen = self.look(execution, step, Look::AfterClaim).await;
            if seen != Probe::NotDone || Instant::now() >= deadline {
                return seen;
            }
        }
    }
}

/// What the log says about the run that is taken over.
fn account(execution: &Execution) -> String {
    let claimed: Vec<String> = execution
        .claimed()
        .map(|step| format!("step {} was claimed {} times and has no outcome", id_of(step), step.attempts))
        .collect();
    if !claimed.is_empty() {
        return format!("{}; the target is asked", claimed.join(", "));
    }
    match execution.next_step() {
        Some(step) => format!("no step was under way; the next one is {}", id_of(step)),
        None => "every step is done; what is left is to look at the result".to_owned(),
    }
}
