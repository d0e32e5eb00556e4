//! A proof's time is over: the durable timer that `proof` sets with each proof.

use std::sync::Arc;

use async_trait::async_trait;
use muster_domain::ids::derived_id;
use muster_eventlog::{TimerError, TimerFired, TimerHandler};

use super::{Plans, proof::PROOFS};

pub(crate) struct Lapse(pub(crate) Arc<Plans>);

#[async_trait]
impl TimerHandler for Lapse {
    async fn fire(&self, timer: TimerFired) -> Result<(), TimerError> {
        let clock = &self.0.ctx.clock;
        let event_id = derived_id(&[PROOFS, "lapse", timer.tenant.as_str(), &timer.key, &timer.due.to_string()]);
        let meta = self.0.ctx.service_meta("planner", event_id, event_id, None);
        // The log's clock said that it is due; ours may be a moment behind.
        let now = clock.now().max(timer.due);
        let done = self.0.lapse(&timer.tenant, &timer.key, &meta, now).await;
        done.map_err(|error| TimerError(error.to_string()))
    }
}
