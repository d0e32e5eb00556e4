//! Attempts: fired by the deliveries' timers, one at a time for each delivery.
//!
//! The claim ("attempted") is in the log before the channel is called, the outcome after. Killed in
//! between, the timer fires again, finds a claim without an outcome, waits until it cannot be running any
//! more and tries again, marked as possibly a duplicate. The timer is confirmed only when all of that is
//! written, so no attempt hangs in memory.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use muster_domain::delivery::routing::still_leads_there;
use muster_domain::delivery::state::{self, NotYet};
use muster_domain::delivery::{Decision, Delivery, Failure, FailureCode, Phase, Verdict, message};
use muster_domain::ids::derived_id;
use muster_domain::pb::notification::v1::delivery_event;
use muster_domain::{AggregateId, TenantId};
use muster_eventlog::{DecideError, Meta, TimerError, TimerFired, TimerHandler, Timers};
use muster_runtime::Context;
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::channels::{Attempt, Channel, Receipt};
use crate::outbox::{Cause, Narrowing, Outbox};
use crate::parcel::Parcel;

/// When every place of a channel is taken the delivery comes again a little later.
const BUSY_PAUSE: SignedDuration = SignedDuration::from_secs(3);
/// A page does not stand in line behind reports for long.
const BUSY_PAUSE_PAGE: SignedDuration = SignedDuration::from_millis(500);
/// The attempt is cut off this long before its claim ends, so that two can never overlap.
const CUT_OFF_BEFORE: SignedDuration = SignedDuration::from_secs(2);

/// Makes the attempts.
pub(crate) struct Worker {
    ctx: Context,
    outbox: Outbox,
    timers: Timers,
    channels: BTreeMap<&'static str, Station>,
}

/// A channel with its places.
struct Station {
    channel: Arc<dyn Channel>,
    places: Semaphore,
}

/// A claimed attempt.
struct Claim {
    number: u32,
    possibly_duplicate: bool,
    at: Timestamp,
}

#[async_trait]
impl TimerHandler for Worker {
    async fn fire(&self, timer: TimerFired) -> Result<(), TimerError> {
        let parcel: Parcel = match serde_json::from_slice(&timer.payload) {
            Ok(parcel) => parcel,
            Err(error) => {
                // Nothing to deliver is in it; firing it for ever would help nobody. The record stays "queued".
                tracing::error!(tenant = %timer.tenant, key = timer.key, %error, "a delivery's timer cannot be read");
                return Ok(());
            }
        };
        self.outbox.routes.caught_up().await;
        self.deliver(&timer.tenant, &parcel).await
    }
}

impl Worker {
    pub(crate) fn new(ctx: Context, outbox: Outbox, channels: Vec<Arc<dyn Channel>>) -> Self {
        let station = |channel: Arc<dyn Channel>| {
            (channel.name(), Station { places: Semaphore::new(channel.concurrency()), channel })
        };
        Self { timers: ctx.log.timers(), ctx, outbox, channels: channels.into_iter().map(station).collect() }
    }

    async fn deliver(&self, tenant: &TenantId, parcel: &Parcel) -> Result<(), TimerError> {
        let decision = match self.destination(tenant, parcel) {
            Ok(decision) => decision,
            Err(failure) => return self.end(tenant, parcel, &failure).await,
        };
        let Some(station) = self.channels.get(decision.channel) else {
            let failure =
                Failure::new(FailureCode::Misconfigured, format!("there is no channel '{}'", decision.channel));
            return self.end(tenant, parcel, &failure).await;
        };
        let Ok(_place) = station.places.try_acquire() else {
            let pause = if parcel.message.is_page_class() { BUSY_PAUSE_PAGE } else { BUSY_PAUSE };
            return self.come_again(tenant, parcel, self.ctx.clock.now() + pause).await;
        };
        let limit = station.channel.attempt_limit();
        let Some(claim) = self.claim(tenant, parcel, limit).await? else { return Ok(()) };
        let outcome = self.attempt(tenant, parcel, &decision, station.channel.as_ref(), &claim).await;
        self.record(tenant, parcel, &claim, outcome).await
    }

    /// Where it goes as the routes are now: what changed while it waited counts, above all the rule that
    /// keeps test systems away from the on-call.
    fn destination(&self, tenant: &TenantId, parcel: &Parcel) -> Result<Decision, Failure> {
        let routes = self.outbox.routes.of(tenant);
        let changed = |why: &str| Failure::new(FailureCode::RouteChanged, format!("route {}: {why}", parcel.route));
        match still_leads_there(&parcel.message, &routes, &parcel.route, &parcel.recipient) {
            None => Err(changed("it was changed and no longer leads there")),
            Some(Decision { verdict: Verdict::Suppress(rule), .. }) => Err(changed(rule)),
            Some(decision) => Ok(decision),
        }
    }

