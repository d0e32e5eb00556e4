//! Another way for what one route does not get rid of in time.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use muster_domain::delivery::ending::{ENDS, ends, keeps_incidents, of_group};
use muster_domain::delivery::silence::opens_alert;
use muster_domain::delivery::{Delivery, Message, Phase, delivery_id, routing};
use muster_domain::time::{duration_from_pb, humane};
use muster_domain::{AggregateId, InvalidId, TenantId};
use muster_eventlog::{ReactError, TimerError, TimerFired, TimerHandler, TimerKey, wait_for};
use uuid::Uuid;

use crate::escalation::OpenAlerts;
use crate::outbox::{Cause, Narrowing, Outbox};
use crate::parcel::Parcel;
use crate::projection;

pub(crate) const TIMERS: &str = "notifier.fallback";
/// How long the read model may take to show what is in the log. Then the reaction comes again.
const CATCH_UP: Duration = Duration::from_secs(5);

/// Where a route's messages go when it does not get rid of them, and after how long.
fn other_way(outbox: &Outbox, tenant: &TenantId, route: &str) -> Option<(String, SignedDuration)> {
    let routes = outbox.routes.of(tenant);
    let spec = &routes.iter().find(|known| known.name == route)?.spec;
    let after = duration_from_pb(spec.fallback_after.as_ref()).unwrap_or(SignedDuration::ZERO);
    let exists = spec.fallback_route != route && routes.iter().any(|known| known.name == spec.fallback_route);
    exists.then(|| (spec.fallback_route.clone(), after))
}

pub(crate) fn has_other_way(outbox: &Outbox, tenant: &TenantId, route: &str) -> bool {
    other_way(outbox, tenant, route).is_some()
}

/// A timer that looks whether the delivery was accepted in time.
pub(crate) async fn prepare(
    outbox: &Outbox,
    tenant: &TenantId,
    parcel: &Parcel,
    payload: &[u8],
    now: Timestamp,
) -> Result<(), ReactError> {
    let Some((_, after)) = other_way(outbox, tenant, &parcel.route).filter(|_| !parcel.message.test) else {
        return Ok(());
    };
    let key = TimerKey { tenant: tenant.clone(), handler: TIMERS.to_owned(), key: parcel.delivery_id().to_string() };
    Ok(outbox.timers.set(&key, now.checked_add(after).unwrap_or(now), payload).await?)
}

/// Tells it on the fallback route, whose own rules hold: the on-call's above all. Twice is once. An alert that is over by
/// then is opened nowhere else: nobody there would hear of its end.
pub(crate) async fn take_other_way(
    outbox: &Outbox,
    tenant: &TenantId,
    parcel: &Parcel,
    why: &str,
) -> Result<(), ReactError> {
    let Some((other, _)) = other_way(outbox, tenant, &parcel.route).filter(|_| !parcel.message.test) else {
        return Ok(());
    };
    if ends(&parcel.message) && !parcel.message.alert_id.is_empty() {
        return end_other_way(outbox, tenant, parcel).await;
    }
    if is_over(outbox, tenant, &parcel.message).await? {
        tracing::info!(%tenant, route = parcel.route, "an alert that is over is not told another way");
        return Ok(());
    }
    let mut message: Message = parcel.message.clone();
    message.reasons.insert(0, format!("Told here because route {} {why}.", parcel.route));
    message.reasons.truncate(muster_domain::delivery::message::MAX_LIST);
    message.only_routes = vec![other];
    let cause = Cause { correlation: parcel.correlation, event: parcel.message.event_id };
    outbox.tell(tenant, &message, cause, &Narrowing::default()).await?;
    match &parcel.group {
        // Its last end may have looked here a moment before, and found nothing to end.
        Some(group) => crate::ends::end_if_over(outbox, tenant, parcel, group.delivery_id).await,
        None => Ok(()),
    }
}

async fn is_over(outbox: &Outbox, tenant: &TenantId, message: &Message) -> Result<bool, ReactError> {
    if !opens_alert(message) {
        return Ok(false);
    }
    let system = message.resource.parse().map_err(|error: InvalidId| ReactError::Failed(error.to_string()))?;
    let open = outbox.ctx.log.load::<OpenAlerts>(tenant, &system).await?.state;
    Ok(!open.0.contains_key(&message.alert_id))
}

/// The end of what was told the other way, whose own lists may not ask for it. There it has its turn as everywhere.
pub(crate) async fn end_other_way(outbox: &Outbox, tenant: &TenantId, parcel: &Parcel) -> Result<(), ReactError> {
    let Some((other, _)) = other_way(outbox, tenant, &parcel.route) else { return Ok(()) };
    if !is_to_be_ended(outbox, tenant, &other, &parcel.message).await? {
        return Ok(());
    }
    let message = Message { only_routes: vec![other], ..parcel.message.clone() };
    let cause = Cause { correlation: parcel.correlation, event: parcel.message.event_id };
    Box::pin(outbox.tell(tenant, &message, cause, &Narrowing::default())).await
}

