//! The read model behind the list of alerts and who answers for them.

use async_trait::async_trait;
use muster_domain::Aggregate;
use muster_domain::delivery::{Escalation, Source, alert};
use muster_domain::pb::notification::v1::{
    AlertAcknowledged, AlertSilenced, EscalationEnded, EscalationEvent, EscalationStarted,
    escalation_event::Event as Decided,
};
use muster_domain::pb::readiness::v1::{ReadinessEvent, readiness_event::Event as Seen};
use muster_domain::readiness::Readiness;
use muster_domain::time::to_pb;
use muster_eventlog::{Projection, ProjectionError, Record};
use prost::Message as _;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

pub(crate) const NAME: &str = "notifier.alerts";

/// The projection. Every alert has a row, also where no rule asks for an answer: anybody may give one.
pub(crate) struct Escalations;

#[async_trait]
impl Projection for Escalations {
    fn name(&self) -> &'static str {
        NAME
    }

    fn kinds(&self) -> &'static [&'static str] {
        &[Readiness::KIND, Escalation::KIND]
    }

    fn tables(&self) -> &'static [&'static str] {
        &["notifier.escalation"]
    }

    async fn apply(&self, tx: &mut PgConnection, batch: &[Record]) -> Result<(), ProjectionError> {
        for record in batch {
            match record.kind.as_str() {
                Readiness::KIND => seen(tx, record, &record.decode()?).await?,
                Escalation::KIND => decided(tx, record, record.decode()?).await?,
                _ => {}
            }
        }
        Ok(())
    }
}

async fn seen(tx: &mut PgConnection, record: &Record, event: &ReadinessEvent) -> Result<(), sqlx::Error> {
    match &event.event {
        Some(Seen::AlertOpened(_)) => opened(tx, record, event).await,
        Some(Seen::AlertResolved(e)) => {
            let ended = EscalationEnded { because: "resolved".to_owned(), ended_at: Some(to_pb(record.time)) };
            set(tx, record, &e.alert_id, "ended", ended.encode_to_vec()).await
        }
        Some(Seen::AlertUpdated(_) | Seen::StatusChanged(_)) | None => Ok(()),
    }
}

/// As if it had begun without a rule; a rule that asks for an answer replaces it.
async fn opened(tx: &mut PgConnection, record: &Record, event: &ReadinessEvent) -> Result<(), sqlx::Error> {
    let source = Source {
        tenant: record.tenant.to_string(),
        event_id: record.event_id,
        sequence: record.sequence,
        occurred_at: record.time,
    };
    let Some(message) = alert::message(&source, event) else { return Ok(()) };
    let started = EscalationStarted {
        alert_id: message.alert_id.clone(),
        resource: message.resource.clone(),
        message_kind: message.kind.clone(),
        severity: message.severity.name().to_owned(),
        tier: message.tier.into(),
        environment: message.environment.into(),
        opened_at: Some(to_pb(record.time)),
        ..EscalationStarted::default()
    };
    begun(tx, record, &started, false).await
}

async fn decided(tx: &mut PgConnection, record: &Record, event: EscalationEvent) -> Result<(), sqlx::Error> {
    let id = record.id.as_str();
    match event.event {
        Some(Decided::Started(e)) => begun(tx, record, &e, true).await,
        Some(Decided::Acknowledged(e)) => set(tx, record, id, "acknowledged", e.encode_to_vec()).await,
        Some(Decided::Silenced(e)) => set(tx, record, id, "silenced", e.encode_to_vec()).await,
        Some(Decided::Ended(e)) => set(tx, record, id, "ended", e.encode_to_vec()).await,
        Some(Decided::Stepped(e)) => {
            sqlx::query("UPDATE notifier.escalation SET step = $3 WHERE tenant = $1 AND alert_id = $2")
                .bind(record.tenant.as_str())
                .bind(id)
                .bind(i64::from(e.step))
                .execute(tx)
                .await
                .map(drop)
        }
        Some(Decided::Renotified(e)) => sqlx::query(
            "UPDATE notifier.escalation SET repetitions = $3, renotified_at_us = $4
                 WHERE tenant = $1 AND alert_id = $2",
        )
        .bind(record.tenant.as_str())
        .bind(id)
        .bind(i64::from(e.repetition))
        .bind(record.time.as_microsecond())
        .execute(tx)
        .await
        .map(drop),
        None => Ok(()),
    }
}

async fn begun(
    tx: &mut PgConnection,
    record: &Record,
    started: &EscalationStarted,
    by_rule: bool,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO notifier.escalation (tenant, alert_id, resource, message_kind, started, sequence)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (tenant, alert_id) DO UPDATE SET started = excluded.started WHERE $7",
    )
    .bind(record.tenant.as_str())
    .bind(started.alert_id.replace('\0', ""))
    .bind(started.resource.replace('\0', ""))
    .bind(started.message_kind.replace('\0', ""))
    .bind(started.encode_to_vec())
    .bind(i64::try_from(record.sequence).unwrap_or(i64::MAX))
    .bind(by_rule)
    .execute(tx)
    .await
    .map(drop)
}

/// The first end stays; of the others the newest counts.
async fn set(
    tx: &mut PgConnection,
    record: &Record,
    alert_id: &str,
    column: &'static str,
    value: Vec<u8>,
) -> Result<(), sqlx::Error> {
    let sql = match column {
        "acknowledged" => "UPDATE notifier.escalation SET acknowledged = $3 WHERE tenant = $1 AND alert_id = $2",
        "silenced" => "UPDATE notifier.escalation SET silenced = $3 WHERE tenant = $1 AND alert_id = $2",
        _ => "UPDATE notifier.escalation SET ended = coalesce(ended, $3) WHERE tenant = $1 AND alert_id = $2",
    };
    let query = sqlx::query(sql).bind(record.tenant.as_str()).bind(alert_id.replace('\0', "")).bind(value);
    query.execute(tx).await.map(drop)
}

/// The escalation that a row says, as if it had been folded from its events.
pub(crate) fn of_row(row: &PgRow) -> Result<Escalation, sqlx::Error> {
    fn read<M: prost::Message + Default>(row: &PgRow, column: &str) -> Result<Option<M>, sqlx::Error> {
        let bytes: Option<Vec<u8>> = row.try_get(column)?;
        bytes.map(|bytes| M::decode(bytes.as_slice())).transpose().map_err(|e| sqlx::Error::Decode(Box::new(e)))
    }
    let number = |column: &str| row.try_get::<i64, _>(column).map(|n| u32::try_from(n).unwrap_or(u32::MAX));
    let renotified: Option<i64> = row.try_get("renotified_at_us")?;
    Ok(Escalation {
        started: read::<EscalationStarted>(row, "started")?,
        step: number("step")?,
        repetitions: number("repetitions")?,
        renotified_at: renotified.and_then(|us| jiff::Timestamp::from_microsecond(us).ok()),
        acknowledged: read::<AlertAcknowledged>(row, "acknowledged")?,
        silenced: read::<AlertSilenced>(row, "silenced")?,
        ended: read::<EscalationEnded>(row, "ended")?,
    })
}
