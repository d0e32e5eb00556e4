//! What was held: whether it may go out now.

use std::convert::Infallible;

use muster_domain::TenantId;
use muster_domain::delivery::silence::{Because, Fate};
use muster_domain::delivery::{Decision, Delivery, Phase, state};
use muster_domain::ids::derived_id;
use muster_eventlog::TimerError;

use super::{Worker, again, cause, id};
use crate::parcel::Parcel;
use crate::standing;

impl Worker {
    /// Whether what was held may go out now. If not, it is held on, withdrawn, or told with others.
    pub(super) async fn is_released(
        &self,
        tenant: &TenantId,
        parcel: &Parcel,
        decision: &Decision,
    ) -> Result<bool, TimerError> {
        let delivery = self.ctx.log.load::<Delivery>(tenant, &id(parcel)).await.map_err(again)?.state;
        if delivery.phase != Phase::Held {
            return Ok(true);
        }
        let (now, cause) = (self.ctx.clock.now(), cause(parcel, parcel.message.event_id));
        let routes = self.outbox.routes.of(tenant);
        let Some(route) = routes.iter().find(|route| route.name == parcel.route) else { return Ok(true) };
        match standing::fate(&self.outbox, tenant, &parcel.message, route, now).await.map_err(again)? {
            Fate::Suppress(rule) => return self.withdraw(tenant, parcel, &rule).await.map(|_| false),
            Fate::Hold(hold) => {
                self.outbox.keep(tenant, parcel.clone(), &hold, cause).await.map_err(again)?;
                return Ok(false);
            }
            Fate::Send => {}
        }
        if let Some(until) = delivery.held_until.filter(|until| *until > now) {
            return self.come_again(tenant, parcel, until).await.map(|_| false);
        }
        if let Some(group) = &parcel.group {
            let (members, _) = self.outbox.members(tenant, group, None).await.map_err(again)?;
            if members == 0 {
                return self.withdraw(tenant, parcel, "nothing was left to tell").await.map(|_| false);
            }
        } else if let (Some(Because::QuietHours), Some(ended)) = (Because::of(&delivery.held_rule), delivery.held_until)
            && let Some(group) = self.outbox.morning_after(tenant, parcel, ended).await.map_err(again)?
        {
            self.outbox.join(tenant, parcel, decision, cause, group).await.map_err(again)?;
            return Ok(false);
        }
        Ok(true)
    }

    pub(super) async fn withdraw(&self, tenant: &TenantId, parcel: &Parcel, rule: &str) -> Result<Phase, TimerError> {
        let meta = self.meta(parcel, derived_id(&["delivery.withdrawn", &parcel.delivery_id().to_string()]));
        let decide = |delivery: &Delivery| Ok::<_, Infallible>(state::withdraw(delivery, rule));
        let decided = self.ctx.log.decide::<Delivery, _>(tenant, &id(parcel), &meta, decide).await.map_err(again)?;
        if decided.outcome == muster_eventlog::Outcome::Appended {
            metrics::counter!("muster_deliveries_suppressed_total").increment(1);
        }
        Ok(decided.state.phase)
    }
}
