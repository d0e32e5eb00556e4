//! The end of an acceptance: the gap opens again by itself.

use async_trait::async_trait;
use muster_domain::{
    AggregateId, InvalidId,
    gap::{self, Gap},
    ids::derived_id,
    pb::audit::v1::GapEvent,
};
use muster_eventlog::{Outcome, TimerError, TimerFired, TimerHandler};
use muster_runtime::Context;

use super::{SERVICE, commands::about};

/// The timers' handler: part of their stored names, for ever.
pub(crate) const ACCEPTANCE: &str = "audit.acceptance";

pub(crate) struct Lapse(pub(crate) Context);

#[async_trait]
impl TimerHandler for Lapse {
    async fn fire(&self, timer: TimerFired) -> Result<(), TimerError> {
        let (tenant, log) = (&timer.tenant, &self.0.log);
        let id: AggregateId = timer.key.parse().map_err(|error: InvalidId| TimerError(error.to_string()))?;
        let failed = |error: &dyn std::fmt::Display| TimerError(error.to_string());
        let gap = log.load::<Gap>(tenant, &id).await.map_err(|e| failed(&e))?.state;
        let Some(until) = gap::accepted_until(&gap) else { return Ok(()) };
        // One event for each end of each acceptance, however often its timer fires.
        let event_id = derived_id(&["gap-lapse", tenant.as_str(), id.as_str(), &until.to_string()]);
        let request_id = gap.opened.map(|opened| opened.request_id).unwrap_or_default();
        let meta = about(self.0.service_meta(SERVICE, event_id, event_id, None), &request_id, &id);
        let decide = |gap: &Gap| -> Result<Option<GapEvent>, std::convert::Infallible> {
            Ok(gap::lapse(gap, &meta.actor, meta.time))
        };
        let decided = log.decide(tenant, &id, &meta, decide).await.map_err(|e| failed(&e))?;
        if decided.outcome == Outcome::Appended {
            tracing::info!(%tenant, gap = %id, late_s = timer.late_by.as_secs(), "an acceptance ended, the gap is open again");
        }
        // The server's clock may run ahead of ours: this acceptance is not over here yet.
        if gap::accepted_until(&decided.state).is_some_and(|now_until| now_until <= timer.due) {
            return Err(TimerError("the acceptance is not over by this host's clock".to_owned()));
        }
        Ok(())
    }
}
