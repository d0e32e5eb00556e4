//! The events of an export that belong to no run: looks at systems, changes of configuration, refused attempts, the log's
//! own keeping. They are assessment results of the continuous observation, so that the assessment logs of all documents
//! together are exactly the events that CSV and JSON Lines hold. What is determined from them is only what the log found out
//! about the record itself.

use std::collections::BTreeMap;

use super::{
    Document, Evidence, GapStory, Logged, PackageFile, Scope,
    entry::People,
    integrity::Integrity,
    model::*,
    plan::{self, MONITORING},
    results::log_entry,
};

/// `None` when there are no events.
pub(crate) fn rest_of_the_record(
    scope: &Scope,
    events: &[Logged],
    gaps: &[GapStory],
    proofs: &BTreeMap<u64, PackageFile>,
) -> Result<Option<Document>, serde_json::Error> {
    let (Some(first), Some(last)) = (events.first(), events.last()) else { return Ok(None) };
    let range = format!("{}-{}", first.record.sequence, last.record.sequence);
    let mut evidence = Evidence::new(scope, proofs);
    let mut people = People::default();
    let task = plan::task(scope, MONITORING, MONITORING);
    let integrity = Integrity::of(events, gaps, &mut evidence, &task)?;
    let entries = events.iter().map(|event| log_entry(event, &mut evidence, &mut people, Some(&task))).collect();
    let newest = events.iter().map(Logged::at).max().unwrap_or_default();
    let uuid = |element: &str| scope.of_subject(element, &format!("record/{}/{range}", scope.origin));
    let text =
        format!("Events {} to {} of the record that belong to no run", first.record.sequence, last.record.sequence);
    let oldest = events.iter().map(Logged::at).min().unwrap_or_default();
    let document = AssessmentResults {
        uuid: uuid("assessment-results"),
        metadata: scope.metadata(text.clone(), scope.version(), newest, &people),
        import_ap: Import { href: plan::file_name(MONITORING), remarks: None },
        results: vec![AssessmentResult {
            uuid: uuid("result"),
            title: text,
            description: if integrity.findings.is_empty() {
                "What the continuous observation recorded. Nothing is determined here.".into()
            } else {
                "What the continuous observation recorded, and what the log found out about the record itself.".into()
            },
            start: super::entry::time(oldest),
            end: Some(super::entry::time(newest)),
            props: props([("events", events.len().to_string())]),
            reviewed_controls: plan::reviewed_controls(
                integrity.findings.iter().map(|finding| finding.target.target_id.as_str()),
            ),
            attestations: Vec::new(),
            assessment_log: AssessmentLog { entries },
            observations: integrity.observations,
            risks: integrity.risks,
            findings: integrity.findings,
        }],
        back_matter: evidence.back_matter(),
    };
    let name = format!("assessment-results-record-{:09}-{:09}.json", first.record.sequence, last.record.sequence);
    Document::new(name, "assessment-results", &document).map(Some)
}
