//! One drill or real execution, read out of its events.

use muster_domain::{
    pb::{
        audit::v1::{DrillReviewed, ReviewEvent, review_event},
        common::v1::LossStatement,
        execution::v1::{
            CheckPhase, ChecksRecorded, DrillCopyRecorded, ExecutionEvent, ExecutionFailed, ExecutionStarted,
            ExecutionStopped, ExecutionSucceeded, IntegrityRecorded, MarkersCaptured, MemberOutcome, execution_event,
        },
        request::v1::{
            BreakGlassReviewOverdue, BreakGlassReviewed, RequestApproved, RequestConfirmed, RequestEvent,
            RequestOpened, RequestType, request_event,
        },
    },
    request::type_of,
};
use serde::de::DeserializeOwned;

use super::Logged;

/// What an event says, and which event it was.
#[derive(Debug, Clone)]
pub(crate) struct Fact<T> {
    pub(crate) event: Logged,
    pub(crate) body: T,
}

#[derive(Debug, Clone)]
pub(crate) enum End {
    Succeeded(ExecutionSucceeded),
    Failed(ExecutionFailed),
    Stopped(ExecutionStopped),
}

impl End {
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Succeeded(_) => "succeeded",
            Self::Failed(_) => "failed",
            Self::Stopped(_) => "was stopped",
        }
    }

    pub(crate) fn members(&self) -> &[MemberOutcome] {
        match self {
            Self::Succeeded(end) => &end.members,
            Self::Failed(end) => &end.members,
            Self::Stopped(end) => &end.members,
        }
    }

    pub(crate) fn loss(&self) -> Option<&LossStatement> {
        match self {
            Self::Succeeded(end) => end.loss.as_ref(),
            Self::Failed(end) => end.loss.as_ref(),
            Self::Stopped(end) => end.loss.as_ref(),
        }
    }
}

/// Everything the record says about one run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Run {
    pub(crate) request_id: String,
    /// Every event of the request, in the order of the log.
    pub(crate) events: Vec<Logged>,
    pub(crate) opened: Option<Fact<RequestOpened>>,
    pub(crate) approvals: Vec<Fact<RequestApproved>>,
    pub(crate) confirmed: Option<Fact<RequestConfirmed>>,
    pub(crate) glass_reviewed: Option<Fact<BreakGlassReviewed>>,
    pub(crate) glass_overdue: Option<Fact<BreakGlassReviewOverdue>>,
    pub(crate) started: Option<Fact<ExecutionStarted>>,
    pub(crate) checks: Vec<Fact<ChecksRecorded>>,
    pub(crate) markers: Vec<Fact<MarkersCaptured>>,
    pub(crate) integrity: Vec<Fact<IntegrityRecorded>>,
    pub(crate) copies: Vec<Fact<DrillCopyRecorded>>,
    pub(crate) end: Option<Fact<End>>,
    pub(crate) reviews: Vec<Fact<DrillReviewed>>,
}

impl Run {
    /// The events of one request, in the order of the log.
    pub(crate) fn read(request_id: &str, events: Vec<Logged>) -> Result<Self, serde_json::Error> {
        let mut run = Self { request_id: request_id.to_owned(), ..Self::default() };
        for event in &events {
            match event.record.aggregate.split('/').next() {
                Some("request") => run.read_request(event)?,
                Some("execution") => run.read_execution(event)?,
                Some("review") => run.read_review(event)?,
                _ => {}
            }
        }
        run.events = events;
        Ok(run)
    }

    fn read_request(&mut self, event: &Logged) -> Result<(), serde_json::Error> {
        use request_event::Event;
        match parse::<RequestEvent>(event)?.event {
            Some(Event::Opened(body)) => self.opened = fact(event, body),
            Some(Event::Approved(body)) => self.approvals.extend(fact(event, body)),
            Some(Event::Confirmed(body)) => self.confirmed = fact(event, body),
            Some(Event::BreakGlassReviewed(body)) => self.glass_reviewed = fact(event, body),
            Some(Event::BreakGlassReviewOverdue(body)) => self.glass_overdue = fact(event, body),
            _ => {}
        }
        Ok(())
    }

