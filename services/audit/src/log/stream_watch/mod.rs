//! Whether the record's own streams are left alone. Nothing of Muster updates, purges or deletes one; who does is an
//! administrator of the broker, or an attacker. The server tells it as it happens (advisories), and what happened while
//! nobody listened shows in the stream's description, compared with the one that was seen last.
//!
//! What is found is an event `audit.stream.changed` (which opens a gap), an error line and a metric. It says what was done
//! to the stream, not what is missing from it: that is for the log's leaves.

mod compare;

use std::{collections::BTreeMap, pin::pin, time::Duration};

use futures::{Stream, StreamExt};
use muster_domain::{
    TenantId,
    pb::audit::v1::{StreamChanged, audit_log_event::Event},
};
use muster_eventlog::{Lease, StreamAdvisory, StreamState};
use muster_logstore::{LogFiles, LogStore};
use muster_runtime::Context;
use tokio::time::Instant;

use self::compare::{Change, Seen, changes};
use super::record;

/// How long a change stays unseen when its advisory was missed.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// A log that begins later than its stream is looked at again soon, so that what was seen is on file.
const LOOK_SOON: Duration = Duration::from_secs(1);
/// An advisory is told before the change can be seen everywhere.
const SETTLE: Duration = Duration::from_millis(200);
/// A look may also see a change before its advisory comes, which alone says who did it.
const GRACE: Duration = Duration::from_secs(1);
const LEASE: &str = "audit.stream-watch";
const LEASE_LENGTH: Duration = Duration::from_secs(30);
/// What was seen last, beside the log's files.
const FILE: &str = "stream";
/// Several advisories about one stream between two looks are one look; more streams than this are not ours.
const MAX_TOLD: usize = 10_000;

/// Watches all tenants' streams until shutdown. One process of the installation does it at a time.
pub(crate) async fn run(context: Context, store: Option<LogStore>) {
    let holder = context.clock.new_id().to_string();
    let mut watch = Watch { context: context.clone(), store, seen: BTreeMap::new() };
    while !context.shutdown.is_cancelled() {
        match Lease::acquire(&context.log, LEASE, &holder, LEASE_LENGTH).await {
            Ok(Some(mut lease)) => {
                tokio::select! {
                    () = watch.hold(&mut lease) => {}
                    () = context.shutdown.cancelled() => {}
                }
                // So that the next process watches at once.
                lease.release().await;
                // Another process may see something meanwhile: what is on file counts.
                watch.seen.clear();
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "who watches the streams cannot be settled"),
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = context.shutdown.cancelled() => return,
        }
    }
}

struct Watch {
    context: Context,
    store: Option<LogStore>,
    seen: BTreeMap<TenantId, Looked>,
}

/// What to do with a change that no advisory has told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Untold {
    Wait,
    Report,
}

/// The newest look at one stream.
struct Looked {
    seen: Seen,
    /// Whether it is on file: a log begins later than its stream.
    filed: bool,
}

