//! Deliveries on their way: fired by their timers or handed over by a lane, one at a time for each delivery.
//!
//! The claim ("attempted") is in the log before the channel is called, the outcome after. Killed in
//! between, the timer fires again, finds a claim without an outcome, waits until it cannot be running any
//! more and tries again, marked as possibly a duplicate. The timer is confirmed only when all of that is
//! written, so no attempt hangs in memory.
//!
//! | file | is |
//! |---|---|
//! | `release` | what was held: whether it may go out now |
//! | `attempt` | one attempt: claimed, made, recorded |
//! | `settle` | what follows from where a delivery stands |

mod attempt;
mod release;
mod settle;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use muster_domain::delivery::routing::still_leads_there;
use muster_domain::delivery::{Decision, Failure, FailureCode, Phase, Verdict};
use muster_domain::{AggregateId, TenantId};
use muster_eventlog::{Meta, TimerError, TimerFired, TimerHandler, Timers, run_timers};
use muster_runtime::Context;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::channels::Channel;
use crate::ends::{self, Turn};
use crate::lanes::{Fresh, Lane, Places};
use crate::outbox::{Cause, Outbox};
use crate::parcel::Parcel;

/// How long a delivery waits for a place in one go. Then it comes again, and what holds now is asked anew.
const WAITS: Duration = Duration::from_secs(30);

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
    places: Places,
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
        Box::pin(self.deliver(&timer.tenant, &parcel)).await.map(|_| ())
    }
}

impl Worker {
    pub(crate) fn new(ctx: Context, outbox: Outbox, channels: Vec<Arc<dyn Channel>>) -> Self {
        let station = |channel: Arc<dyn Channel>| {
            (channel.name(), Station { places: Places::new(channel.concurrency()), channel })
        };
        Self { timers: ctx.log.timers(), ctx, outbox, channels: channels.into_iter().map(station).collect() }
    }

    /// The timers of a lane, at every channel.
    pub(crate) async fn run_timers(self: Arc<Self>, lane: Lane) {
        let at = |channel: &&str| {
            run_timers(self.ctx.log.clone(), lane.timers(channel), self.clone(), self.ctx.shutdown.clone())
        };
        futures::future::join_all(self.channels.keys().map(at)).await;
    }

    /// Makes first attempts, without the way through a timer; what goes wrong is left to the timer behind it.
    pub(crate) async fn run_first_attempts(self: Arc<Self>, shutdown: CancellationToken) {
        let mut at_work = JoinSet::new();
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                Some(fresh) = self.outbox.lanes.next() => {
                    at_work.spawn(self.clone().first_attempt(fresh));
                }
                Some(_) = at_work.join_next() => {}
            }
        }
    }

    async fn first_attempt(self: Arc<Self>, fresh: Fresh) {
        let Fresh { tenant, parcel, .. } = &fresh;
        match Box::pin(self.deliver(tenant, parcel)).await {
            Ok(Phase::Accepted) => {
                if let Err(error) = self.timers.cancel(&parcel.timer(tenant)).await {
                    tracing::debug!(%tenant, %error, "a timer that is not needed will fire and find nothing to do");
                }
            }
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(%tenant, delivery = %parcel.delivery_id(), %error, "an attempt is left to its timer");
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
        let Ok(Some(_place)) = tokio::time::timeout(WAITS, station.places.take(parcel.lane())).await else {
            return self.come_again(tenant, parcel, self.ctx.clock.now()).await;
        };
        // The wait for it may have been long.
        if self.destination(tenant, parcel).ok().as_ref() != Some(&decision) {
            return self.come_again(tenant, parcel, self.ctx.clock.now()).await;
        }
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

    fn meta(&self, parcel: &Parcel, event_id: Uuid) -> Meta {
        self.ctx.service_meta(crate::NAME, event_id, parcel.correlation, Some(parcel.message.event_id))
    }
}

fn cause(parcel: &Parcel, event: Uuid) -> Cause {
    Cause { correlation: parcel.correlation, event }
}

fn id(parcel: &Parcel) -> AggregateId {
    AggregateId::from(parcel.delivery_id())
}

fn again(error: impl std::fmt::Display) -> TimerError {
    TimerError(error.to_string())
}
