//! Reading the table of due times.

use std::collections::BTreeMap;

use jiff::Timestamp;
use muster_domain::{
    TenantId,
    pb::schedule::v1::{Occurrence, OccurrenceState},
    time::to_pb,
};
use muster_eventlog::Database;
use sqlx::{Row, postgres::PgRow};

/// What the table knows of one schedule.
#[derive(Debug, Clone, Default)]
pub(super) struct Standing {
    pub(super) latest: Option<Occurrence>,
    pub(super) last_due_at: Option<Timestamp>,
    pub(super) last_success_at: Option<Timestamp>,
    pub(super) overdue: bool,
}

/// Newest first.
pub(super) async fn of_schedule(
    db: &Database,
    tenant: &TenantId,
    name: &str,
    limit: i64,
) -> Result<Vec<Occurrence>, sqlx::Error> {
    let mut tx = db.tenant_tx(tenant).await?;
    let rows = sqlx::query(
        "SELECT schedule, due_ns, state, overdue, request_id, what, resource, group_name, plan, note
         FROM planner.occurrence WHERE tenant = $1 AND schedule = $2 ORDER BY due_ns DESC LIMIT $3",
    )
    .bind(tenant.as_str())
    .bind(name)
    .bind(limit)
    .fetch_all(&mut *tx)
    .await?;
    rows.iter().map(occurrence).collect()
}

/// Oldest first, at most `limit`.
pub(super) async fn between(
    db: &Database,
    tenant: &TenantId,
    from: Timestamp,
    until: Timestamp,
    limit: i64,
) -> Result<Vec<Occurrence>, sqlx::Error> {
    let mut tx = db.tenant_tx(tenant).await?;
    let rows = sqlx::query(
        "SELECT schedule, due_ns, state, overdue, request_id, what, resource, group_name, plan, note
         FROM planner.occurrence WHERE tenant = $1 AND due_ns >= $2 AND due_ns < $3 ORDER BY due_ns, schedule LIMIT $4",
    )
    .bind(tenant.as_str())
    .bind(nanoseconds(from))
    .bind(nanoseconds(until))
    .bind(limit)
    .fetch_all(&mut *tx)
    .await?;
    rows.iter().map(occurrence).collect()
}

/// How each of these schedules stands.
pub(super) async fn standing(
    db: &Database,
    tenant: &TenantId,
    names: &[String],
) -> Result<BTreeMap<String, Standing>, sqlx::Error> {
    let mut tx = db.tenant_tx(tenant).await?;
    let rows = sqlx::query(
        "SELECT named.name, latest.schedule, latest.due_ns, latest.state, latest.request_id, latest.what,
                latest.overdue AND latest.due_ns > COALESCE(facts.last_success, 0) AS overdue,
                latest.resource, latest.group_name, latest.plan, latest.note, facts.last_due, facts.last_success,
                EXISTS (SELECT 1 FROM planner.occurrence late
                        WHERE late.tenant = $1 AND late.schedule = named.name AND late.overdue AND late.state <> $4
                          AND late.due_ns > COALESCE(facts.last_success, 0)) AS is_overdue
         FROM unnest($2::text[]) AS named (name)
         LEFT JOIN LATERAL (SELECT schedule, due_ns, state, overdue, request_id, what, resource, group_name, plan, note
                            FROM planner.occurrence WHERE tenant = $1 AND schedule = named.name AND NOT by_hand
                            ORDER BY due_ns DESC LIMIT 1) latest ON true
         LEFT JOIN LATERAL (SELECT max(due_ns) FILTER (WHERE state <> $3 AND NOT by_hand) AS last_due,
                                   max(settled_ns) FILTER (WHERE state = $4) AS last_success
                            FROM planner.occurrence WHERE tenant = $1 AND schedule = named.name) facts ON true",
    )
    .bind(tenant.as_str())
    .bind(names)
    .bind(i32::from(OccurrenceState::Skipped))
    .bind(i32::from(OccurrenceState::Succeeded))
    .fetch_all(&mut *tx)
    .await?;
    let read = |row: &PgRow| {
        let due: Option<i64> = row.try_get("due_ns")?;
        let standing = Standing {
            latest: due.map(|_| occurrence(row)).transpose()?,
            last_due_at: moment(row.try_get("last_due")?),
            last_success_at: moment(row.try_get("last_success")?),
            overdue: row.try_get("is_overdue")?,
        };
        Ok((row.try_get("name")?, standing))
    };
    rows.iter().map(read).collect()
}

fn occurrence(row: &PgRow) -> Result<Occurrence, sqlx::Error> {
    let state = OccurrenceState::try_from(row.try_get::<i32, _>("state")?).unwrap_or_default();
    let is_late = row.try_get::<bool, _>("overdue")? && state != OccurrenceState::Succeeded;
    Ok(Occurrence {
        schedule: row.try_get("schedule")?,
        what: row.try_get("what")?,
        resource: row.try_get("resource")?,
        group: row.try_get("group_name")?,
        plan: row.try_get("plan")?,
        due_at: moment(row.try_get("due_ns")?).map(to_pb),
        state: if is_late { OccurrenceState::Overdue } else { state }.into(),
        request_id: row.try_get("request_id")?,
        local_time: String::new(),
        note: row.try_get("note")?,
    })
}

fn moment(nanoseconds: Option<i64>) -> Option<Timestamp> {
    nanoseconds.and_then(|ns| Timestamp::from_nanosecond(i128::from(ns)).ok())
}

/// Beyond what the table can hold is beyond every due time.
fn nanoseconds(at: Timestamp) -> i64 {
    i64::try_from(at.as_nanosecond()).unwrap_or(if at < Timestamp::UNIX_EPOCH { i64::MIN } else { i64::MAX })
}
