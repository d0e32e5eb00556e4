//! One step: look, claim, do, write down. The claim is the lock; the look makes doing it again harmless.

use std::time::Duration;

use muster_domain::{
    execution::{self, ClaimRefused, Execution},
    pb::execution::v1::{Step, StepView},
    time::duration_from_pb,
};
use muster_eventlog::DecideError;
use muster_platform::{Facts, Probe, StepDone, StepError, StepErrorKind};
use muster_runtime::service_actor;
use tokio::time::Instant;

use crate::{SERVICE, actions::Look, error::RunError, run::Run};

/// A step has limits of its own for each thing it does. This is for the case that they fail.
const GRACE: Duration = Duration::from_secs(30);
/// For a plan without a limit, which ours are not.
const DEFAULT_LIMIT: Duration = Duration::from_secs(300);
/// A look that cannot tell is repeated this long: a network hiccup must not end a run.
const LOOK_PATIENCE: Duration = Duration::from_secs(10);
const LOOK_AGAIN: Duration = Duration::from_millis(500);
const LOOK_LIMIT: Duration = Duration::from_secs(20);
/// Longest reason of a stop that is kept.
const MAX_REASON: usize = 1_900;

impl Run<'_> {
    /// A step that nobody has claimed yet.
    pub(crate) async fn run_step(&self, execution: &Execution, step: &StepView) -> Result<(), RunError> {
        let step = planned(step);
        if self.is_for_a_person(&step) {
            return match self.claim(&step, false).await? {
                true => self.ask_person(&step).await,
                false => Ok(()),
            };
        }
        match self.look(execution, &step, Look::BeforeClaim).await {
            Probe::Done { note, outputs } => {
                if self.claim(&step, false).await? {
                    self.finish(&step, &note, outputs, true).await?;
                }
                Ok(())
            }
            Probe::NotDone => self.claim_and_perform(execution, &step, false).await,
            Probe::Unknown(why) => {
                self.give_up(format!("It cannot be told whether step {} is done already: {why}", step.id)).await
            }
        }
    }

    /// From here on it waits for somebody of the step's role.
    pub(crate) async fn ask_person(&self, step: &Step) -> Result<(), RunError> {
        let now = self.executor.ctx.clock.now();
        self.decide(|execution, me| execution::ask_person(execution, me, &step.id, now)).await?;
        tracing::info!(step = step.id, "a person is asked");
        Ok(())
    }

    pub(crate) async fn claim_and_perform(
        &self,
        execution: &Execution,
        step: &Step,
        again: bool,
    ) -> Result<(), RunError> {
        if !self.claim(step, again).await? {
            return Ok(());
        }
        let started = Instant::now();
        let limit = limit_of(step) + GRACE;
        let outcome = match tokio::time::timeout(limit, self.perform(execution, step)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(StepError::unknown(format!("no answer within {} s", limit.as_secs()))),
        };
        let word = if outcome.is_ok() { "succeeded" } else { "failed" };
        metrics::histogram!("muster_executor_step_seconds", "step" => metric_name(step), "outcome" => word)
            .record(started.elapsed());
        match outcome {
            Ok(StepDone { note, outputs }) => self.finish(step, &note, outputs, false).await,
            Err(error) if error.kind == StepErrorKind::OutcomeUnknown => {
                self.after_unknown(execution, step, &error).await
            }
            Err(error) => self.fail(step, &error.text).await,
        }
    }

    /// The deed came back without saying what became of it: the target knows.
    async fn after_unknown(&self, execution: &Execution, step: &Step, error: &StepError) -> Result<(), RunError> {
        let found = match self.look(execution, step, Look::AfterClaim).await {
            Probe::Done { note, outputs } => {
                return self
                    .finish(step, &format!("{note} (the call itself ended with: {error})"), outputs, false)
                    .await;
            }
            Probe::NotDone => "the target does not show its effect now".to_owned(),
            Probe::Unknown(why) => why,
        };
        self.give_up(format!("The outcome of step {} is not known: {error}; {found}", step.id)).await
    }

    /// `false`: not claimed, and the log says what comes instead.
    async fn claim(&self, step: &Step, again: bool) -> Result<bool, RunError> {
        let ctx = &self.executor.ctx;
        let (me, now) = (&ctx.instance, ctx.clock.now());
        let claimed = ctx
            .log
            .decide::<Execution, ClaimRefused>(&self.key.tenant, &self.key.id, &self.meta(), |execution| {
                execution::claim_step(execution, me, &step.id, again, now).map(Some)
            })
            .await;
        match claimed {
            Ok(_) => {
                tracing::info!(step = step.id, again, "step claimed");
                Ok(true)
            }
            // A step beside it may have failed meanwhile, or somebody has stopped or paused the run.
            Err(DecideError::Refused(
                ClaimRefused::StopRequested
                | ClaimRefused::Paused
                | ClaimRefused::NotNext(_)
                | ClaimRefused::OutcomeUnknown { .. },
            )) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    pub(crate) async fn finish(
        &self,
        step: &Step,
        note: &str,
        outputs: Facts,
        found_done: bool,
    ) -> Result<(), RunError> {
        let now = self.executor.ctx.clock.now();
        self.decide(|execution, me| {
            execution::finish_step(execution, me, &step.id, note, outputs.clone(), found_done, now)
        })
        .await?;
        tracing::info!(step = step.id, found_done, note, "step done");
        Ok(())
    }

    async fn fail(&self, step: &Step, error: &str) -> Result<(), RunError> {
        let now = self.executor.ctx.clock.now();
        self.decide(|execution, me| execution::fail_step(execution, me, &step.id, error, now)).await?;
        tracing::error!(step = step.id, error, "step failed");
        Ok(())
    }

    /// What is not known is not guessed: the run ends here. Written down before anything is taken back, so that a
    /// successor does not begin the step again halfway through.
    pub(crate) async fn give_up(&self, why: String) -> Result<(), RunError> {
        tracing::error!(why, "the run is stopped");
        let reason: String = why.chars().take(MAX_REASON).collect();
        let now = self.executor.ctx.clock.now();
        self.decide(|execution, me| execution::give_up(execution, me, &service_actor(SERVICE), &reason, now)).await?;
        Ok(())
    }

    /// Asks the target about a step, and again while it cannot tell.
    pub(crate) async fn look(&self, execution: &Execution, step: &Step, look: Look) -> Probe {
        let deadline = Instant::now() + LOOK_PATIENCE;
        loop {
            let seen = match tokio::time::timeout(LOOK_LIMIT, self.probe(execution, step, look)).await {
                Ok(seen) => seen,
                Err(_) => Probe::Unknown(format!("no answer within {} s", LOOK_LIMIT.as_secs())),
            };
            if !matches!(seen, Probe::Unknown(_)) || Instant::now() >= deadline {
                return seen;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}

/// The step as planned; a view without one belongs to no plan of ours.
pub(crate) fn planned(step: &StepView) -> Step {
    step.step.clone().unwrap_or_default()
}

pub(crate) fn limit_of(step: &Step) -> Duration {
    duration_from_pb(step.timeout.as_ref()).and_then(|limit| limit.try_into().ok()).unwrap_or(DEFAULT_LIMIT)
}

/// "stop-primary", "dns": as few names as there are kinds of steps, whatever plans and resources are called.
fn metric_name(step: &Step) -> String {
    match &step.definition {
        Some(definition) => crate::deed::kind_name(definition).to_owned(),
        None => crate::leg::platform_step(&step.id).split(':').next().unwrap_or_default().to_owned(),
    }
}
