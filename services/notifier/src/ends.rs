//! An end goes after what it ends: "resolved" after its alert, "confirmed" after the question, to the same recipient.
//!
//! Asked before the first attempt of an end, of the read model, which shows everything that was queued before it. As
//! long as something of it is still queued, held, tried or waiting for its next attempt, the end waits, by its own
//! timer, so that a crash changes nothing. Where nothing was told, the end is not sent. What opens something never
//! waits.
//!
//! At a pager one message may have opened one incident for many, also on the other way of a route. Its end is a delivery
//! of its own, made when the last of them is over.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use muster_domain::TenantId;
use muster_domain::delivery::ending::{Before, ENDS, OVER, QUESTIONS, Told, ends, keeps_incidents, of_group};
use muster_domain::delivery::message::kind;
use muster_domain::delivery::routing::rule;
use muster_domain::delivery::{Decision, FailureCode, Phase};
use muster_domain::pb::notification::v1::DeliveryState;
use muster_eventlog::{ReactError, wait_for as wait_for_position};
use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use crate::fallback;
use crate::outbox::{Cause, Narrowing, Outbox};
use crate::parcel::Parcel;
use crate::projection;

/// How long the read model may take to show what is in the log. Then the end comes again.
const CATCH_UP: Duration = Duration::from_secs(5);
/// The soonest that an end looks again whether it may go.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_secs(1);
/// The latest: what it waits for may be told by hand, or be withdrawn, before it is due.
const LOOK_AT_LATEST: SignedDuration = SignedDuration::from_mins(5);
/// Deliveries about one alert or request to one recipient that are looked at, those on their way first. An alert that is
/// told again every minute has as many in some hours.
const MAX_BEFORE: i64 = 500;

/// What an end may do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    Go,
    /// Something that it ends is still on its way.
    Wait(Timestamp),
    /// There is nothing to end there; the rule for the record.
    Never(&'static str),
}

/// Whether it is this message's turn. Of what ends nothing it always is.
pub(crate) async fn turn(
    outbox: &Outbox,
    tenant: &TenantId,
    parcel: &Parcel,
    decision: &Decision,
) -> Result<Turn, ReactError> {
    let message = &parcel.message;
    let of_a_group = !message.group_id.is_empty() && parcel.group.is_none();
    // What quiet hours held is told in the order in which it is listed, in one message.
    let of_a_night = parcel.group.as_ref().is_some_and(|group| group.quiet);
    if !ends(message) || message.test || of_a_night {
        return Ok(Turn::Go);
    }
    let now = outbox.ctx.clock.now();
    if of_a_group {
        return turn_of_group(outbox, tenant, parcel, now).await;
    }
    let newest = outbox.ctx.log.last_sequence(tenant).await?;
    if wait_for_position(&outbox.ctx.db, projection::NAME, tenant, newest, CATCH_UP).await.is_err() {
        return Ok(Turn::Wait(now + LOOK_AGAIN));
    }
    let before = before(outbox, tenant, parcel).await?;
    let told = Told::of(&before);
    if let Some(due) = told.pending {
        return Ok(wait_for(due, now));
    }
    if OVER.contains(&message.kind.as_str()) && fallback::has_other_way(outbox, tenant, &parcel.route) {
        end_groups_other_way(outbox, tenant, parcel, &before).await?;
    }
    if parcel.group.is_some() {
        return Ok(Turn::Go);
    }
    fallback::end_other_way(outbox, tenant, parcel).await?;
    if !keeps_incidents(decision.channel) {
        // An alert's end is no news where the alert was none; a request's end is.
        let of_an_alert = !message.alert_id.is_empty();
        return Ok(if of_an_alert && !told.is_told() { Turn::Never(rule::NOTHING_TO_END) } else { Turn::Go });
    }
    if OVER.contains(&message.kind.as_str()) {
        for group in &told.among_others {
            tell_if_over(outbox, tenant, parcel, *group).await?;
        }
    }
    Ok(match (told.by_itself, told.is_told()) {
        (true, _) => Turn::Go,
        (false, true) => Turn::Never(rule::TOLD_TOGETHER),
        (false, false) => Turn::Never(rule::NOTHING_TO_END),
    })
}

