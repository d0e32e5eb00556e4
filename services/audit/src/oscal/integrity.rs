//! What the log found out about the record itself: entries that are gone or changed, two versions of it, a stream that somebody
//! touched. Each such event is seen against the objective that the record is protected.

use std::collections::BTreeMap;

use muster_domain::{gap, pb::audit::v1::AuditLogEvent};

use super::{
    Evidence, GapStory, Logged,
    gaps::risk_without_gap,
    model::*,
    observations::{Observations, Observer, Seen},
    plan,
    run::parse,
    text::{code, prose, title},
};

/// Audit information is protected from change and deletion.
const OBJECTIVE: &str = "au-9_obj.a";

/// The events of these that tell of tampering, with what they tell.
pub(crate) fn tampering(events: &[Logged]) -> Result<Vec<(&Logged, gap::Finding)>, serde_json::Error> {
    let mut found = Vec::new();
    for event in events.iter().filter(|event| event.record.aggregate.starts_with("audit-log/")) {
        let body: AuditLogEvent = parse(event)?;
        found.extend(gap::of_record(&body).map(|what| (event, what)));
    }
    Ok(found)
}

/// The observations, the risks (those of their gaps, where there are) and the one finding.
#[derive(Debug, Default)]
pub(super) struct Integrity {
    pub(super) observations: Vec<Observation>,
    pub(super) risks: Vec<Risk>,
    pub(super) findings: Vec<Finding>,
}

impl Integrity {
    pub(super) fn of(
        events: &[Logged],
        gaps: &[GapStory],
        evidence: &mut Evidence<'_>,
        task: &str,
    ) -> Result<Self, serde_json::Error> {
        let found = tampering(events)?;
        let Some((first, _)) = found.first() else { return Ok(Self::default()) };
        let uuid = evidence.scope().of_event("finding/au-9", first.id());
        let by_event: BTreeMap<&str, &GapStory> =
            gaps.iter().map(|gap| (gap.opened.source_event_id.as_str(), gap)).collect();
        let mut observer = Observer { evidence, origin: plan::origin(Some(task)), subjects: Vec::new() };
        let (mut seen, mut risks, mut named) = (Observations::default(), Vec::new(), Vec::new());
        for (event, what) in &found {
            let observation = observe(event, what, &mut observer, &mut seen);
            named.push(observation.clone());
            risks.push(match by_event.get(event.record.event_id.as_str()) {
                Some(gap) => gap.risk(&mut observer, &mut seen),
                None => risk_without_gap(&observer, event, OBJECTIVE, prose(&what.description), &[observation]),
            });
        }
        let remarks = format!("{} events of this part of the record tell of it.", found.len());
        let finding = Finding {
            uuid,
            title: "The record was touched".into(),
            description: format!("Objective {}, as the log itself shows it.", code(OBJECTIVE)),
            origins: vec![observer.origin.clone()],
            target: FindingTarget {
                r#type: "objective-id",
                target_id: OBJECTIVE.into(),
                status: FindingStatus { state: "not-satisfied", reason: "fail", remarks: Some(remarks) },
            },
            related_observations: named,
            related_risks: risks.iter().map(|risk| RiskRef { risk_uuid: risk.uuid.clone() }).collect(),
        };
        Ok(Self { observations: seen.all, risks, findings: vec![finding] })
    }
}

fn observe(
    event: &Logged,
    what: &gap::Finding,
    observer: &mut Observer<'_, '_>,
    seen: &mut Observations,
) -> ObservationRef {
    let told = Seen {
        element: "observation-integrity",
        of: "",
        event,
        title: title(&what.title),
        description: prose(&what.description),
        method: "EXAMINE",
        kind: "control-objective",
        props: Vec::new(),
    };
    observer.add(seen, told)
}
