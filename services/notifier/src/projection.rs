//! The read model behind the list of deliveries, and the health of recipients.

use async_trait::async_trait;
use muster_domain::Aggregate;
use muster_domain::delivery::{Delivery, FailureCode};
use muster_domain::pb::notification::v1::{
    DeliveryEvent, DeliveryQueued, DeliveryState, DeliverySuppressed, delivery_event::Event,
};
use muster_domain::time::{PbTimestamp, from_pb};
use muster_eventlog::{Projection, ProjectionError, Record};
use sqlx::PgConnection;

pub(crate) const NAME: &str = "notifier.deliveries";

/// The projection.
pub(crate) struct Deliveries;

#[async_trait]
impl Projection for Deliveries {
    fn name(&self) -> &'static str {
        NAME
    }

    fn kinds(&self) -> &'static [&'static str] {
        &[Delivery::KIND]
    }

    fn tables(&self) -> &'static [&'static str] {
        &["notifier.delivery", "notifier.recipient"]
    }

    /// A delivery has a handful of events, so they are written one by one.
    async fn apply(&self, tx: &mut PgConnection, batch: &[Record]) -> Result<(), ProjectionError> {
        for record in batch {
            let event: DeliveryEvent = record.decode()?;
            let row = Row { tx: &mut *tx, record };
            match event.event {
                Some(Event::Queued(e)) => row.queued(&e).await?,
                Some(Event::Suppressed(e)) => row.suppressed(&e).await?,
                Some(Event::Attempted(e)) => row.attempted(e.attempt).await?,
                Some(Event::Held(e)) => row.held(&e.rule, micros(e.until.as_ref())).await?,
                Some(Event::Grouped(e)) => row.grouped(&e.into_delivery_id, micros(e.grouped_at.as_ref())).await?,
                Some(Event::Requeued(_)) => row.requeued().await?,
                Some(Event::AttemptFailed(e)) => {
                    row.attempt_failed(&e.error, micros(e.retry_at.as_ref()), micros(e.failed_at.as_ref())).await?
                }
                Some(Event::Accepted(e)) => row.accepted(&e.receipt, micros(e.accepted_at.as_ref())).await?,
                Some(Event::GaveUp(e)) => row.gave_up(&e.error, micros(e.gave_up_at.as_ref())).await?,
                None => {}
            }
        }
        Ok(())
    }
}

/// The row of one record's delivery.
struct Row<'a> {
    tx: &'a mut PgConnection,
    record: &'a Record,
}

