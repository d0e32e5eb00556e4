//! What people say about an alert becomes an event, wherever they said it.

use jiff::{SignedDuration, Timestamp};
use muster_domain::delivery::Escalation;
use muster_domain::delivery::escalation::{self, subject};
use muster_domain::ids::derived_id;
use muster_domain::pb::common::v1::Actor;
use muster_domain::pb::notification::v1::{EscalationEvent, EscalationStarted, EscalationView};
use muster_domain::refusal::{field_refusal, refusal};
use muster_domain::{AggregateId, InvalidId, Refusal, TenantId};
use muster_eventlog::{DecideError, Meta};
use muster_runtime::Context;
use uuid::Uuid;

use super::{projection, rules};
use crate::routes::Routes;

/// Where an acknowledgement came from.
pub(crate) mod via {
    pub(crate) const CONSOLE: &str = "console";
    /// gRPC: the command line, or a program.
    pub(crate) const API: &str = "api";
    pub(crate) const PAGERDUTY: &str = "pagerduty";
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum AnswerError {
    #[error(transparent)]
    Decide(#[from] DecideError<Refusal>),
    #[error("the read model: {0}")]
    Database(#[from] sqlx::Error),
}

/// The escalation as it is afterwards, and the position in the log to wait for.
pub(crate) type Answered = (EscalationView, u64);

/// Takes answers.
#[derive(Clone)]
pub(crate) struct Answers {
    pub(crate) ctx: Context,
    pub(crate) routes: Routes,
}

/// Who says it, and when.
pub(crate) struct Said<'a> {
    pub(crate) by: &'a Actor,
    pub(crate) via: &'a str,
    pub(crate) at: Timestamp,
    pub(crate) now: Timestamp,
}

impl Answers {
    pub(crate) async fn acknowledge(
        &self,
        tenant: &TenantId,
        alert_id: &str,
        said: &Said<'_>,
        note: &str,
        meta: &Meta,
    ) -> Result<Answered, AnswerError> {
        self.answer(tenant, alert_id, said.now, meta, |state| {
            escalation::acknowledge(state, said.by, said.via, note, said.at, said.now)
        })
        .await
    }

    pub(crate) async fn silence(
        &self,
        tenant: &TenantId,
        alert_id: &str,
        said: &Said<'_>,
        reason: &str,
        duration: Option<SignedDuration>,
        meta: &Meta,
    ) -> Result<Answered, AnswerError> {
        self.answer(tenant, alert_id, said.now, meta, |state| {
            escalation::silence(state, said.by, reason, duration, said.now)
        })
        .await
    }

    pub(crate) async fn escalate(
        &self,
        tenant: &TenantId,
        alert_id: &str,
        said: &Said<'_>,
        (reason, step): (&str, u32),
        meta: &Meta,
    ) -> Result<Answered, AnswerError> {
        self.answer(tenant, alert_id, said.now, meta, |state| {
            escalation::escalate(state, said.by, reason, step, said.now)
        })
        .await
    }

    async fn answer(
        &self,
        tenant: &TenantId,
        alert_id: &str,
        now: Timestamp,
        meta: &Meta,
        mut decide: impl FnMut(&Escalation) -> Result<Option<EscalationEvent>, Refusal>,
    ) -> Result<Answered, AnswerError> {
        let refused = |refusal| AnswerError::Decide(DecideError::Refused(refusal));
        let id: AggregateId = alert_id.parse().map_err(|e: InvalidId| refused(not_an_id(&e)))?;
        self.begin(tenant, &id, meta).await?;
        let decided = self.ctx.log.decide::<Escalation, Refusal>(tenant, &id, meta, |state| {
            decide(state).map_err(|refusal| about(refusal, alert_id))
        });
        let decided = decided.await?;
        let view = decided.state.view(now).ok_or_else(|| refused(not_found(alert_id)))?;
        Ok((view, decided.sequence))
    }

    /// An alert that no rule asks an answer for has no escalation yet: it begins with the answer.
    async fn begin(&self, tenant: &TenantId, id: &AggregateId, meta: &Meta) -> Result<(), AnswerError> {
        let Some(row) = self.row(tenant, id.as_str()).await? else { return Ok(()) };
        let Some(seen) = row.started.filter(|_| row.ended.is_none()) else { return Ok(()) };
        let chosen = rules::chosen(&self.routes, tenant, &subject(&seen));
        let started = EscalationStarted { rule: Some(chosen.rule), rule_source: chosen.source, ..seen.clone() };
        let event_id = derived_id(&["escalation.started", id.as_str(), tenant.as_str()]);
        let meta = self.ctx.service_meta(crate::NAME, event_id, meta.correlation, Some(meta.event_id));
        let decide = |state: &Escalation| Ok::<_, Refusal>(escalation::start(state, &started));
        self.ctx.log.decide::<Escalation, _>(tenant, id, &meta, decide).await?;
        Ok(())
    }

    async fn row(&self, tenant: &TenantId, alert_id: &str) -> Result<Option<Escalation>, sqlx::Error> {
        let mut tx = self.ctx.db.tenant_tx(tenant).await?;
        let row = sqlx::query("SELECT * FROM notifier.escalation WHERE tenant = $1 AND alert_id = $2")
            .bind(tenant.as_str())
            .bind(alert_id)
            .fetch_optional(&mut *tx)
            .await?;
        tx.commit().await?;
        row.as_ref().map(projection::of_row).transpose()
    }

    /// Alerts that one message told together, which are open and which nobody has acknowledged.
    pub(crate) async fn unanswered_in_group(
        &self,
        tenant: &TenantId,
        group: Uuid,
        at_most: usize,
    ) -> Result<Vec<String>, sqlx::Error> {
        let mut tx = self.ctx.db.tenant_tx(tenant).await?;
        let found = sqlx::query_scalar(
            "SELECT DISTINCT e.alert_id FROM notifier.delivery m
              JOIN notifier.escalation e ON e.tenant = m.tenant AND e.alert_id = m.alert_id
             WHERE m.tenant = $1 AND m.grouped_into = $2 AND m.grouped_into <> '' AND e.ended IS NULL
               AND e.acknowledged IS NULL ORDER BY e.alert_id LIMIT $3",
        )
        .bind(tenant.as_str())
        .bind(group.to_string())
        .bind(i64::try_from(at_most).unwrap_or(i64::MAX))
        .fetch_all(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(found)
    }

    /// The open alert of a kind; a system has at most one of each.
    pub(crate) async fn open_alert(
        &self,
        tenant: &TenantId,
        resource: &str,
        message_kind: &str,
    ) -> Result<Option<String>, sqlx::Error> {
        let mut tx = self.ctx.db.tenant_tx(tenant).await?;
        let found = sqlx::query_scalar(
            "SELECT alert_id FROM notifier.escalation
             WHERE tenant = $1 AND resource = $2 AND message_kind = $3 AND ended IS NULL ORDER BY sequence DESC LIMIT 1",
        )
        .bind(tenant.as_str())
        .bind(resource)
        .bind(message_kind)
        .fetch_optional(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(found)
    }
}

/// The domain does not know what it was asked about.
fn about(mut refusal: Refusal, alert_id: &str) -> Refusal {
    if refusal.code == "ALERT_NOT_FOUND" {
        refusal.value = alert_id.to_owned();
    }
    refusal
}

fn not_an_id(error: &InvalidId) -> Refusal {
    field_refusal(
        "alert_id",
        "FIELD_INVALID",
        "an answer is for one alert",
        error.value.clone(),
        error.rule,
        "use the id that `muster alert list` shows",
    )
}

fn not_found(alert_id: &str) -> Refusal {
    refusal(
        "ALERT_NOT_FOUND",
        "there is no such alert in this tenant",
        alert_id,
        "the id of an open alert",
        "list them with `muster alert list`",
    )
}
