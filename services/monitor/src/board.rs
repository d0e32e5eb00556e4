//! The newest judgements and the history, collected in memory and written to PostgreSQL in batches:
//! a thousand observations a second are a few statements.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use muster_domain::{
    TenantId,
    pb::readiness::v1::Assessment,
    readiness::{Watch, severity},
    time::duration_from_pb,
};
use muster_eventlog::Database;
use muster_runtime::Clock;
use prost::Message;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::inventory::ResourceKey;

/// How old a judgement in the tables may be at most, besides its observation's own age.
const WRITE_EVERY: Duration = Duration::from_secs(1);
/// History can wait longer: a crash loses this much of it.
const HISTORY_EVERY: Duration = Duration::from_secs(10);
const TIDY_EVERY: Duration = Duration::from_secs(3600);

/// A kind of bucket and how long it is kept.
pub(crate) struct Resolution {
    pub(crate) width_s: i32,
    pub(crate) kept: SignedDuration,
}

/// Fine first.
pub(crate) const RESOLUTIONS: [Resolution; 2] = [
    Resolution { width_s: 10, kept: SignedDuration::from_hours(48) },
    Resolution { width_s: 300, kept: SignedDuration::from_hours(24 * 90) },
];

#[derive(Debug, Clone)]
struct Latest {
    seen_at: Timestamp,
    assessment: Assessment,
    last_known_good: Option<Assessment>,
    active_site: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct BucketKey {
    resource: ResourceKey,
    width_s: i32,
    start_ms: i64,
}

/// The worst of a bucket. Absent: not known in the whole bucket.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Bucket {
    rpo_max_ms: Option<i64>,
    not_received_max: Option<i64>,
    not_applied_max: Option<i64>,
    worst: i16,
    observations: i32,
}

impl Bucket {
    fn of(assessment: &Assessment) -> Self {
        let bytes = |n: Option<u64>| n.map(|n| i64::try_from(n).unwrap_or(i64::MAX));
        let rpo = duration_from_pb(assessment.rpo_now.as_ref());
        Self {
            rpo_max_ms: rpo.map(|rpo| i64::try_from(rpo.as_millis()).unwrap_or(i64::MAX)),
            not_received_max: bytes(assessment.not_received_bytes),
            not_applied_max: bytes(assessment.not_applied_bytes),
            worst: i16::from(severity(assessment.status())),
            observations: 1,
        }
    }

    fn add(&mut self, other: Self) {
        self.rpo_max_ms = self.rpo_max_ms.max(other.rpo_max_ms);
        self.not_received_max = self.not_received_max.max(other.not_received_max);
        self.not_applied_max = self.not_applied_max.max(other.not_applied_max);
        self.worst = self.worst.max(other.worst);
        self.observations = self.observations.saturating_add(other.observations);
    }
}

/// See the module. Bounded by the number of resources, and of buckets since the last write.
#[derive(Default)]
pub(crate) struct Board {
    latest: Mutex<HashMap<ResourceKey, Latest>>,
    history: Mutex<HashMap<BucketKey, Bucket>>,
}

/// While PostgreSQL is away, history is kept for about ten minutes of a thousand resources, then dropped.
const MAX_BUCKETS: usize = 100_000;

impl Board {
    /// The judgement as of now.
    pub(crate) fn latest(&self, key: &ResourceKey, seen_at: Timestamp, assessment: Assessment, watch: &Watch) {
        let row = Latest {
            seen_at,
            assessment,
            last_known_good: watch.last_known_good().cloned(),
            active_site: watch.active_site().unwrap_or_default().to_owned(),
        };
        lock(&self.latest).insert(key.clone(), row);
    }

    /// One more observation for the history.
    pub(crate) fn observed(&self, key: &ResourceKey, now: Timestamp, assessment: &Assessment) {
        let mut history = lock(&self.history);
        for resolution in &RESOLUTIONS {
            let width_ms = i64::from(resolution.width_s) * 1000;
            let start_ms = now.as_millisecond().div_euclid(width_ms) * width_ms;
            let bucket = BucketKey { resource: key.clone(), width_s: resolution.width_s, start_ms };
            if history.len() < MAX_BUCKETS || history.contains_key(&bucket) {
                history.entry(bucket).or_default().add(Bucket::of(assessment));
            }
        }
    }

    pub(crate) fn forget(&self, key: &ResourceKey) {
        lock(&self.latest).remove(key);
    }

    /// Writes until `shutdown`, and once more.
    pub(crate) async fn run(&self, db: &Database, clock: &Clock, shutdown: CancellationToken) {
        let mut ticks = interval(WRITE_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut history_at, mut tidied_at) = (Instant::now(), None::<Instant>);
        let mut tenants = std::collections::BTreeSet::new();
        loop {
            let last = tokio::select! {
                () = shutdown.cancelled() => true,
                _ = ticks.tick() => false,
            };
            tenants.extend(self.write_latest(db).await);
            if last || history_at.elapsed() >= HISTORY_EVERY {
                self.write_history(db).await;
                history_at = Instant::now();
            }
            if last {
                return;
            }
            if tidied_at.is_none_or(|at| at.elapsed() >= TIDY_EVERY) {
                tidied_at = Some(Instant::now());
                for tenant in &tenants {
                    if let Err(error) = tidy(db, tenant, clock.now()).await {
                        tracing::warn!(%tenant, %error, "old history is not removed yet");
                    }
                }
            }
        }
    }

