//! What was decided about a message for one recipient, recorded and then set going.

use std::convert::Infallible;

use muster_domain::delivery::grouping::Group;
use muster_domain::delivery::silence::Hold;
use muster_domain::delivery::{Decision, Delivery, Message, Phase, delivery_id, state};
use muster_domain::{AggregateId, TenantId};
use muster_eventlog::{Decided, Loaded, ReactError};

use super::{Cause, Outbox};
use crate::fallback;
use crate::parcel::Parcel;
use crate::standing;

impl Outbox {
    pub(super) async fn send(
        &self,
        tenant: &TenantId,
        message: &Message,
        decision: &Decision,
        cause: Cause,
    ) -> Result<(), ReactError> {
        let parcel = Parcel::new(message, decision, cause.correlation);
        let queued = self.queue(tenant, &parcel, decision, cause).await?;
        self.go_on(tenant, parcel, decision, cause, &queued).await
    }

    /// Also when it was queued before: a crash may have come between a record and what follows from it. What waits gets
    /// its timer, and what another message tells is looked after; one that is further along has its own timer.
    async fn go_on(
        &self,
        tenant: &TenantId,
        parcel: Parcel,
        decision: &Decision,
        cause: Cause,
        recorded: &Decided<Delivery>,
    ) -> Result<(), ReactError> {
        match recorded.state.phase {
            Phase::Queued => self.dispatch(tenant, parcel).await,
            // Whether it may go out by now is asked when the timer fires.
            Phase::Held => {
                let now = self.ctx.clock.now();
                self.set_timer(tenant, &Parcel { held: true, ..parcel }, now).await
            }
            Phase::Grouped => self.stay_in_group(tenant, &parcel, decision, cause, recorded).await,
            Phase::None | Phase::Attempting | Phase::Waiting | Phase::Accepted | Phase::GaveUp | Phase::Suppressed => {
                Ok(())
            }
        }
    }

    pub(crate) async fn queue(
        &self,
        tenant: &TenantId,
        parcel: &Parcel,
        decision: &Decision,
        cause: Cause,
    ) -> Result<Decided<Delivery>, ReactError> {
        let (id, now) = (parcel.delivery_id(), self.ctx.clock.now());
        let meta = self.meta("delivery.queued", id, cause);
        let queue =
            |delivery: &Delivery| Ok::<_, Infallible>(state::queue(delivery, id, &parcel.message, decision, now));
        // Hardly ever is it there already: it is not looked for first.
        Ok(self.ctx.log.decide_on(tenant, &AggregateId::from(id), Loaded::default(), &meta, queue).await?)
    }

    pub(super) async fn hold(
        &self,
        tenant: &TenantId,
        message: &Message,
        decision: &Decision,
        cause: Cause,
        hold: &Hold,
    ) -> Result<(), ReactError> {
        let parcel = Parcel::new(message, decision, cause.correlation);
        let queued = self.queue(tenant, &parcel, decision, cause).await?;
        match queued.state.phase {
            Phase::Queued | Phase::Held => self.keep(tenant, parcel, hold, cause).await,
            _ => self.go_on(tenant, parcel, decision, cause, &queued).await,
        }
    }

    /// Holds what is queued, or holds it longer: recorded once for each reason and end, then looked at when it is over.
    pub(crate) async fn keep(
        &self,
        tenant: &TenantId,
        mut parcel: Parcel,
        hold: &Hold,
        cause: Cause,
    ) -> Result<(), ReactError> {
        let id = parcel.delivery_id();
        let until = hold.until.map_or_else(String::new, |until| until.to_string());
        let meta = self.meta(&format!("delivery.held {} {until}", hold.rule), id, cause);
        let held = self.change(tenant, id, &meta, |delivery| state::hold(delivery, &hold.rule, hold.until)).await?;
        if held.state.phase != Phase::Held {
            return Ok(());
        }
        parcel.held = true;
        let due = hold.until.unwrap_or_else(|| self.ctx.clock.now() + standing::LOOK_AGAIN);
        self.set_timer(tenant, &parcel, due).await
    }

    pub(super) async fn tell_in_group(
        &self,
        tenant: &TenantId,
        message: &Message,
        decision: &Decision,
        cause: Cause,
        group: Group,
    ) -> Result<(), ReactError> {
        let parcel = Parcel::new(message, decision, cause.correlation);
        let queued = self.queue(tenant, &parcel, decision, cause).await?;
        match queued.state.phase {
            Phase::Queued => {
                fallback::end_joined(self, tenant, &parcel).await?;
                self.join(tenant, &parcel, decision, cause, group).await
            }
            // It has its group already: in another one it would be told twice.
            _ => self.go_on(tenant, parcel, decision, cause, &queued).await,
        }
    }

    pub(super) async fn suppress(
        &self,
        tenant: &TenantId,
        message: &Message,
        decision: &Decision,
        cause: Cause,
        rule: &str,
    ) -> Result<(), ReactError> {
        let id = delivery_id(tenant.as_str(), message.event_id, &decision.route, &decision.recipient.shown);
        let meta = self.meta("delivery.suppressed", id, cause);
        let decide = |delivery: &Delivery| state::suppress(delivery, id, message, decision, rule);
        let decided = self.change(tenant, id, &meta, decide).await?;
        if decided.state.phase != Phase::Suppressed {
            // It was on its way before the rule held. What holds when it goes out is asked then.
            let parcel = Parcel::new(message, decision, cause.correlation);
            return self.go_on(tenant, parcel, decision, cause, &decided).await;
        }
        metrics::counter!("muster_deliveries_suppressed_total").increment(1);
        tracing::info!(%tenant, delivery = %id, route = decision.route, rule, "a message was suppressed");
        Ok(())
    }
}
