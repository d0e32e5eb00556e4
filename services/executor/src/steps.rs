//! Steps of one run from the steps of a plan: a move becomes its platform's own steps, everything else stays one step.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use muster_domain::{
    pb::{
        execution::v1::{Member, Step},
        plan::v1::{Action, FailurePolicy, ManualAction, PlanStep, action::Kind},
    },
    plan::{PlannedStep, Scope},
    time::{PbDuration, duration_to_pb},
};

use crate::{
    inner::{self, CopyStep},
    leg::Leg,
};

/// In front of everything that belongs to the second half of a live drill: see `execution::is_way_back`.
pub(crate) const WAY_BACK: &str = "back/";

/// For a step of a plan that names no limit: the same as `actions::DEFAULT_TIMEOUT`.
const PLAN_STEP_LIMIT: SignedDuration = SignedDuration::from_secs(60);
/// Looking at both sides and asking the questions of the data.
const LOOK_LIMIT: SignedDuration = SignedDuration::from_mins(10);
/// A copy of a large database takes its time; nothing of production waits for it.
const COPY_LIMIT: SignedDuration = SignedDuration::from_hours(12);

/// The platform's own steps of each resource. Nothing for those that are there already.
pub(crate) struct Platforms(BTreeMap<String, Vec<Step>>);

impl Platforms {
    pub(crate) fn of<'a>(legs: impl Iterator<Item = &'a Leg>, members: &[Member]) -> Self {
        let stays = |resource: &str| members.iter().any(|member| member.resource == resource && member.there_already);
        let moved = legs.filter(|leg| !stays(leg.resource()));
        let steps = moved.filter_map(|leg| Some((leg.resource().to_owned(), plan_of(leg)?)));
        Self(steps.collect())
    }

    /// One after the other, as steps of that one step of a plan.
    pub(crate) fn named(&self, resource: &str, plan_step: &str) -> Vec<Step> {
        let named = |step: Step| Step {
            id: format!("{plan_step}/{}", step.id),
            resource: resource.to_owned(),
            plan_step: plan_step.to_owned(),
            ..step
        };
        // Taking back does not bring anybody back first, so no step here is the executor's own.
        self.steps(resource).into_iter().map(named).collect()
    }

    fn steps(&self, resource: &str) -> Vec<Step> {
        self.0.get(resource).cloned().unwrap_or_default()
    }
}

fn plan_of(leg: &Leg) -> Option<Vec<Step>> {
    let job = leg.job.as_ref().ok()?;
    let moved = job.mover.plan(&job.job);
    // Without a plan there is nothing that it could be brought back for.
    if !leg.returns_first || moved.is_empty() {
        return Some(moved);
    }
    let home = job.mover.way_home(&job.job);
    Some([home, vec![own(inner::Kind::Ready, &leg.member)], moved].concat())
}

/// The one move of a single resource without a plan: the platform's steps by their own names, one after the other.
pub(crate) fn bare(planned: &[PlannedStep], platforms: &Platforms) -> Vec<Step> {
    let of_one = |step: &PlannedStep| {
        let resource = step.resource.clone().unwrap_or_default();
        let steps = platforms.steps(&resource);
        let plan_step = step.id.clone();
        let named = move |platform: Step| match inner::Kind::of(&platform) {
            Some(_) => platform,
            None => Step { resource: resource.clone(), plan_step: plan_step.clone(), ..platform },
        };
        steps.into_iter().map(named).collect::<Vec<_>>()
    };
    planned.iter().flat_map(of_one).collect()
}

/// The graph of a plan. `prefix` is in front of every id; what waits for nothing in the plan waits for `first`.
pub(crate) fn expanded(planned: &[PlannedStep], prefix: &str, platforms: &Platforms, first: &[String]) -> Vec<Step> {
    let mut steps = Vec::new();
    // What to wait for instead of each step of the plan.
    let mut ends: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for step in planned {
        let mut after: Vec<String> = Vec::new();
        for id in step.after.iter().flat_map(|id| ends.get(id.as_str()).into_iter().flatten()) {
            if !after.contains(id) {
                after.push(id.clone());
            }
        }
        if step.after.is_empty() {
            after = first.to_vec();
        }
        let plan_step = format!("{prefix}{}", step.id);
        let end = match &step.resource {
            Some(resource) => {
                let chain = moved(step, &plan_step, resource, platforms, after.clone());
                let last = chain.last().map(|last| vec![last.id.clone()]);
                steps.extend(chain);
                // One that is there already is passed through.
                last.unwrap_or(after)
            }
            None => {
                steps.push(done(step, &plan_step, after));
                vec![plan_step]
            }
        };
        ends.insert(&step.id, end);
    }
    steps
}

