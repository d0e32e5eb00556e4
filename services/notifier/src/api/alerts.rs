//! Who answers for which alert.

use std::time::Duration;

use muster_domain::ids::derived_id;
use muster_domain::pb::notification::v1::{
    AcknowledgeAlertRequest, AcknowledgeAlertResponse, EscalateAlertRequest, EscalateAlertResponse,
    ListEscalationsRequest, ListEscalationsResponse, SilenceAlertRequest, SilenceAlertResponse,
};
use muster_domain::time::duration_from_pb;
use muster_eventlog::{DecideError, Meta, wait_for};
use muster_runtime::{Call, Context, IntoStatus, page, refused};
use sqlx::Row;
use sqlx::postgres::PgRow;
use tonic::Status;

use crate::escalation::answer::{AnswerError, Answers, Said};
use crate::escalation::projection;

const WAIT_FOR_VERSION: Duration = Duration::from_secs(5);
/// Refusals that are attempts against a rule, and not slips of the pen: kept for ever.
const KEPT: &[&str] = &["ALERT_NOT_SILENCEABLE"];

pub(super) async fn list(ctx: &Context, call: Call<ListEscalationsRequest>) -> Result<ListEscalationsResponse, Status> {
    let (ask, call) = call.split();
    let list = format!("escalations:{}:{}:{}", call.tenant, ask.resource, ask.include_ended);
    let page = page::parse::<i64>(ask.page.as_ref(), &list).map_err(|refusal| refused(&refusal))?;
    if ask.min_version > 0 {
        let waited = wait_for(&ctx.db, projection::NAME, &call.tenant, ask.min_version, WAIT_FOR_VERSION).await;
        waited.map_err(IntoStatus::into_status)?;
    }
    let mut rows =
        read(ctx, &call, &ask, page.after, i64::from(page.size) + 1).await.map_err(IntoStatus::into_status)?;
    let next = page::finish(page.size, &list, &mut rows, |row| row.try_get::<i64, _>("sequence").unwrap_or_default());
    let states = rows.iter().map(projection::of_row).collect::<Result<Vec<_>, _>>().map_err(IntoStatus::into_status)?;
    let escalations = states.iter().filter_map(|state| state.view(call.now)).collect();
    Ok(ListEscalationsResponse { escalations, page: Some(next) })
}

async fn read(
    ctx: &Context,
    call: &Call<()>,
    ask: &ListEscalationsRequest,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<PgRow>, sqlx::Error> {
    let mut tx = ctx.db.tenant_tx(&call.tenant).await?;
    let rows = sqlx::query(
        "SELECT * FROM notifier.escalation
          WHERE tenant = $1 AND ($2 = '' OR resource = $2) AND ($3 OR ended IS NULL)
            AND ($4::bigint IS NULL OR sequence < $4)
          ORDER BY sequence DESC LIMIT $5",
    )
    .bind(call.tenant.as_str())
    .bind(ask.resource.replace('\0', ""))
    .bind(ask.include_ended)
    .bind(before)
    .bind(limit)
    .fetch_all(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(rows)
}

pub(super) async fn acknowledge(
    answers: &Answers,
    call: Call<AcknowledgeAlertRequest>,
    via: &str,
) -> Result<AcknowledgeAlertResponse, Status> {
    let (ask, call) = call.split();
    let meta = meta_on(&call, &ask.alert_id, &ask.idempotency_key)?;
    let said = Said { by: &call.actor, via, at: call.now, now: call.now };
    let answered = answers.acknowledge(&call.tenant, &ask.alert_id, &said, &ask.note, &meta).await;
    match answered {
        Ok((view, version)) => Ok(AcknowledgeAlertResponse { escalation: Some(view), version }),
        Err(error) => Err(status(&answers.ctx, &call, error).await),
    }
}

pub(super) async fn silence(
    answers: &Answers,
    call: Call<SilenceAlertRequest>,
    via: &str,
) -> Result<SilenceAlertResponse, Status> {
    let (ask, call) = call.split();
    let meta = meta_on(&call, &ask.alert_id, &ask.idempotency_key)?;
    let said = Said { by: &call.actor, via, at: call.now, now: call.now };
    let duration = duration_from_pb(ask.duration.as_ref());
    let answered = answers.silence(&call.tenant, &ask.alert_id, &said, &ask.reason, duration, &meta).await;
    match answered {
        Ok((view, version)) => Ok(SilenceAlertResponse { escalation: Some(view), version }),
        Err(error) => Err(status(&answers.ctx, &call, error).await),
    }
}

pub(super) async fn escalate(
    answers: &Answers,
    call: Call<EscalateAlertRequest>,
    via: &str,
) -> Result<EscalateAlertResponse, Status> {
    let (ask, call) = call.split();
    let meta = meta_on(&call, &ask.alert_id, &ask.idempotency_key)?;
    let said = Said { by: &call.actor, via, at: call.now, now: call.now };
    let answered = answers.escalate(&call.tenant, &ask.alert_id, &said, (&ask.reason, ask.step), &meta).await;
    match answered {
        Ok((view, version)) => Ok(EscalateAlertResponse { escalation: Some(view), version }),
        Err(error) => Err(status(&answers.ctx, &call, error).await),
    }
}

async fn status(ctx: &Context, call: &Call<()>, error: AnswerError) -> Status {
    match error {
        AnswerError::Decide(DecideError::Refused(refusal)) if KEPT.contains(&refusal.code.as_str()) => {
            ctx.deny(call, &refusal, "", "").await
        }
        AnswerError::Decide(error) => error.into_status(),
        AnswerError::Database(error) => error.into_status(),
    }
}

/// The same key on another alert is another command. All about one alert has its id as correlation.
fn meta_on(call: &Call<()>, alert_id: &str, key: &str) -> Result<Meta, Status> {
    let mut meta = call.meta(key)?;
    if !key.is_empty() {
        meta.event_id = derived_id(&["on", alert_id, &meta.event_id.to_string()]);
    }
    meta.correlation = alert_id.parse().unwrap_or(meta.correlation);
    Ok(meta)
}