/// What one message opened for many is closed after that message went out: it may have gone another way, later.
async fn turn_of_group(
    outbox: &Outbox,
    tenant: &TenantId,
    parcel: &Parcel,
    now: Timestamp,
) -> Result<Turn, ReactError> {
    let Ok(group) = parcel.message.group_id.parse() else { return Ok(Turn::Go) };
    let opening = fallback::opening_of(outbox, tenant, group, &parcel.route, &parcel.recipient).await?;
    Ok(match opening.phase {
        Phase::Queued | Phase::Attempting => wait_for(None, now),
        Phase::Waiting => wait_for(opening.retry_at, now),
        Phase::Held => wait_for(opening.held_until, now),
        Phase::None | Phase::Accepted | Phase::GaveUp | Phase::Suppressed | Phase::Grouped => Turn::Go,
    })
}

fn wait_for(due: Option<Timestamp>, now: Timestamp) -> Turn {
    let (soonest, latest) = (now + LOOK_AGAIN, now + LOOK_AT_LATEST);
    Turn::Wait(due.map_or(soonest, |due| (due + LOOK_AGAIN).clamp(soonest, latest)))
}

/// On the other way of the route: what was opened there for many, and is over with this end or with these.
async fn end_groups_other_way(
    outbox: &Outbox,
    tenant: &TenantId,
    last: &Parcel,
    before: &[Before],
) -> Result<(), ReactError> {
    let groups: BTreeSet<Uuid> = before.iter().filter_map(|one| one.told_by).map(|(group, _)| group).collect();
    for group in groups {
        if is_over(outbox, tenant, group).await? {
            fallback::end_group_other_way(outbox, tenant, last, group).await?;
        }
    }
    Ok(())
}

/// Ends on the other way what `parcel` told there for many, when all of it is over by the log as it is now.
pub(crate) async fn end_if_over(
    outbox: &Outbox,
    tenant: &TenantId,
    parcel: &Parcel,
    group: Uuid,
) -> Result<(), ReactError> {
    let newest = outbox.ctx.log.last_sequence(tenant).await?;
    let seen = wait_for_position(&outbox.ctx.db, projection::NAME, tenant, newest, CATCH_UP).await;
    if seen.is_ok() && is_over(outbox, tenant, group).await? {
        fallback::end_group_other_way(outbox, tenant, parcel, group).await?;
    }
    Ok(())
}

/// What went before the end, or before the members of a group of ends.
async fn before(outbox: &Outbox, tenant: &TenantId, parcel: &Parcel) -> Result<Vec<Before>, sqlx::Error> {
    let of_request = parcel.group.is_none() && parcel.message.alert_id.is_empty();
    let mut tx = outbox.ctx.db.tenant_tx(tenant).await?;
    let rows = sqlx::query(if of_request { BEFORE_OF_REQUEST } else { BEFORE_OF_ALERT })
        .bind(tenant.as_str())
        .bind(parcel.delivery_id().to_string())
        .bind(ENDS.as_slice())
        .bind(MAX_BEFORE)
        .fetch_all(&mut *tx)
        .await?;
    tx.commit().await?;
    rows.iter().map(read).collect()
}

/// The same thing at the same recipient, queued before, and no end itself. `g` is what tells it among others, if it joined
/// before that went out.
macro_rules! before_where {
    ($same:literal) => {
        concat!(
            "SELECT o.state, o.attempts, o.last_error, coalesce(o.retry_at_us, o.held_until_us) AS due_us, o.grouped_into,
                    g.state AS group_state, g.attempts AS group_attempts, g.last_error AS group_error,
                    coalesce(g.retry_at_us, g.held_until_us) AS group_due_us
               FROM notifier.delivery own
               JOIN notifier.delivery o ON o.tenant = own.tenant AND o.route = own.route AND o.recipient = own.recipient
                AND o.sequence < own.sequence AND o.message_kind <> ALL($3) AND ", $same, "
               LEFT JOIN notifier.delivery g ON g.tenant = o.tenant AND g.delivery_id = o.grouped_into
                AND (g.claimed_sequence IS NULL OR o.grouped_sequence < g.claimed_sequence)
              WHERE own.tenant = $1 AND (own.delivery_id = $2 OR own.grouped_into = $2)
              ORDER BY (o.finished_at_us IS NULL) DESC, (o.grouped_into <> '' AND g.finished_at_us IS NULL) DESC, o.sequence
              LIMIT $4"
        )
    };
}
const BEFORE_OF_ALERT: &str = before_where!("o.alert_id <> '' AND o.alert_id = own.alert_id");
const BEFORE_OF_REQUEST: &str = before_where!("o.request_id <> '' AND o.request_id = own.request_id");

