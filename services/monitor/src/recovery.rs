//! After a start: the working memory, brought back by living through the recent observations again.
//! Nothing is decided meanwhile. What has been decided stands in the log and is read from there.

use std::{sync::Arc, time::Duration};

use futures::{StreamExt, stream::BoxStream};
use jiff::SignedDuration;
use muster_domain::{TenantId, time::from_pb};
use muster_eventlog::{ObservationStart, StoredObservations};

use crate::{
    Monitor,
    inventory::ResourceKey,
    worker::{Entries, Entry},
};

/// How far back. Longer than any usual lag; a larger one is told as unknown until it is known again.
const REPLAYED: SignedDuration = SignedDuration::from_mins(10);
/// When nothing comes for so long, there is nothing.
const SILENCE: Duration = Duration::from_secs(2);
/// However much there is: then judging begins, and the rest is taken in as it comes.
const AT_MOST: Duration = Duration::from_secs(30);

/// The resources of the shard with what is known of them, and the observations from here on.
pub(crate) async fn recover(monitor: &Arc<Monitor>, shard: u16) -> (Entries, BoxStream<'static, StoredObservations>) {
    let now = monitor.ctx.clock.now();
    let declared = monitor.inventory.declarations(shard);
    let mut entries: Entries = declared.into_iter().map(|(key, d)| (key, Entry::new(d, now))).collect();
    let since = now.saturating_sub(REPLAYED).unwrap_or(now);
    let log = &monitor.ctx.log;
    let mut observations = log.follow_observation_shards(vec![shard], ObservationStart::Since(since)).boxed();
    let began = tokio::time::Instant::now();
    let mut replayed = 0_usize;
    while began.elapsed() < AT_MOST {
        let Ok(Some(stored)) = tokio::time::timeout(SILENCE, observations.next()).await else { break };
        replayed += live_through(&mut entries, &stored);
        if stored.newest {
            break;
        }
    }
    tracing::info!(shard, resources = entries.len(), observations = replayed, "working memory is back");
    (entries, observations)
}

/// As if it happened again: each observation arrives at the time at which it was made.
fn live_through(entries: &mut Entries, stored: &StoredObservations) -> usize {
    let Ok(tenant) = stored.batch.tenant.parse::<TenantId>() else { return 0 };
    let mut taken = 0;
    for observation in &stored.batch.observations {
        let key = ResourceKey { tenant: tenant.clone(), resource: observation.resource.clone() };
        let (Some(entry), Some(at)) = (entries.get_mut(&key), from_pb(observation.observed_at.as_ref())) else {
            continue;
        };
        if entry.watch.seen_at().is_none() {
            *entry = Entry::new(entry.declaration.clone(), at);
        }
        if entry.watch.observe(&entry.declaration.spec, observation, at) {
            entry.watch.look(&entry.declaration.subject(&key), at);
            taken += 1;
        }
    }
    taken
}
