//! What follows from where a delivery stands: the next attempt, another way, or word that it failed.

use jiff::Timestamp;
use muster_domain::TenantId;
use muster_domain::delivery::state::{self, NotYet};
use muster_domain::delivery::{Delivery, Failure, FailureCode, Phase, message};
use muster_domain::ids::derived_id;
use muster_eventlog::TimerError;

use super::attempt::outcome_id;
use super::{Worker, again, cause, id};
use crate::outbox::Narrowing;
use crate::parcel::Parcel;
use crate::{dead_letters, fallback};

impl Worker {
    /// Ends a delivery without an attempt.
    pub(super) async fn end(&self, tenant: &TenantId, parcel: &Parcel, failure: &Failure) -> Result<Phase, TimerError> {
        let now = self.ctx.clock.now();
        let meta = self.meta(parcel, derived_id(&["delivery.ended", &parcel.delivery_id().to_string()]));
        let decide = |delivery: &Delivery| Ok::<_, NotYet>(state::give_up(delivery, failure, now));
        let decided = self.ctx.log.decide::<Delivery, _>(tenant, &id(parcel), &meta, decide).await.map_err(again)?;
        self.settle(tenant, parcel, &decided.state).await
    }

    /// What follows from where the delivery stands: the next attempt's timer, or word that it failed.
    pub(super) async fn settle(
        &self,
        tenant: &TenantId,
        parcel: &Parcel,
        delivery: &Delivery,
    ) -> Result<Phase, TimerError> {
        match delivery.phase {
            Phase::Waiting => {
                let due = delivery.retry_at.unwrap_or_else(|| self.ctx.clock.now());
                self.come_again(tenant, parcel, due).await?;
            }
            Phase::GaveUp => self.bury(tenant, parcel, delivery).await?,
            Phase::None
            | Phase::Queued
            | Phase::Attempting
            | Phase::Held
            | Phase::Accepted
            | Phase::Suppressed
            | Phase::Grouped => {}
        }
        Ok(delivery.phase)
    }

    /// The message is kept for whoever sends it again; meanwhile it goes another way, and others hear that this one fails.
    async fn bury(&self, tenant: &TenantId, parcel: &Parcel, delivery: &Delivery) -> Result<(), TimerError> {
        self.outbox.recipients.forget(tenant);
        let kept_until = delivery.gave_up_at.and_then(|at| at.checked_add(dead_letters::KEPT_FOR).ok());
        if let Some(until) = kept_until.filter(|until| *until > self.ctx.clock.now()) {
            self.come_again(tenant, parcel, until).await?;
        }
        fallback::take_other_way(&self.outbox, tenant, parcel, "gave it up").await.map_err(again)?;
        self.tell_failure(tenant, parcel, delivery).await
    }

    /// The other routes hear that this one does not work. A route that somebody changed is no failure.
    async fn tell_failure(&self, tenant: &TenantId, parcel: &Parcel, delivery: &Delivery) -> Result<(), TimerError> {
        if FailureCode::of(&delivery.last_error) == Some(FailureCode::RouteChanged) {
            return Ok(());
        }
        let event = derived_id(&["delivery.failed", &parcel.delivery_id().to_string()]);
        let Some(message) =
            message::delivery_failed(&parcel.message, event, &parcel.route, &delivery.last_error, self.ctx.clock.now())
        else {
            return Ok(());
        };
        let cause = cause(parcel, outcome_id(parcel, delivery.attempts));
        let narrowing = Narrowing { not_route: Some(&parcel.route), ..Narrowing::default() };
        self.outbox.tell(tenant, &message, cause, &narrowing).await.map_err(again)
    }

    pub(super) async fn come_again(
        &self,
        tenant: &TenantId,
        parcel: &Parcel,
        at: Timestamp,
    ) -> Result<Phase, TimerError> {
        self.outbox.set_timer(tenant, parcel, at).await.map_err(again)?;
        Ok(Phase::Waiting)
    }
}
