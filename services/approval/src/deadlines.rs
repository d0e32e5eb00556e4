//! Deadlines of requests, as durable timers: a request lapses, people are asked again, a review is overdue. A reaction
//! to the log sets and cancels them, so that no crash between an event and its timer leaves one out.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use muster_domain::{
    Aggregate, AggregateId,
    ids::derived_id,
    pb::request::v1::{RequestEvent, RequestOpened, request_event::Event},
    request::{self, Request},
    time::from_pb,
};
use muster_eventlog::{
    Decided, LogError, Outcome, ReactError, Reactor, Record, TimerError, TimerFired, TimerHandler, TimerKey,
};

use crate::{Approval, SERVICE};

/// The timers' handlers: part of their stored names, for ever.
pub(crate) const EXPIRY: &str = "approval.expiry";
pub(crate) const ESCALATION: &str = "approval.escalation";
pub(crate) const REVIEW: &str = "approval.review";

pub(crate) struct SetTimers(pub(crate) Arc<Approval>);

#[async_trait]
impl Reactor for SetTimers {
    fn name(&self) -> &'static str {
        // Before escalations and reviews it set the timers of expiry alone; its position is kept under this name.
        EXPIRY
    }

    fn kinds(&self) -> &'static [&'static str] {
        &[Request::KIND]
    }

    async fn react(&self, record: &Record) -> Result<(), ReactError> {
        match record.decode::<RequestEvent>()?.event {
            Some(Event::Opened(opened)) => self.opened(record, &opened).await,
            Some(Event::Approved(approved)) if approved.completes => Ok(self.calm(record).await?),
            Some(Event::Denied(_) | Event::Withdrawn(_)) => Ok(self.closed(record).await?),
            Some(Event::Expired(_) | Event::BreakGlassLapsed(_)) => Ok(self.calm(record).await?),
            Some(Event::Confirmed(confirmed)) => {
                self.closed(record).await?;
                if confirmed.break_glass { self.broken(record).await } else { Ok(()) }
            }
            Some(Event::BreakGlassReviewed(_)) => {
                Ok(self.0.ctx.log.timers().cancel(&key(record, REVIEW, record.id.clone())).await?)
            }
            Some(
                Event::Approved(_)
                | Event::CheckOverridden(_)
                | Event::Escalated(_)
                | Event::BreakGlassReviewOverdue(_),
            )
            | None => Ok(()),
        }
    }
}

impl SetTimers {
    async fn opened(&self, record: &Record, opened: &RequestOpened) -> Result<(), ReactError> {
        let timers = self.0.ctx.log.timers();
        let due = from_pb(opened.expires_at.as_ref())
            .ok_or_else(|| ReactError::Failed("the request does not say when it expires".to_owned()))?;
        timers.set(&key(record, EXPIRY, record.id.clone()), due, &[]).await?;
        for (stage, due) in request::escalations_due(opened) {
            timers.set(&key(record, ESCALATION, stage_key(&record.id, stage)), due, &[]).await?;
        }
        Ok(())
    }

    /// Nobody has to be asked again.
    async fn calm(&self, record: &Record) -> Result<(), LogError> {
        let id: AggregateId = match record.id.parse() {
            Ok(id) => id,
            Err(_) => return Ok(()),
        };
        let request = self.0.ctx.log.load::<Request>(&record.tenant, &id).await?.state;
        let Some(opened) = &request.view.opened else { return Ok(()) };
        for (stage, _) in request::escalations_due(opened) {
            self.0.ctx.log.timers().cancel(&key(record, ESCALATION, stage_key(&record.id, stage))).await?;
        }
        Ok(())
    }

    async fn closed(&self, record: &Record) -> Result<(), LogError> {
        self.0.ctx.log.timers().cancel(&key(record, EXPIRY, record.id.clone())).await?;
        self.calm(record).await
    }

    /// From here a review is owed.
    async fn broken(&self, record: &Record) -> Result<(), ReactError> {
        let id: AggregateId = record.id.parse().map_err(|error: muster_domain::InvalidId| failed(&error))?;
        let request = self.0.ctx.log.load::<Request>(&record.tenant, &id).await?.state;
        let due = request::review_due(&request.view)
            .ok_or_else(|| ReactError::Failed("the broken glass does not say when its review is due".to_owned()))?;
        Ok(self.0.ctx.log.timers().set(&key(record, REVIEW, record.id.clone()), due, &[]).await?)
    }
}

