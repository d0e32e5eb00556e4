//! Assessment results of one drill or real execution.

use std::collections::BTreeMap;

use muster_domain::pb::common::v1::ActorKind;

use super::{
    Document, Evidence, GapStory, Logged, OpenRisks, Run, Scope, decisions,
    entry::{PackageFile, People},
    findings::findings,
    model::*,
    observations::{Observer, observe, type_word},
    plan,
    text::{code, prose},
};

/// What a document about one run is made of.
pub(crate) struct RunParts<'a> {
    pub(crate) scope: &'a Scope,
    pub(crate) run: &'a Run,
    /// The gaps of this request.
    pub(crate) gaps: &'a [&'a GapStory],
    /// Sequences of the run's events that the export selects: these are the entries of the log.
    pub(crate) selected: &'a [u64],
    pub(crate) proofs: &'a BTreeMap<u64, PackageFile>,
}

/// One document. What is not satisfied is remembered for the plan of action.
pub(crate) fn results_of_run(parts: &RunParts<'_>, open: &mut OpenRisks) -> Result<Document, serde_json::Error> {
    let RunParts { scope, run, gaps, selected, proofs } = *parts;
    let plan = plan::key_of_run(run);
    let task = plan::task(scope, &plan, type_word(run));
    let mut evidence = Evidence::new(scope, proofs);
    let mut people = people_of(scope, run);

    let subjects = run.resources().iter().map(|name| SubjectRef::component(scope.component(name))).collect();
    let mut observer = Observer { evidence: &mut evidence, origin: plan::origin(Some(&task)), subjects };
    let mut found = observe(run, &mut observer);
    let (findings, risks) = findings(run, gaps, &mut found, &mut observer);
    let attestations = decisions::attestations(run, &evidence, &mut people);
    let chosen = run.events.iter().filter(|event| selected.contains(&event.record.sequence));
    let entries: Vec<LogEntry> =
        chosen.map(|event| log_entry(event, &mut evidence, &mut people, Some(&task))).collect();
    open.remember(run, &found.all, &risks, &findings, proofs);

    let newest = run.events.iter().chain(gaps.iter().filter_map(|gap| gap.newest())).map(Logged::at).max();
    let what = format!("{} of {}", type_word(run), code(&run.scope_name()));
    let uuid = |element: &str| scope.of_subject(element, &format!("run/{}", run.request_id));
    let ends = run.end.as_ref().map(|end| end.event.time());
    let document = AssessmentResults {
        uuid: uuid("assessment-results"),
        metadata: scope.metadata(format!("Results: {what}"), scope.version(), newest.unwrap_or_default(), &people),
        import_ap: Import { href: plan::file_name(&plan), remarks: None },
        results: vec![AssessmentResult {
            uuid: uuid("result"),
            title: format!("The {what}"),
            description: prose(&run.opened.as_ref().map(|opened| opened.body.reason.clone()).unwrap_or_default()),
            start: run.events.first().map(Logged::time).unwrap_or_default(),
            end: ends.map(|end| latest(end, &run.events)),
            props: props([
                ("request-id", run.request_id.clone()),
                ("request-type", type_word(run).into()),
                ("drill", run.is_drill().to_string()),
                ("break-glass", run.broke_glass().to_string()),
                ("outcome", run.end.as_ref().map_or("not ended", |end| end.body.word()).into()),
            ]),
            reviewed_controls: plan::reviewed_controls(
                findings.iter().map(|finding| finding.target.target_id.as_str()),
            ),
            attestations,
            assessment_log: AssessmentLog { entries },
            observations: found.all,
            risks,
            findings,
        }],
        back_matter: evidence.back_matter(),
    };
    Document::new(format!("assessment-results-{}.json", run.request_id), "assessment-results", &document)
}

/// A result ends with the last event it rests on: reviews come days after the run.
fn latest(end: String, events: &[Logged]) -> String {
    events.iter().filter(|event| event.is_citable()).map(Logged::time).max().map_or(end.clone(), |last| last.max(end))
}

fn people_of(scope: &Scope, run: &Run) -> People {
    let mut people = People::default();
    if let Some(confirmed) = &run.confirmed {
        people.add_assessor(scope, confirmed.body.actor.as_ref());
    }
    people
}

/// One event as a line of the assessment log.
pub(super) fn log_entry(
    event: &Logged,
    evidence: &mut Evidence<'_>,
    people: &mut People,
    task: Option<&str>,
) -> LogEntry {
    let scope = evidence.scope();
    let record = &event.record;
    let actor = record.actor.as_ref();
    let by = actor.filter(|actor| actor.kind() != ActorKind::Person).map(|actor| format!(" ({})", prose(&actor.name)));
    let description = [&record.outcome, &record.reason].map(|text| prose(text)).join(": ");
    LogEntry {
        uuid: scope.of_event("log-entry", event.id()),
        title: code(&record.r#type),
        description: Some(format!("{description}{}", by.unwrap_or_default())),
        start: event.time(),
        props: evidence.props(event),
        links: vec![evidence.link(event)],
        logged_by: vec![LoggedBy { party_uuid: people.add(scope, actor) }],
        related_tasks: task.map(|task| TaskRef { task_uuid: task.to_owned() }).into_iter().collect(),
    }
}