    /// Records the attempt before it is made. `None`: there is nothing to do now, and what is to come has its timer.
    async fn claim(
        &self,
        tenant: &TenantId,
        parcel: &Parcel,
        limit: SignedDuration,
    ) -> Result<Option<Claim>, TimerError> {
        let at = self.ctx.clock.now();
        let meta = self.meta(parcel, self.ctx.clock.new_id());
        let mut claimed = None;
        let decide = |delivery: &Delivery| {
            let event = state::attempt(delivery, at, limit)?;
            if let Some(delivery_event::Event::Attempted(e)) = event.as_ref().and_then(|e| e.event.as_ref()) {
                claimed = Some(Claim { number: e.attempt, possibly_duplicate: e.possibly_duplicate, at });
            }
            Ok::<_, NotYet>(event)
        };
        match self.ctx.log.decide::<Delivery, _>(tenant, &id(parcel), &meta, decide).await {
            // A crash may have come between giving up and telling so.
            Ok(decided) if decided.state.phase.is_final() => {
                self.settle(tenant, parcel, &decided.state).await.map(|()| None)
            }
            Ok(decided) if decided.outcome == muster_eventlog::Outcome::Appended => Ok(claimed),
            Ok(_) => Ok(None),
            Err(DecideError::Refused(NotYet { until })) => self.come_again(tenant, parcel, until).await.map(|()| None),
            Err(error) => Err(again(error)),
        }
    }

    async fn attempt(
        &self,
        tenant: &TenantId,
        parcel: &Parcel,
        decision: &Decision,
        channel: &dyn Channel,
        claim: &Claim,
    ) -> Result<Receipt, Failure> {
        let attempt = Attempt {
            tenant: tenant.clone(),
            delivery_id: parcel.delivery_id(),
            message: parcel.message.clone(),
            recipient: decision.recipient.clone(),
            route: parcel.route.clone(),
            secret_ref: decision.secret_ref.clone(),
            declared: decision.declared.clone(),
            link: format!(
                "{}{}",
                self.ctx.config.server.public_url.trim_end_matches('/'),
                parcel.message.console_path()
            ),
            number: claim.number,
            possibly_duplicate: claim.possibly_duplicate,
            now: claim.at,
        };
        let limit = Duration::try_from(channel.attempt_limit() - CUT_OFF_BEFORE).unwrap_or(Duration::ZERO);
        let cut_off = || Failure::new(FailureCode::OutcomeUnknown, format!("cut off after {} s", limit.as_secs()));
        tokio::time::timeout(limit, channel.deliver(&attempt)).await.unwrap_or_else(|_| Err(cut_off()))
    }

    /// Records the outcome and sets what follows. If that fails the timer fires again and the claim shows.
    async fn record(
        &self,
        tenant: &TenantId,
        parcel: &Parcel,
        claim: &Claim,
        outcome: Result<Receipt, Failure>,
    ) -> Result<(), TimerError> {
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
        let decided = self.ctx.log.decide::<Delivery, _>(tenant, &id(parcel), &meta, decide).await.map_err(again)?;
        self.observe(tenant, parcel, claim, &outcome);
        self.settle(tenant, parcel, &decided.state).await
    }

    /// Ends a delivery without an attempt.
    async fn end(&self, tenant: &TenantId, parcel: &Parcel, failure: &Failure) -> Result<(), TimerError> {
        let now = self.ctx.clock.now();
        let meta = self.meta(parcel, derived_id(&["delivery.ended", &parcel.delivery_id().to_string()]));
        let decide = |delivery: &Delivery| Ok::<_, NotYet>(state::give_up(delivery, failure, now));
        let decided = self.ctx.log.decide::<Delivery, _>(tenant, &id(parcel), &meta, decide).await.map_err(again)?;
        self.settle(tenant, parcel, &decided.state).await
    }

    /// What follows from where the delivery stands: the next attempt's timer, or word that it failed.
    async fn settle(&self, tenant: &TenantId, parcel: &Parcel, delivery: &Delivery) -> Result<(), TimerError> {
        match delivery.phase {
            Phase::Waiting => {
                self.come_again(tenant, parcel, delivery.retry_at.unwrap_or_else(|| self.ctx.clock.now())).await
            }
            Phase::GaveUp => self.tell_failure(tenant, parcel, delivery).await,
            Phase::None | Phase::Queued | Phase::Attempting | Phase::Accepted | Phase::Suppressed => Ok(()),
        }
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
        let cause = Cause { correlation: parcel.correlation, event: outcome_id(parcel, delivery.attempts) };
        let narrowing = Narrowing { not_route: Some(&parcel.route), ..Narrowing::default() };
        self.outbox.tell(tenant, &message, cause, &narrowing).await.map_err(again)
    }

    async fn come_again(&self, tenant: &TenantId, parcel: &Parcel, at: Timestamp) -> Result<(), TimerError> {
        let payload = serde_json::to_vec(parcel).map_err(again)?;
        self.timers.set(&parcel.timer(tenant), at, &payload).await.map_err(again)
    }

    fn meta(&self, parcel: &Parcel, event_id: Uuid) -> Meta {
        self.ctx.service_meta(crate::NAME, event_id, parcel.correlation, Some(parcel.message.event_id))
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

fn id(parcel: &Parcel) -> AggregateId {
    AggregateId::from(parcel.delivery_id())
}

/// The same for the same attempt: an outcome is recorded once, whoever records it.
fn outcome_id(parcel: &Parcel, attempt: u32) -> Uuid {
    derived_id(&["delivery.outcome", &parcel.delivery_id().to_string(), &attempt.to_string()])
}

fn again(error: impl std::fmt::Display) -> TimerError {
    TimerError(error.to_string())
}
