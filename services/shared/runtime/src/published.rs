//! The audit's published log, as every process can read it: from the files in `audit.store`, without asking anyone.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use muster_domain::{AggregateId, TenantId, audit::AuditLog, pb::audit::v1::EpochOpened};
use muster_eventlog::{EventLog, Logged, PublishedLog};
use muster_logstore::{LogFiles, LogStore};
use muster_tlog::{
    Checkpoint, Leaf, Note, bundle::decode_bundle, leaf_hash, tile, tile_set::decode_tile, tree::Subtree,
};

/// Epochs begin once in years; who asks many times in a row need not read them each time.
const EPOCHS_AGE: Duration = Duration::from_secs(30);

pub(crate) struct PublishedFiles {
    store: LogStore,
    log: EventLog,
    epochs: Mutex<BTreeMap<TenantId, (Instant, Vec<EpochOpened>)>>,
}

impl PublishedFiles {
    pub(crate) fn of(store: LogStore, log: &EventLog) -> Arc<dyn PublishedLog> {
        Arc::new(Self { store, log: log.clone(), epochs: Mutex::default() })
    }

    async fn epochs(&self, tenant: &TenantId) -> Result<Vec<EpochOpened>, String> {
        let known = self.epochs.lock().unwrap_or_else(PoisonError::into_inner).get(tenant).cloned();
        if let Some((at, epochs)) = known
            && at.elapsed() < EPOCHS_AGE
        {
            return Ok(epochs);
        }
        let id: AggregateId = AuditLog::ID.parse().map_err(|error| format!("{error}"))?;
        let loaded = self.log.load::<AuditLog>(tenant, &id).await.map_err(|error| error.to_string())?;
        let epochs = loaded.state.epochs;
        let entry = (Instant::now(), epochs.clone());
        self.epochs.lock().unwrap_or_else(PoisonError::into_inner).insert(tenant.clone(), entry);
        Ok(epochs)
    }
}

#[async_trait]
impl PublishedLog for PublishedFiles {
    async fn leaf(&self, tenant: &TenantId, sequence: u64) -> Result<Logged, String> {
        let epochs = self.epochs(tenant).await?;
        let Some(epoch) = epochs.iter().rev().find(|epoch| epoch.first_sequence <= sequence) else {
            return Ok(Logged::NotYet);
        };
        // The genesis leaf is at 0.
        let index = sequence - epoch.first_sequence + 1;
        let files = self.store.log(tenant, epoch.epoch);
        match signed_size(&files).await? {
            Some(size) if size > index => leaf_at(&files, index, size).await.map(Logged::Leaf),
            Some(_) | None => Ok(Logged::NotYet),
        }
    }
}

/// Signed is enough: whether witnesses have seen it is watched elsewhere.
async fn signed_size(files: &LogFiles) -> Result<Option<u64>, String> {
    let mut largest = None;
    for file in ["checkpoint.pending", "checkpoint"] {
        let Some(note) = files.read(file).await.map_err(|error| error.to_string())? else { continue };
        let note = Note::parse(&note).map_err(|error| format!("{file}: {error}"))?;
        let checkpoint: Checkpoint = note.text().parse().map_err(|error| format!("{file}: {error}"))?;
        largest = largest.max(Some(checkpoint.size));
    }
    Ok(largest)
}

/// The text in the entry bundle, if it is what the tree's own tile says.
async fn leaf_at(files: &LogFiles, index: u64, size: u64) -> Result<Leaf, String> {
    let bundle = tile::bundle_of(index, size);
    let bytes = read(files, &bundle.path()).await?;
    let place = usize::try_from(index - bundle.start()).map_err(|error| error.to_string())?;
    let entries = decode_bundle(&bytes, bundle.width as usize).map_err(|error| error.to_string())?;
    let text = entries.get(place).ok_or("the entry bundle ends before the leaf")?;
    let hashes = tile::tile_of(Subtree { level: 0, index }, size);
    let bytes = read(files, &hashes.path()).await?;
    let in_tree = decode_tile(hashes, &bytes).map_err(|error| error.to_string())?.get(place).copied();
    if in_tree != Some(leaf_hash(text)) {
        return Err(format!("the log's files disagree about leaf {index}; run `muster audit fsck`"));
    }
    Leaf::parse(text).map_err(|error| error.to_string())
}

async fn read(files: &LogFiles, path: &str) -> Result<bytes::Bytes, String> {
    files.read(path).await.map_err(|error| error.to_string())?.ok_or_else(|| format!("{path} is missing"))
}
