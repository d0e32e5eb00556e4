//! Fired when something may be due: decides it, and nothing else. What was decided is told by the reactor.

use async_trait::async_trait;
use muster_domain::delivery::Escalation;
use muster_domain::delivery::escalation::{due, end, next_at};
use muster_domain::{AggregateId, TenantId};
use muster_eventlog::{LogError, Outcome, TimerError, TimerFired, TimerHandler};
use muster_runtime::Context;
use std::convert::Infallible;

use super::open_alerts::OpenAlerts;
use super::timer_of;

/// The handler of the alerts' timers.
pub(crate) const TIMERS: &str = "notifier.escalation";

/// Decides what is due.
pub(crate) struct Due {
    pub(crate) ctx: Context,
}

#[async_trait]
impl TimerHandler for Due {
    async fn fire(&self, timer: TimerFired) -> Result<(), TimerError> {
        let Ok(id) = timer.key.parse::<AggregateId>() else {
            tracing::error!(tenant = %timer.tenant, key = timer.key, "not the timer of an alert: dropped");
            return Ok(());
        };
        self.decide(&timer.tenant, &id).await.map_err(|error| TimerError(error.to_string()))
    }
}

impl Due {
    async fn decide(&self, tenant: &TenantId, id: &AggregateId) -> Result<(), Failed> {
        loop {
            let state = self.ctx.log.load::<Escalation>(tenant, id).await?.state;
            if !state.is_unanswered() {
                return Ok(());
            }
            let open = self.is_open(tenant, id, &state).await?;
            let now = self.ctx.clock.now();
            // Several may be due after an outage; each is a decision of its own.
            let meta = self.ctx.service_meta(crate::NAME, self.ctx.clock.new_id(), correlation(id, &self.ctx), None);
            let decide = |state: &Escalation| {
                Ok::<_, Infallible>(if open { due(state, now) } else { end(state, "resolved", now) })
            };
            let decided = self.ctx.log.decide::<Escalation, _>(tenant, id, &meta, decide).await?;
            if decided.outcome != Outcome::Appended {
                // It came early, or somebody silenced it meanwhile.
                if let Some(next) = next_at(&decided.state, now) {
                    self.ctx.log.timers().set(&timer_of(tenant, id.as_str()), next, b"").await?;
                }
                return Ok(());
            }
        }
    }

    /// Whether the alert is still open. Its end may not have been handled yet: after an outage timers can be first.
    async fn is_open(&self, tenant: &TenantId, id: &AggregateId, state: &Escalation) -> Result<bool, Failed> {
        let Some(started) = &state.started else { return Ok(false) };
        let resource: AggregateId = started.resource.parse()?;
        let alerts = self.ctx.log.load::<OpenAlerts>(tenant, &resource).await?.state;
        Ok(alerts.0.contains_key(id.as_str()))
    }
}

/// Everything that has to do with one alert shares its id as correlation, where that is one.
pub(super) fn correlation(id: &AggregateId, ctx: &Context) -> uuid::Uuid {
    id.as_str().parse().unwrap_or_else(|_| ctx.clock.new_id())
}

#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Decide(#[from] muster_eventlog::DecideError<Infallible>),
    #[error(transparent)]
    Name(#[from] muster_domain::InvalidId),
}
