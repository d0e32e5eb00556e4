//! Gaps as risks: what was found, what is planned against it, and until when.

use std::collections::BTreeMap;

use muster_domain::{
    Aggregate,
    gap::Gap,
    pb::audit::v1::{GapEvent, GapOpened, GapState, Severity, gap_event},
};

use super::{
    Evidence, Logged,
    entry::pb_time,
    model::*,
    observations::{Observations, Observer, Seen},
    run::parse,
    text::{code, prose, title},
};

/// One gap with everything that happened to it, in the order of the log.
#[derive(Debug, Clone)]
pub(crate) struct GapStory {
    pub(crate) id: String,
    pub(crate) opened: GapOpened,
    pub(crate) state: Gap,
    pub(crate) events: Vec<(Logged, GapEvent)>,
}

/// The gaps behind events of the kind "gap", in the order in which they were opened.
pub(crate) fn gap_stories(events: Vec<Logged>) -> Result<Vec<GapStory>, serde_json::Error> {
    let mut order: Vec<String> = Vec::new();
    let mut by_id: BTreeMap<String, GapStory> = BTreeMap::new();
    for event in events {
        let Some(id) = event.record.aggregate.strip_prefix("gap/").map(str::to_owned) else { continue };
        let body: GapEvent = parse(&event)?;
        if let Some(gap_event::Event::Opened(opened)) = &body.event
            && !by_id.contains_key(&id)
        {
            order.push(id.clone());
            let story = GapStory { id: id.clone(), opened: opened.clone(), state: Gap::default(), events: Vec::new() };
            by_id.insert(id.clone(), story);
        }
        if let Some(story) = by_id.get_mut(&id) {
            story.state.evolve(&body);
            story.events.push((event, body));
        }
    }
    Ok(order.into_iter().filter_map(|id| by_id.remove(&id)).collect())
}

impl GapStory {
    pub(crate) fn is_closed(&self) -> bool {
        self.state.state == GapState::Closed
    }

    /// The newest event that changed it.
    pub(crate) fn newest(&self) -> Option<&Logged> {
        self.events.last().map(|(event, _)| event)
    }

    /// Somebody has begun to do something about it.
    pub(crate) fn is_acted_on(&self) -> bool {
        matches!(self.state.state, GapState::Planned | GapState::Closed)
    }

    pub(crate) fn risk_uuid(&self, evidence: &Evidence<'_>) -> String {
        evidence.scope().of_subject("risk", &format!("gap/{}", self.id))
    }

    /// The risk, and the observation that it rests on.
    pub(crate) fn risk(&self, observer: &mut Observer<'_, '_>, found: &mut Observations) -> Risk {
        let opened = self.events.first().map(|(event, _)| event);
        let observation = opened.map(|event| self.observe(event, observer, found));
        let scope = observer.evidence.scope();
        let remedy = scope.of_subject("response", &format!("gap/{}", self.id));
        let planned = self.state.planned.as_ref();
        let remediation = planned.map(|planned| Remediation {
            uuid: remedy.clone(),
            lifecycle: if self.is_closed() { "completed" } else { "planned" },
            title: title(&planned.plan),
            description: format!("{} Answers for it: {}.", prose(&planned.plan), prose(&planned.owner)),
            tasks: self.milestone(observer.evidence).into_iter().collect(),
        });
        let entries =
            self.events.iter().filter_map(|(event, body)| self.log_entry(observer.evidence, event, body, &remedy));
        Risk {
            uuid: self.risk_uuid(observer.evidence),
            title: title(&self.opened.title),
            description: prose(&self.opened.description),
            statement: format!("Until it is closed: {}", prose(&self.opened.title)),
            props: props([
                ("gap-id", self.id.clone()),
                ("source", self.opened.source.clone()),
                ("impact", severity(self.opened.severity()).into()),
            ]),
            status: status(self.state.state),
            origins: vec![observer.origin.clone()],
            deadline: planned.and_then(|planned| pb_time(planned.due.as_ref())),
            remediations: remediation.into_iter().collect(),
            risk_log: RiskLog { entries: entries.collect() },
            related_observations: observation.into_iter().collect(),
        }
    }

