//! From a message to queued deliveries: one for each recipient that a route leads to.
//!
//! The same message can come here any number of times: the delivery's id follows from the event, the
//! route and the recipient, so only the first time queues anything.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use muster_domain::delivery::ending::closes_incident;
use muster_domain::delivery::grouping::{Counts, Flapping, Group, Limits, say_flapping};
use muster_domain::delivery::routing::{self, Route, rule};
use muster_domain::delivery::silence::{Fate, Hold};
use muster_domain::delivery::{Decision, Delivery, Message, Phase, Verdict, belong, delivery_id, state};
use muster_domain::ids::derived_id;
use muster_domain::pb::notification::v1::DeliveryEvent;
use muster_domain::{AggregateId, TenantId};
use muster_eventlog::{Decided, Meta, ReactError, Timers};
use muster_runtime::Context;
use uuid::Uuid;

use crate::lanes::{BEHIND, Lanes};
use crate::parcel::Parcel;
use crate::recipients::Recipients;
use crate::routes::Routes;
use crate::told::EndedAlert;
use crate::{fallback, standing};

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

/// What was decided lately by counting is decided the same way when a reaction is repeated. So many are kept.
const REMEMBERED: usize = 64;

/// What becomes of a message for one recipient.
#[derive(Clone)]
enum Way {
    Send,
    /// It says that the system's alert comes and goes.
    SayFlapping(u32),
    Hold(Hold),
    Join(Group),
    Suppress(String),
}

/// Puts messages on their way.
#[derive(Clone)]
pub(crate) struct Outbox {
    pub(crate) ctx: Context,
    pub(crate) timers: Timers,
    pub(crate) routes: Routes,
    pub(crate) lanes: Arc<Lanes>,
    pub(crate) recipients: Arc<Recipients>,
    /// How much there was lately: bounded for each tenant, and no more tenants than there are.
    counts: Arc<Mutex<BTreeMap<TenantId, Lately>>>,
}

#[derive(Default)]
struct Lately {
    counts: Counts,
    decided: VecDeque<(Uuid, Way)>,
}

impl Outbox {
    pub(crate) fn new(ctx: Context, routes: Routes) -> Self {
        Self {
            timers: ctx.log.timers(),
            recipients: Arc::new(Recipients::new(ctx.db.clone())),
            ctx,
            routes,
            lanes: Arc::new(Lanes::new()),
            counts: Arc::default(),
        }
    }

    /// Queues, holds, groups or suppresses the message for every recipient concerned.
    pub(crate) async fn tell(
        &self,
        tenant: &TenantId,
        message: &Message,
        cause: Cause,
        narrowing: &Narrowing<'_>,
    ) -> Result<(), ReactError> {
        let mut message = message.clone();
        self.routes.with_documents(tenant, |documents| belong(&mut message, documents));
        let routes = self.routes.of(tenant);
        let mut told = BTreeSet::new();
        for decision in routing::route(&message, &routes) {
            if narrowing.not_route == Some(decision.route.as_str()) {
                continue;
            }
            let Some(route) = routes.iter().find(|route| route.name == decision.route) else { continue };
            match self.way(tenant, &message, &decision, narrowing, route, &mut told).await? {
                Way::Send => self.send(tenant, &message, &decision, cause).await?,
                Way::SayFlapping(times) => {
                    let mut flapping = message.clone();
                    say_flapping(&mut flapping, times);
                    self.send(tenant, &flapping, &decision, cause).await?;
                }
                Way::Hold(hold) => self.hold(tenant, &message, &decision, cause, &hold).await?,
                Way::Join(group) => self.tell_in_group(tenant, &message, &decision, cause, group).await?,
                Way::Suppress(rule) => self.suppress(tenant, &message, &decision, cause, &rule).await?,
            }
        }
        Ok(())
    }