/// The same for an end that is told together with others, and has no turn of its own.
pub(crate) fn end_joined<'a>(
    outbox: &'a Outbox,
    tenant: &'a TenantId,
    parcel: &'a Parcel,
) -> BoxFuture<'a, Result<(), ReactError>> {
    Box::pin(async move {
        let message = &parcel.message;
        if !ends(message) || message.test || !has_other_way(outbox, tenant, &parcel.route) {
            return Ok(());
        }
        let newest = outbox.ctx.log.last_sequence(tenant).await?;
        if wait_for(&outbox.ctx.db, projection::NAME, tenant, newest, CATCH_UP).await.is_err() {
            return Err(ReactError::Unavailable("the read model does not show yet what went another way".to_owned()));
        }
        end_other_way(outbox, tenant, parcel).await
    })
}

/// The end of an incident that one message opened for many on the other way, which no single end of them would close.
pub(crate) async fn end_group_other_way(
    outbox: &Outbox,
    tenant: &TenantId,
    last: &Parcel,
    group: Uuid,
) -> Result<(), ReactError> {
    let Some((other, _)) = other_way(outbox, tenant, &last.route) else { return Ok(()) };
    let end = of_group(group, &other, &last.message);
    for decision in routing::route(&end, &outbox.routes.of(tenant)) {
        if !keeps_incidents(decision.channel) {
            continue;
        }
        let opening = opening_of(outbox, tenant, group, &decision.route, &decision.recipient.shown).await?;
        if !matches!(opening.phase, Phase::None | Phase::Suppressed) {
            let cause = Cause { correlation: last.correlation, event: last.message.event_id };
            return Box::pin(outbox.tell(tenant, &end, cause, &Narrowing::default())).await;
        }
    }
    Ok(())
}

/// The delivery that told a group to a recipient, on its own route or another way.
pub(crate) async fn opening_of(
    outbox: &Outbox,
    tenant: &TenantId,
    group: Uuid,
    route: &str,
    recipient: &str,
) -> Result<Delivery, ReactError> {
    let own = outbox.ctx.log.load::<Delivery>(tenant, &AggregateId::from(group)).await?.state;
    let Some(event) = own.queued.and_then(|queued| queued.source_event_id.parse().ok()) else {
        return Ok(Delivery::default());
    };
    let id = delivery_id(tenant.as_str(), event, route, recipient);
    Ok(outbox.ctx.log.load::<Delivery>(tenant, &AggregateId::from(id)).await?.state)
}

/// Whether anything about the same alert or request went to the route, and not this end of it, by the read model as it is.
async fn is_to_be_ended(outbox: &Outbox, tenant: &TenantId, route: &str, end: &Message) -> Result<bool, sqlx::Error> {
    let mut tx = outbox.ctx.db.tenant_tx(tenant).await?;
    let told = sqlx::query_scalar(
        "SELECT (EXISTS (SELECT 1 FROM notifier.delivery WHERE tenant = $1 AND alert_id <> '' AND alert_id = $2
                            AND route = $4 AND message_kind <> ALL($5))
              OR EXISTS (SELECT 1 FROM notifier.delivery WHERE tenant = $1 AND request_id <> '' AND request_id = $3
                            AND route = $4 AND recipient <> '' AND message_kind <> ALL($5)))
            AND NOT EXISTS (SELECT 1 FROM notifier.delivery
                             WHERE tenant = $1 AND (alert_id = $2 OR request_id = $3) AND route = $4 AND source_event_id = $6)",
    )
    .bind(tenant.as_str())
    .bind(&end.alert_id)
    .bind(&end.request_id)
    .bind(route)
    .bind(ENDS.as_slice())
    .bind(end.event_id.to_string())
    .fetch_one(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(told)
}

/// Fires when a delivery should have been accepted.
pub(crate) struct Late {
    pub(crate) outbox: Outbox,
}

#[async_trait]
impl TimerHandler for Late {
    async fn fire(&self, timer: TimerFired) -> Result<(), TimerError> {
        let again = |error: &dyn std::fmt::Display| TimerError(error.to_string());
        let Ok(parcel) = serde_json::from_slice::<Parcel>(&timer.payload) else {
            tracing::error!(tenant = %timer.tenant, key = timer.key, "a fallback's timer cannot be read");
            return Ok(());
        };
        self.outbox.routes.caught_up().await;
        let id = AggregateId::from(parcel.delivery_id());
        let loaded = self.outbox.ctx.log.load::<Delivery>(&timer.tenant, &id).await.map_err(|e| again(&e))?;
        match loaded.state.phase {
            Phase::Queued | Phase::Attempting | Phase::Waiting | Phase::GaveUp => {
                let after = other_way(&self.outbox, &timer.tenant, &parcel.route).map(|(_, after)| humane(after));
                let why = format!("has not got rid of it within {}", after.unwrap_or_default());
                take_other_way(&self.outbox, &timer.tenant, &parcel, &why).await.map_err(|e| again(&e))
            }
            Phase::None | Phase::Held | Phase::Accepted | Phase::Suppressed | Phase::Grouped => Ok(()),
        }
    }
}

impl Late {
    pub(crate) fn new(outbox: Outbox) -> Arc<Self> {
        Arc::new(Self { outbox })
    }
}