impl Row<'_> {
    async fn queued(self, e: &DeliveryQueued) -> Result<(), sqlx::Error> {
        sqlx::query(
            "INSERT INTO notifier.delivery (tenant, delivery_id, state, route, channel, recipient, message_kind, subject,
                 source_event_id, resource, request_id, queued_at_us, sequence,
                 severity, tier, person, test, repetition, alert_id)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
             ON CONFLICT (tenant, delivery_id) DO NOTHING",
        )
        .bind(self.record.tenant.as_str())
        .bind(&self.record.id)
        .bind(i32::from(DeliveryState::Pending))
        .bind(text(&e.route))
        .bind(text(&e.channel))
        .bind(text(&e.recipient))
        .bind(text(&e.message_kind))
        .bind(text(&e.subject))
        .bind(text(&e.source_event_id))
        .bind(text(&e.resource))
        .bind(text(&e.request_id))
        .bind(micros(e.queued_at.as_ref()).unwrap_or_else(|| self.record.time.as_microsecond()))
        .bind(self.sequence())
        .bind(text(&e.severity))
        .bind(e.tier)
        .bind(text(&e.person))
        .bind(e.test)
        .bind(i64::from(e.repetition))
        .bind(text(&e.alert_id))
        .execute(self.tx)
        .await?;
        Ok(())
    }

    /// From the beginning, or after it was held: then its row is there.
    async fn suppressed(self, e: &DeliverySuppressed) -> Result<(), sqlx::Error> {
        sqlx::query(
            "INSERT INTO notifier.delivery (tenant, delivery_id, state, route, channel, message_kind,
                 source_event_id, resource, request_id, queued_at_us, finished_at_us, last_error, rule, sequence)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10, $11, $11, $12)
             ON CONFLICT (tenant, delivery_id) DO UPDATE SET state = excluded.state, finished_at_us = excluded.finished_at_us,
                 last_error = excluded.last_error, rule = excluded.rule
             WHERE delivery.finished_at_us IS NULL",
        )
        .bind(self.record.tenant.as_str())
        .bind(&self.record.id)
        .bind(i32::from(DeliveryState::Suppressed))
        .bind(text(&e.route))
        .bind(text(&e.channel))
        .bind(text(&e.message_kind))
        .bind(text(&e.source_event_id))
        .bind(text(&e.resource))
        .bind(text(&e.request_id))
        .bind(self.record.time.as_microsecond())
        .bind(text(&e.rule))
        .bind(self.sequence())
        .execute(self.tx)
        .await?;
        Ok(())
    }

    async fn held(self, rule: &str, until: Option<i64>) -> Result<(), sqlx::Error> {
        sqlx::query(
            "UPDATE notifier.delivery SET state = $3, rule = $4, held_until_us = $5
             WHERE tenant = $1 AND delivery_id = $2 AND finished_at_us IS NULL",
        )
        .bind(self.record.tenant.as_str())
        .bind(&self.record.id)
        .bind(i32::from(DeliveryState::Held))
        .bind(text(rule))
        .bind(until)
        .execute(self.tx)
        .await?;
        Ok(())
    }

    /// Also once more, into the next group.
    async fn grouped(self, into: &str, at: Option<i64>) -> Result<(), sqlx::Error> {
        sqlx::query(
            "UPDATE notifier.delivery SET state = $3, grouped_into = $4, grouped_sequence = $5, finished_at_us = $6
             WHERE tenant = $1 AND delivery_id = $2 AND (finished_at_us IS NULL OR state = $3)",
        )
        .bind(self.record.tenant.as_str())
        .bind(&self.record.id)
        .bind(i32::from(DeliveryState::Grouped))
        .bind(text(into))
        .bind(self.sequence())
        .bind(at.unwrap_or_else(|| self.record.time.as_microsecond()))
        .execute(self.tx)
        .await?;
        Ok(())
    }

    async fn requeued(self) -> Result<(), sqlx::Error> {
        sqlx::query(
            "UPDATE notifier.delivery SET state = $3, finished_at_us = NULL
             WHERE tenant = $1 AND delivery_id = $2 AND state = $4",
        )
        .bind(self.record.tenant.as_str())
        .bind(&self.record.id)
        .bind(i32::from(DeliveryState::Pending))
        .bind(i32::from(DeliveryState::GaveUp))
        .execute(self.tx)
        .await?;
        Ok(())
    }

    async fn attempted(self, attempt: u32) -> Result<(), sqlx::Error> {
        sqlx::query(
            "UPDATE notifier.delivery SET attempts = $3, retry_at_us = NULL, claimed_sequence = coalesce(claimed_sequence, $4),
                 state = CASE WHEN state = $5 THEN $6 ELSE state END
             WHERE tenant = $1 AND delivery_id = $2 AND finished_at_us IS NULL",
        )
            .bind(self.record.tenant.as_str())
            .bind(&self.record.id)
            .bind(i64::from(attempt))
            .bind(self.sequence())
            .bind(i32::from(DeliveryState::Held))
            .bind(i32::from(DeliveryState::Pending))
            .execute(self.tx)
            .await?;
        Ok(())
    }

    async fn attempt_failed(self, error: &str, retry_at: Option<i64>, at: Option<i64>) -> Result<(), sqlx::Error> {
        sqlx::query(
            "UPDATE notifier.delivery SET state = $3, last_error = $4, retry_at_us = $5
             WHERE tenant = $1 AND delivery_id = $2 AND finished_at_us IS NULL",
        )
        .bind(self.record.tenant.as_str())
        .bind(&self.record.id)
        .bind(i32::from(DeliveryState::Retrying))
        .bind(text(error))
        .bind(retry_at)
        .execute(&mut *self.tx)
        .await?;
        self.recipient_failed(error, at).await
    }

    async fn accepted(self, receipt: &str, at: Option<i64>) -> Result<(), sqlx::Error> {
        let at = at.unwrap_or_else(|| self.record.time.as_microsecond());
        sqlx::query(
            "WITH done AS (
                 UPDATE notifier.delivery SET state = $3, receipt = $4, finished_at_us = $5, retry_at_us = NULL
                 WHERE tenant = $1 AND delivery_id = $2 AND finished_at_us IS NULL RETURNING route, recipient)
             INSERT INTO notifier.recipient (tenant, route, recipient, last_accepted_at_us)
             SELECT $1, route, recipient, $5 FROM done
             ON CONFLICT (tenant, route, recipient) DO UPDATE SET
                 last_accepted_at_us = excluded.last_accepted_at_us, failing_since_us = NULL, disabled_at_us = NULL, disabled_reason = ''",
        )
        .bind(self.record.tenant.as_str())
        .bind(&self.record.id)
        .bind(i32::from(DeliveryState::Accepted))
        .bind(text(receipt))
        .bind(at)
        .execute(self.tx)
        .await?;
        Ok(())
    }

    async fn gave_up(self, error: &str, at: Option<i64>) -> Result<(), sqlx::Error> {
        let finished = at.unwrap_or_else(|| self.record.time.as_microsecond());
        sqlx::query(
            "UPDATE notifier.delivery SET state = $3, last_error = $4, finished_at_us = $5, retry_at_us = NULL
             WHERE tenant = $1 AND delivery_id = $2 AND finished_at_us IS NULL",
        )
        .bind(self.record.tenant.as_str())
        .bind(&self.record.id)
        .bind(i32::from(DeliveryState::GaveUp))
        .bind(text(error))
        .bind(finished)
        .execute(&mut *self.tx)
        .await?;
        self.recipient_failed(error, at).await
    }

    /// Only what the far side is to blame for counts: our own settings and changed routes do not.
    async fn recipient_failed(self, error: &str, at: Option<i64>) -> Result<(), sqlx::Error> {
        let code = FailureCode::of(error);
        if matches!(code, Some(FailureCode::Misconfigured | FailureCode::RouteChanged)) {
            return Ok(());
        }
        let disabled = code.is_some_and(FailureCode::disables_recipient);
        sqlx::query(
            "INSERT INTO notifier.recipient (tenant, route, recipient, failing_since_us, disabled_at_us, disabled_reason)
             SELECT tenant, route, recipient, $3, CASE WHEN $4 THEN $3 END, CASE WHEN $4 THEN $5 ELSE '' END
             FROM notifier.delivery WHERE tenant = $1 AND delivery_id = $2
             ON CONFLICT (tenant, route, recipient) DO UPDATE SET
                 failing_since_us = coalesce(recipient.failing_since_us, excluded.failing_since_us),
                 disabled_at_us = coalesce(excluded.disabled_at_us, recipient.disabled_at_us),
                 disabled_reason = CASE WHEN $4 THEN excluded.disabled_reason ELSE recipient.disabled_reason END",
        )
        .bind(self.record.tenant.as_str())
        .bind(&self.record.id)
        .bind(at.unwrap_or_else(|| self.record.time.as_microsecond()))
        .bind(disabled)
        .bind(text(error))
        .execute(self.tx)
        .await?;
        Ok(())
    }

    fn sequence(&self) -> i64 {
        i64::try_from(self.record.sequence).unwrap_or(i64::MAX)
    }
}

fn micros(at: Option<&PbTimestamp>) -> Option<i64> {
    from_pb(at).map(|at| at.as_microsecond())
}

/// PostgreSQL's text cannot hold a zero character.
fn text(value: &str) -> String {
    value.replace('\0', "")
}