fn failed(error: &muster_domain::InvalidId) -> ReactError {
    ReactError::Failed(error.to_string())
}

fn key(record: &Record, handler: &str, key: String) -> TimerKey {
    TimerKey { tenant: record.tenant.clone(), handler: handler.to_owned(), key }
}

/// "019345aa-…_2"
fn stage_key(request_id: &str, stage: u32) -> String {
    format!("{request_id}_{stage}")
}

/// Lapses a request, or a broken glass that nobody went through.
pub(crate) struct Expire(pub(crate) Arc<Approval>);

#[async_trait]
impl TimerHandler for Expire {
    async fn fire(&self, timer: TimerFired) -> Result<(), TimerError> {
        let decided = self.0.by_timer(&timer, &timer.key, "expire", request::expire).await?;
        let now = self.0.ctx.clock.now();
        // The server's clock may run ahead of ours: the time is not over here yet.
        let too_early = decided.state.is_open() && decided.state.expires_at().is_some_and(|due| now < due);
        if decided.outcome != Outcome::Appended && too_early {
            return Err(TimerError("the request's time is not over by this host's clock".to_owned()));
        }
        Ok(())
    }
}

/// Asks the next ones.
pub(crate) struct Escalate(pub(crate) Arc<Approval>);

#[async_trait]
impl TimerHandler for Escalate {
    async fn fire(&self, timer: TimerFired) -> Result<(), TimerError> {
        let (id, stage) = timer
            .key
            .split_once('_')
            .and_then(|(id, stage)| Some((id, stage.parse::<u32>().ok()?)))
            .ok_or_else(|| TimerError(format!("'{}' names no request and stage", timer.key)))?;
        let decide = |request: &Request, now: Timestamp| request::escalate(request, stage, now);
        let decided = self.0.by_timer(&timer, id, &format!("escalate-{stage}"), decide).await?;
        let due = decided.state.view.opened.as_ref().map(request::escalations_due).unwrap_or_default();
        let due = due.into_iter().find(|(number, _)| *number == stage).map(|(_, due)| due);
        let too_early = due.is_some_and(|due| self.0.ctx.clock.now() < due) && decided.state.is_open();
        if decided.outcome != Outcome::Appended && too_early {
            return Err(TimerError("the escalation is not due by this host's clock".to_owned()));
        }
        Ok(())
    }
}

/// Raises the alarm about a review that nobody wrote.
pub(crate) struct Overdue(pub(crate) Arc<Approval>);

#[async_trait]
impl TimerHandler for Overdue {
    async fn fire(&self, timer: TimerFired) -> Result<(), TimerError> {
        let decided = self.0.by_timer(&timer, &timer.key, "review-overdue", request::review_overdue).await?;
        let view = &decided.state.view;
        let open = view.review.is_none() && view.review_overdue.is_none();
        let too_early = request::review_due(view).is_some_and(|due| self.0.ctx.clock.now() < due);
        if decided.outcome != Outcome::Appended && open && too_early {
            return Err(TimerError("the review is not due by this host's clock".to_owned()));
        }
        Ok(())
    }
}

impl Approval {
    /// One decision by a timer. Its event id follows from the request and what is decided, so that a timer that fires
    /// twice is one event.
    async fn by_timer(
        &self,
        timer: &TimerFired,
        request_id: &str,
        what: &str,
        decide: impl Fn(&Request, Timestamp) -> Option<RequestEvent>,
    ) -> Result<Decided<Request>, TimerError> {
        let id: AggregateId =
            request_id.parse().map_err(|error: muster_domain::InvalidId| TimerError(error.to_string()))?;
        let event_id = derived_id(&[what, timer.tenant.as_str(), id.as_str()]);
        let correlation = id.as_str().parse().unwrap_or(event_id);
        let meta = self.ctx.service_meta(SERVICE, event_id, correlation, None);
        let now = meta.time;
        let decided = self
            .ctx
            .log
            .decide::<Request, std::convert::Infallible>(&timer.tenant, &id, &meta, |request| Ok(decide(request, now)))
            .await
            .map_err(|error| TimerError(error.to_string()))?;
        if decided.outcome == Outcome::Appended {
            tracing::info!(tenant = %timer.tenant, request = %id, what, late_s = timer.late_by.as_secs(), "a deadline of a request passed");
        }
        Ok(decided)
    }
}
