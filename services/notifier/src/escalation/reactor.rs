//! Alerts begin and end an escalation; what was decided about one is told, and its next timer is set.

use std::convert::Infallible;

use async_trait::async_trait;
use jiff::Timestamp;
use muster_domain::delivery::alert_rule::{Chosen, Subject};
use muster_domain::delivery::escalation::{self, next_at, words};
use muster_domain::delivery::routing::MAX_NEWS_AGE;
use muster_domain::delivery::{Escalation, Message, alert};
use muster_domain::ids::derived_id;
use muster_domain::inventory::Declared;
use muster_domain::pb::notification::v1::{
    AlertAcknowledged, EscalationEvent, EscalationStarted, escalation_event::Event as Decided,
};
use muster_domain::pb::readiness::v1::{ReadinessEvent, readiness_event::Event as Seen};
use muster_domain::readiness::Readiness;
use muster_domain::time::{from_pb, to_pb};
use muster_domain::{Aggregate, AggregateId, InvalidId};
use muster_eventlog::{ReactError, Reactor, Record};
use muster_runtime::Context;

use super::open_alerts::OpenAlerts;
use super::{rules, timer_of};
use crate::outbox::{Cause, Narrowing, Outbox};
use crate::reactor::source;
use crate::told::EndedAlert;

/// The reactor. Twice is the same as once: events and deliveries have ids that follow from what caused them.
pub(crate) struct Escalations {
    pub(crate) ctx: Context,
    pub(crate) outbox: Outbox,
}

