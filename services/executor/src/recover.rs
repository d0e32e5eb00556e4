//! Going on with what somebody else began: the log says which step has a claim and no outcome, the target says whether
//! its effect is there. Nobody's memory is asked.

use std::time::Duration;

use muster_domain::{
    execution::{self, Execution},
    pb::execution::v1::{StepState, StepView},
};
use muster_eventlog::Outcome;
use muster_platform::Probe;
use tokio::time::Instant;

use crate::{error::RunError, job::Job, run::Run, step::planned};

/// What a killed executor asked for can still be on its way in the target. A step that must not be done twice is looked
/// at for this long before it is begun again.
const STILL_ON_ITS_WAY: Duration = Duration::from_secs(5);
const LOOK_AGAIN: Duration = Duration::from_millis(250);

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

    /// A claim without an outcome.
    pub(crate) async fn settle(&self, job: &Job, execution: &Execution, step: &StepView) -> Result<(), RunError> {
        let plan = planned(step);
        let stopping = execution.view.stop_requested.is_some();
        let seen = match self.look(job, &plan.id, &execution.facts).await {
            Probe::NotDone if !plan.idempotent => self.wait_for_effect(job, execution, &plan.id).await,
            seen => seen,
        };
        match seen {
            Probe::Done { note, outputs } => self.finish(&plan, &note, outputs, true).await,
            Probe::NotDone if stopping => self.end_stopped(job, execution, step, None).await,
            // For a step that is not idempotent the platform proves once more, under its own lock, that it may.
            Probe::NotDone => self.claim_and_perform(job, execution, &plan, true).await,
            Probe::Unknown(why) if stopping => self.end_stopped(job, execution, step, Some(&why)).await,
            Probe::Unknown(why) => {
                self.give_up(format!(
                    "Step {} was claimed and has no outcome, and it cannot be told whether it took effect: {why}",
                    plan.id
                ))
                .await
            }
        }
    }

    async fn wait_for_effect(&self, job: &Job, execution: &Execution, step: &str) -> Probe {
        let deadline = Instant::now() + STILL_ON_ITS_WAY;
        loop {
            tokio::time::sleep(LOOK_AGAIN).await;
            let seen = self.look(job, step, &execution.facts).await;
            if seen != Probe::NotDone || Instant::now() >= deadline {
                return seen;
            }
        }
    }
}

/// What the log says about the run that is taken over.
fn account(execution: &Execution) -> String {
    match execution.next_step() {
        Some(step) if step.state() == StepState::Running => {
            format!(
                "step {} was claimed {} times and has no outcome; the target is asked",
                planned(step).id,
                step.attempts
            )
        }
        Some(step) => format!("no step was under way; the next one is {}", planned(step).id),
        None => "every step is done; what is left is to look at the result".to_owned(),
    }
}
