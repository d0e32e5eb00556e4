//! One move within a run: one resource, from one site to the other. A live drill has two of each resource.

use muster_domain::{
    execution::{Execution, Facts, is_point_of_no_return, is_way_back},
    pb::{
        execution::v1::{ExecutionStarted, Member, Step, StepState, StepView},
        request::v1::RequestType,
    },
    request::type_of,
};
use muster_platform::MoveKind;

use crate::{
    inner,
    job::{Job, JobError},
};

/// One move, by the platform of its resource.
pub(crate) struct Leg {
    /// The step of the plan that its steps belong to. Empty in runs from before there were plans.
    pub id: String,
    /// With the direction of this move.
    pub member: Member,
    /// A resource that is there already has a job to look with, and no steps.
    pub job: Result<Job, JobError>,
    /// A failback's: its target does not follow (the old primary after a failover) and is brought back first.
    pub returns_first: bool,
}

/// What a run's steps say of its moves: the step of the plan, the resource, and whether it goes back.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Course {
    pub id: String,
    pub member: Member,
}

/// Every move that the run was begun with, and every resource that was there already.
pub(crate) fn courses(started: &ExecutionStarted) -> Vec<Course> {
    let members = members(started);
    let mut courses: Vec<Course> = Vec::new();
    for step in started.steps.iter().filter(|step| is_platforms(step)) {
        if courses.iter().any(|course| course.id == step.plan_step) {
            continue;
        }
        let resource = if step.resource.is_empty() { &started.resource } else { &step.resource };
        let Some(member) = members.iter().find(|member| member.resource == *resource) else { continue };
        let member = if is_way_back(step) { turned(member) } else { member.clone() };
        courses.push(Course { id: step.plan_step.clone(), member });
    }
    for member in members {
        if !courses.iter().any(|course| course.member.resource == member.resource) {
            // No step can have that name: nothing is moved by it.
            courses.push(Course { id: format!("look:{}", member.resource), member });
        }
    }
    courses
}

/// The resources of a run. Runs from before there were groups name theirs in the event itself.
pub(crate) fn members(started: &ExecutionStarted) -> Vec<Member> {
    if !started.members.is_empty() {
        return started.members.clone();
    }
    vec![Member {
        resource: started.resource.clone(),
        from_site: started.from_site.clone(),
        target_site: started.target_site.clone(),
        from_node: started.from_node.clone(),
        target_node: started.target_node.clone(),
        tier: started.tier,
        environment: started.environment,
        rto_target: started.rto_target,
        rpo_target: started.rpo_target,
        ..Member::default()
    }]
}

/// The same resource, the other way.
pub(crate) fn turned(member: &Member) -> Member {
    Member {
        from_site: member.target_site.clone(),
        target_site: member.from_site.clone(),
        from_node: member.target_node.clone(),
        target_node: member.from_node.clone(),
        there_already: false,
        ..member.clone()
    }
}

/// A step that the platform of its resource does.
pub(crate) fn is_platforms(step: &Step) -> bool {
    step.definition.is_none() && inner::Kind::of(step).is_none()
}

/// "stop-primary" of "move-orders-db/stop-primary": platforms know only their own names.
pub(crate) fn platform_step(id: &str) -> &str {
    id.rsplit('/').next().unwrap_or(id)
}

/// How a request of that type moves what it moves.
pub(crate) fn move_kind(request_type: &str) -> MoveKind {
    match type_of(request_type) {
        Some(RequestType::Failover) => MoveKind::Failover,
        _ => MoveKind::Switchover,
    }
}

impl Leg {
    pub(crate) fn resource(&self) -> &str {
        &self.member.resource
    }

    pub(crate) fn steps<'a>(&'a self, execution: &'a Execution) -> impl Iterator<Item = &'a StepView> {
        execution
            .view
            .steps
            .iter()
            .filter(|view| view.step.as_ref().is_some_and(|step| is_platforms(step) && step.plan_step == self.id))
    }

    pub(crate) fn facts(&self, execution: &Execution) -> Facts {
        execution.facts_of(&self.id)
    }

    /// Something of it was begun.
    pub(crate) fn is_touched(&self, execution: &Execution) -> bool {
        self.steps(execution).any(|step| step.attempts > 0)
    }

    /// What was begun of it only brings the target back as a standby: nothing of the move itself.
    pub(crate) fn only_returns(&self, execution: &Execution) -> bool {
        let Some(job) = self.job.as_ref().ok().filter(|_| self.returns_first) else { return false };
        let home: Vec<String> = job.mover.way_home(&job.job).into_iter().map(|step| step.id).collect();
        let begun = self.steps(execution).filter(|view| view.attempts > 0).filter_map(|view| view.step.as_ref());
        begun.into_iter().all(|step| home.iter().any(|id| id == platform_step(&step.id)))
    }

    pub(crate) fn is_complete(&self, execution: &Execution) -> bool {
        let mut steps = self.steps(execution).peekable();
        steps.peek().is_some() && steps.all(|step| step.state() == StepState::Succeeded)
    }

    /// Whether a step that cannot be taken back is in one of these states.
    pub(crate) fn is_irreversible(&self, execution: &Execution, states: &[StepState]) -> bool {
        let is_final = |step: &&StepView| step.step.as_ref().is_some_and(is_point_of_no_return);
        self.steps(execution).filter(is_final).any(|step| states.contains(&step.state()))
    }
}
