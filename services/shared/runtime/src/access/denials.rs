//! Refused attempts become events of the tenant's log.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use muster_domain::{
    AggregateId, TenantId,
    denial::Denial,
    pb::identity::v1::{AttemptDenied, DenialEvent, denial_event},
};
use muster_eventlog::{EventLog, Meta};
use tokio_util::task::TaskTracker;

use super::bucket::Buckets;
use crate::{Clock, tenants::Tenants};

/// The answer to the caller waits for the record, not for an outage.
const PATIENCE: Duration = Duration::from_secs(3);
/// A tenant that was registered just now may miss a stranger's attempt.
const TENANTS_AGE: Duration = Duration::from_secs(1);
/// What callers put into names ends here.
const MAX_TEXT: usize = 500;

/// Where denials are kept. The event log; in tests a list.
#[async_trait]
pub trait DenialSink: Send + Sync + 'static {
    async fn tenant_exists(&self, tenant: &TenantId) -> Result<bool, SinkError>;
    async fn append(&self, tenant: &TenantId, meta: Meta, event: DenialEvent) -> Result<(), SinkError>;
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SinkError(pub String);

/// The tenants' logs.
pub(crate) struct LogSink {
    pub(crate) log: EventLog,
    pub(crate) tenants: Tenants,
}

#[async_trait]
impl DenialSink for LogSink {
    async fn tenant_exists(&self, tenant: &TenantId) -> Result<bool, SinkError> {
        let tenants = self.tenants.list(TENANTS_AGE).await.map_err(|e| SinkError(e.to_string()))?;
        Ok(tenants.contains(tenant))
    }

    async fn append(&self, tenant: &TenantId, meta: Meta, event: DenialEvent) -> Result<(), SinkError> {
        let id = AggregateId::from(meta.event_id);
        let appended = self.log.append::<Denial>(tenant, &id, 1, &meta, &event).await;
        appended.map(drop).map_err(|e| SinkError(e.to_string()))
    }
}

/// Writes denials, as many as one actor may cause.
pub struct Denials {
    sink: Arc<dyn DenialSink>,
    clock: Clock,
    buckets: Buckets,
    pending: TaskTracker,
}

impl Denials {
    pub(super) fn new(sink: Arc<dyn DenialSink>, clock: Clock) -> Self {
        Self { sink, clock, buckets: Buckets::default(), pending: TaskTracker::new() }
    }

    /// Writes the denial into the log of a tenant that exists. What goes wrong is logged: the caller's answer is the
    /// same refusal in any case.
    pub(super) async fn record(&self, tenant: &TenantId, attempt: AttemptDenied) {
        if let Some(attempt) = self.admit(tenant, attempt) {
            write(self.sink.as_ref(), &self.clock, tenant, attempt, false).await;
        }
    }

    /// The same behind the answer, for a tenant that may not exist.
    pub(super) fn record_later(&self, tenant: TenantId, attempt: AttemptDenied) {
        let Some(attempt) = self.admit(&tenant, attempt) else { return };
        let (sink, clock) = (self.sink.clone(), self.clock.clone());
        self.pending.spawn(async move { write(sink.as_ref(), &clock, &tenant, attempt, true).await });
    }

    pub(super) async fn flush(&self) {
        self.pending.close();
        self.pending.wait().await;
        self.pending.reopen();
    }

    /// Logs the attempt, and says whether it may also be kept.
    fn admit(&self, tenant: &TenantId, mut attempt: AttemptDenied) -> Option<AttemptDenied> {
        let actor = attempt.actor.as_ref().map(|a| a.id.clone()).unwrap_or_default();
        let code = attempt.refusal.as_ref().map(|r| r.code.clone()).unwrap_or_default();
        let recorded = self.buckets.take(&actor, self.clock.now());
        tracing::warn!(%tenant, actor, code, method = attempt.method, resource = attempt.resource, recorded, "an attempt was refused");
        metrics::counter!("muster_denials_total", "code" => code, "recorded" => if recorded { "yes" } else { "no" })
            .increment(1);
        cut(&mut attempt.resource);
        cut(&mut attempt.request_id);
        if let Some(refusal) = &mut attempt.refusal {
            cut(&mut refusal.value);
        }
        recorded.then_some(attempt)
    }
}

async fn write(sink: &dyn DenialSink, clock: &Clock, tenant: &TenantId, attempt: AttemptDenied, check_tenant: bool) {
    let writing = async {
        if check_tenant && !sink.tenant_exists(tenant).await? {
            return Ok(());
        }
        let event_id = clock.new_id();
        let meta = Meta {
            event_id,
            actor: attempt.actor.clone().unwrap_or_default(),
            time: clock.now(),
            correlation: event_id,
            causation: None,
        };
        sink.append(tenant, meta, DenialEvent { event: Some(denial_event::Event::Denied(attempt)) }).await
    };
    let outcome = match tokio::time::timeout(PATIENCE, writing).await {
        Ok(outcome) => outcome,
        Err(_) => Err(SinkError(format!("no answer within {} s", PATIENCE.as_secs()))),
    };
    if let Err(error) = outcome {
        metrics::counter!("muster_denials_lost_total").increment(1);
        tracing::error!(%tenant, %error, "a refused attempt could not be recorded; this line is its only trace");
    }
}

fn cut(text: &mut String) {
    if let Some((end, _)) = text.char_indices().nth(MAX_TEXT) {
        text.truncate(end);
    }
}
