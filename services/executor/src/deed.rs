//! What stands behind a step: the platform of a resource, an action of the plan, a person, or the executor itself.

use muster_domain::{
    execution::Execution,
    pb::{
        execution::v1::{CheckPhase, Step},
        plan::v1::{PlanStep, action::Kind},
    },
};
use muster_platform::{Facts, Probe, StepDone, StepError};

use crate::{
    actions::{self, Look},
    checks::list,
    inner,
    job::Job,
    leg::{Leg, platform_step},
    run::{Run, in_time},
    steps::kind_of,
};

/// Who does a step.
enum Deed<'a> {
    Platform(&'a Leg, &'a Job),
    /// The platform's own way back.
    TakeBack(&'a Leg, &'a Job),
    Action(&'a PlanStep),
    Own(inner::Kind, &'a Leg),
}

impl Run<'_> {
    pub(crate) fn is_for_a_person(&self, step: &Step) -> bool {
        step.definition.as_ref().is_some_and(|definition| matches!(kind_of(definition), Some(Kind::Manual(_))))
    }

    fn deed<'a>(&'a self, step: &'a Step) -> Result<Deed<'a>, String> {
        if let Some(definition) = &step.definition {
            return Ok(Deed::Action(definition));
        }
        let own = inner::Kind::of(step);
        let leg = match own {
            // The way over is the first leg of its resource.
            Some(_) => self.legs.iter().find(|leg| leg.resource() == step.resource),
            None => self.legs.iter().find(|leg| leg.id == step.plan_step),
        };
        let leg = leg.ok_or_else(|| format!("{} belongs to no resource of this run", step.id))?;
        if let Some(own) = own {
            return Ok(Deed::Own(own, leg));
        }
        let job = leg.job.as_ref().map_err(ToString::to_string)?;
        Ok(if step.id.starts_with("undo:") { Deed::TakeBack(leg, job) } else { Deed::Platform(leg, job) })
    }

    /// Whether the step's effect is there. Changes nothing.
    pub(crate) async fn probe(&self, execution: &Execution, step: &Step, look: Look) -> Probe {
        match self.deed(step) {
            Err(why) => Probe::Unknown(why),
            Ok(Deed::Platform(leg, job)) => {
                job.mover.probe(&job.job, platform_step(&step.id), &leg.facts(execution)).await
            }
            // It looks by itself, and twice is once.
            Ok(Deed::TakeBack(..)) => Probe::NotDone,
            Ok(Deed::Own(kind, leg)) => self.probe_own(kind, leg).await,
            Ok(Deed::Action(definition)) => self.probe_action(definition, look).await,
        }
    }

    /// Does it.
    pub(crate) async fn perform(&self, execution: &Execution, step: &Step) -> Result<StepDone, StepError> {
        match self.deed(step).map_err(StepError::refused)? {
            Deed::Platform(leg, job) => job.mover.run(&job.job, platform_step(&step.id), &leg.facts(execution)).await,
            Deed::TakeBack(leg, job) => {
                let note = job.mover.rollback(&job.job, &leg.facts(execution)).await?;
                metrics::counter!("muster_executor_rollbacks_total", "outcome" => "done").increment(1);
                Ok(StepDone { note, outputs: Facts::new() })
            }
            Deed::Own(inner::Kind::Look, leg) => self.look_around(leg).await,
            Deed::Own(inner::Kind::Prove, leg) => self.prove_over(execution, leg).await,
            Deed::Own(inner::Kind::Ready, leg) => self.ready_to_move(leg).await,
            Deed::Own(inner::Kind::Copy(copy), leg) => self.copy(copy, leg, &execution.facts_of(&step.plan_step)).await,
            Deed::Action(definition) => self.act(definition).await,
        }
    }

    async fn probe_action(&self, definition: &PlanStep, look: Look) -> Probe {
        let surroundings = match self.surroundings() {
            Ok(surroundings) => surroundings,
            Err(why) => return Probe::Unknown(why),
        };
        let seen = actions::probe(definition, look, &surroundings).await;
        if !matches!(seen, Probe::Done { .. }) {
            return seen;
        }
        // The effect without what must come of it is not the step.
        let after = actions::checks(&definition.id, "postcheck", &definition.postchecks, &surroundings).await;
        if muster_domain::execution::blocking(&after).is_empty() { seen } else { Probe::NotDone }
    }

    async fn act(&self, definition: &PlanStep) -> Result<StepDone, StepError> {
        let surroundings = self.surroundings().map_err(StepError::refused)?;
        let before = actions::checks(&definition.id, "precheck", &definition.prechecks, &surroundings).await;
        let bad = muster_domain::execution::blocking(&before);
        if !bad.is_empty() {
            return Err(StepError::refused(format!("not begun, as its prechecks do not hold: {}", list(&bad))));
        }
        let done = actions::run(definition, &surroundings).await?;
        let after = actions::checks(&definition.id, "postcheck", &definition.postchecks, &surroundings).await;
        let bad = muster_domain::execution::blocking(&after);
        if !bad.is_empty() {
            return Err(StepError::failed(format!("{}; its postchecks do not hold: {}", done.note, list(&bad))));
        }
        Ok(done)
    }

    async fn probe_own(&self, kind: inner::Kind, leg: &Leg) -> Probe {
        match kind {
            inner::Kind::Look | inner::Kind::Prove | inner::Kind::Ready => Probe::NotDone,
            inner::Kind::Copy(copy) => self.probe_copy(copy, leg).await,
        }
    }

    /// A readiness drill: both sides answer, and so do the questions of the data on the side that would take over.
    async fn look_around(&self, leg: &Leg) -> Result<StepDone, StepError> {
        let job = leg.job.as_ref().map_err(|error| StepError::failed(error.to_string()))?;
        let (markers, missing) = job.mover.markers(&job.job).await;
        if !missing.is_empty() {
            return Err(StepError::failed(format!("not every side answers: {}", missing.join("; "))));
        }
        let seen = markers.iter().map(|m| format!("{} is {} at {}", m.node, m.role, m.lsn)).collect::<Vec<_>>();
        let asked = self.ask_on_standby(leg, CheckPhase::Before).await.map_err(StepError::failed)?;
        Ok(StepDone { note: format!("{}{asked}", seen.join(", ")), outputs: Facts::new() })
    }

    /// What the prechecks could not say of a node that was out: now it has to be as good as any target.
    async fn ready_to_move(&self, leg: &Leg) -> Result<StepDone, StepError> {
        let job = leg.job.as_ref().map_err(|error| StepError::failed(error.to_string()))?;
        let checks = in_time(job.mover.prechecks(&job.job)).await;
        let bad = muster_domain::execution::blocking(&checks);
        if !bad.is_empty() {
            let text = format!("it follows again, and is not moved: prechecks are not passed: {}", list(&bad));
            return Err(StepError::refused(text));
        }
        Ok(StepDone { note: format!("{} prechecks of the move passed", checks.len()), outputs: Facts::new() })
    }

    /// The first half of a live drill is judged before the second begins.
    async fn prove_over(&self, execution: &Execution, leg: &Leg) -> Result<StepDone, StepError> {
        let job = leg.job.as_ref().map_err(|error| StepError::failed(error.to_string()))?;
        let checks = in_time(job.mover.postchecks(&job.job, &leg.facts(execution))).await;
        let bad = muster_domain::execution::blocking(&checks);
        if !bad.is_empty() {
            return Err(StepError::failed(format!("it runs there, and not as it must: {}", list(&bad))));
        }
        Ok(StepDone { note: format!("{} checks passed", checks.len()), outputs: Facts::new() })
    }
}

/// "dns", "command"
pub(crate) fn kind_name(definition: &PlanStep) -> &'static str {
    match kind_of(definition) {
        Some(Kind::Move(_)) => "move",
        Some(Kind::Wait(_)) => "wait",
        Some(Kind::Http(_)) => "http",
        Some(Kind::Dns(_)) => "dns",
        Some(Kind::Command(_)) => "command",
        Some(Kind::Notify(_)) => "notify",
        Some(Kind::Manual(_)) => "manual",
        None => "unknown",
    }
}