impl Watch {
    /// Until the lease is lost.
    async fn hold(&mut self, lease: &mut Lease) {
        let advisories = match self.context.log.stream_advisories().await {
            Ok(advisories) => advisories,
            Err(error) => {
                tracing::warn!(%error, "advisories about streams cannot be listened to");
                return;
            }
        };
        let mut advisories = pin!(advisories);
        let mut told: BTreeMap<String, StreamAdvisory> = BTreeMap::new();
        loop {
            match lease.renew().await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    tracing::warn!(%error, "the watch over the streams is interrupted");
                    return;
                }
            }
            if self.look_at_all(&told, Untold::Wait).await {
                listen(&mut advisories, GRACE, GRACE, &mut told).await;
                self.look_at_all(&told, Untold::Report).await;
            }
            told.clear();
            let pause = if self.all_filed() { LOOK_EVERY } else { LOOK_SOON };
            let Ok(first) = tokio::time::timeout(pause, advisories.next()).await else { continue };
            let Some(first) = first else { return };
            note(&mut told, first);
            listen(&mut advisories, SETTLE, LOOK_EVERY, &mut told).await;
        }
    }

    /// Whether something is left that nobody has told of.
    async fn look_at_all(&mut self, told: &BTreeMap<String, StreamAdvisory>, untold: Untold) -> bool {
        let tenants = match self.context.log.tenants().await {
            Ok(tenants) => tenants,
            Err(error) => {
                tracing::warn!(%error, "the streams cannot be looked at");
                return false;
            }
        };
        let mut waiting = false;
        for tenant in tenants {
            let stream = self.context.log.record_stream_name(&tenant);
            match self.look(&tenant, &stream, told.get(&stream), untold).await {
                Ok(waits) => waiting |= waits,
                Err(error) => tracing::warn!(%tenant, error, "a record's stream cannot be looked at; trying again"),
            }
        }
        waiting
    }

    /// Whether something was seen that is not reported yet.
    async fn look(
        &mut self,
        tenant: &TenantId,
        stream: &str,
        told: Option<&StreamAdvisory>,
        untold: Untold,
    ) -> Result<bool, String> {
        let state = self.context.log.record_stream_state(tenant).await.map_err(|error| error.to_string())?;
        gauge(tenant, state.is_none());
        let Some(state) = state else {
            // Nothing can be recorded where nothing is; when the stream is back, that is another one.
            let by = told.map(|told| told.by.as_str()).unwrap_or_default();
            tracing::error!(%tenant, stream, by, "AUDIT ALARM: the record's stream is not there");
            return Ok(false);
        };
        let files = self.files(tenant).await?;
        let (before, filed) = match self.seen.get(tenant) {
            Some(looked) => (Some(looked.seen.clone()), looked.filed),
            None => (read(files.as_ref()).await?, false),
        };
        let wrong = self.wrong_settings(tenant, before.is_none()).await?;
        let now = Seen::from(&state);
        let found = changes(before.as_ref(), &now, &wrong, told);
        if !found.is_empty() && told.is_none() && untold == Untold::Wait {
            return Ok(true);
        }
        for change in found {
            self.report(tenant, &state, &change).await?;
        }
        let filed = self.file(files, &now, filed && before.as_ref() == Some(&now)).await?;
        self.seen.insert(tenant.clone(), Looked { seen: now, filed });
        Ok(false)
    }

    fn all_filed(&self) -> bool {
        self.store.is_none() || self.seen.values().all(|looked| looked.filed)
    }

    /// Keeps what was seen, unless it is on file. Whether it is now.
    async fn file(&self, files: Option<LogFiles>, now: &Seen, filed: bool) -> Result<bool, String> {
        let Some(files) = files.filter(|_| !filed) else { return Ok(filed) };
        let content = serde_json::to_vec(now).map_err(|error| error.to_string())?;
        files.replace(FILE, content).await.map_err(|error| error.to_string())?;
        Ok(true)
    }

    /// At the first look there is nothing to compare with but what Muster itself would have made.
    async fn wrong_settings(&self, tenant: &TenantId, first_look: bool) -> Result<Vec<String>, String> {
        if !first_look {
            return Ok(Vec::new());
        }
        let found = self.context.log.record_stream_differences(tenant).await.map_err(|error| error.to_string())?;
        Ok(found.iter().map(|one| format!("{}: {} -> {}", one.setting, one.expected, one.found)).collect())
    }

    async fn report(&self, tenant: &TenantId, state: &StreamState, change: &Change) -> Result<(), String> {
        let (stream, what, by) = (&state.stream, change.what, change.by.as_str());
        tracing::error!(%tenant, stream, what, by, differences = change.differences, "AUDIT ALARM: the record's stream was changed");
        metrics::counter!("muster_audit_stream_changes_total", "tenant" => tenant.as_str().to_owned(), "what" => what)
            .increment(1);
        let changed = StreamChanged {
            stream: stream.clone(),
            what: what.to_owned(),
            by: change.by.clone(),
            config_sha256_before: change.config_before.clone(),
            config_sha256_after: change.config_after.clone(),
            differences: change.differences.clone(),
        };
        let key =
            ["stream", stream, what, &state.created, &change.config_before, &change.config_after, &change.differences];
        record::note(&self.context, tenant, &key, Event::StreamChanged(changed))
            .await
            .map_err(|error| error.to_string())
    }

    /// Where the log of the tenant's present epoch is; none before it has begun, or without a store.
    async fn files(&self, tenant: &TenantId) -> Result<Option<LogFiles>, String> {
        let Some(store) = &self.store else { return Ok(None) };
        let log = record::load(&self.context, tenant).await.map_err(|error| error.to_string())?;
        // What was seen belongs to the stream, whatever epoch the log is in: it stays with the first.
        Ok(log.epochs.first().map(|first| store.log(tenant, first.epoch)))
    }
}

/// Takes the advisories that come, until none did for `quiet`, and no longer than `limit`.
async fn listen(
    advisories: &mut (impl Stream<Item = StreamAdvisory> + Unpin),
    quiet: Duration,
    limit: Duration,
    told: &mut BTreeMap<String, StreamAdvisory>,
) {
    let end = Instant::now() + limit;
    while let Ok(Some(one)) = tokio::time::timeout_at(end.min(Instant::now() + quiet), advisories.next()).await {
        note(told, one);
    }
}

/// A change is told twice, once with who made it.
fn note(told: &mut BTreeMap<String, StreamAdvisory>, mut one: StreamAdvisory) {
    if let Some(before) = told.get(&one.stream) {
        if one.by.is_empty() {
            one.by.clone_from(&before.by);
        }
    } else if told.len() >= MAX_TOLD {
        return;
    }
    told.insert(one.stream.clone(), one);
}

async fn read(files: Option<&LogFiles>) -> Result<Option<Seen>, String> {
    let Some(files) = files else { return Ok(None) };
    let content = files.read(FILE).await.map_err(|error| error.to_string())?;
    content.map(|content| serde_json::from_slice(&content).map_err(|error| format!("{FILE}: {error}"))).transpose()
}

fn gauge(tenant: &TenantId, missing: bool) {
    let value = if missing { 1.0 } else { 0.0 };
    metrics::gauge!("muster_audit_stream_missing", "tenant" => tenant.as_str().to_owned()).set(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_made_a_change_is_known_whichever_of_the_two_is_told_first() {
        let one = |action: &str, by: &str| StreamAdvisory { stream: "R".into(), action: action.into(), by: by.into() };
        for both in [[one("modify", ""), one("modify", "root")], [one("modify", "root"), one("modify", "")]] {
            let mut told = BTreeMap::new();
            both.into_iter().for_each(|advisory| note(&mut told, advisory));
            assert_eq!(told.into_values().collect::<Vec<_>>(), [one("modify", "root")]);
        }
    }
}