#[async_trait]
impl Reactor for Escalations {
    fn name(&self) -> &'static str {
        "notifier.escalations"
    }

    fn kinds(&self) -> &'static [&'static str] {
        // The inventory is among them for its order: a rule declared before an alert holds for it.
        &[Readiness::KIND, Escalation::KIND, Declared::KIND]
    }

    /// Alerts of different systems have nothing to do with each other; everything else keeps its order.
    fn beside<'a>(&self, record: &'a Record) -> Option<&'a str> {
        (record.kind == Readiness::KIND).then_some(record.id.as_str())
    }

    async fn react(&self, record: &Record) -> Result<(), ReactError> {
        self.outbox.routes.caught_up().await;
        match record.kind.as_str() {
            Readiness::KIND => self.seen(record).await,
            Escalation::KIND => self.decided(record).await,
            Declared::KIND => {
                self.outbox.routes.reached(record).await;
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

// ---- alerts begin and end it ----

impl Escalations {
    async fn seen(&self, record: &Record) -> Result<(), ReactError> {
        let event: ReadinessEvent = record.decode()?;
        match &event.event {
            Some(Seen::AlertOpened(_) | Seen::AlertUpdated(_)) => self.begin(record, &event).await,
            Some(Seen::AlertResolved(e)) => self.end(record, &event, &e.alert_id).await,
            Some(Seen::StatusChanged(_)) | None => Ok(()),
        }
    }

    /// Where a rule asks for an answer. An alert that became severe later begins then.
    async fn begin(&self, record: &Record, event: &ReadinessEvent) -> Result<(), ReactError> {
        let Some(message) = alert::message(&source(record), event) else { return Ok(()) };
        let chosen = rules::chosen(&self.outbox.routes, &record.tenant, &Subject::of(&message));
        if !chosen.asks_for_an_answer() || self.is_history(record, &message.alert_id).await? {
            return Ok(());
        }
        let started = started(&message, chosen, record.time);
        let meta = self.meta(&["escalation.started", &message.alert_id], record);
        let decide = |state: &Escalation| Ok::<_, Infallible>(escalation::start(state, &started));
        self.ctx.log.decide::<Escalation, _>(&record.tenant, &id(&message.alert_id)?, &meta, decide).await?;
        Ok(())
    }

    /// Of a log from before the first start only what is still open matters.
    async fn is_history(&self, record: &Record, alert_id: &str) -> Result<bool, ReactError> {
        if self.ctx.clock.now().duration_since(record.time) <= MAX_NEWS_AGE {
            return Ok(false);
        }
        let alerts = self.ctx.log.load::<OpenAlerts>(&record.tenant, &id(&record.id)?).await?.state;
        Ok(!alerts.0.contains_key(alert_id))
    }

    /// Those who were told by a step hear of the end, too: the routes' own lists may not lead there.
    async fn end(&self, record: &Record, event: &ReadinessEvent, alert_id: &str) -> Result<(), ReactError> {
        let meta = self.meta(&["escalation.ended", alert_id], record);
        let now = self.ctx.clock.now();
        let decide = |state: &Escalation| Ok::<_, Infallible>(escalation::end(state, "resolved", now));
        let ended = self.ctx.log.decide::<Escalation, _>(&record.tenant, &id(alert_id)?, &meta, decide).await?.state;
        let routes = told_by_steps(&ended);
        let Some(message) = alert::message(&source(record), event).filter(|_| !routes.is_empty()) else {
            return Ok(());
        };
        match rules::shaped(&self.ctx, &self.outbox.routes, &record.tenant, message) {
            Some(message) => self.tell_the_told(record, message, &id(&record.id)?, alert_id, routes).await,
            None => Ok(()),
        }
    }
}

// ---- what was decided is told ----

impl Escalations {
    async fn decided(&self, record: &Record) -> Result<(), ReactError> {
        let event: EscalationEvent = record.decode()?;
        let state = self.ctx.log.load::<Escalation>(&record.tenant, &id(&record.id)?).await?.state;
        match &event.event {
            Some(Decided::Stepped(e)) => {
                self.tell_again(record, &state, |alert| words::stepped(alert, e, &state)).await?;
            }
            Some(Decided::Renotified(e)) => {
                let opened = opened_at(&state);
                self.tell_again(record, &state, |alert| words::renotified(alert, e.repetition, opened)).await?;
            }
            Some(Decided::Acknowledged(e)) => self.tell_acknowledged(record, &state, e).await?,
            Some(Decided::Started(_) | Decided::Silenced(_) | Decided::Ended(_)) | None => {}
        }
        self.wind_up(record, &state).await
    }

    /// Sets the alert's timer for what is due next, or takes it away.
    async fn wind_up(&self, record: &Record, state: &Escalation) -> Result<(), ReactError> {
        let key = timer_of(&record.tenant, &record.id);
        match next_at(state, self.ctx.clock.now()) {
            Some(next) => self.ctx.log.timers().set(&key, next, b"").await?,
            None => self.ctx.log.timers().cancel(&key).await?,
        }
        Ok(())
    }

    /// The alert as it stands now, changed into the words of this message. One that is over is not told again.
    async fn tell_again(
        &self,
        record: &Record,
        state: &Escalation,
        change: impl FnOnce(&mut Message) + Send,
    ) -> Result<(), ReactError> {
        let Some(started) = &state.started else { return Ok(()) };
        let alerts = self.ctx.log.load::<OpenAlerts>(&record.tenant, &id(&started.resource)?).await?.state;
        let newest = alerts.0.get(&record.id).filter(|_| state.ended.is_none());
        let Some(mut message) = newest.and_then(|event| alert::message(&source(record), event)) else {
            return Ok(());
        };
        // As it was chosen when the alert was opened: what people are told by is in the record.
        let chosen = Chosen { rule: started.rule.clone().unwrap_or_default(), source: started.rule_source.clone() };
        chosen.apply(&mut message);
        rules::with_runbook(&self.ctx, &started.message_kind, &mut message);
        change(&mut message);
        self.outbox.tell(&record.tenant, &message, cause(record), &Narrowing::default()).await
    }

    async fn tell_acknowledged(
        &self,
        record: &Record,
        state: &Escalation,
        said: &AlertAcknowledged,
    ) -> Result<(), ReactError> {
        let Some(started) = &state.started else { return Ok(()) };
        let mut message = words::acknowledged(&source(record), started, said);
        rules::with_runbook(&self.ctx, &started.message_kind, &mut message);
        let resource = id(&started.resource)?;
        let told = EndedAlert::of(&self.ctx.log, &record.tenant, &resource, &record.id).await?;
        let narrowing = Narrowing { ended_alert: Some(&told), ..Narrowing::default() };
        self.outbox.tell(&record.tenant, &message, cause(record), &narrowing).await?;
        let routes = told_by_steps(state);
        if routes.is_empty() {
            return Ok(());
        }
        self.tell_the_told(record, message, &resource, &record.id, routes).await
    }

    /// On these routes, to those whom the alert or a step of it reached. Who was told already is not told twice: the
    /// delivery's id is the same.
    async fn tell_the_told(
        &self,
        record: &Record,
        mut message: Message,
        resource: &AggregateId,
        alert_id: &str,
        routes: Vec<String>,
    ) -> Result<(), ReactError> {
        let told = EndedAlert::of(&self.ctx.log, &record.tenant, resource, alert_id).await?;
        // Routes that are no more would open the message to all others.
        let declared = self.outbox.routes.of(&record.tenant);
        message.only_routes = routes.into_iter().filter(|name| declared.iter().any(|r| r.name == *name)).collect();
        if message.only_routes.is_empty() {
            return Ok(());
        }
        let narrowing = Narrowing { ended_alert: Some(&told), ..Narrowing::default() };
        self.outbox.tell(&record.tenant, &message, cause(record), &narrowing).await
    }

    fn meta(&self, parts: &[&str], record: &Record) -> muster_eventlog::Meta {
        let event_id = derived_id(&[parts, &[record.tenant.as_str()]].concat());
        self.ctx.service_meta(crate::NAME, event_id, record.correlation, Some(record.event_id))
    }
}

/// What is recorded when it begins.
pub(super) fn started(message: &Message, chosen: Chosen, opened_at: Timestamp) -> EscalationStarted {
    EscalationStarted {
        alert_id: message.alert_id.clone(),
        resource: message.resource.clone(),
        message_kind: message.kind.clone(),
        severity: message.severity.name().to_owned(),
        tier: message.tier.into(),
        environment: message.environment.into(),
        rule: Some(chosen.rule),
        rule_source: chosen.source,
        opened_at: Some(to_pb(opened_at)),
    }
}

fn opened_at(state: &Escalation) -> Option<Timestamp> {
    from_pb(state.started.as_ref()?.opened_at.as_ref())
}

/// The routes of the steps that were taken.
fn told_by_steps(state: &Escalation) -> Vec<String> {
    let rule = state.started.as_ref().and_then(|started| started.rule.as_ref());
    let steps = rule.map(|rule| rule.escalate.as_slice()).unwrap_or_default();
    let taken = usize::try_from(state.step).unwrap_or(usize::MAX);
    let mut routes: Vec<String> = steps.iter().take(taken).flat_map(|step| step.routes.clone()).collect();
    routes.sort_unstable();
    routes.dedup();
    routes
}

fn id(text: &str) -> Result<AggregateId, ReactError> {
    text.parse().map_err(|e: InvalidId| ReactError::Failed(e.to_string()))
}

fn cause(record: &Record) -> Cause {
    Cause { correlation: record.correlation, event: record.event_id }
}