    /// The route's verdict, then the reasons not to send that need more than the route, then the times, then how many
    /// there are.
    async fn way(
        &self,
        tenant: &TenantId,
        message: &Message,
        decision: &Decision,
        narrowing: &Narrowing<'_>,
        route: &Route,
        told: &mut BTreeSet<(&'static str, String, String)>,
    ) -> Result<Way, ReactError> {
        let suppress = |rule: &str| Ok(Way::Suppress(rule.to_owned()));
        let now = self.ctx.clock.now();
        if let Verdict::Suppress(rule) = decision.verdict {
            return suppress(rule);
        }
        let closes = closes_incident(message, decision.channel);
        if !closes && routing::is_too_old(message, now) {
            return suppress(rule::TOO_OLD);
        }
        if let Some(alert) = narrowing.ended_alert
            && !alert.was_told(&self.ctx, tenant, decision).await?
        {
            return suppress(rule::ALERT_NOT_TOLD);
        }
        if self.recipients.is_disabled(tenant, decision, route.declared_at, now).await? {
            return suppress(rule::RECIPIENT_DISABLED);
        }
        if !closes {
            match standing::fate(self, tenant, message, route, now).await? {
                Fate::Suppress(rule) => return Ok(Way::Suppress(rule)),
                Fate::Hold(hold) => return Ok(Way::Hold(hold)),
                Fate::Send => {}
            }
        }
        // The same address with the same secret: another route would say the same to the same people at the same time.
        if !told.insert((decision.channel, decision.recipient.address.clone(), decision.secret_ref.clone())) {
            return suppress(rule::TOLD_ON_ANOTHER_ROUTE);
        }
        Ok(if closes { Way::Send } else { self.among_others(tenant, message, decision, route) })
    }

    /// What is decided by how much there was lately.
    fn among_others(&self, tenant: &TenantId, message: &Message, decision: &Decision, route: &Route) -> Way {
        let now = self.ctx.clock.now();
        let limits = Limits::of(route.spec.grouping.as_ref());
        let id = delivery_id(tenant.as_str(), message.event_id, &decision.route, &decision.recipient.shown);
        let mut lately = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let Lately { counts, decided } = lately.entry(tenant.clone()).or_default();
        if let Some((_, way)) = decided.iter().find(|(earlier, _)| *earlier == id) {
            return way.clone();
        }
        let to = format!("{} {}", route.name, decision.recipient.shown);
        let way = match counts.flapping(message, &to, limits, now) {
            Flapping::GoesOn(hold) => Way::Hold(hold),
            flapping => match (counts.group(tenant.as_str(), message, decision, limits, now), flapping) {
                (Some(group), _) => Way::Join(group),
                (None, Flapping::Begins { times }) => Way::SayFlapping(times),
                (None, _) => Way::Send,
            },
        };
        decided.push_back((id, way.clone()));
        if decided.len() > REMEMBERED {
            decided.pop_front();
        }
        way
    }

    async fn send(
        &self,
        tenant: &TenantId,
        message: &Message,
        decision: &Decision,
        cause: Cause,
    ) -> Result<(), ReactError> {
        let parcel = Parcel::new(message, decision, cause.correlation);
        let delivery = self.queue(tenant, &parcel, decision, cause).await?.state;
        // Also when it was queued before: a crash may have come between that and the timer. One that is
        // further along has its own timer.
        if delivery.phase == Phase::Queued {
            self.dispatch(tenant, parcel).await?;
        }
        Ok(())
    }

    /// Straight to a worker, with a timer behind it; or to the timer, if there is no room.
    pub(crate) async fn dispatch(&self, tenant: &TenantId, parcel: Parcel) -> Result<(), ReactError> {
        let now = self.ctx.clock.now();
        fallback::prepare(self, tenant, &parcel, now).await?;
        match self.lanes.room(parcel.lane()) {
            Some(room) => {
                self.set_timer(tenant, &parcel, now.checked_add(BEHIND).unwrap_or(now)).await?;
                room.send((tenant.clone(), parcel));
                Ok(())
            }
            None => self.set_timer(tenant, &parcel, now).await,
        }
    }

    pub(crate) async fn set_timer(
        &self,
        tenant: &TenantId,
        parcel: &Parcel,
        due: jiff::Timestamp,
    ) -> Result<(), ReactError> {
        let payload =
            serde_json::to_vec(parcel).map_err(|e| ReactError::Failed(format!("the message cannot be kept: {e}")))?;
        Ok(self.timers.set(&parcel.timer(tenant), due, &payload).await?)
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
        self.change(tenant, id, &meta, |delivery| state::queue(delivery, id, &parcel.message, decision, now)).await
    }

    async fn hold(
        &self,
        tenant: &TenantId,
        message: &Message,
        decision: &Decision,
        cause: Cause,
        hold: &Hold,
    ) -> Result<(), ReactError> {
        let parcel = Parcel::new(message, decision, cause.correlation);
        let delivery = self.queue(tenant, &parcel, decision, cause).await?.state;
        if matches!(delivery.phase, Phase::Queued | Phase::Held) {
            self.keep(tenant, parcel, hold, cause).await?;
        }
        Ok(())
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

    async fn tell_in_group(
        &self,
        tenant: &TenantId,
        message: &Message,
        decision: &Decision,
        cause: Cause,
        group: Group,
    ) -> Result<(), ReactError> {
        let parcel = Parcel::new(message, decision, cause.correlation);
        let delivery = self.queue(tenant, &parcel, decision, cause).await?.state;
        if matches!(delivery.phase, Phase::Queued | Phase::Grouped) {
            self.join(tenant, &parcel, decision, cause, group).await?;
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
        self.change(tenant, id, &meta, |delivery| state::suppress(delivery, id, message, decision, rule)).await?;
        metrics::counter!("muster_deliveries_suppressed_total").increment(1);
        tracing::info!(%tenant, delivery = %id, route = decision.route, rule, "a message was suppressed");
        Ok(())
    }

    /// One decision about a delivery, which nothing can refuse.
    pub(crate) async fn change(
        &self,
        tenant: &TenantId,
        id: Uuid,
        meta: &Meta,
        decide: impl Fn(&Delivery) -> Option<DeliveryEvent>,
    ) -> Result<Decided<Delivery>, ReactError> {
        let decide = |delivery: &Delivery| Ok::<_, Infallible>(decide(delivery));
        Ok(self.ctx.log.decide::<Delivery, _>(tenant, &AggregateId::from(id), meta, decide).await?)
    }

    pub(crate) fn meta(&self, what: &str, delivery: Uuid, cause: Cause) -> Meta {
        let event_id = derived_id(&[what, &delivery.to_string()]);
        self.ctx.service_meta(crate::NAME, event_id, cause.correlation, Some(cause.event))
    }
}
