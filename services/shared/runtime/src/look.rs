//! How systems stand now, for people who are about to decide.
//!
//! The log keeps what was decided about a system, which for one that is well may be days old, and the measurements, which
//! are seconds old. Here the newest of them are judged by the monitor's own rules, for the moment of one question; status
//! and alerts stay the monitor's.

use std::{collections::BTreeMap, pin::pin, time::Duration};

use futures::StreamExt;
use jiff::{SignedDuration, Timestamp};
use muster_domain::{
    TenantId,
    pb::{
        common::v1::{LossCertainty, LossStatement},
        inventory::v1::{PolicySpec, ReadinessRule, ResourceSpec},
        readiness::v1::Assessment,
    },
    readiness::{Limits, Watch, rules},
    time::from_pb,
};
use muster_eventlog::{EventLog, ObservationStart, StoredObservations, shard_of};

/// Several looks of every collector, so that positions have times; a shard of thousands of systems is read in a moment.
const BACK: SignedDuration = SignedDuration::from_secs(30);
/// When nothing comes for so long, nobody measures.
const SILENCE: Duration = Duration::from_millis(300);
/// However much there is: what came until then is judged.
const AT_MOST: Duration = Duration::from_secs(2);

/// A system whose state is asked for, with the limits that hold for it and what the log says of it last.
pub struct Asked {
    resource: String,
    spec: ResourceSpec,
    limits: Limits,
    recorded: Option<Assessment>,
}

impl Asked {
    pub fn new<'a>(
        resource: &str,
        spec: &ResourceSpec,
        policies: impl IntoIterator<Item = &'a PolicySpec>,
        recorded: Option<Assessment>,
    ) -> Self {
        let rules: Vec<&ReadinessRule> = policies.into_iter().flat_map(|policy| &policy.readiness).collect();
        let limits = Limits::effective(spec.tier(), spec.rpo.as_ref(), rules, spec.thresholds.as_ref());
        Self { resource: resource.to_owned(), spec: spec.clone(), limits, recorded }
    }

    /// The newest judgement brought to `now`, never better than the recorded status: a recovery shows when it has settled.
    fn judged(&self, watch: &Watch, now: Timestamp) -> Option<Assessment> {
        let recorded = self.recorded.clone().map(|recorded| rules::degrade(recorded, &self.limits, now));
        let measured = watch.seen_at().map(|_| watch.assessment(&self.limits, now));
        let newest = match (measured, recorded) {
            (Some(measured), Some(recorded)) => with_known_loss(measured, recorded),
            (measured, recorded) => measured.or(recorded)?,
        };
        Some(match &self.recorded {
            Some(recorded) => rules::hold(newest, recorded.status(), self.limits.recover_for),
            None => newest,
        })
    }
}

/// Few measurements may not bound the loss where the monitor's longer memory did: what was known of the same primary
/// still holds, grown to now.
fn with_known_loss(mut measured: Assessment, recorded: Assessment) -> Assessment {
    let is_bounded = |loss: &Option<LossStatement>| {
        loss.as_ref().is_some_and(|loss| loss.certainty() == LossCertainty::Bounded && loss.window.is_some())
    };
    let node = |look: &Assessment| look.primary.as_ref().map(|primary| primary.node.clone());
    let same_primary = node(&measured).is_some() && node(&measured) == node(&recorded);
    if same_primary && !is_bounded(&measured.loss) && is_bounded(&recorded.loss) {
        measured.loss = recorded.loss;
    }
    measured
}

/// How each of them stands at `now`. Who is missing was never seen.
pub async fn as_of_now(
    log: &EventLog,
    tenant: &TenantId,
    asked: &[Asked],
    now: Timestamp,
) -> BTreeMap<String, Assessment> {
    let since = now.saturating_sub(BACK).unwrap_or(now);
    let mut watches: BTreeMap<&str, (&Asked, Watch)> =
        asked.iter().map(|asked| (asked.resource.as_str(), (asked, Watch::new(since)))).collect();
    let shard = shard_of(tenant);
    let read = async {
        let mut stored = pin!(log.follow_observation_shards(vec![shard], ObservationStart::Since(since)));
        while let Ok(Some(stored)) = tokio::time::timeout(SILENCE, stored.next()).await {
            take_in(&mut watches, tenant, &stored, now);
            if stored.newest {
                break;
            }
        }
    };
    if tokio::time::timeout(AT_MOST, read).await.is_err() {
        tracing::warn!(%tenant, shard, "there are more new measurements than can be read in time; what came is judged");
    }
    let judged = watches.into_iter().filter_map(|(name, (asked, watch))| {
        let assessment = asked.judged(&watch, now)?;
        Some((name.to_owned(), assessment))
    });
    judged.collect()
}

fn take_in(
    watches: &mut BTreeMap<&str, (&Asked, Watch)>,
    tenant: &TenantId,
    stored: &StoredObservations,
    now: Timestamp,
) {
    if stored.batch.tenant != tenant.as_str() {
        return;
    }
    for observation in &stored.batch.observations {
        let Some((asked, watch)) = watches.get_mut(observation.resource.as_str()) else { continue };
        // As if it happened again; a collector ahead of us counts from now.
        if let Some(at) = from_pb(observation.observed_at.as_ref()) {
            watch.observe(&asked.spec, observation, at.min(now));
        }
    }
}
