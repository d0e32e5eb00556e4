//! Gaps that open by themselves, and the timers of those that were accepted. A reaction to the log: its gap's id and its
//! event's id follow from the source event, so that however often it reacts, it opened one gap.

use async_trait::async_trait;
use muster_domain::{
    Aggregate, AggregateId,
    audit::AuditLog,
    execution::Execution,
    gap::{self, Finding, Gap},
    ids::derived_id,
    pb::{
        audit::v1::{AuditLogEvent, GapEvent, gap_event},
        execution::v1::{ExecutionEvent, execution_event::Event as Run},
        request::v1::{RequestEvent, request_event::Event as Asked},
    },
    request::Request,
    time::from_pb,
};
use muster_eventlog::{ReactError, Reactor, Record, TimerKey, reaction_id};
use muster_runtime::Context;

use super::{ACCEPTANCE, SERVICE, commands::about};

const NAME: &str = "audit.gaps";

pub(crate) struct OpenByItself(pub(crate) Context);

#[async_trait]
impl Reactor for OpenByItself {
    fn name(&self) -> &'static str {
        NAME
    }

    fn kinds(&self) -> &'static [&'static str] {
        &[Execution::KIND, Request::KIND, AuditLog::KIND, Gap::KIND]
    }

    async fn react(&self, record: &Record) -> Result<(), ReactError> {
        if record.kind == Gap::KIND {
            return self.watch_acceptance(record).await;
        }
        match self.finding(record).await? {
            Some(finding) => self.open(record, &finding).await,
            None => Ok(()),
        }
    }
}

impl OpenByItself {
    async fn finding(&self, record: &Record) -> Result<Option<Finding>, ReactError> {
        let log = &self.0.log;
        Ok(match record.kind.as_str() {
            Execution::KIND => {
                let event = record.decode::<ExecutionEvent>()?.event;
                let Some(Run::Succeeded(_) | Run::Failed(_)) = event else { return Ok(None) };
                let run = log.load::<Execution>(&record.tenant, &id_of(record)?).await?;
                gap::of_run(&run.state.view)
            }
            Request::KIND => {
                let event = record.decode::<RequestEvent>()?.event;
                let Some(Asked::BreakGlassReviewOverdue(_)) = event else { return Ok(None) };
                let request = log.load::<Request>(&record.tenant, &id_of(record)?).await?;
                gap::of_review(&request.state.view)
            }
            AuditLog::KIND => gap::of_record(&record.decode::<AuditLogEvent>()?),
            _ => None,
        })
    }

    async fn open(&self, record: &Record, finding: &Finding) -> Result<(), ReactError> {
        let source = record.event_id.to_string();
        let id = AggregateId::from(derived_id(&["gap", record.tenant.as_str(), &source]));
        let event_id = reaction_id(NAME, record.event_id);
        let meta = self.0.service_meta(SERVICE, event_id, record.correlation, Some(record.event_id));
        let meta = about(meta, &finding.request_id, &id);
        let decide = |gap: &Gap| -> Result<Option<GapEvent>, std::convert::Infallible> {
            Ok(gap::found(gap, id.as_str(), finding, &source, &meta.actor, meta.time))
        };
        self.0.log.decide(&record.tenant, &id, &meta, decide).await?;
        tracing::info!(tenant = %record.tenant, gap = %id, source = finding.source, title = finding.title, "a gap opened by itself");
        Ok(())
    }

    /// An acceptance ends by a durable timer; what ends it sooner takes the timer away.
    async fn watch_acceptance(&self, record: &Record) -> Result<(), ReactError> {
        let key = TimerKey { tenant: record.tenant.clone(), handler: ACCEPTANCE.to_owned(), key: record.id.clone() };
        let timers = self.0.log.timers();
        match record.decode::<GapEvent>()?.event {
            Some(gap_event::Event::Accepted(accepted)) => {
                let until = from_pb(accepted.until.as_ref())
                    .ok_or_else(|| ReactError::Failed("the acceptance does not say when it ends".to_owned()))?;
                Ok(timers.set(&key, until, &[]).await?)
            }
            Some(gap_event::Event::Planned(_) | gap_event::Event::Closed(_) | gap_event::Event::Reopened(_)) => {
                Ok(timers.cancel(&key).await?)
            }
            Some(gap_event::Event::Opened(_)) | None => Ok(()),
        }
    }
}

fn id_of(record: &Record) -> Result<AggregateId, ReactError> {
    record.id.parse().map_err(|error: muster_domain::InvalidId| ReactError::Failed(error.to_string()))
}
