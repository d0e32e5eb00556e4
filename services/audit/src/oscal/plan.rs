//! Assessment plans: one for each recovery plan, built-in ones included, and one for the continuous observation.

use std::collections::{BTreeMap, BTreeSet};

use muster_domain::{
    pb::{
        execution::v1::ExecutionStarted,
        inventory::v1::{ResourceSpec, resource_spec::Platform},
        plan::v1::PlanSpec,
    },
    plan::{proves, valid_for},
    request::type_of,
    time::duration_from_pb,
};

use super::{
    Document, Logged, Run, Scope,
    entry::{Evidence, People},
    ids::derived,
    model::*,
    observations::{seconds, words},
    text::{code, prose, title},
};

/// The key of the plan that stands for the continuous observation.
pub(crate) const MONITORING: &str = "continuous-observation";
const DAY_SECONDS: i64 = 24 * 60 * 60;

/// Controls that results speak about even where one run has no finding on them.
const CONTROLS: [&str; 4] = ["cp-2", "cp-4", "cp-10", "au-12"];

/// What is known of all plans and systems at the checkpoint.
#[derive(Debug, Default)]
pub(crate) struct Plans {
    pub(crate) resources: BTreeMap<String, ResourceSpec>,
    pub(crate) plans: BTreeMap<String, PlanStory>,
}

/// One recovery plan and what was run by it.
#[derive(Debug, Default)]
pub(crate) struct PlanStory {
    /// Empty: a built-in plan.
    pub(crate) name: String,
    pub(crate) spec: Option<PlanSpec>,
    pub(crate) version: u64,
    /// The group or resource of a built-in plan.
    pub(crate) scope_name: String,
    /// The newest of its events.
    pub(crate) newest: Option<Logged>,
    pub(crate) published: Option<Logged>,
    pub(crate) resources: BTreeSet<String>,
    /// By request type, as it was run last.
    pub(crate) runs: BTreeMap<String, RunSummary>,
}

/// The steps of a run, as they were fixed at its start.
#[derive(Debug, Default)]
pub(crate) struct RunSummary {
    pub(crate) steps: Vec<(String, String)>,
    pub(crate) rto: Option<String>,
    pub(crate) rpo: Option<String>,
}