fn read(row: &PgRow) -> Result<Before, sqlx::Error> {
    let instant = |us: Option<i64>| us.and_then(|us| Timestamp::from_microsecond(us).ok());
    let phase = phase(row.try_get("state")?);
    let group: String = row.try_get("grouped_into")?;
    let group_state: Option<i32> = row.try_get("group_state")?;
    if phase != Phase::Grouped {
        return Ok(Before {
            phase,
            outcome_unknown: may_have_arrived(row.try_get("last_error")?, row.try_get("attempts")?),
            due: instant(row.try_get("due_us")?),
            told_by: None,
        });
    }
    Ok(Before {
        phase,
        outcome_unknown: may_have_arrived(
            row.try_get::<Option<&str>, _>("group_error")?.unwrap_or_default(),
            row.try_get::<Option<i64>, _>("group_attempts")?.unwrap_or_default(),
        ),
        due: instant(row.try_get("group_due_us")?),
        // Without a group's row it came too late for that group, and the next one will tell it.
        told_by: Some((group.parse().unwrap_or_default(), group_state.map_or(Phase::Queued, self::phase))),
    })
}

fn phase(state: i32) -> Phase {
    match DeliveryState::try_from(state).unwrap_or_default() {
        DeliveryState::Unspecified => Phase::None,
        // Queued or under way: both may still arrive.
        DeliveryState::Pending => Phase::Queued,
        DeliveryState::Retrying => Phase::Waiting,
        DeliveryState::Held => Phase::Held,
        DeliveryState::Accepted => Phase::Accepted,
        DeliveryState::GaveUp => Phase::GaveUp,
        DeliveryState::Suppressed => Phase::Suppressed,
        DeliveryState::Grouped => Phase::Grouped,
    }
}

/// Of what was given up: whether the far side may have it all the same.
fn may_have_arrived(error: &str, attempts: i64) -> bool {
    match FailureCode::of(error) {
        Some(FailureCode::OutcomeUnknown | FailureCode::NotRepeated) => true,
        // Cut short while an attempt was under way, perhaps.
        Some(FailureCode::RouteChanged) => attempts > 0,
        _ => false,
    }
}

/// Tells the end of what one message told together, once everything of it is over. Whoever is last finds all the
/// others: each end is queued before it looks.
async fn tell_if_over(outbox: &Outbox, tenant: &TenantId, last: &Parcel, group: Uuid) -> Result<(), ReactError> {
    if !is_over(outbox, tenant, group).await? {
        return Ok(());
    }
    let message = of_group(group, &last.route, &last.message);
    let cause = Cause { correlation: last.correlation, event: last.message.event_id };
    Box::pin(outbox.tell(tenant, &message, cause, &Narrowing::default())).await
}

/// Whether every member that somebody has to look after has its end at the same recipient. A member that has none, such
/// as a run that failed, keeps it open until a person closes it there.
async fn is_over(outbox: &Outbox, tenant: &TenantId, group: Uuid) -> Result<bool, sqlx::Error> {
    let mut tx = outbox.ctx.db.tenant_tx(tenant).await?;
    let over = sqlx::query_scalar(
        "SELECT NOT EXISTS (
             SELECT 1 FROM notifier.delivery m
               JOIN notifier.delivery g ON g.tenant = m.tenant AND g.delivery_id = m.grouped_into
              WHERE m.tenant = $1 AND m.grouped_into = $2 AND m.grouped_into <> '' AND m.severity <> 'info'
                AND (g.claimed_sequence IS NULL OR m.grouped_sequence < g.claimed_sequence)
                AND NOT EXISTS (
                    SELECT 1 FROM notifier.delivery o
                     WHERE o.tenant = m.tenant AND o.alert_id <> '' AND o.alert_id = m.alert_id
                       AND o.route = m.route AND o.recipient = m.recipient AND o.message_kind = $3)
                AND NOT (m.message_kind = ANY($4) AND EXISTS (
                    SELECT 1 FROM notifier.delivery o
                     WHERE o.tenant = m.tenant AND o.request_id <> '' AND o.request_id = m.request_id
                       AND o.route = m.route AND o.recipient = m.recipient AND o.message_kind = ANY($5))))",
    )
    .bind(tenant.as_str())
    .bind(group.to_string())
    .bind(kind::ALERT_RESOLVED)
    .bind(QUESTIONS.as_slice())
    .bind(OVER.as_slice())
    .fetch_one(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(over)
}
