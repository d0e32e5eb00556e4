//! Which tenants there are, asked once for many who want to know.

use std::{sync::Arc, time::Duration};

use muster_domain::TenantId;
use muster_eventlog::{EventLog, LogError};
use tokio::{sync::Mutex, time::Instant};

/// A cheap handle to the last answer of the event log.
#[derive(Clone)]
pub struct Tenants(Arc<Inner>);

struct Inner {
    log: EventLog,
    last: Mutex<Option<(Instant, Arc<[TenantId]>)>>,
}

impl Tenants {
    pub fn new(log: EventLog) -> Self {
        Self(Arc::new(Inner { log, last: Mutex::new(None) }))
    }

    /// The tenants, as the log said at most `max_age` ago. Callers that come together share one question.
    pub async fn list(&self, max_age: Duration) -> Result<Arc<[TenantId]>, LogError> {
        let mut last = self.0.last.lock().await;
        if let Some((at, tenants)) = last.as_ref()
            && at.elapsed() < max_age
        {
            return Ok(tenants.clone());
        }
        let tenants: Arc<[TenantId]> = self.0.log.tenants().await?.into();
        *last = Some((Instant::now(), tenants.clone()));
        Ok(tenants)
    }
}
