//! From a message to queued deliveries: one for each recipient that a route leads to.
//!
//! The same message can come here any number of times: the delivery's id follows from the event, the
//! route and the recipient, so only the first time queues anything.
//!
//! | file | is |
//! |---|---|
//! | `way` | what becomes of a message for one recipient |
//! | `record` | that, recorded and set going |

mod record;
mod way;

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use muster_domain::delivery::grouping::say_flapping;
use muster_domain::delivery::{Delivery, Message, belong, routing};
use muster_domain::ids::derived_id;
use muster_domain::pb::notification::v1::DeliveryEvent;
use muster_domain::{AggregateId, TenantId};
use muster_eventlog::{Decided, Meta, ReactError, Timers};
use muster_runtime::Context;
use uuid::Uuid;

use crate::fallback;
use crate::lanes::{BEHIND, Lanes};
use crate::parcel::Parcel;
use crate::recipients::Recipients;
use crate::routes::Routes;
use crate::told::EndedAlert;
use way::{Lately, Way};

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
    pub(crate) ctx: Context,
    pub(crate) timers: Timers,
    pub(crate) routes: Routes,
    pub(crate) lanes: Arc<Lanes>,
    pub(crate) recipients: Arc<Recipients>,
    /// How much there was lately: bounded for each tenant, and no more tenants than there are.
    counts: Arc<Mutex<BTreeMap<TenantId, Lately>>>,
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

    /// Straight to a worker, with a timer behind it; or to the timer, if there is no room.
    pub(crate) async fn dispatch(&self, tenant: &TenantId, parcel: Parcel) -> Result<(), ReactError> {
        let now = self.ctx.clock.now();
        let payload = parcel.payload()?;
        fallback::prepare(self, tenant, &parcel, &payload, now).await?;
        let room = self.lanes.room(&parcel);
        let due = if room.is_some() { now.checked_add(BEHIND).unwrap_or(now) } else { now };
        self.timers.set(&parcel.timer(tenant), due, &payload).await?;
        if let Some(room) = room {
            self.lanes.send(tenant, parcel, room);
        }
        Ok(())
    }

    pub(crate) async fn set_timer(
        &self,
        tenant: &TenantId,
        parcel: &Parcel,
        due: jiff::Timestamp,
    ) -> Result<(), ReactError> {
        Ok(self.timers.set(&parcel.timer(tenant), due, &parcel.payload()?).await?)
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
