//! What has been decided about one resource: its status and its open alerts, folded from the log;
//! and the decision, level-triggered: asked again until it has nothing to say.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::thresholds::Limits;
use super::{rules, severity, worse};
use crate::aggregate::{Aggregate, EventKind};
use crate::ids::derived_id;
use crate::pb::common::v1::{Environment, Tier};
use crate::pb::readiness::v1::{
    AlertKind, AlertOpened, AlertResolved, AlertUpdated, Assessment, ReadinessEvent, Severity, Status, StatusChanged,
    readiness_event::Event,
};
use crate::time::{duration_from_pb, from_pb, to_pb};

/// An open alert is told again when its loss window has grown this many times. Geometric, so that a
/// week of outage makes a dozen updates and not a hundred thousand.
const WINDOW_GROWTH: i32 = 3;

/// The kinds of alert, in the order they are decided. A resource has at most one open alert of each.
pub const ALERT_KINDS: [AlertKind; 4] =
    [AlertKind::Integrity, AlertKind::ReplicationBroken, AlertKind::RpoBreach, AlertKind::LostSight];

/// Aggregate "readiness", one per resource.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Readiness {
    /// `None` before the first judgement.
    pub status: Option<Status>,
    /// A status other than unknown has been recorded: from then on recoveries take their time.
    pub judged: bool,
    /// As recorded with the newest status change.
    pub assessment: Option<Assessment>,
    pub last_green_at: Option<Timestamp>,
    /// By kind.
    pub alerts: BTreeMap<i32, OpenAlert>,
    /// Alerts ever opened; makes the next id unique.
    pub opened: u64,
}

#[derive(Debug, Clone, PartialEq)]
pub struct OpenAlert {
    pub id: String,
    pub kind: AlertKind,
    pub severity: Severity,
    pub condition_since: Option<Timestamp>,
    /// When it was due, which is when it was opened but for a service that was down.
    pub due_at: Option<Timestamp>,
    /// Largest loss window told so far.
    pub window: Option<SignedDuration>,
}

impl Readiness {
    pub fn alert(&self, kind: AlertKind) -> Option<&OpenAlert> {
        self.alerts.get(&i32::from(kind))
    }
}

/// Whether the condition of an alert holds. "Not known" neither opens nor resolves anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Holds,
    Clear,
    NotKnown,
}

/// The condition of one kind of alert, with its times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Condition {
    pub kind: AlertKind,
    pub verdict: Verdict,
    /// Since when it has held, and when the alert is due. `None` while it does not hold.
    pub since: Option<Timestamp>,
    pub due_at: Option<Timestamp>,
    /// It has been clear without a break for long enough to resolve the alert.
    pub settled: bool,
}

/// Everything a decision is made from, besides the state.
#[derive(Debug, Clone)]
pub struct Inputs {
    pub tenant: String,
    pub resource: String,
    pub tier: Tier,
    pub environment: Environment,
    pub resource_version: u64,
    /// The resource is not watched any more.
    pub retired: bool,
    pub limits: Limits,
    /// The judgement as of now.
    pub assessment: Assessment,
    /// The best status that has held, with sight of both sides, for `recover_for` without a break.
    pub settled_status: Option<Status>,
    pub conditions: [Condition; 4],
    pub last_green_at: Option<Timestamp>,
}

/// The next event, if anything has to be recorded. Called again until it returns `None`.
pub fn decide(state: &Readiness, inputs: &Inputs, now: Timestamp) -> Option<ReadinessEvent> {
    let event = if inputs.retired {
        state.alerts.values().next().map(|alert| resolved(alert, inputs, now))
    } else {
        status_change(state, inputs)
            .or_else(|| inputs.conditions.iter().find_map(|c| alert_change(state, inputs, c, now)))
    };
    event.map(|event| ReadinessEvent { event: Some(event) })
}

// ---- status ----

/// Worse at once; better only when it has settled.
fn status_change(state: &Readiness, inputs: &Inputs) -> Option<Event> {
    let seen = inputs.assessment.status();
    let next = match state.status {
        None => seen,
        Some(recorded) if severity(seen) > severity(recorded) => seen,
        // The first judgement replaces the initial "unknown" without waiting.
        Some(_) if !state.judged && rules::sighted(&inputs.assessment) => seen,
        Some(recorded) => match inputs.settled_status.map(|settled| worse(settled, seen)) {
            Some(better) if severity(better) < severity(recorded) => better,
            _ => recorded,
        },
    };
    if state.status == Some(next) {
        return None;
    }
    Some(Event::StatusChanged(StatusChanged {
        resource: inputs.resource.clone(),
        from: state.status.unwrap_or(Status::Unspecified).into(),
        assessment: Some(rules::hold(inputs.assessment.clone(), next, inputs.limits.recover_for)),
        thresholds: Some(inputs.limits.to_pb()),
        resource_version: inputs.resource_version,
        tier: inputs.tier.into(),
        environment: inputs.environment.into(),
        last_green_at: inputs.last_green_at.or(state.last_green_at).map(to_pb),
    }))
}

// ---- alerts ----

fn alert_change(state: &Readiness, inputs: &Inputs, condition: &Condition, now: Timestamp) -> Option<Event> {
    match (state.alert(condition.kind), condition.verdict) {
        (None, Verdict::Holds) => opened(state, inputs, condition, now),
        (Some(alert), Verdict::Holds) => updated(alert, inputs),
        (Some(alert), Verdict::Clear) if condition.settled => Some(resolved(alert, inputs, now)),
        _ => None,
    }
}

