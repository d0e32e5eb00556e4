//! Recipients that nothing is sent to any more: gone, unknown, or failing for days.
//!
//! Read from the projection, at most once a second for each tenant. While that is being rebuilt too much is sent, never
//! too little.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use muster_domain::TenantId;
use muster_domain::delivery::Decision;
use muster_eventlog::db::Database;
use sqlx::Row;

/// An endpoint that took nothing for so long is not expected to come back by itself.
const FAILING_FOR: SignedDuration = SignedDuration::from_hours(5 * 24);
/// How long an answer is used. A storm asks thousands of times a second.
const KEPT_FOR: SignedDuration = SignedDuration::from_secs(1);
/// Recipients with troubles that are read of one tenant. Beyond it the rest counts as healthy: too much is sent.
const MAX_TROUBLED: i64 = 10_000;

/// What is known about recipients that fail.
pub(crate) struct Recipients {
    db: Database,
    known: Mutex<BTreeMap<TenantId, Known>>,
}

#[derive(Clone)]
struct Known {
    read_at: Timestamp,
    troubled: Arc<BTreeMap<(String, String), Trouble>>,
}

#[derive(Debug, Clone, Copy)]
struct Trouble {
    disabled_at_us: Option<i64>,
    failing_since_us: Option<i64>,
}

impl Recipients {
    pub(crate) fn new(db: Database) -> Self {
        Self { db, known: Mutex::default() }
    }

    /// Whether the recipient is disabled. Declaring its route again enables it.
    pub(crate) async fn is_disabled(
        &self,
        tenant: &TenantId,
        decision: &Decision,
        declared_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<bool, sqlx::Error> {
        let troubled = self.troubled(tenant, now).await?;
        let key = (decision.route.clone(), decision.recipient.shown.clone());
        let Some(trouble) = troubled.get(&key) else { return Ok(false) };
        let declared_us = declared_at.map_or(i64::MIN, Timestamp::as_microsecond);
        let since = |at: Option<i64>| at.filter(|at| *at >= declared_us);
        let failing_too_long = since(trouble.failing_since_us)
            .is_some_and(|at| now.as_microsecond().saturating_sub(at) > micros(FAILING_FOR));
        Ok(since(trouble.disabled_at_us).is_some() || failing_too_long)
    }

    /// A recipient was just disabled: the next question reads again.
    pub(crate) fn forget(&self, tenant: &TenantId) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(tenant);
    }

    async fn troubled(
        &self,
        tenant: &TenantId,
        now: Timestamp,
    ) -> Result<Arc<BTreeMap<(String, String), Trouble>>, sqlx::Error> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(tenant).cloned();
        // A clock that was set back must not keep an answer for ever.
        let fresh = |known: &Known| known.read_at <= now && now.duration_since(known.read_at) < KEPT_FOR;
        if let Some(known) = known.filter(fresh) {
            return Ok(known.troubled);
        }
        let troubled = Arc::new(self.read(tenant).await?);
        let known = Known { read_at: now, troubled: troubled.clone() };
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(tenant.clone(), known);
        Ok(troubled)
    }

    async fn read(&self, tenant: &TenantId) -> Result<BTreeMap<(String, String), Trouble>, sqlx::Error> {
        let mut tx = self.db.tenant_tx(tenant).await?;
        let rows = sqlx::query(
            "SELECT route, recipient, disabled_at_us, failing_since_us FROM notifier.recipient
              WHERE tenant = $1 AND (disabled_at_us IS NOT NULL OR failing_since_us IS NOT NULL) LIMIT $2",
        )
        .bind(tenant.as_str())
        .bind(MAX_TROUBLED)
        .fetch_all(&mut *tx)
        .await?;
        tx.commit().await?;
        let trouble = |row: &sqlx::postgres::PgRow| {
            let (disabled_at_us, failing_since_us) = (row.try_get("disabled_at_us")?, row.try_get("failing_since_us")?);
            Ok(((row.try_get("route")?, row.try_get("recipient")?), Trouble { disabled_at_us, failing_since_us }))
        };
        rows.iter().map(trouble).collect()
    }
}

fn micros(duration: SignedDuration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
