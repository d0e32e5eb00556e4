//! Attempts: fired by the deliveries' timers, one at a time for each delivery.
//!
//! The claim ("attempted") is in the log before the channel is called, the outcome after. Killed in
//! between, the timer fires again, finds a claim without an outcome, waits until it cannot be running any
//! more and tries again, marked as possibly a duplicate. The timer is confirmed only when all of that is
//! written, so no attempt hangs in memory.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use muster_domain::delivery::routing::still_leads_there;
use muster_domain::delivery::silence::{Because, Fate};
use muster_domain::delivery::state::{self, NotYet};
use muster_domain::delivery::{Decision, Delivery, Failure, FailureCode, Phase, Verdict, digest, message};
use muster_domain::ids::derived_id;
use muster_domain::pb::notification::v1::delivery_event;
use muster_domain::{AggregateId, TenantId};
use muster_eventlog::{DecideError, Meta, TimerError, TimerFired, TimerHandler, Timers};
use muster_runtime::Context;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::channels::{Attempt, Channel, Receipt};
use crate::ends::{self, Turn};
use crate::lanes::{Lane, WORKERS};
use crate::outbox::{Cause, Narrowing, Outbox};
use crate::parcel::Parcel;
use crate::templates::dress;
use crate::{approvals, dead_letters, fallback, standing};

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
    /// All of its places, taken or not.
    size: usize,
}

/// A claimed attempt.
struct Claim {
    number: u32,
    possibly_duplicate: bool,
    at: Timestamp,
    /// Its place in the tenant's log.
    sequence: u64,
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
        self.deliver(&timer.tenant, &parcel).await.map(|_| ())
    }
}

impl Worker {
    pub(crate) fn new(ctx: Context, outbox: Outbox, channels: Vec<Arc<dyn Channel>>) -> Self {
        let station = |channel: Arc<dyn Channel>| {
            let size = channel.concurrency();
            (channel.name(), Station { places: Semaphore::new(size), size, channel })
        };
        Self { timers: ctx.log.timers(), ctx, outbox, channels: channels.into_iter().map(station).collect() }
    }

    /// Makes first attempts, without the way through a timer; what goes wrong is left to the timer behind it.
    pub(crate) async fn run_lanes(&self, shutdown: CancellationToken) {
        let workers = Lane::ALL.iter().flat_map(|lane| (0..WORKERS).map(|_| self.run_lane(*lane)));
        tokio::select! {
            () = shutdown.cancelled() => {}
            _ = futures::future::join_all(workers) => {}
        }
    }

    async fn run_lane(&self, lane: Lane) {
        while let Some((tenant, parcel)) = self.outbox.lanes.next(lane).await {
            match self.deliver(&tenant, &parcel).await {
                Ok(Phase::Accepted) => {
                    if let Err(error) = self.timers.cancel(&parcel.timer(&tenant)).await {
                        tracing::debug!(%tenant, %error, "a timer that is not needed will fire and find nothing to do");
                    }
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(%tenant, delivery = %parcel.delivery_id(), %error, "an attempt is left to its timer");
                }
            }
        }
    }

    /// Where the delivery stands afterwards, as far as this call knows.
    async fn deliver(&self, tenant: &TenantId, parcel: &Parcel) -> Result<Phase, TimerError> {
        let decision = match self.destination(tenant, parcel) {
            Ok(decision) => decision,
            Err(failure) => return self.end(tenant, parcel, &failure).await,
        };
        if parcel.held && !self.is_released(tenant, parcel, &decision).await? {
            return Ok(Phase::Held);
        }
        match ends::turn(&self.outbox, tenant, parcel, &decision).await.map_err(again)? {
            Turn::Go => {}
            Turn::Wait(until) => return self.come_again(tenant, parcel, until).await,
            Turn::Never(rule) => {
                // Sent again by a person, or tried before: then it goes.
                if self.withdraw(tenant, parcel, rule).await? == Phase::Suppressed {
                    return Ok(Phase::Suppressed);
                }
            }
        }
        let Some(station) = self.channels.get(decision.channel) else {
            let failure =
                Failure::new(FailureCode::Misconfigured, format!("there is no channel '{}'", decision.channel));
            return self.end(tenant, parcel, &failure).await;
        };
        let Some(_place) = station.place(parcel.lane()) else {
            return self.come_again(tenant, parcel, self.ctx.clock.now() + parcel.lane().pause()).await;
        };
        if let Err(wait) = station.channel.turn(tenant, &decision.recipient) {
            return self.come_again(tenant, parcel, self.ctx.clock.now() + wait).await;
        }
        let limit = station.channel.attempt_limit();
        let claim = match self.claim(tenant, parcel, limit).await? {
            Ok(claim) => claim,
            Err(phase) => return Ok(phase),
        };
        let outcome = match self.told(tenant, parcel, &claim).await {
            Ok(told) => self.attempt(tenant, &told, &decision, station.channel.as_ref(), &claim).await,
            Err(failure) => Err(failure),
        };
        self.record(tenant, parcel, &claim, outcome).await
    }

