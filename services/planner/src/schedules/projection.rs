//! The table of due times: what fell due when, and what came of it.

use async_trait::async_trait;
use jiff::Timestamp;
use muster_domain::{
    Aggregate,
    pb::schedule::v1::{OccurrenceState, ScheduleEvent, ScheduleFired, ScheduleSucceeded, schedule_event::Event},
    refusal::describe,
    schedule::Schedule,
    time::{PbTimestamp, from_pb},
};
use muster_eventlog::{Projection, ProjectionError, Record};
use sqlx::PgConnection;

/// The key of the position: what `min_version` waits for.
pub(crate) const OCCURRENCES: &str = "planner.occurrences";

pub(crate) struct Occurrences;

#[async_trait]
impl Projection for Occurrences {
    fn name(&self) -> &'static str {
        OCCURRENCES
    }

    fn kinds(&self) -> &'static [&'static str] {
        &[Schedule::KIND]
    }

    fn tables(&self) -> &'static [&'static str] {
        &["planner.occurrence"]
    }

    async fn apply(&self, tx: &mut PgConnection, batch: &[Record]) -> Result<(), ProjectionError> {
        for record in batch {
            one(tx, record).await?;
        }
        Ok(())
    }
}

async fn one(tx: &mut PgConnection, record: &Record) -> Result<(), ProjectionError> {
    match record.decode::<ScheduleEvent>()?.event {
        Some(Event::Fired(fired)) => fell_due(tx, record, &fired).await,
        Some(Event::Skipped(skipped)) => {
            let moved = from_pb(skipped.moved_to.as_ref()).map(|to| format!(", moved to {to:.0}"));
            let note = format!("{}{}", skipped.because, moved.unwrap_or_default());
            let due = nanoseconds(skipped.due_at.as_ref())?;
            put(tx, record, due, OccurrenceState::Skipped, &ScheduleFired::default(), &note).await
        }
        Some(Event::Lapsed(lapsed)) => {
            settle(
                tx,
                record,
                lapsed.due_at.as_ref(),
                OccurrenceState::Lapsed,
                lapsed.lapsed_at.as_ref(),
                &lapsed.because,
            )
            .await
        }
        Some(Event::Succeeded(done)) if done.due_at.is_none() => by_hand(tx, record, &done).await,
        Some(Event::Succeeded(done)) => {
            let at = done.succeeded_at.as_ref();
            settle(tx, record, done.due_at.as_ref(), OccurrenceState::Succeeded, at, "").await
        }
        Some(Event::Reviewed(done)) => {
            let by = done.by.unwrap_or_default().name;
            let note = format!("reviewed by {by}: {}", done.findings);
            let at = done.reviewed_at.as_ref();
            settle(tx, record, done.due_at.as_ref(), OccurrenceState::Succeeded, at, &note).await
        }
        Some(Event::Overdue(overdue)) => {
            let change =
                "UPDATE planner.occurrence SET overdue = true WHERE tenant = $1 AND schedule = $2 AND due_ns = $3";
            let due = nanoseconds(overdue.due_at.as_ref())?;
            sqlx::query(change).bind(record.tenant.as_str()).bind(&record.id).bind(due).execute(tx).await?;
            Ok(())
        }
        Some(Event::OpenFailed(failed)) => {
            let why = failed.refusal.as_ref().map(describe).unwrap_or_default();
            let note = format!("the request could not be opened: {why}");
            let change = "UPDATE planner.occurrence SET note = $4 WHERE tenant = $1 AND schedule = $2 AND due_ns = $3";
            let due = nanoseconds(failed.due_at.as_ref())?;
            sqlx::query(change).bind(record.tenant.as_str()).bind(&record.id).bind(due).bind(note).execute(tx).await?;
            Ok(())
        }
        Some(Event::Noticed(_)) | None => Ok(()),
    }
}

/// It was not due: it stands among the due times at the moment it succeeded.
async fn by_hand(tx: &mut PgConnection, record: &Record, done: &ScheduleSucceeded) -> Result<(), ProjectionError> {
    sqlx::query(
        "INSERT INTO planner.occurrence
             (tenant, schedule, due_ns, state, settled_ns, request_id, what, resource, group_name, plan, note, by_hand)
         VALUES ($1, $2, $3, $4, $3, $5, '', '', '', '', 'asked for by hand', true)
         ON CONFLICT (tenant, schedule, due_ns) DO NOTHING",
    )
    .bind(record.tenant.as_str())
    .bind(&record.id)
    .bind(nanoseconds(done.succeeded_at.as_ref())?)
    .bind(i32::from(OccurrenceState::Succeeded))
    .bind(&done.request_id)
    .execute(tx)
    .await?;
    Ok(())
}

async fn fell_due(tx: &mut PgConnection, record: &Record, fired: &ScheduleFired) -> Result<(), ProjectionError> {
    let due = nanoseconds(fired.due_at.as_ref())?;
    for missed in &fired.missed {
        let made_up = from_pb(fired.due_at.as_ref()).unwrap_or(Timestamp::UNIX_EPOCH);
        let note = format!("missed while nothing ran; the one due at {made_up:.0} stands for it");
        let about = ScheduleFired { request_id: String::new(), ..fired.clone() };
        put(&mut *tx, record, nanoseconds(Some(missed))?, OccurrenceState::Skipped, &about, &note).await?;
    }
    put(tx, record, due, OccurrenceState::Open, fired, &fired.late_because).await
}

async fn put(
    tx: &mut PgConnection,
    record: &Record,
    due_ns: i64,
    state: OccurrenceState,
    about: &ScheduleFired,
    note: &str,
) -> Result<(), ProjectionError> {
    sqlx::query(
        "INSERT INTO planner.occurrence
             (tenant, schedule, due_ns, state, request_id, what, resource, group_name, plan, note)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         ON CONFLICT (tenant, schedule, due_ns) DO UPDATE
         SET state = $4, request_id = $5, what = $6, resource = $7, group_name = $8, plan = $9, note = $10",
    )
    .bind(record.tenant.as_str())
    .bind(&record.id)
    .bind(due_ns)
    .bind(i32::from(state))
    .bind(&about.request_id)
    .bind(&about.what)
    .bind(&about.resource)
    .bind(&about.group)
    .bind(&about.plan)
    .bind(note)
    .execute(tx)
    .await?;
    Ok(())
}

async fn settle(
    tx: &mut PgConnection,
    record: &Record,
    due: Option<&PbTimestamp>,
    state: OccurrenceState,
    at: Option<&PbTimestamp>,
    note: &str,
) -> Result<(), ProjectionError> {
    sqlx::query(
        "UPDATE planner.occurrence SET state = $4, settled_ns = $5, note = CASE WHEN $6 = '' THEN note ELSE $6 END
         WHERE tenant = $1 AND schedule = $2 AND due_ns = $3",
    )
    .bind(record.tenant.as_str())
    .bind(&record.id)
    .bind(nanoseconds(due)?)
    .bind(i32::from(state))
    .bind(nanoseconds(at)?)
    .bind(note)
    .execute(tx)
    .await?;
    Ok(())
}

/// A due time is told from others to the nanosecond.
fn nanoseconds(at: Option<&PbTimestamp>) -> Result<i64, ProjectionError> {
    let at = from_pb(at).ok_or_else(|| ProjectionError::Invalid("a due time without a time".to_owned()))?;
    i64::try_from(at.as_nanosecond()).map_err(|_| ProjectionError::Invalid(format!("{at} is out of range")))
}
