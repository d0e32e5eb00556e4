//! A person records a review that was due.

use jiff::Timestamp;
use muster_domain::{
    Refusal,
    ids::derived_id,
    pb::schedule::v1::{RecordReviewRequest, ScheduleView},
    schedule::{self, Schedule},
    time,
};
use muster_eventlog::{Meta, wait_for};
use muster_runtime::{Call, IntoStatus, refused, status::RefusalClass};
use tonic::Status;

use super::{Schedules, projection::OCCURRENCES, schedule_id};
use crate::{error::CommandError, projection::TABLES_BEHIND};

impl Schedules {
    /// The schedule as it is then, and the position in the tenant's log to wait for in a list.
    pub(super) async fn review(&self, call: Call<RecordReviewRequest>) -> Result<(Option<ScheduleView>, u64), Status> {
        let (ask, call) = call.split();
        let meta = call.meta(&ask.idempotency_key)?;
        let recorded = self.record_review(&call, &ask, meta).await;
        let (sequence, now): (u64, Timestamp) = match recorded {
            Ok(sequence) => (sequence, call.now),
            Err(CommandError::Refused(refusal)) if RefusalClass::of(&refusal) == RefusalClass::State => {
                return Err(self.ctx.deny(&call, &refusal, &format!("schedule/{}", ask.name), "").await);
            }
            Err(CommandError::Refused(refusal)) => return Err(refused(&refusal)),
            Err(error) => return Err(error.into_status()),
        };
        // The table may be a moment behind; the review is recorded in any case.
        let _ = wait_for(&self.ctx.db, OCCURRENCES, &call.tenant, sequence, TABLES_BEHIND).await;
        let shown = self.get(&call.tenant, &ask.name, now).await.map_err(IntoStatus::into_status)?;
        Ok((shown.schedule, sequence))
    }

    async fn record_review(
        &self,
        call: &Call<()>,
        ask: &RecordReviewRequest,
        mut meta: Meta,
    ) -> Result<u64, CommandError> {
        let due_at = time::given("due_at", ask.due_at.as_ref())?;
        let id = schedule_id(&ask.name)?;
        self.document(&call.tenant, &ask.name).await?;
        // The same key on another schedule is another command.
        meta.event_id = derived_id(&["on", id.as_str(), &meta.event_id.to_string()]);
        let decide =
            |schedule: &Schedule| schedule::review(schedule, &ask.name, due_at, &ask.findings, &call.actor, call.now);
        let decided = self.ctx.log.decide::<Schedule, Refusal>(&call.tenant, &id, &meta, decide).await?;
        Ok(decided.sequence)
    }
}