impl Plans {
    /// Takes in that a run began.
    pub(crate) fn note_run(&mut self, event: &Logged, started: &ExecutionStarted) {
        let story = self.plans.entry(key_of(started)).or_default();
        let plan = started.plan.clone().unwrap_or_default();
        story.name = plan.name;
        if story.spec.is_none() {
            story.version = story.version.max(plan.version);
        }
        story.scope_name = if started.group.is_empty() { started.resource.clone() } else { started.group.clone() };
        let members = started.members.iter().map(|member| member.resource.clone());
        story.resources.extend(members.chain([started.resource.clone()]).filter(|name| !name.is_empty()));
        let summary = RunSummary {
            steps: started.steps.iter().map(|step| (step.id.clone(), step.title.clone())).collect(),
            rto: seconds(started.rto_target.as_ref()),
            rpo: seconds(started.rpo_target.as_ref()),
        };
        story.runs.insert(started.r#type.clone(), summary);
        story.newest = Some(event.clone());
    }
}

/// "named-shop", "built-in-orders-db", "built-in-group-shop"
pub(crate) fn key_of(started: &ExecutionStarted) -> String {
    match started.plan.as_ref().map(|plan| plan.name.as_str()).unwrap_or_default() {
        "" if started.group.is_empty() => format!("built-in-{}", started.resource),
        "" => format!("built-in-group-{}", started.group),
        name => plan_key(name),
    }
}

pub(crate) fn plan_key(name: &str) -> String {
    format!("named-{name}")
}

pub(super) fn key_of_run(run: &Run) -> String {
    run.started.as_ref().map_or_else(|| MONITORING.to_owned(), |started| key_of(&started.body))
}

pub(crate) fn file_name(key: &str) -> String {
    format!("assessment-plan-{key}.json")
}

pub(super) fn task(scope: &Scope, key: &str, kind: &str) -> String {
    scope.of_subject("task", &format!("{key}/{kind}"))
}

fn activity(scope: &Scope, key: &str, kind: &str) -> String {
    scope.of_subject("activity", &format!("{key}/{kind}"))
}

pub(super) fn muster_uuid() -> String {
    derived(&["component", "product", "muster"])
}

pub(super) fn origin(task: Option<&str>) -> Origin {
    Origin {
        actors: vec![OriginActor { r#type: "tool", actor_uuid: muster_uuid() }],
        related_tasks: task.map(|task| TaskRef { task_uuid: task.to_owned() }).into_iter().collect(),
    }
}

/// The controls that always belong to it, and those of the objectives that were decided.
pub(super) fn reviewed_controls<'o>(objectives: impl Iterator<Item = &'o str>) -> ReviewedControls {
    let objectives: BTreeSet<&str> = objectives.collect();
    let of_objectives = objectives.iter().filter_map(|id| id.split_once("_obj").map(|(control, _)| control));
    let controls: BTreeSet<&str> = of_objectives.chain(CONTROLS).collect();
    let include_objectives: Vec<_> =
        objectives.iter().map(|id| ObjectiveId { objective_id: (*id).to_owned() }).collect();
    ReviewedControls {
        control_selections: vec![ControlSelection {
            include_controls: controls.iter().map(|id| ControlId { control_id: (*id).to_owned() }).collect(),
        }],
        control_objective_selections: if include_objectives.is_empty() {
            Vec::new()
        } else {
            vec![ObjectiveSelection { include_objectives }]
        },
    }
}

/// A protected system as a component.
pub(super) fn component(scope: &Scope, plans: &Plans, name: &str) -> Component {
    let spec = plans.resources.get(name);
    let platform = spec.and_then(|spec| spec.platform.as_ref()).map(|platform| match platform {
        Platform::Postgresql(_) => "PostgreSQL",
        Platform::Mariadb(_) => "MariaDB",
        Platform::Redis(_) => "Redis",
        Platform::Patroni(_) => "PostgreSQL under Patroni",
    });
    let description = spec.map(|spec| {
        let (rpo, rto) = (words(duration_from_pb(spec.rpo.as_ref())), words(duration_from_pb(spec.rto.as_ref())));
        format!(
            "{}, normally at {}, to be moved to {}. RPO {rpo}, RTO {rto}.",
            platform.unwrap_or("A system"),
            code(&spec.primary_site),
            code(&spec.dr_site)
        )
    });
    Component {
        uuid: scope.component(name),
        r#type: "software",
        title: title(spec.map(|spec| spec.display_name.as_str()).filter(|shown| !shown.is_empty()).unwrap_or(name)),
        description: description.unwrap_or_else(|| "A protected system.".into()),
        props: props([("resource", name.to_owned())]),
        status: ComponentStatus { state: "operational" },
    }
}

/// Muster itself, the tool that every observation was made with.
pub(super) fn assets(scope: &Scope) -> AssessmentAssets {
    let muster = Component {
        uuid: muster_uuid(),
        r#type: "service",
        title: "Muster".into(),
        description: "Watches, gates, runs and measures; every step is an event of the record.".into(),
        props: Vec::new(),
        status: ComponentStatus { state: "operational" },
    };
    AssessmentAssets {
        components: vec![muster],
        assessment_platforms: vec![AssessmentPlatform {
            uuid: scope.of_subject("platform", "muster"),
            title: "Muster".into(),
            uses_components: vec![ComponentRef { component_uuid: muster_uuid() }],
        }],
    }
}

fn subjects(uuids: impl Iterator<Item = String>) -> Vec<SubjectSelection> {
    vec![SubjectSelection { r#type: "component", include_subjects: uuids.map(SubjectRef::component).collect() }]
}

fn terms(scope: &Scope, key: &str, methodology: &str) -> Terms {
    let part = |name: &'static str, prose: &str| Part {
        uuid: scope.of_subject("part", &format!("{key}/{name}")),
        name,
        ns: None,
        prose: prose.to_owned(),
        props: Vec::new(),
    };
    Terms {
        parts: vec![
            part("methodology", methodology),
            part(
                "assumptions",
                "Clocks of the sites are kept together; what a platform says about its own positions is true.",
            ),
            part(
                "assessment-exclusions",
                "Policies, contracts with sites, training and physical separation are the organisation's own evidence.",
            ),
        ],
    }
}

fn back_matter(scope: &Scope, evidence: Evidence<'_>) -> BackMatter {
    let mut back_matter = evidence.back_matter();
    back_matter.resources.insert(
        0,
        Resource {
            uuid: scope.of_subject("resource", "ssp"),
            title: "System security plan".into(),
            description: Some("Held by the organisation itself.".into()),
            props: vec![Prop::oscal("type", "plan")],
            citation: Some(Citation { text: format!("System security plan of {}", title(&scope.organization)) }),
            rlinks: Vec::new(),
            base64: None,
        },
    );
    back_matter
}

fn import_ssp(scope: &Scope) -> Import {
    Import {
        href: format!("#{}", scope.of_subject("resource", "ssp")),
        remarks: Some("The system security plan stays with the organisation; this document only points at it."),
    }
}

/// The assessment plan of one recovery plan.
pub(crate) fn recovery_plan(
    scope: &Scope,
    plans: &Plans,
    key: &str,
    story: &PlanStory,
) -> Result<Document, serde_json::Error> {
    let evidence = Evidence::without_proofs(scope);
    let roles = || vec![ResponsibleRole { role_id: "assessor", party_uuids: Vec::new() }];
    let of_all = || subjects(story.resources.iter().map(|name| scope.component(name)));
    let (mut activities, mut tasks) = (Vec::new(), Vec::new());
    for (kind, run) in &story.runs {
        let steps = run.steps.iter().map(|(id, step)| ActivityStep {
            uuid: scope.of_subject("step", &format!("{key}/{kind}/{id}")),
            title: title(step),
            description: format!("Step {}.", code(id)),
        });
        let mut about = vec![Prop::oscal("method", if kind == "tabletop-drill" { "INTERVIEW" } else { "TEST" })];
        about.extend(props([
            ("rto-target-seconds", run.rto.clone().unwrap_or_default()),
            ("rpo-target-seconds", run.rpo.clone().unwrap_or_default()),
        ]));
        about.extend(story.published.iter().flat_map(|event| evidence.props(event)));
        activities.push(Activity {
            uuid: activity(scope, key, kind),
            title: format!("The steps of a {kind}"),
            description: "As they were fixed at the start of the newest run of this type.".into(),
            props: about,
            steps: steps.collect(),
            related_controls: reviewed_controls(std::iter::empty()),
            responsible_roles: roles(),
        });
        tasks.push(Task {
            uuid: task(scope, key, kind),
            r#type: "action",
            title: format!("Run a {kind}"),
            description: None,
            props: Vec::new(),
            timing: story.spec.as_ref().and_then(|spec| frequency(spec, kind)),
            dependencies: Vec::new(),
            associated_activities: vec![AssociatedActivity {
                activity_uuid: activity(scope, key, kind),
                subjects: of_all(),
            }],
            responsible_roles: roles(),
        });
    }
    tasks.push(review_task(scope, key, &tasks));
    let shown = story.spec.as_ref().map(|spec| spec.display_name.as_str()).filter(|shown| !shown.is_empty());
    let name =
        if story.name.is_empty() { format!("built-in plan of {}", story.scope_name) } else { story.name.clone() };
    let newest = story.newest.as_ref().map(Logged::at).unwrap_or_default();
    let version = if story.name.is_empty() { "built-in".to_owned() } else { story.version.to_string() };
    let document = AssessmentPlan {
        uuid: scope.of_subject("assessment-plan", key),
        metadata: scope.metadata(
            format!("Contingency tests: {}", title(shown.unwrap_or(&name))),
            version,
            newest,
            &People::default(),
        ),
        import_ssp: import_ssp(scope),
        local_definitions: PlanDefinitions {
            components: story.resources.iter().map(|name| component(scope, plans, name)).collect(),
            activities,
        },
        terms_and_conditions: terms(
            scope,
            key,
            "Runs on the real systems; what is measured comes from the record of events, not from interviews. Tabletop drills are talked through and say so.",
        ),
        reviewed_controls: reviewed_controls(std::iter::empty()),
        assessment_subjects: of_all(),
        assessment_assets: assets(scope),
        tasks,
        back_matter: back_matter(scope, evidence),
    };
    Document::new(file_name(key), "assessment-plan", &document)
}

/// A test proves a plan for so long; then it is due again.
fn frequency(spec: &PlanSpec, kind: &str) -> Option<Timing> {
    let days = valid_for(spec).as_secs() / DAY_SECONDS;
    let period = u32::try_from(days.max(1)).ok().filter(|_| type_of(kind).is_some_and(proves))?;
    Some(Timing::AtFrequency { period, unit: "days" })
}

fn review_task(scope: &Scope, key: &str, before: &[Task]) -> Task {
    Task {
        uuid: task(scope, key, "review"),
        r#type: "milestone",
        title: "Results reviewed".into(),
        description: Some(prose("By somebody who did not carry it out.")),
        props: Vec::new(),
        timing: None,
        dependencies: before.iter().map(|task| TaskRef { task_uuid: task.uuid.clone() }).collect(),
        associated_activities: Vec::new(),
        responsible_roles: vec![ResponsibleRole { role_id: "content-approver", party_uuids: Vec::new() }],
    }
}

/// The plan behind everything that is recorded without a run.
pub(crate) fn monitoring_plan(
    scope: &Scope,
    plans: &Plans,
    newest: jiff::Timestamp,
) -> Result<Document, serde_json::Error> {
    let of_all = || subjects(plans.resources.keys().map(|name| scope.component(name)).chain([muster_uuid()]));
    let document = AssessmentPlan {
        uuid: scope.of_subject("assessment-plan", MONITORING),
        metadata: scope.metadata("Continuous observation".into(), scope.version(), newest, &People::default()),
        import_ssp: import_ssp(scope),
        local_definitions: PlanDefinitions {
            components: plans.resources.keys().map(|name| component(scope, plans, name)).collect(),
            activities: vec![Activity {
                uuid: activity(scope, MONITORING, MONITORING),
                title: "Every protected system is looked at every few seconds".into(),
                description:
                    "Changes of its state, of the configuration and of people's rights are recorded as they happen."
                        .into(),
                props: vec![Prop::oscal("method", "EXAMINE")],
                steps: Vec::new(),
                related_controls: reviewed_controls(std::iter::empty()),
                responsible_roles: vec![ResponsibleRole { role_id: "assessor", party_uuids: Vec::new() }],
            }],
        },
        terms_and_conditions: terms(
            scope,
            MONITORING,
            "Read-only looks at both sides of every system, judged by fixed rules.",
        ),
        reviewed_controls: reviewed_controls(std::iter::empty()),
        assessment_subjects: of_all(),
        assessment_assets: assets(scope),
        tasks: vec![Task {
            uuid: task(scope, MONITORING, MONITORING),
            r#type: "action",
            title: "Observe and record".into(),
            description: None,
            props: Vec::new(),
            timing: None,
            dependencies: Vec::new(),
            associated_activities: vec![AssociatedActivity {
                activity_uuid: activity(scope, MONITORING, MONITORING),
                subjects: of_all(),
            }],
            responsible_roles: Vec::new(),
        }],
        back_matter: back_matter(scope, Evidence::without_proofs(scope)),
    };
    Document::new(file_name(MONITORING), "assessment-plan", &document)
}
