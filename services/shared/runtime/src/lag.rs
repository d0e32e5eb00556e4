//! Whether projections keep up: readiness fails when events that were there half a minute ago are not yet taken in.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use muster_domain::TenantId;
use muster_eventlog::position::reached;
use tokio::time::Instant;

use crate::{Context, Service};

/// A projection normally takes milliseconds; after this its views are no longer what people should decide by.
const MAX_LAG: Duration = Duration::from_secs(30);
/// Two small reads per tenant and projection each time.
const INTERVAL: Duration = Duration::from_secs(5);

/// What a projection still has to reach in one tenant's log, and since when.
#[derive(Debug, Clone, Copy)]
struct Goal {
    sequence: u64,
    since: Instant,
}

#[derive(Default)]
struct Lag {
    goals: HashMap<TenantId, Goal>,
}

impl Lag {
    /// Takes in one look; whether this tenant is behind for too long.
    fn look(&mut self, tenant: &TenantId, reached: u64, last: u64, now: Instant) -> bool {
        match self.goals.get(tenant) {
            Some(goal) if reached < goal.sequence => now.duration_since(goal.since) > MAX_LAG,
            _ if reached < last => {
                self.goals.insert(tenant.clone(), Goal { sequence: last, since: now });
                false
            }
            _ => {
                self.goals.remove(tenant);
                false
            }
        }
    }
}

impl Service {
    /// Watches a projection of this service: a gauge, and a readiness check with a bound in time.
    #[must_use]
    pub fn watch_projection(self, context: &Context, projection: &'static str) -> Self {
        let behind: Arc<Mutex<Vec<TenantId>>> = Arc::default();
        let (seen, context) = (behind.clone(), context.clone());
        self.check(format!("projection {projection}"), move || {
            let behind = seen.lock().unwrap_or_else(PoisonError::into_inner).len();
            let text = format!("more than {} s behind for {behind} tenants", MAX_LAG.as_secs());
            async move { if behind == 0 { Ok(()) } else { Err(text) } }
        })
        .task(format!("lag of {projection}"), move || watch(context.clone(), projection, behind.clone()))
    }
}

async fn watch(context: Context, projection: &'static str, behind: Arc<Mutex<Vec<TenantId>>>) {
    let mut lag = Lag::default();
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = context.shutdown.cancelled() => return,
        }
        // While log or database are away their own checks say so.
        if let Ok(found) = look_at_all(&context, projection, &mut lag).await {
            if !found.is_empty() {
                tracing::warn!(projection, tenants = found.len(), first = %found[0], "a projection is behind");
            }
            *behind.lock().unwrap_or_else(PoisonError::into_inner) = found;
        }
    }
}

type LookError = Box<dyn std::error::Error + Send + Sync>;

async fn look_at_all(context: &Context, projection: &'static str, lag: &mut Lag) -> Result<Vec<TenantId>, LookError> {
    let (mut behind, mut events) = (Vec::new(), 0);
    for tenant in context.tenants.list(INTERVAL).await?.iter() {
        let last = context.log.last_sequence(tenant).await?;
        let reached = reached(&context.db, projection, tenant).await?;
        events = events.max(last.saturating_sub(reached));
        if lag.look(tenant, reached, last, Instant::now()) {
            behind.push(tenant.clone());
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "a gauge: exact up to 2^53 events")]
    metrics::gauge!("muster_projection_lag_events", "projection" => projection).set(events as f64);
    Ok(behind)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use super::*;

    #[test]
    fn only_standing_behind_for_long_counts() {
        let (mut lag, start, acme) = (Lag::default(), Instant::now(), "acme".parse::<TenantId>().unwrap());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert!(!lag.look(&acme, 10, 10, at(0)), "up to date");
        assert!(!lag.look(&acme, 10, 15, at(5)), "just arrived");
        assert!(!lag.look(&acme, 12, 20, at(35)), "not yet too long");
        assert!(lag.look(&acme, 12, 20, at(36)), "15 was there 31 s ago");
        // A busy log that is followed is never up to date at any instant, and not behind either.
        assert!(!lag.look(&acme, 16, 30, at(40)));
        assert!(!lag.look(&acme, 30, 40, at(69)));
        assert!(!lag.look(&acme, 40, 50, at(98)));
    }
}
