//! The plan of action and milestones: everything that is open, in one document.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Document, Evidence, GapStory, Logged, Plans, Run, Scope,
    entry::{PackageFile, People},
    model::*,
    observations::{Observations, Observer},
    plan::{self, component},
    text::prose,
};

/// More open items than this are cut off, and the document says how many: it is read by people.
const MAX_ITEMS: usize = 2_000;

/// What runs have left open, with all that it rests on.
#[derive(Debug, Default)]
pub(crate) struct OpenRisks {
    observations: BTreeMap<String, Observation>,
    risks: BTreeMap<String, Risk>,
    findings: Vec<Finding>,
    resources: BTreeSet<String>,
    proofs: BTreeMap<u64, PackageFile>,
    left_out: usize,
}

impl OpenRisks {
    /// Keeps what one run did not satisfy.
    pub(super) fn remember(
        &mut self,
        run: &Run,
        seen: &[Observation],
        risks: &[Risk],
        findings: &[Finding],
        proofs: &BTreeMap<u64, PackageFile>,
    ) {
        let is_open = |uuid: &str| risks.iter().any(|risk| risk.uuid == uuid && risk.status != "closed");
        let open = findings.iter().filter(|finding| finding.related_risks.iter().any(|risk| is_open(&risk.risk_uuid)));
        for finding in open {
            if self.findings.len() >= MAX_ITEMS {
                self.left_out += 1;
                continue;
            }
            let named =
                risks.iter().filter(|risk| finding.related_risks.iter().any(|named| named.risk_uuid == risk.uuid));
            for risk in named {
                self.keep(seen, &risk.related_observations);
                self.risks.insert(risk.uuid.clone(), without_tasks(risk.clone()));
            }
            self.keep(seen, &finding.related_observations);
            let origins = finding.origins.iter().cloned().map(without_task).collect();
            self.findings.push(Finding { origins, ..finding.clone() });
            self.resources.extend(run.resources());
            self.proofs.extend(proofs.iter().map(|(sequence, proof)| (*sequence, proof.clone())));
        }
    }

    fn keep(&mut self, seen: &[Observation], wanted: &[ObservationRef]) {
        for observation in seen.iter().filter(|o| wanted.iter().any(|w| w.observation_uuid == o.uuid)) {
            let origins = observation.origins.iter().cloned().map(without_task).collect();
            self.observations.insert(observation.uuid.clone(), Observation { origins, ..observation.clone() });
        }
    }
}

/// A plan of action has no assessment plan that a task could be looked up in.
fn without_task(origin: Origin) -> Origin {
    Origin { related_tasks: Vec::new(), ..origin }
}

fn without_tasks(risk: Risk) -> Risk {
    Risk { origins: risk.origins.into_iter().map(without_task).collect(), ..risk }
}

/// `None` when nothing is open: OSCAL knows no plan of action without an item. `gaps`: those that belong on it.
pub(crate) fn action_plan(
    scope: &Scope,
    plans: &Plans,
    open: OpenRisks,
    gaps: &[&GapStory],
    newest: jiff::Timestamp,
    proofs: &BTreeMap<u64, PackageFile>,
) -> Result<Option<Document>, serde_json::Error> {
    let OpenRisks { mut observations, mut risks, findings, mut resources, proofs: of_runs, mut left_out } = open;
    let all_proofs: BTreeMap<u64, PackageFile> =
        of_runs.into_iter().chain(proofs.iter().map(|(sequence, proof)| (*sequence, proof.clone()))).collect();
    let mut evidence = Evidence::new(scope, &all_proofs);
    let mut people = People::default();
    let mut found = Observations::default();
    left_out += gaps.len().saturating_sub(MAX_ITEMS);
    for gap in gaps.iter().take(MAX_ITEMS) {
        let subject = Some(&gap.opened.resource).filter(|name| plans.resources.contains_key(*name));
        resources.extend(subject.cloned());
        let subjects = subject.map(|name| SubjectRef::component(scope.component(name))).into_iter().collect();
        let mut observer = Observer { evidence: &mut evidence, origin: plan::origin(None), subjects };
        let risk = gap.risk(&mut observer, &mut found);
        risks.insert(risk.uuid.clone(), risk);
    }
    if risks.is_empty() {
        return Ok(None);
    }
    observations.extend(found.all.into_iter().map(|seen| (seen.uuid.clone(), seen)));
    // The proofs of what runs left behind are cited in their own words: their resources must be here too.
    for observation in observations.values() {
        evidence.cite_again(&observation.relevant_evidence);
    }
    let items = risks.values().map(|risk| item(scope, risk, &findings, gaps, &mut people)).collect();
    let mut metadata = scope.metadata("What is open".into(), scope.version(), newest, &people);
    if left_out > 0 {
        metadata.props.extend(props([("items-left-out", left_out.to_string())]));
    }
    let document = ActionPlan {
        uuid: scope.of_subject("poam", "all"),
        metadata,
        system_id: SystemId { identifier_type: "http://ietf.org/rfc/rfc4122", id: scope.of_subject("system", "all") },
        local_definitions: ActionPlanDefinitions {
            components: resources.iter().map(|name| component(scope, plans, name)).collect(),
            assessment_assets: plan::assets(scope),
        },
        observations: observations.into_values().collect(),
        risks: risks.into_values().collect(),
        findings,
        poam_items: items,
        back_matter: evidence.back_matter(),
    };
    Document::new("plan-of-action-and-milestones.json".into(), "plan-of-action-and-milestones", &document).map(Some)
}

fn item(scope: &Scope, risk: &Risk, findings: &[Finding], gaps: &[&GapStory], people: &mut People) -> ActionItem {
    let of_risk = findings.iter().filter(|f| f.related_risks.iter().any(|named| named.risk_uuid == risk.uuid));
    let planned = risk.remediations.first().map(|remedy| remedy.description.clone());
    let gap = gaps.iter().find(|gap| risk.props.iter().any(|prop| prop.name == "gap-id" && prop.value == gap.id));
    let opener = gap.and_then(|gap| gap.events.first()).map(|(event, _): &(Logged, _)| {
        let actor = event.record.actor.as_ref();
        OriginActor { r#type: "party", actor_uuid: people.add(scope, actor) }
    });
    ActionItem {
        uuid: super::ids::derived(&["poam-item", &risk.uuid]),
        title: risk.title.clone(),
        description: planned.unwrap_or_else(|| prose("No corrective action is planned yet.")),
        props: props([("status", risk.status.into())]),
        origins: vec![Origin {
            actors: vec![opener.unwrap_or_else(|| plan::origin(None).actors.remove(0))],
            related_tasks: Vec::new(),
        }],
        related_findings: of_risk.map(|finding| FindingRef { finding_uuid: finding.uuid.clone() }).collect(),
        related_observations: risk.related_observations.clone(),
        related_risks: vec![RiskRef { risk_uuid: risk.uuid.clone() }],
    }
}
