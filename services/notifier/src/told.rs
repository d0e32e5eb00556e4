//! Whether an alert was told to somebody, so that its end is told to the same people and to no others.

use std::convert::Infallible;

use muster_domain::delivery::routing::rule;
use muster_domain::delivery::silence::Because;
use muster_domain::delivery::{Decision, Delivery, Escalation, Phase, delivery_id, state};
use muster_domain::ids::derived_id;
use muster_domain::pb::readiness::v1::{ReadinessEvent, readiness_event::Event};
use muster_domain::readiness::Readiness;
use muster_domain::{Aggregate, AggregateId, InvalidId, TenantId};
use muster_eventlog::{EventLog, ReactError, Record};
use muster_runtime::Context;
use uuid::Uuid;

/// An alert is updated now and then; of many updates the newest are looked at, and always the first event.
const MAX_EVENTS_LOOKED_AT: usize = 20;

/// The events by which one alert was announced.
#[derive(Debug, Clone, Default)]
pub(crate) struct EndedAlert {
    announcements: Vec<Uuid>,
}

impl EndedAlert {
    /// Reads the alert's events from its resource's readiness, which the record is of.
    pub(crate) async fn load(log: &EventLog, record: &Record, alert: &str) -> Result<Self, ReactError> {
        let id: AggregateId = record.id.parse().map_err(|e: InvalidId| ReactError::Failed(e.to_string()))?;
        Self::of(log, &record.tenant, &id, alert).await
    }

    /// The alert of a resource: by what it was opened and changed, and by what it was told again.
    pub(crate) async fn of(
        log: &EventLog,
        tenant: &TenantId,
        resource: &AggregateId,
        alert: &str,
    ) -> Result<Self, ReactError> {
        let trail = log.load::<Trail>(tenant, resource).await?;
        // One entry an event, in order: as the ids are.
        let announcing = trail
            .state
            .alerts
            .iter()
            .zip(&trail.event_ids)
            .filter(|(announced, _)| announced.as_deref() == Some(alert));
        let mut announcements: Vec<Uuid> = announcing.map(|(_, id)| *id).collect();
        let id: AggregateId = alert.parse().map_err(|e: InvalidId| ReactError::Failed(e.to_string()))?;
        announcements.extend(log.load::<Escalation>(tenant, &id).await?.event_ids);
        Ok(Self { announcements })
    }

    /// Queued, under way, taken, or told with others counts; suppressed and given up do not, but for a route whose failures
    /// go another way: then the end goes there after it. What is still held, and has lost its reason with the alert, is
    /// withdrawn here: nobody hears of it any more.
    pub(crate) async fn was_told(
        &self,
        ctx: &Context,
        tenant: &TenantId,
        decision: &Decision,
        has_other_way: bool,
    ) -> Result<bool, ReactError> {
        let newest = self.announcements.iter().skip(1).rev().take(MAX_EVENTS_LOOKED_AT);
        let mut told = false;
        for event in self.announcements.iter().take(1).chain(newest) {
            let id = delivery_id(tenant.as_str(), *event, &decision.route, &decision.recipient.shown);
            let aggregate = AggregateId::from(id);
            let mut delivery = ctx.log.load::<Delivery>(tenant, &aggregate).await?.state;
            let over = Because::of(&delivery.held_rule).is_some_and(Because::ends_with_alert);
            if delivery.phase == Phase::Held && over {
                let meta = ctx.service_meta(
                    crate::NAME,
                    derived_id(&["delivery.withdrawn", &id.to_string()]),
                    id,
                    Some(*event),
                );
                let decide = |delivery: &Delivery| Ok::<_, Infallible>(state::withdraw(delivery, rule::ALERT_ENDED));
                delivery = ctx.log.decide::<Delivery, _>(tenant, &aggregate, &meta, decide).await?.state;
            }
            told |= match delivery.phase {
                Phase::Queued | Phase::Attempting | Phase::Waiting | Phase::Accepted => true,
                Phase::Held | Phase::Grouped => true,
                Phase::GaveUp => has_other_way,
                Phase::None | Phase::Suppressed => false,
            };
        }
        Ok(told)
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