fn moved(
    step: &PlannedStep,
    plan_step: &str,
    resource: &str,
    platforms: &Platforms,
    mut after: Vec<String>,
) -> Vec<Step> {
    let on_failure = match step.definition.on_failure() {
        FailurePolicy::Undo => FailurePolicy::Undo,
        // What comes after a move that failed cannot go on.
        FailurePolicy::Stop | FailurePolicy::Continue | FailurePolicy::Unspecified => FailurePolicy::Stop,
    };
    let mut chain = Vec::new();
    for platform in platforms.steps(resource) {
        // A step of the executor's own keeps its name and is no part of the move.
        let (id, of) = match inner::Kind::of(&platform) {
            Some(_) => (platform.id.clone(), platform.plan_step.clone()),
            None => (format!("{plan_step}/{}", platform.id), plan_step.to_owned()),
        };
        chain.push(Step {
            after: std::mem::replace(&mut after, vec![id.clone()]),
            id,
            phase: step.phase.clone(),
            resource: resource.to_owned(),
            on_failure: on_failure.into(),
            owner: step.definition.owner.clone(),
            plan_step: of,
            ..platform
        });
    }
    chain
}

/// A step of the plan itself.
fn done(step: &PlannedStep, id: &str, after: Vec<String>) -> Step {
    let definition = &step.definition;
    let kind = kind_of(definition);
    let title = if definition.title.is_empty() { &definition.id } else { &definition.title };
    Step {
        id: id.to_owned(),
        title: title.clone(),
        idempotent: is_idempotent(definition),
        timeout: limit(definition),
        guidance: guidance(definition),
        changes_target: matches!(kind, Some(Kind::Http(_) | Kind::Dns(_) | Kind::Command(_) | Kind::Manual(_))),
        after,
        phase: step.phase.clone(),
        definition: Some(definition.clone()),
        on_failure: definition.on_failure,
        owner: definition.owner.clone(),
        plan_step: id.to_owned(),
        ..Step::default()
    }
}

pub(crate) fn kind_of(definition: &PlanStep) -> Option<&Kind> {
    definition.action.as_ref()?.kind.as_ref()
}

/// Waiting, a record set that is replaced only as expected, a message with one id: twice is once.
fn is_idempotent(definition: &PlanStep) -> bool {
    matches!(kind_of(definition), Some(Kind::Wait(_) | Kind::Dns(_) | Kind::Notify(_))) || definition.idempotent
}

/// A person takes the time that the plan gives, or as long as it takes.
fn limit(definition: &PlanStep) -> Option<PbDuration> {
    let is_manual = matches!(kind_of(definition), Some(Kind::Manual(_)));
    definition.timeout.or_else(|| (!is_manual).then(|| duration_to_pb(PLAN_STEP_LIMIT)))
}

fn guidance(definition: &PlanStep) -> String {
    let who =
        if definition.owner.is_empty() { String::new() } else { format!(" {} answers for it.", definition.owner) };
    let back = match (&definition.undo, definition.no_undo_because.as_str()) {
        (Some(_), _) => " Its undo is in the plan.".to_owned(),
        (None, "") => String::new(),
        (None, why) => format!(" It cannot be taken back: {why}"),
    };
    format!("See whether {} took effect, and finish it by hand or take it back.{who}{back}", definition.id)
}

/// A step of the executor's own.
pub(crate) fn own(kind: inner::Kind, member: &Member) -> Step {
    let resource = &member.resource;
    let id = kind.id(resource);
    let (title, limit, guidance) = match kind {
        inner::Kind::Look => (
            format!("Look at both sides of {resource}, and ask the questions of its data there"),
            LOOK_LIMIT,
            "Nothing was changed. See which side does not answer as it must.".to_owned(),
        ),
        inner::Kind::Prove => (
            format!("Prove that {resource} runs well at {} before it goes back", member.target_site),
            LOOK_LIMIT,
            format!("{resource} runs at {}. Look at each check; going back is a new failback.", member.target_site),
        ),
        inner::Kind::Ready => (
            format!("Make the prechecks of the move of {resource}, now that {} follows again", member.target_node),
            LOOK_LIMIT,
            format!(
                "{} serves, and {} follows it. Remove the cause that the check names, then request the failback again.",
                member.from_node, member.target_node
            ),
        ),
        inner::Kind::Copy(step) => (copy_title(step, resource), COPY_LIMIT, copy_guidance(resource)),
    };
    Step {
        title,
        idempotent: true,
        timeout: Some(duration_to_pb(limit)),
        guidance,
        resource: resource.clone(),
        plan_step: id.clone(),
        id,
        on_failure: FailurePolicy::Stop.into(),
        ..Step::default()
    }
}