fn opened(state: &Readiness, inputs: &Inputs, condition: &Condition, now: Timestamp) -> Option<Event> {
    let due_at = condition.due_at.filter(|due| *due <= now)?;
    let kind = i32::from(condition.kind).to_string();
    let id = derived_id(&["alert", &inputs.tenant, &inputs.resource, &kind, &state.opened.to_string()]);
    Some(Event::AlertOpened(AlertOpened {
        alert_id: id.hyphenated().to_string(),
        resource: inputs.resource.clone(),
        kind: condition.kind.into(),
        severity: alert_severity(condition.kind, inputs.tier).into(),
        assessment: Some(rules::told_for(inputs.assessment.clone(), condition.kind)),
        condition_since: condition.since.map(to_pb),
        thresholds: Some(inputs.limits.to_pb()),
        tier: inputs.tier.into(),
        environment: inputs.environment.into(),
        due_at: Some(to_pb(due_at)),
    }))
}

fn updated(alert: &OpenAlert, inputs: &Inputs) -> Option<Event> {
    let severity = alert_severity(alert.kind, inputs.tier);
    if severity == alert.severity && !grew(alert.window, window(&inputs.assessment)) {
        return None;
    }
    Some(Event::AlertUpdated(AlertUpdated {
        alert_id: alert.id.clone(),
        resource: inputs.resource.clone(),
        kind: alert.kind.into(),
        severity: severity.into(),
        assessment: Some(rules::told_for(inputs.assessment.clone(), alert.kind)),
        tier: inputs.tier.into(),
        environment: inputs.environment.into(),
    }))
}

fn resolved(alert: &OpenAlert, inputs: &Inputs, now: Timestamp) -> Event {
    Event::AlertResolved(AlertResolved {
        alert_id: alert.id.clone(),
        resource: inputs.resource.clone(),
        kind: alert.kind.into(),
        assessment: Some(inputs.assessment.clone()),
        opened_at: alert.due_at.map(to_pb),
        // Not before it was opened, whatever a clock says.
        resolved_at: Some(to_pb(alert.due_at.map_or(now, |due| due.max(now)))),
        tier: inputs.tier.into(),
        environment: inputs.environment.into(),
    })
}

/// What damages data is always critical. Being blind is critical only where it matters most.
pub fn alert_severity(kind: AlertKind, tier: Tier) -> Severity {
    match (kind, tier) {
        (AlertKind::Integrity, _) | (_, Tier::Tier1) => Severity::Critical,
        (AlertKind::RpoBreach | AlertKind::ReplicationBroken, Tier::Tier2) => Severity::Critical,
        _ => Severity::Warning,
    }
}

fn window(assessment: &Assessment) -> Option<SignedDuration> {
    duration_from_pb(assessment.loss.as_ref()?.window.as_ref())
}

fn grew(before: Option<SignedDuration>, now: Option<SignedDuration>) -> bool {
    match (before, now) {
        (Some(before), Some(now)) => {
            now > before.max(SignedDuration::from_secs(1)).checked_mul(WINDOW_GROWTH).unwrap_or(SignedDuration::MAX)
        }
        // It became known.
        (None, Some(_)) => true,
        (_, None) => false,
    }
}

// ---- the fold ----

impl EventKind for ReadinessEvent {
    fn kind(&self) -> &'static str {
        match self.event {
            Some(Event::StatusChanged(_)) => "readiness.status_changed",
            Some(Event::AlertOpened(_)) => "alert.opened",
            Some(Event::AlertUpdated(_)) => "alert.updated",
            Some(Event::AlertResolved(_)) => "alert.resolved",
            None => "unset",
        }
    }
}

impl Aggregate for Readiness {
    const KIND: &'static str = "readiness";
    type Event = ReadinessEvent;

    fn evolve(&mut self, event: &ReadinessEvent) {
        match &event.event {
            Some(Event::StatusChanged(e)) => {
                let Some(assessment) = &e.assessment else { return };
                let status = assessment.status();
                self.status = Some(status);
                self.judged |= !matches!(status, Status::Unknown | Status::Unspecified);
                self.last_green_at = from_pb(e.last_green_at.as_ref()).or(self.last_green_at);
                self.assessment = Some(assessment.clone());
            }
            Some(Event::AlertOpened(e)) => {
                self.opened += 1;
                let alert = OpenAlert {
                    id: e.alert_id.clone(),
                    kind: e.kind(),
                    severity: e.severity(),
                    condition_since: from_pb(e.condition_since.as_ref()),
                    due_at: from_pb(e.due_at.as_ref()),
                    window: e.assessment.as_ref().and_then(window),
                };
                self.alerts.entry(e.kind).or_insert(alert);
            }
            Some(Event::AlertUpdated(e)) => {
                if let Some(alert) = self.alerts.get_mut(&e.kind).filter(|a| a.id == e.alert_id) {
                    alert.severity = e.severity();
                    alert.window = alert.window.max(e.assessment.as_ref().and_then(window));
                }
            }
            Some(Event::AlertResolved(e)) => {
                self.alerts.retain(|_, alert| alert.id != e.alert_id);
            }
            None => {}
        }
    }
}
