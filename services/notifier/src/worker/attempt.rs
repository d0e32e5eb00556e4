//! One attempt: claimed in the log, made, and its outcome recorded.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use muster_domain::TenantId;
use muster_domain::delivery::state::{self, NotYet};
use muster_domain::delivery::{Decision, Delivery, Failure, FailureCode, Phase, digest};
use muster_domain::ids::derived_id;
use muster_domain::pb::notification::v1::delivery_event;
use muster_eventlog::{DecideError, Loaded, TimerError};
use uuid::Uuid;

use super::{Worker, again, id};
use crate::approvals;
use crate::channels::{Attempt, Channel, Receipt};
use crate::parcel::Parcel;
use crate::templates::dress;

/// The attempt is cut off this long before its claim ends, so that two can never overlap.
const CUT_OFF_BEFORE: SignedDuration = SignedDuration::from_secs(2);

/// A claimed attempt.
pub(super) struct Claim {
    number: u32,
    possibly_duplicate: bool,
    at: Timestamp,
    /// The delivery with the claim. Until it ends, nobody else decides about it.
    delivery: Loaded<Delivery>,
}

impl Worker {
    /// Records the attempt before it is made. A phase instead: there is nothing to do now, and what is to come has its
    /// timer.
    pub(super) async fn claim(
        &self,
        tenant: &TenantId,
        parcel: &Parcel,
        limit: SignedDuration,
    ) -> Result<Result<Claim, Phase>, TimerError> {
        let at = self.ctx.clock.now();
        let meta = self.meta(parcel, self.ctx.clock.new_id());
        let mut claimed = None;
        let decide = |delivery: &Delivery| {
            let event = state::attempt(delivery, at, limit)?;
            if let Some(delivery_event::Event::Attempted(e)) = event.as_ref().and_then(|e| e.event.as_ref()) {
                let (number, possibly_duplicate) = (e.attempt, e.possibly_duplicate);
                claimed = Some(Claim { number, possibly_duplicate, at, delivery: Loaded::default() });
            }
            Ok::<_, NotYet>(event)
        };
        match self.ctx.log.decide::<Delivery, _>(tenant, &id(parcel), &meta, decide).await {
            // A crash may have come between giving up and telling so.
            Ok(decided) if decided.state.phase.is_final() => self.settle(tenant, parcel, &decided.state).await.map(Err),
            Ok(decided) if decided.outcome == muster_eventlog::Outcome::Appended => {
                let phase = decided.state.phase;
                Ok(claimed.map(|claim| Claim { delivery: decided.into_believed(), ..claim }).ok_or(phase))
            }
            Ok(decided) => Ok(Err(decided.state.phase)),
            Err(DecideError::Refused(NotYet { until })) => self.come_again(tenant, parcel, until).await.map(Err),
            Err(error) => Err(again(error)),
        }
    }

    /// What goes out: of a group the message that counts and names its members.
    pub(super) async fn told(&self, tenant: &TenantId, parcel: &Parcel, claim: &Claim) -> Result<Parcel, Failure> {
        let mut told = parcel.clone();
        if let Some(group) = &parcel.group {
            let (total, members) = self.outbox.members(tenant, group, Some(claim.delivery.sequence)).await?;
            digest::fill(&mut told.message, group, total, &members);
        }
        Ok(told)
    }

    pub(super) async fn attempt(
        &self,
        tenant: &TenantId,
        parcel: &Parcel,
        decision: &Decision,
        channel: &dyn Channel,
        claim: &Claim,
    ) -> Result<Receipt, Failure> {
        let routes = &self.outbox.routes;
        let approvals::Ways { link, buttons } =
            approvals::ways(&self.ctx, routes, tenant, &parcel.route, &parcel.message).await?;
        let dressed = dress(routes, tenant, &parcel.route, channel.name(), &parcel.message, &link);
        let attempt = Attempt {
            tenant: tenant.clone(),
            delivery_id: parcel.delivery_id(),
            message: dressed.message,
            recipient: decision.recipient.clone(),
            route: parcel.route.clone(),
            secret_ref: decision.secret_ref.clone(),
            declared: decision.declared.clone(),
            link,
            number: claim.number,
            possibly_duplicate: claim.possibly_duplicate,
            buttons,
            now: claim.at,
        };
        let limit = Duration::try_from(channel.attempt_limit() - CUT_OFF_BEFORE).unwrap_or(Duration::ZERO);
        let cut_off = || Failure::new(FailureCode::OutcomeUnknown, format!("cut off after {} s", limit.as_secs()));
        let sending = async {
            match approvals::copies::change(&self.ctx, channel, &attempt).await? {
                Some(receipt) => Ok(receipt),
                None => channel.deliver(&attempt).await,
            }
        };
        let receipt = tokio::time::timeout(limit, sending).await.unwrap_or_else(|_| Err(cut_off()))?;
        // A template that fails loses no message, and is in the record of the delivery.
        Ok(match dressed.trouble {
            Some(trouble) => Receipt(format!("({trouble}) {}", receipt.0)),
            None => receipt,
        })
    }

    /// Records the outcome and sets what follows. If that fails the timer fires again and the claim shows.
    pub(super) async fn record(
        &self,
        tenant: &TenantId,
        parcel: &Parcel,
        claim: &Claim,
        outcome: Result<Receipt, Failure>,
    ) -> Result<Phase, TimerError> {
        let now = self.ctx.clock.now();
        let page = parcel.message.is_page_class();
        let meta = self.meta(parcel, outcome_id(parcel, claim.number));
        // The low half of the id: as good as random, and the same after a crash.
        let seed = parcel.delivery_id().as_u64_pair().1;
        let decide = |delivery: &Delivery| {
            Ok::<_, NotYet>(match &outcome {
                Ok(receipt) => state::accepted(delivery, claim.number, now, &receipt.0),
                Err(failure) => state::failed(delivery, claim.number, now, failure, page, seed),
            })
        };
        let claimed = claim.delivery.clone();
        let decided = self.ctx.log.decide_on(tenant, &id(parcel), claimed, &meta, decide).await.map_err(again)?;
        self.observe(tenant, parcel, claim, &outcome);
        self.settle(tenant, parcel, &decided.state).await
    }

    fn observe(&self, tenant: &TenantId, parcel: &Parcel, claim: &Claim, outcome: &Result<Receipt, Failure>) {
        let result = outcome.as_ref().err().map_or("accepted", |failure| failure.code.name());
        metrics::counter!("muster_delivery_attempts_total", "outcome" => result).increment(1);
        let (delivery, attempt) = (parcel.delivery_id(), claim.number);
        match outcome {
            Ok(_) => {
                tracing::info!(%tenant, %delivery, route = parcel.route, kind = parcel.message.kind, attempt, "delivered")
            }
            Err(error) => {
                tracing::warn!(%tenant, %delivery, route = parcel.route, kind = parcel.message.kind, attempt, %error, "not delivered")
            }
        }
    }
}

/// The same for the same attempt: an outcome is recorded once, whoever records it.
pub(super) fn outcome_id(parcel: &Parcel, attempt: u32) -> Uuid {
    derived_id(&["delivery.outcome", &parcel.delivery_id().to_string(), &attempt.to_string()])
}
