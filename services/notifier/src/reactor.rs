//! Every event of the tenants' logs that somebody may want to hear about becomes a message.

use async_trait::async_trait;
use muster_domain::Aggregate;
use muster_domain::audit::AuditLog;
use muster_domain::delivery::{Message, Source, alert, audit_alarm, lifecycle};
use muster_domain::execution::{Execution, Reservation};
use muster_domain::inventory::Declared;
use muster_domain::pb::execution::v1::ExecutionEvent;
use muster_domain::pb::readiness::v1::ReadinessEvent;
use muster_domain::pb::request::v1::{RequestEvent, RequestOpened, request_event};
use muster_domain::readiness::Readiness;
use muster_domain::request::Request;
use muster_domain::schedule::Schedule;
use muster_eventlog::{EventLog, ReactError, Reactor, Record};
use muster_runtime::Context;

use crate::escalation;
use crate::outbox::{Cause, Narrowing, Outbox};
use crate::told::EndedAlert;

/// The reactor. Its effects are guarded by the delivery aggregate: twice is the same as once.
pub(crate) struct Messages {
    pub(crate) ctx: Context,
    pub(crate) log: EventLog,
    pub(crate) outbox: Outbox,
}

#[async_trait]
impl Reactor for Messages {
    fn name(&self) -> &'static str {
        "notifier.messages"
    }

    fn kinds(&self) -> &'static [&'static str] {
        // The inventory is among them for its order: a route declared before an event is used for it.
        // So are the reservations: what a run of ours holds is known before the alerts that it causes.
        &[
            Readiness::KIND,
            Request::KIND,
            Execution::KIND,
            Schedule::KIND,
            Declared::KIND,
            Reservation::KIND,
            AuditLog::KIND,
        ]
    }

    /// Alerts of different systems have nothing to do with each other; everything else keeps its order.
    fn beside<'a>(&self, record: &'a Record) -> Option<&'a str> {
        (record.kind == Readiness::KIND).then_some(record.id.as_str())
    }

    async fn react(&self, record: &Record) -> Result<(), ReactError> {
        self.outbox.routes.caught_up().await;
        match record.kind.as_str() {
            Readiness::KIND => self.readiness(record).await,
            Request::KIND => self.request(record).await,
            Execution::KIND => self.execution(record).await,
            Schedule::KIND => self.schedule(record).await,
            AuditLog::KIND => self.audit_log(record).await,
            Declared::KIND | Reservation::KIND => {
                self.outbox.routes.reached(record).await;
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

impl Messages {
    async fn readiness(&self, record: &Record) -> Result<(), ReactError> {
        let event: ReadinessEvent = record.decode()?;
        let Some(message) = alert::message(&source(record), &event) else { return Ok(()) };
        let Some(message) = escalation::shaped(&self.ctx, &self.outbox, &record.tenant, message).await? else {
            return Ok(());
        };
        match alert::resolved_alert(&event) {
            None => self.tell(record, &message, &Narrowing::default()).await,
            Some(alert) => {
                let ended = EndedAlert::load(&self.log, record, alert).await?;
                self.tell(record, &message, &Narrowing { ended_alert: Some(&ended), ..Narrowing::default() }).await
            }
        }
    }

    async fn request(&self, record: &Record) -> Result<(), ReactError> {
        let event: RequestEvent = record.decode()?;
        let opened = match &event.event {
            Some(request_event::Event::Opened(opened)) => opened.clone(),
            _ => self.opened(record).await?,
        };
        match lifecycle::request_message(&source(record), &event, &opened) {
            Some(message) => self.tell(record, &message, &Narrowing::default()).await,
            None => Ok(()),
        }
    }

    async fn execution(&self, record: &Record) -> Result<(), ReactError> {
        let event: ExecutionEvent = record.decode()?;
        if !lifecycle::is_told(&event) {
            return Ok(());
        }
        let opened = self.opened(record).await?;
        match lifecycle::execution_message(&source(record), &event, &opened) {
            Some(message) => self.tell(record, &message, &Narrowing::default()).await,
            None => Ok(()),
        }
    }

    async fn audit_log(&self, record: &Record) -> Result<(), ReactError> {
        match audit_alarm(&source(record), &record.decode()?) {
            Some(message) => self.tell(record, &message, &Narrowing::default()).await,
            None => Ok(()),
        }
    }

    /// What a request or its run is about: the run has the request's id.
    async fn opened(&self, record: &Record) -> Result<RequestOpened, ReactError> {
        let invalid = |e: muster_domain::InvalidId| ReactError::Failed(e.to_string());
        let id = record.id.parse().map_err(invalid)?;
        if let Some(opened) = self.log.load::<Request>(&record.tenant, &id).await?.state.view.opened {
            return Ok(opened);
        }
        let run = self.log.load::<Execution>(&record.tenant, &id).await?.state.view;
        let missing =
            || ReactError::Failed(format!("neither a request nor the start of a run with id {id} is in the log"));
        run.started.as_ref().map(lifecycle::opened_from_run).ok_or_else(missing)
    }

    pub(crate) async fn tell(
        &self,
        record: &Record,
        message: &Message,
        narrowing: &Narrowing<'_>,
    ) -> Result<(), ReactError> {
        let cause = Cause { correlation: record.correlation, event: record.event_id };
        self.outbox.tell(&record.tenant, message, cause, narrowing).await
    }
}

pub(crate) fn source(record: &Record) -> Source {
    Source {
        tenant: record.tenant.to_string(),
        event_id: record.event_id,
        sequence: record.sequence,
        occurred_at: record.time,
    }
}