    fn read_execution(&mut self, event: &Logged) -> Result<(), serde_json::Error> {
        use execution_event::Event;
        match parse::<ExecutionEvent>(event)?.event {
            Some(Event::Started(body)) => self.started = fact(event, body),
            Some(Event::ChecksRecorded(body)) => self.checks.extend(fact(event, body)),
            Some(Event::MarkersCaptured(body)) => self.markers.extend(fact(event, body)),
            Some(Event::IntegrityRecorded(body)) => self.integrity.extend(fact(event, body)),
            Some(Event::DrillCopyRecorded(body)) => self.copies.extend(fact(event, body)),
            Some(Event::Succeeded(body)) => self.end = fact(event, End::Succeeded(body)),
            Some(Event::Failed(body)) => self.end = fact(event, End::Failed(body)),
            Some(Event::Stopped(body)) => self.end = fact(event, End::Stopped(body)),
            _ => {}
        }
        Ok(())
    }

    fn read_review(&mut self, event: &Logged) -> Result<(), serde_json::Error> {
        if let Some(review_event::Event::Drill(body)) = parse::<ReviewEvent>(event)?.event {
            self.reviews.extend(fact(event, body));
        }
        Ok(())
    }

    pub(crate) fn kind(&self) -> RequestType {
        let started = self.started.as_ref().and_then(|started| type_of(&started.body.r#type));
        started.unwrap_or_else(|| self.opened.as_ref().map(|opened| opened.body.r#type()).unwrap_or_default())
    }

    /// Whether it was meant to move something to another site.
    pub(crate) fn moves(&self) -> bool {
        use RequestType::{Failover, LiveDrill, Rotation, Switchover};
        matches!(self.kind(), Switchover | Failover | Rotation | LiveDrill)
    }

    pub(crate) fn is_drill(&self) -> bool {
        use RequestType::{IsolatedDrill, LiveDrill, ReadinessDrill, TabletopDrill};
        matches!(self.kind(), IsolatedDrill | LiveDrill | ReadinessDrill | TabletopDrill)
    }

    /// Started by the emergency path, with approvals missing.
    pub(crate) fn broke_glass(&self) -> bool {
        self.confirmed.as_ref().is_some_and(|confirmed| confirmed.body.break_glass)
    }

    /// The resources it was about.
    pub(crate) fn resources(&self) -> Vec<String> {
        let Some(started) = &self.started else { return Vec::new() };
        let members: Vec<String> = started.body.members.iter().map(|member| member.resource.clone()).collect();
        if members.is_empty() { vec![started.body.resource.clone()] } else { members }
    }

    /// "orders-db" or "shop"; the request, where the content of its events was destroyed.
    pub(crate) fn scope_name(&self) -> String {
        let Some(started) = &self.started else { return self.request_id.clone() };
        if started.body.group.is_empty() { started.body.resource.clone() } else { started.body.group.clone() }
    }

    pub(crate) fn checks_of(&self, phase: CheckPhase) -> impl Iterator<Item = &Fact<ChecksRecorded>> {
        self.checks.iter().filter(move |fact| fact.body.phase() == phase)
    }
}

fn fact<T>(event: &Logged, body: T) -> Option<Fact<T>> {
    Some(Fact { event: event.clone(), body })
}

/// The event's own content, out of the JSON that the record keeps; nothing when it was destroyed with its payload key.
pub(crate) fn parse<E: DeserializeOwned + Default>(event: &Logged) -> Result<E, serde_json::Error> {
    match event.record.payload_json.as_str() {
        "" | "null" => Ok(E::default()),
        json => serde_json::from_str(json),
    }
}
