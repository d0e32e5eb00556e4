//! Requests that nobody finished lapse, by a durable timer per request. A reaction to the log sets and cancels it, so
//! that no crash between an event and its timer leaves a request open for ever.

use std::sync::Arc;

use async_trait::async_trait;
use muster_domain::{
    Aggregate, AggregateId,
    ids::derived_id,
    pb::request::v1::{RequestEvent, request_event::Event},
    request::{self, Request},
    time::from_pb,
};
use muster_eventlog::{Outcome, ReactError, Reactor, Record, TimerError, TimerFired, TimerHandler, TimerKey};

use crate::{Approval, SERVICE};

/// The timers' handler: part of their stored name, for ever.
pub(crate) const HANDLER: &str = "approval.expiry";

pub(crate) struct SetTimers(pub(crate) Arc<Approval>);

#[async_trait]
impl Reactor for SetTimers {
    fn name(&self) -> &'static str {
        HANDLER
    }

    fn kinds(&self) -> &'static [&'static str] {
        &[Request::KIND]
    }

    async fn react(&self, record: &Record) -> Result<(), ReactError> {
        let timer = TimerKey { tenant: record.tenant.clone(), handler: HANDLER.to_owned(), key: record.id.clone() };
        let timers = self.0.ctx.log.timers();
        match record.decode::<RequestEvent>()?.event {
            Some(Event::Opened(opened)) => {
                let due = from_pb(opened.expires_at.as_ref())
                    .ok_or_else(|| ReactError::Failed("the request does not say when it expires".to_owned()))?;
                timers.set(&timer, due, &[]).await?;
            }
            Some(Event::Denied(_) | Event::Withdrawn(_) | Event::Confirmed(_)) => timers.cancel(&timer).await?,
            Some(_) | None => {}
        }
        Ok(())
    }
}

pub(crate) struct Expire(pub(crate) Arc<Approval>);

#[async_trait]
impl TimerHandler for Expire {
    async fn fire(&self, timer: TimerFired) -> Result<(), TimerError> {
        let failed = |error: String| TimerError(error);
        let ctx = &self.0.ctx;
        let id: AggregateId = timer.key.parse().map_err(|error: muster_domain::InvalidId| failed(error.to_string()))?;
        let event_id = derived_id(&["expire", timer.tenant.as_str(), id.as_str()]);
        let correlation = id.as_str().parse().unwrap_or(event_id);
        let meta = ctx.service_meta(SERVICE, event_id, correlation, None);
        let now = meta.time;
        let decided = ctx
            .log
            .decide::<Request, std::convert::Infallible>(&timer.tenant, &id, &meta, |request| {
                Ok(request::expire(request, now))
            })
            .await
            .map_err(|error| failed(error.to_string()))?;
        if decided.outcome == Outcome::Appended {
            tracing::info!(tenant = %timer.tenant, request = %id, late_s = timer.late_by.as_secs(), "a request expired");
            return Ok(());
        }
        // The server's clock may run ahead of ours: the time is not over here yet.
        match decided.state.expires_at().filter(|due| decided.state.is_open() && now < *due) {
            Some(_) => Err(failed("the request's time is not over by this host's clock".to_owned())),
            None => Ok(()),
        }
    }
}