fn copy_title(step: CopyStep, resource: &str) -> String {
    match step {
        CopyStep::Make => format!("Make a copy of {resource} apart from production"),
        CopyStep::Start => format!("Start the copy of {resource}"),
        CopyStep::Query => format!("Ask the copy of {resource} for its newest data and the questions of its data"),
        CopyStep::Remove => format!("Remove the copy of {resource}"),
        CopyStep::Verify => format!("Prove that nothing of the copy of {resource} is left"),
    }
}

fn copy_guidance(resource: &str) -> String {
    format!("Production was not touched. See on the drill's host that nothing of the copy of {resource} is left.")
}

/// An isolated drill: each resource's copy by itself, side by side.
pub(crate) fn copies(scope: &Scope<'_>, members: &[Member]) -> Result<Vec<Step>, String> {
    let without: Vec<&str> = scope
        .members
        .iter()
        .filter(|member| member.spec.isolated_drill.is_none())
        .map(|member| member.document.name.as_str())
        .collect();
    if !without.is_empty() {
        let names = without.join(", ");
        return Err(format!("{names}: no isolatedDrill in the manifest, so there is no place for a copy: add it"));
    }
    let mut steps = Vec::new();
    for member in members {
        let mut after = Vec::new();
        for kind in CopyStep::ALL.map(inner::Kind::Copy) {
            let step = own(kind, member);
            let id = step.id.clone();
            // One measurement for all of a copy's steps.
            let plan_step = format!("copy:{}", member.resource);
            steps.push(Step { after: std::mem::replace(&mut after, vec![id]), plan_step, ..step });
        }
    }
    Ok(steps)
}

/// A tabletop: every step of the plan is a person's, one after the other, and nothing is done by Muster.
pub(crate) fn talked_through(planned: &[PlannedStep]) -> Vec<Step> {
    let mut after = Vec::new();
    let mut steps = Vec::new();
    for step in planned {
        let said = step.definition.clone();
        let title = format!("Walk through: {}", if said.title.is_empty() { &said.id } else { &said.title });
        let role = match kind_of(&step.definition) {
            Some(Kind::Manual(manual)) => manual.role,
            _ => muster_domain::pb::common::v1::Role::Operator.into(),
        };
        let manual = ManualAction { role, instructions: instructions(step) };
        steps.push(Step {
            id: step.id.clone(),
            title,
            guidance: "Nothing was touched. Note what was found, and go on or end the exercise.".into(),
            after: std::mem::replace(&mut after, vec![step.id.clone()]),
            phase: step.phase.clone(),
            definition: Some(PlanStep {
                action: Some(Action { kind: Some(Kind::Manual(manual)) }),
                prechecks: Vec::new(),
                postchecks: Vec::new(),
                undo: None,
                timeout: None,
                ..said
            }),
            on_failure: FailurePolicy::Continue.into(),
            owner: step.definition.owner.clone(),
            plan_step: step.id.clone(),
            ..Step::default()
        });
    }
    steps
}

fn instructions(step: &PlannedStep) -> String {
    let what = match kind_of(&step.definition) {
        Some(Kind::Move(action)) => format!("{} would be moved by its platform's own steps.", action.resource),
        Some(Kind::Wait(_)) => "The run would wait here until its condition holds.".to_owned(),
        Some(Kind::Http(http)) => format!("{} {} would be called.", http.method, http.url),
        Some(Kind::Dns(dns)) => format!("{} {} would be set to {}.", dns.name, dns.r#type, dns.to_values.join(", ")),
        Some(Kind::Command(command)) => format!("The command {} would be run on the executor.", command.name),
        Some(Kind::Notify(notify)) => format!("People would be told: {}", notify.text),
        Some(Kind::Manual(manual)) => manual.instructions.clone(),
        None => "The plan says nothing more.".to_owned(),
    };
    format!("{what} Say who would do it, what they need, and what is missing.")
}

/// Steps that no other waits for.
pub(crate) fn ends(steps: &[Step]) -> Vec<String> {
    let is_waited_for = |id: &String| steps.iter().any(|step| step.after.contains(id));
    steps.iter().map(|step| step.id.clone()).filter(|id| !is_waited_for(id)).collect()
}
