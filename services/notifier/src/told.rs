//! Whether an alert was told to somebody, so that its end is told to the same people and to no others.

use muster_domain::delivery::{Decision, Delivery, Phase, delivery_id};
use muster_domain::pb::readiness::v1::{ReadinessEvent, readiness_event::Event};
use muster_domain::readiness::Readiness;
use muster_domain::{Aggregate, AggregateId, InvalidId, TenantId};
use muster_eventlog::{EventLog, LogError, ReactError, Record};
use uuid::Uuid;

/// An alert is updated now and then; of many updates the newest are looked at, and always the first event.
const MAX_EVENTS_LOOKED_AT: usize = 20;

/// The events by which one alert was announced.
#[derive(Debug, Clone, Default)]
pub(crate) struct EndedAlert {
    announcements: Vec<Uuid>,
}

impl EndedAlert {
    /// Reads the alert's events from its resource's readiness.
    pub(crate) async fn load(log: &EventLog, record: &Record, alert: &str) -> Result<Self, ReactError> {
        let id: AggregateId = record.id.parse().map_err(|e: InvalidId| ReactError::Failed(e.to_string()))?;
        let trail = log.load::<Trail>(&record.tenant, &id).await?;
        // One entry an event, in order: as the ids are.
        let announcing = trail
            .state
            .alerts
            .iter()
            .zip(&trail.event_ids)
            .filter(|(announced, _)| announced.as_deref() == Some(alert));
        Ok(Self { announcements: announcing.map(|(_, id)| *id).collect() })
    }

    /// Queued, under way or taken counts; suppressed and given up do not.
    pub(crate) async fn was_told(
        &self,
        log: &EventLog,
        tenant: &TenantId,
        decision: &Decision,
    ) -> Result<bool, LogError> {
        let newest = self.announcements.iter().skip(1).rev().take(MAX_EVENTS_LOOKED_AT);
        for event in self.announcements.iter().take(1).chain(newest) {
            let id = delivery_id(tenant.as_str(), *event, &decision.route, &decision.recipient.shown);
            let delivery = log.load::<Delivery>(tenant, &AggregateId::from(id)).await?.state;
            if matches!(delivery.phase, Phase::Queued | Phase::Attempting | Phase::Waiting | Phase::Accepted) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Which alert each readiness event announces, if any.
#[derive(Debug, Clone, Default)]
struct Trail {
    alerts: Vec<Option<String>>,
}

impl Aggregate for Trail {
    const KIND: &'static str = Readiness::KIND;
    type Event = ReadinessEvent;

    fn evolve(&mut self, event: &ReadinessEvent) {
        self.alerts.push(match &event.event {
            Some(Event::AlertOpened(e)) => Some(e.alert_id.clone()),
            Some(Event::AlertUpdated(e)) => Some(e.alert_id.clone()),
            Some(Event::AlertResolved(_) | Event::StatusChanged(_)) | None => None,
        });
    }
}
