//! Looks at one schedule: records what there is to record by now, one event after the other, and sets the one timer of
//! this schedule for its next moment.
//!
//! It can be done at any time, twice and by several at once: an event has the id of what it says, and each is appended to
//! the version it was decided on.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use jiff::Timestamp;
use muster_domain::{
    Aggregate, AggregateId, EventKind, TenantId,
    execution::Execution,
    ids::derived_id,
    pb::schedule::v1::{ScheduleEvent, schedule_event::Event},
    request::Request,
    schedule::{self, Progress, Schedule, progress},
    time::{PbTimestamp, from_pb},
};
use muster_eventlog::{AppendError, Loaded, LogError, ReactError, TimerError, TimerFired, TimerHandler, TimerKey};
use uuid::Uuid;

use super::Schedules;

/// The key of the position, and of the timers: stored, for ever.
pub(crate) const SCHEDULES: &str = "planner.schedules";
/// One look records so much: more than years of catching up.
const MAX_STEPS: usize = 10_000;

#[derive(Debug, thiserror::Error)]
pub(crate) enum LookError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Append(#[from] AppendError),
    #[error("the schedule {0} still changes after {MAX_STEPS} events in one look")]
    Endless(String),
}

impl From<LookError> for ReactError {
    fn from(error: LookError) -> Self {
        match error {
            LookError::Log(error) => error.into(),
            LookError::Append(error) => error.into(),
            error @ LookError::Endless(_) => Self::Failed(error.to_string()),
        }
    }
}

/// The next moment of a schedule has come.
pub(crate) struct Due(pub(crate) Arc<Schedules>);

#[async_trait]
impl TimerHandler for Due {
    async fn fire(&self, timer: TimerFired) -> Result<(), TimerError> {
        // The log's clock said that it is due; ours may be a moment behind.
        let now = self.0.ctx.clock.now().max(timer.due);
        let looked = self.0.look(&timer.tenant, &timer.key, None, now).await;
        looked.map_err(|error| TimerError(error.to_string()))
    }
}

impl Schedules {
    pub(crate) async fn look(
        &self,
        tenant: &TenantId,
        name: &str,
        cause: Option<Uuid>,
        now: Timestamp,
    ) -> Result<(), LookError> {
        let Ok(id) = super::schedule_id(name) else { return Ok(()) };
        let key = TimerKey { tenant: tenant.clone(), handler: SCHEDULES.to_owned(), key: name.to_owned() };
        for _ in 0..MAX_STEPS {
            let Some(declared) = self.declared(tenant, name).await? else { return Ok(()) };
            let declaration = declared.as_declaration(tenant);
            let mut loaded = self.ctx.log.load::<Schedule>(tenant, &id).await?;
            let mut known = self.progress(tenant, &loaded.state).await?;
            match self.record(&id, &mut loaded, &declaration, &known, cause, now).await {
                Ok(0) => {}
                // What was opened just now has its own progress.
                Ok(_) => known = self.progress(tenant, &loaded.state).await?,
                Err(LookError::Append(AppendError::Conflict { .. })) => continue,
                Err(error) => return Err(error),
            }
            match schedule::wakes_at(&loaded.state, &declaration, &known, now) {
                Some(at) => self.ctx.log.timers().set(&key, at, &[]).await?,
                None => self.ctx.log.timers().cancel(&key).await?,
            }
            // Another look may have set the timer by something newer while this one did by something older.
            let newest = self.ctx.log.load::<Schedule>(tenant, &id).await?.version;
            let document =
                self.ctx.log.document(tenant, muster_domain::pb::inventory::v1::Kind::Schedule, name).await?;
            if newest == loaded.version && document.is_none_or(|document| document.version == declaration.version) {
                return Ok(());
            }
        }
        Err(LookError::Endless(name.to_owned()))
    }

    /// Appends what there is to say, and returns how much that was.
    async fn record(
        &self,
        id: &AggregateId,
        loaded: &mut Loaded<Schedule>,
        declared: &schedule::Declaration<'_>,
        known: &BTreeMap<Timestamp, Progress>,
        cause: Option<Uuid>,
        now: Timestamp,
    ) -> Result<usize, LookError> {
        for recorded in 0..MAX_STEPS {
            let Some(event) = schedule::advance(&loaded.state, declared, known, now) else { return Ok(recorded) };
            let event_id = event_id(declared.tenant, declared.name, &event);
            if loaded.event_ids.contains(&event_id) {
                tracing::error!(schedule = declared.name, kind = event.kind(), "it is in the log and does not count");
                return Ok(recorded);
            }
            let correlation = request_of(&event).and_then(|id| id.parse().ok()).unwrap_or(event_id);
            let meta = self.ctx.service_meta("planner", event_id, correlation, cause);
            let appended = self.ctx.log.append_to(declared.tenant, id, loaded, &meta, &event).await?;
            tracing::info!(tenant = %declared.tenant, schedule = declared.name, kind = event.kind(), "the calendar");
            loaded.state.evolve(&event);
            loaded.version = appended.version;
            loaded.sequence = appended.sequence;
            loaded.event_ids.push(event_id);
        }
        Err(LookError::Endless(declared.name.to_owned()))
    }

    /// What became of the requests of pending due times. Reviews have none.
    async fn progress(
        &self,
        tenant: &TenantId,
        schedule: &Schedule,
    ) -> Result<BTreeMap<Timestamp, Progress>, LogError> {
        let mut known = BTreeMap::new();
        for (due, pending) in schedule.pending.iter().filter(|(_, pending)| !pending.lapsed) {
            let Ok(id) = pending.request_id.parse::<AggregateId>() else { continue };
            let (request, execution) = tokio::try_join!(
                self.ctx.log.load::<Request>(tenant, &id),
                self.ctx.log.load::<Execution>(tenant, &id)
            )?;
            known.insert(*due, progress(&request.state, &execution.state));
        }
        Ok(known)
    }
}

/// The id of what it says: saying it again is the same event.
fn event_id(tenant: &TenantId, name: &str, event: &ScheduleEvent) -> Uuid {
    let (due, more) = match &event.event {
        Some(Event::Noticed(e)) => (e.due_at, e.before.clone()),
        Some(Event::Fired(e)) => (e.due_at, String::new()),
        Some(Event::Skipped(e)) => (e.due_at, String::new()),
        Some(Event::Lapsed(e)) => (e.due_at, e.request_id.clone()),
        Some(Event::Succeeded(e)) => (e.due_at, e.request_id.clone()),
        Some(Event::Overdue(e)) => (e.due_at, String::new()),
        Some(Event::Reviewed(e)) => (e.due_at, String::new()),
        Some(Event::OpenFailed(e)) => (e.due_at, String::new()),
        None => (None, String::new()),
    };
    let due = due.as_ref().and_then(|due: &PbTimestamp| from_pb(Some(due))).map(|due| due.to_string());
    derived_id(&[SCHEDULES, tenant.as_str(), name, event.kind(), &due.unwrap_or_default(), &more])
}

fn request_of(event: &ScheduleEvent) -> Option<&str> {
    match event.event.as_ref()? {
        Event::Fired(fired) => Some(&fired.request_id),
        Event::Lapsed(lapsed) => Some(&lapsed.request_id),
        Event::Succeeded(done) => Some(&done.request_id),
        _ => None,
    }
}
