//! Taking back what an earlier run did: its steps of the plan by their undo, its moves by moving back, newest first.

use std::collections::BTreeSet;

use muster_domain::{
    AggregateId,
    execution::{Execution, is_point_of_no_return, is_way_back},
    pb::{
        execution::v1::{ExecutionState, Member, Step, StepState, StepView},
        plan::v1::{FailurePolicy, PlanStep},
    },
    plan::{self, Direction},
};

use crate::{
    compile::is_there,
    error::RunError,
    leg::{Leg, is_platforms},
    run::{Run, markers_of},
    steps::Platforms,
};

impl Run<'_> {
    /// The members keep the direction of this request: away from where the earlier run has brought them.
    pub(crate) async fn rollback(&self, members: &mut [Member]) -> Result<Result<Vec<Step>, String>, RunError> {
        let name = &self.opened.rollback_of;
        let Ok(id) = name.parse::<AggregateId>() else {
            return Ok(Err("the request does not say which run is to be taken back".to_owned()));
        };
        let earlier = self.executor.ctx.log.load::<Execution>(&self.key.tenant, &id).await?.state;
        if matches!(earlier.view.state(), ExecutionState::Unspecified | ExecutionState::Running) {
            return Ok(Err(format!("run {name} has not ended: wait for its end, or stop it")));
        }
        let legs = match self.rollback_legs(members) {
            Ok(legs) => legs,
            Err(trouble) => return Ok(Err(trouble)),
        };
        let returning = self.returning(&legs, members).await?;
        let platforms = Platforms::of(legs.iter(), members);
        let steps = taken_back(&earlier, members, &returning, &platforms);
        if steps.is_empty() {
            return Ok(Err(format!("run {name} left nothing that could be taken back as things are now")));
        }
        Ok(Ok(steps))
    }

    fn rollback_legs(&self, members: &[Member]) -> Result<Vec<Leg>, String> {
        let course =
            |member: &Member| crate::leg::Course { id: format!("return-{}", member.resource), member: member.clone() };
        let legs = members.iter().map(|member| self.leg(course(member), "rollback"));
        legs.map(|leg| match &leg.job {
            Ok(_) => Ok(leg),
            Err(error) => Err(format!("{}: {error}", leg.resource())),
        })
        .collect()
    }

    /// Resources that run where the earlier run brought them. Whoever is elsewhere already has nothing to be taken back.
    async fn returning(&self, legs: &[Leg], members: &mut [Member]) -> Result<BTreeSet<String>, RunError> {
        let mut returning = BTreeSet::new();
        let may_look = self.is_proven().await?;
        for (leg, member) in legs.iter().zip(members) {
            let (markers, _) = if may_look { markers_of(leg).await } else { Default::default() };
            member.there_already = is_there(member, &markers);
            if !member.there_already {
                returning.insert(member.resource.clone());
            }
        }
        Ok(returning)
    }
}

/// Newest first, one after the other.
fn taken_back(
    earlier: &Execution,
    members: &[Member],
    returning: &BTreeSet<String>,
    platforms: &Platforms,
) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut seen = BTreeSet::new();
    for id in earlier.succession.iter().rev() {
        let Some(view) = earlier.step(id) else { continue };
        let Some(step) = view.step.as_ref().filter(|_| view.state() == StepState::Succeeded) else { continue };
        if !seen.insert(&step.plan_step) {
            continue;
        }
        let chain = match &step.definition {
            Some(definition) => undo(step, definition).into_iter().collect(),
            None if is_platforms(step) && !is_way_back(step) && has_moved(earlier, step) => {
                let resource = if step.resource.is_empty() { &earlier_resource(earlier) } else { &step.resource };
                let ours = members.iter().any(|member| member.resource == *resource) && returning.contains(resource);
                if ours { platforms.named(resource, &format!("return-{resource}")) } else { Vec::new() }
            }
            None => Vec::new(),
        };
        for step in chain {
            let after = steps.last().map(|last| last.id.clone()).into_iter().collect();
            steps.push(Step { after, on_failure: FailurePolicy::Stop.into(), ..step });
        }
    }
    steps
}

fn earlier_resource(earlier: &Execution) -> String {
    earlier.view.started.as_ref().map(|started| started.resource.clone()).unwrap_or_default()
}

/// The step of the platform that cannot be taken back was done.
fn has_moved(earlier: &Execution, of: &Step) -> bool {
    let is_final = |view: &StepView| {
        view.state() == StepState::Succeeded
            && view.step.as_ref().is_some_and(|step| step.plan_step == of.plan_step && is_point_of_no_return(step))
    };
    earlier.view.steps.iter().any(is_final)
}

fn undo(step: &Step, definition: &PlanStep) -> Option<Step> {
    let action = plan::undo_of(definition, Direction::AsWritten)?;
    let id = format!("undo:{}", step.id);
    let title = format!("Take back: {}", step.title);
    Some(Step {
        definition: Some(PlanStep {
            id: id.clone(),
            title: title.clone(),
            owner: definition.owner.clone(),
            timeout: definition.timeout,
            idempotent: definition.idempotent,
            action: Some(action),
            ..PlanStep::default()
        }),
        plan_step: id.clone(),
        id,
        title,
        idempotent: step.idempotent,
        timeout: step.timeout,
        owner: step.owner.clone(),
        guidance: format!("{} was not taken back. Do it by hand.", step.id),
        changes_target: true,
        ..Step::default()
    })
}
