//! Silence is noticed although nothing else runs: a durable timer for each resource fires when its
//! newest judgement should have been replaced, compares the tables with the clock, and sets itself
//! again. It judges by itself, from what is stored; the worker comes to the same, usually before.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use muster_domain::{
    pb::readiness::v1::AlertKind,
    readiness::{
        Inputs, Limits, rules,
        state::{ALERT_KINDS, Condition, Verdict},
    },
};
use muster_eventlog::{TimerError, TimerFired, TimerHandler, TimerKey, Timers};
use muster_runtime::{Clock, Context};

use crate::{Monitor, inventory::ResourceKey, read, view::Known};

/// Who is called.
pub(crate) const HANDLER: &str = "monitor.freshness";
/// Judgements reach the tables in batches: a timer that fires before them would see old ones.
const SLACK: SignedDuration = SignedDuration::from_secs(3);

pub(crate) struct Freshness {
    timers: Timers,
    clock: Clock,
    started_at: Timestamp,
}

impl Freshness {
    pub(crate) fn new(ctx: &Context) -> Self {
        Self { timers: ctx.log.timers(), clock: ctx.clock.clone(), started_at: ctx.clock.now() }
    }

    /// Begins to guard a resource, in the background. Doing it again moves the timer on.
    pub(crate) fn guard(&self, key: ResourceKey, limits: &Limits) {
        let (timers, due) = (self.timers.clone(), later(self.clock.now(), limits.stale_after));
        tokio::spawn(async move {
            if let Err(error) = timers.set(&timer(&key), due, &[]).await {
                tracing::warn!(tenant = %key.tenant, resource = key.resource, %error, "silence is not guarded by a timer yet");
            }
        });
    }

    pub(crate) async fn release(&self, key: &ResourceKey) {
        if let Err(error) = self.timers.cancel(&timer(key)).await {
            // It finds the resource gone when it fires, and ends itself.
            tracing::debug!(tenant = %key.tenant, resource = key.resource, %error, "a timer is not cancelled");
        }
    }
}

fn timer(key: &ResourceKey) -> TimerKey {
    TimerKey { tenant: key.tenant.clone(), handler: HANDLER.to_owned(), key: key.resource.clone() }
}

fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.saturating_add(by.saturating_add(SLACK)).unwrap_or(Timestamp::MAX)
}

/// Fires.
pub(crate) struct Silence(pub(crate) Arc<Monitor>);

#[async_trait]
impl TimerHandler for Silence {
    async fn fire(&self, timer: TimerFired) -> Result<(), TimerError> {
        let failed = |error: &dyn std::error::Error| TimerError(error.to_string());
        let key = ResourceKey { tenant: timer.tenant, resource: timer.key };
        let monitor = &self.0;
        let all = read::known(&monitor.ctx.db, &key.tenant, Some(&key.resource)).await.map_err(|e| failed(&e))?;
        let freshness = &monitor.freshness;
        let now = freshness.clock.now();
        let Some(known) = all.into_values().next() else {
            // Retired: the guard ends. Declared, and not in the tables yet: it goes on.
            if let Some(declared) = monitor.inventory.declaration(&key) {
                freshness.guard(key, &declared.limits);
            }
            return Ok(());
        };
        let sight = Sight::of(&known, freshness.started_at, now);
        if let Some(inputs) = inputs(&key, &known, sight, now) {
            monitor.recorder.record(&key, &inputs).await.map_err(|e| failed(&e))?;
        }
        let (key, next) = (self::timer(&key), sight.next(&known.limits, now));
        freshness.timers.set(&key, next, &[]).await.map_err(|e| failed(&e))
    }
}

/// Since when nothing was seen. Time in which this monitor was not there does not count.
#[derive(Debug, Clone, Copy)]
struct Sight {
    seen_at: Option<Timestamp>,
    counted_from: Timestamp,
}

impl Sight {
    fn of(known: &Known, started_at: Timestamp, now: Timestamp) -> Self {
        let seen_at = known.latest.as_ref().and_then(|l| Timestamp::from_millisecond(l.seen_at_ms).ok());
        // A time in the future comes from a clock that went back: it is worth no more than now.
        let counted_from = seen_at.map_or(started_at, |seen| seen.max(started_at)).min(now);
        Self { seen_at, counted_from }
    }

    fn age(self, now: Timestamp) -> SignedDuration {
        now.duration_since(self.counted_from)
    }

    /// When to look again: at the next limit, and then now and then.
    fn next(self, limits: &Limits, now: Timestamp) -> Timestamp {
        let limits = [limits.stale_after, limits.lost_after];
        let next = limits.into_iter().map(|limit| later(self.counted_from, limit)).find(|at| *at > now);
        next.unwrap_or_else(|| later(now, limits[1]))
    }
}

/// What silence alone leads to: a worse status, and the lost-sight alert. Everything else is the worker's.
fn inputs(key: &ResourceKey, known: &Known, sight: Sight, now: Timestamp) -> Option<Inputs> {
    if sight.age(now) <= known.limits.stale_after {
        return None;
    }
    let newest = known.latest.as_ref().map(|latest| latest.assessment.clone());
    let assessment = newest.map_or_else(rules::never_observed, |newest| rules::degrade(newest, &known.limits, now));
    let lost = Condition {
        kind: AlertKind::LostSight,
        verdict: Verdict::Holds,
        since: Some(sight.seen_at.unwrap_or(sight.counted_from)),
        due_at: sight.counted_from.saturating_add(known.limits.lost_after).ok(),
        settled: false,
    };
    let unknown = |kind| Condition { kind, verdict: Verdict::NotKnown, since: None, due_at: None, settled: false };
    Some(Inputs {
        tenant: key.tenant.to_string(),
        resource: key.resource.clone(),
        tier: known.spec.tier(),
        environment: known.spec.environment(),
        resource_version: known.version,
        retired: false,
        limits: known.limits,
        assessment,
        settled_status: None,
        conditions: ALERT_KINDS.map(|kind| if kind == AlertKind::LostSight { lost } else { unknown(kind) }),
        last_green_at: None,
    })
}