    /// Returns the tenants that were written.
    pub(crate) async fn write_latest(&self, db: &Database) -> Vec<TenantId> {
        let taken = std::mem::take(&mut *lock(&self.latest));
        let mut written = Vec::new();
        for (tenant, rows) in by_tenant(taken, |key| &key.tenant) {
            match write_latest(db, &tenant, &rows).await {
                Ok(()) => written.push(tenant),
                Err(error) => {
                    tracing::warn!(%tenant, %error, "judgements are not in the tables yet");
                    let mut latest = lock(&self.latest);
                    for (key, row) in rows {
                        // What came meanwhile is newer.
                        latest.entry(key).or_insert(row);
                    }
                }
            }
        }
        written
    }

    pub(crate) async fn write_history(&self, db: &Database) {
        let taken = std::mem::take(&mut *lock(&self.history));
        for (tenant, buckets) in by_tenant(taken, |key| &key.resource.tenant) {
            if let Err(error) = write_history(db, &tenant, &buckets).await {
                tracing::warn!(%tenant, %error, "history is not in the tables yet");
                let mut history = lock(&self.history);
                let room = MAX_BUCKETS.saturating_sub(history.len());
                for (key, bucket) in buckets.into_iter().take(room) {
                    history.entry(key).or_default().add(bucket);
                }
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Single map operations: a panic elsewhere leaves them whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn by_tenant<K, V>(rows: HashMap<K, V>, tenant: impl Fn(&K) -> &TenantId) -> BTreeMap<TenantId, Vec<(K, V)>> {
    let mut grouped = BTreeMap::<TenantId, Vec<(K, V)>>::new();
    for (key, row) in rows {
        grouped.entry(tenant(&key).clone()).or_default().push((key, row));
    }
    grouped
}

async fn write_latest(db: &Database, tenant: &TenantId, rows: &[(ResourceKey, Latest)]) -> Result<(), sqlx::Error> {
    let encoded = |a: Option<&Assessment>| a.map(Message::encode_to_vec).unwrap_or_default();
    let mut tx = db.tenant_tx(tenant).await?;
    sqlx::query(
        "INSERT INTO monitor.latest (tenant, resource, seen_at_ms, assessment, last_known_good, active_site)
         SELECT $1, * FROM UNNEST($2::text[], $3::bigint[], $4::bytea[], $5::bytea[], $6::text[])
         ON CONFLICT (tenant, resource) DO UPDATE SET
             seen_at_ms = excluded.seen_at_ms, assessment = excluded.assessment, active_site = excluded.active_site,
             last_known_good = CASE WHEN length(excluded.last_known_good) > 0 THEN excluded.last_known_good ELSE latest.last_known_good END",
    )
    .bind(tenant.as_str())
    .bind(rows.iter().map(|(key, _)| key.resource.as_str()).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, row)| row.seen_at.as_millisecond()).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, row)| row.assessment.encode_to_vec()).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, row)| encoded(row.last_known_good.as_ref())).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, row)| row.active_site.as_str()).collect::<Vec<_>>())
    .execute(&mut *tx)
    .await?;
    tx.commit().await
}

async fn write_history(db: &Database, tenant: &TenantId, rows: &[(BucketKey, Bucket)]) -> Result<(), sqlx::Error> {
    let mut tx = db.tenant_tx(tenant).await?;
    // greatest() ignores NULL: a known value is never replaced by an unknown one.
    sqlx::query(
        "INSERT INTO monitor.trend AS t (tenant, resource, width_s, bucket_ms, rpo_max_ms, not_received_max, not_applied_max, worst, observations)
         SELECT $1, * FROM UNNEST($2::text[], $3::int[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::smallint[], $9::int[])
         ON CONFLICT (tenant, resource, width_s, bucket_ms) DO UPDATE SET
             rpo_max_ms = greatest(t.rpo_max_ms, excluded.rpo_max_ms),
             not_received_max = greatest(t.not_received_max, excluded.not_received_max),
             not_applied_max = greatest(t.not_applied_max, excluded.not_applied_max),
             worst = greatest(t.worst, excluded.worst),
             observations = t.observations + excluded.observations",
    )
    .bind(tenant.as_str())
    .bind(rows.iter().map(|(key, _)| key.resource.resource.as_str()).collect::<Vec<_>>())
    .bind(rows.iter().map(|(key, _)| key.width_s).collect::<Vec<_>>())
    .bind(rows.iter().map(|(key, _)| key.start_ms).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, b)| b.rpo_max_ms).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, b)| b.not_received_max).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, b)| b.not_applied_max).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, b)| b.worst).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, b)| b.observations).collect::<Vec<_>>())
    .execute(&mut *tx)
    .await?;
    tx.commit().await
}

/// Removes what is older than its resolution is kept.
async fn tidy(db: &Database, tenant: &TenantId, now: Timestamp) -> Result<(), sqlx::Error> {
    let mut tx = db.tenant_tx(tenant).await?;
    for resolution in &RESOLUTIONS {
        let before = now.saturating_sub(resolution.kept).unwrap_or(Timestamp::MIN).as_millisecond();
        sqlx::query("DELETE FROM monitor.trend WHERE tenant = $1 AND width_s = $2 AND bucket_ms < $3")
            .bind(tenant.as_str())
            .bind(resolution.width_s)
            .bind(before)
            .execute(&mut *tx)
            .await?;
    }
    tx.commit().await
}