    /// From the day it was planned until the day it is due.
    fn milestone(&self, evidence: &Evidence<'_>) -> Option<Task> {
        let due = pb_time(self.state.planned.as_ref()?.due.as_ref())?;
        let is_plan = |body: &GapEvent| matches!(body.event, Some(gap_event::Event::Planned(_)));
        let start = self.events.iter().rev().find(|(_, body)| is_plan(body)).map(|(event, _)| event.time())?;
        let timing = Some(Timing::WithinDateRange { start: start.clone(), end: due.clone() }).filter(|_| start <= due);
        Some(Task {
            uuid: evidence.scope().of_subject("task", &format!("gap/{}", self.id)),
            r#type: "milestone",
            title: "Done and shown".into(),
            description: None,
            props: Vec::new(),
            timing,
            dependencies: Vec::new(),
            associated_activities: Vec::new(),
            responsible_roles: Vec::new(),
        })
    }

    fn observe(&self, event: &Logged, observer: &mut Observer<'_, '_>, found: &mut Observations) -> ObservationRef {
        let seen = Seen {
            element: "observation-gap",
            of: "",
            event,
            title: format!("Gap opened: {}", title(&self.opened.title)),
            description: format!("{} Source: {}.", prose(&self.opened.description), prose(&self.opened.source)),
            method: "EXAMINE",
            kind: "discovery",
            props: props([("gap-id", self.id.clone())]),
        };
        observer.add(found, seen)
    }

    fn log_entry(
        &self,
        evidence: &Evidence<'_>,
        event: &Logged,
        body: &GapEvent,
        remedy: &str,
    ) -> Option<RiskLogEntry> {
        use gap_event::Event;
        let (title, text, status_change) = match body.event.as_ref()? {
            Event::Opened(opened) => ("Gap opened", prose(&opened.source), "open"),
            Event::Planned(planned) => ("Remediation planned", prose(&planned.owner), "remediating"),
            Event::Accepted(accepted) => ("Risk accepted until a date", prose(&accepted.reason), "deviation-approved"),
            Event::Closed(closed) => ("Gap closed", prose(&closed.note), "closed"),
            Event::Reopened(reopened) => ("Gap reopened", prose(&reopened.reason), "open"),
        };
        let response = (status_change == "remediating").then(|| ResponseRef { response_uuid: remedy.to_owned() });
        Some(RiskLogEntry {
            uuid: evidence.scope().of_event("risk-log", event.id()),
            title: title.into(),
            description: Some(text),
            start: event.time(),
            status_change,
            related_responses: response.into_iter().collect(),
        })
    }
}

pub(crate) fn status(state: GapState) -> &'static str {
    match state {
        GapState::Open | GapState::Unspecified => "open",
        GapState::Planned => "remediating",
        GapState::Accepted => "deviation-approved",
        GapState::Closed => "closed",
    }
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Low => "low",
        Severity::Moderate => "moderate",
        // Unknown is never small.
        Severity::High | Severity::Unspecified => "high",
    }
}

/// The risk of an objective that was not met and that nobody has opened a gap for yet.
pub(crate) fn risk_without_gap(
    observer: &Observer<'_, '_>,
    event: &Logged,
    objective: &str,
    statement: String,
    seen: &[ObservationRef],
) -> Risk {
    let scope = observer.evidence.scope();
    let element = |name: &str| scope.of_event(&format!("{name}/{objective}"), event.id());
    Risk {
        uuid: element("risk"),
        title: format!("Objective {} is not shown to be met", code(objective)),
        description: statement.clone(),
        statement,
        props: props([("impact", "high".into()), ("source", event.record.r#type.clone())]),
        status: "open",
        origins: vec![observer.origin.clone()],
        deadline: None,
        remediations: Vec::new(),
        risk_log: RiskLog {
            entries: vec![RiskLogEntry {
                uuid: element("risk-log"),
                title: "Found".into(),
                description: None,
                start: event.time(),
                status_change: "open",
                related_responses: Vec::new(),
            }],
        },
        related_observations: seen.to_vec(),
    }
}