    /// Whether what was held may go out now. If not, it is held on, withdrawn, or told with others.
    async fn is_released(&self, tenant: &TenantId, parcel: &Parcel, decision: &Decision) -> Result<bool, TimerError> {
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

    async fn withdraw(&self, tenant: &TenantId, parcel: &Parcel, rule: &str) -> Result<Phase, TimerError> {
        let meta = self.meta(parcel, derived_id(&["delivery.withdrawn", &parcel.delivery_id().to_string()]));
        let decide = |delivery: &Delivery| Ok::<_, Infallible>(state::withdraw(delivery, rule));
        let decided = self.ctx.log.decide::<Delivery, _>(tenant, &id(parcel), &meta, decide).await.map_err(again)?;
        if decided.outcome == muster_eventlog::Outcome::Appended {
            metrics::counter!("muster_deliveries_suppressed_total").increment(1);
        }
        Ok(decided.state.phase)
    }

    /// What goes out: of a group the message that counts and names its members.
    async fn told(&self, tenant: &TenantId, parcel: &Parcel, claim: &Claim) -> Result<Parcel, Failure> {
        let mut told = parcel.clone();
        if let Some(group) = &parcel.group {
            let (total, members) = self.outbox.members(tenant, group, Some(claim.sequence)).await?;
            digest::fill(&mut told.message, group, total, &members);
        }
        Ok(told)
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

    /// Records the attempt before it is made. A phase instead: there is nothing to do now, and what is to come has its
    /// timer.
    async fn claim(
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
                claimed = Some(Claim { number, possibly_duplicate, at, sequence: 0 });
            }
            Ok::<_, NotYet>(event)
        };
        match self.ctx.log.decide::<Delivery, _>(tenant, &id(parcel), &meta, decide).await {
            // A crash may have come between giving up and telling so.
            Ok(decided) if decided.state.phase.is_final() => self.settle(tenant, parcel, &decided.state).await.map(Err),
            Ok(decided) if decided.outcome == muster_eventlog::Outcome::Appended => {
                Ok(claimed.map(|claim| Claim { sequence: decided.sequence, ..claim }).ok_or(decided.state.phase))
            }
            Ok(decided) => Ok(Err(decided.state.phase)),
            Err(DecideError::Refused(NotYet { until })) => self.come_again(tenant, parcel, until).await.map(Err),
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
    async fn record(
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
        let decided = self.ctx.log.decide::<Delivery, _>(tenant, &id(parcel), &meta, decide).await.map_err(again)?;
        self.observe(tenant, parcel, claim, &outcome);
        self.settle(tenant, parcel, &decided.state).await
    }

    /// Ends a delivery without an attempt.
    async fn end(&self, tenant: &TenantId, parcel: &Parcel, failure: &Failure) -> Result<Phase, TimerError> {
        let now = self.ctx.clock.now();
        let meta = self.meta(parcel, derived_id(&["delivery.ended", &parcel.delivery_id().to_string()]));
        let decide = |delivery: &Delivery| Ok::<_, NotYet>(state::give_up(delivery, failure, now));
        let decided = self.ctx.log.decide::<Delivery, _>(tenant, &id(parcel), &meta, decide).await.map_err(again)?;
        self.settle(tenant, parcel, &decided.state).await
    }

    /// What follows from where the delivery stands: the next attempt's timer, or word that it failed.
    async fn settle(&self, tenant: &TenantId, parcel: &Parcel, delivery: &Delivery) -> Result<Phase, TimerError> {
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

    async fn come_again(&self, tenant: &TenantId, parcel: &Parcel, at: Timestamp) -> Result<Phase, TimerError> {
        self.outbox.set_timer(tenant, parcel, at).await.map_err(again)?;
        Ok(Phase::Waiting)
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

impl Station {
    /// A place for an attempt, if the lane may take one now.
    fn place(&self, lane: Lane) -> Option<SemaphorePermit<'_>> {
        if self.places.available_permits() <= lane.leaves_free(self.size) {
            return None;
        }
        self.places.try_acquire().ok()
    }
}

fn cause(parcel: &Parcel, event: Uuid) -> Cause {
    Cause { correlation: parcel.correlation, event }
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
