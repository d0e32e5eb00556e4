//! From a message to queued deliveries: one for each recipient that a route leads to.
//!
//! The same message can come here any number of times: the delivery's id follows from the event, the
//! route and the recipient, so only the first time queues anything.

use std::convert::Infallible;

use muster_domain::delivery::routing::{self, rule};
use muster_domain::delivery::{Decision, Delivery, Message, Phase, Verdict, delivery_id, state};
use muster_domain::ids::derived_id;
use muster_domain::{AggregateId, TenantId};
use muster_eventlog::{ReactError, Timers};
use muster_runtime::Context;
use uuid::Uuid;

use crate::parcel::Parcel;
use crate::recipients;
use crate::routes::Routes;
use crate::told::EndedAlert;

/// Where a message comes from, for the trail of events.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cause {
    pub(crate) correlation: Uuid,
    pub(crate) event: Uuid,
}

/// What narrows the recipients of a message beyond the routes.
#[derive(Default)]
pub(crate) struct Narrowing<'a> {
    /// The message says that this alert is over: only who was told of it hears that.
    pub(crate) ended_alert: Option<&'a EndedAlert>,
    /// The route whose failure the message is about.
    pub(crate) not_route: Option<&'a str>,
}

/// Puts messages on their way.
#[derive(Clone)]
pub(crate) struct Outbox {
    ctx: Context,
    timers: Timers,
    pub(crate) routes: Routes,
}

impl Outbox {
    pub(crate) fn new(ctx: Context, routes: Routes) -> Self {
        Self { timers: ctx.log.timers(), ctx, routes }
    }

    /// Queues or suppresses the message for every recipient concerned.
    pub(crate) async fn tell(
        &self,
        tenant: &TenantId,
        message: &Message,
        cause: Cause,
        narrowing: &Narrowing<'_>,
    ) -> Result<(), ReactError> {
        let routes = self.routes.of(tenant);
        for decision in routing::route(message, &routes) {
            if narrowing.not_route == Some(decision.route.as_str()) {
                continue;
            }
            match self.verdict(tenant, message, &decision, narrowing, &routes).await? {
                Verdict::Send => self.queue(tenant, message, &decision, cause).await?,
                Verdict::Suppress(rule) => self.suppress(tenant, message, &decision, cause, rule).await?,
            }
        }
        Ok(())
    }

    /// The route's verdict, and then the reasons not to send that need more than the route.
    async fn verdict(
        &self,
        tenant: &TenantId,
        message: &Message,
        decision: &Decision,
        narrowing: &Narrowing<'_>,
        routes: &[routing::Route],
    ) -> Result<Verdict, ReactError> {
        if decision.verdict != Verdict::Send {
            return Ok(decision.verdict);
        }
        if routing::is_too_old(message, self.ctx.clock.now()) {
            return Ok(Verdict::Suppress(rule::TOO_OLD));
        }
        if let Some(alert) = narrowing.ended_alert
            && !alert.was_told(&self.ctx.log, tenant, decision).await?
        {
            return Ok(Verdict::Suppress(rule::ALERT_NOT_TOLD));
        }
        let declared_at = routes.iter().find(|route| route.name == decision.route).and_then(|route| route.declared_at);
        if recipients::is_disabled(&self.ctx.db, tenant, decision, declared_at, self.ctx.clock.now()).await? {
            return Ok(Verdict::Suppress(rule::RECIPIENT_DISABLED));
        }
        Ok(Verdict::Send)
    }

    async fn queue(
        &self,
        tenant: &TenantId,
        message: &Message,
        decision: &Decision,
        cause: Cause,
    ) -> Result<(), ReactError> {
        let parcel = Parcel::new(message, decision, cause.correlation);
        let id = parcel.delivery_id();
        let now = self.ctx.clock.now();
        let meta = self.meta("delivery.queued", id, cause);
        let decide = |delivery: &Delivery| Ok::<_, Infallible>(state::queue(delivery, id, message, decision, now));
        let delivery = self.ctx.log.decide::<Delivery, _>(tenant, &AggregateId::from(id), &meta, decide).await?.state;
        // Also when it was queued before: a crash may have come between that and the timer. One that is
        // further along has its own timer.
        if delivery.phase == Phase::Queued {
            let payload = serde_json::to_vec(&parcel)
                .map_err(|e| ReactError::Failed(format!("the message cannot be kept: {e}")))?;
            self.timers.set(&parcel.timer(tenant), now, &payload).await?;
        }
        Ok(())
    }

    async fn suppress(
        &self,
        tenant: &TenantId,
        message: &Message,
        decision: &Decision,
        cause: Cause,
        rule: &str,
    ) -> Result<(), ReactError> {
        let id = delivery_id(tenant.as_str(), message.event_id, &decision.route, &decision.recipient.shown);
        let meta = self.meta("delivery.suppressed", id, cause);
        let decide = |delivery: &Delivery| Ok::<_, Infallible>(state::suppress(delivery, id, message, decision, rule));
        self.ctx.log.decide::<Delivery, _>(tenant, &AggregateId::from(id), &meta, decide).await?;
        metrics::counter!("muster_deliveries_suppressed_total").increment(1);
        tracing::info!(%tenant, delivery = %id, route = decision.route, rule, "a message was suppressed");
        Ok(())
    }

    fn meta(&self, what: &str, delivery: Uuid, cause: Cause) -> muster_eventlog::Meta {
        let event_id = derived_id(&[what, &delivery.to_string()]);
        self.ctx.service_meta(crate::NAME, event_id, cause.correlation, Some(cause.event))
    }
}
