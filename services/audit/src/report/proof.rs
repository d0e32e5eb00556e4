//! Leaf hashes and the newest published checkpoint, from the files of the tenant's transparency log. A report is made
//! without them where they are not there, and says so: a log that is behind holds nobody up.

use std::collections::BTreeMap;

use muster_domain::{TenantId, audit::AuditLog};
use muster_logstore::{LogFiles, StoreError};
use muster_runtime::Context;
use muster_tlog::{
    Checkpoint, Note, Tile,
    tile::{Kind, TILE_WIDTH},
    tile_set::decode_tile,
};

use super::model::Proof;

/// What the log's files say about the events of a report.
#[derive(Debug, Default)]
pub(super) struct Proven {
    pub(super) proof: Proof,
    /// By sequence, in hex.
    pub(super) leaf_hashes: BTreeMap<u64, String>,
}

#[derive(Debug, thiserror::Error)]
enum ProofError {
    #[error("no transparency log is configured (audit.store)")]
    NotKept,
    #[error("the log has not begun yet")]
    NotBegun,
    #[error("no checkpoint is published yet")]
    NoCheckpoint,
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the event log does not answer: {0}")]
    Log(#[from] muster_eventlog::LogError),
    #[error("a file of the log cannot be read: {0}")]
    File(String),
}

pub(super) async fn of(context: &Context, tenant: &TenantId, sequences: &[u64]) -> Proven {
    let mut proven = match read(context, tenant, sequences).await {
        Ok(proven) => proven,
        Err(error) => Proven { proof: Proof { text: error.to_string(), ..Proof::default() }, ..Proven::default() },
    };
    proven.proof.events = sequences.len();
    proven.proof.covered = proven.leaf_hashes.len();
    proven
}

async fn read(context: &Context, tenant: &TenantId, sequences: &[u64]) -> Result<Proven, ProofError> {
    let store = context.log_store.as_ref().ok_or(ProofError::NotKept)?;
    let id = AuditLog::ID.parse().map_err(|error: muster_domain::InvalidId| ProofError::File(error.to_string()))?;
    let log = context.log.load::<AuditLog>(tenant, &id).await?.state;
    let epoch = log.epochs.last().ok_or(ProofError::NotBegun)?;
    let files = store.log(tenant, epoch.epoch);
    let note = files.read("checkpoint").await?.ok_or(ProofError::NoCheckpoint)?;
    let unreadable = |error: &dyn std::fmt::Display| ProofError::File(format!("checkpoint: {error}"));
    let note = Note::parse(&note).map_err(|error| unreadable(&error))?;
    let checkpoint: Checkpoint = note.text().parse().map_err(|error| unreadable(&error))?;
    let leaf_hashes = leaf_hashes(&files, checkpoint.size, epoch.first_sequence, sequences).await?;
    let proof = Proof {
        origin: checkpoint.origin,
        checkpoint_size: Some(checkpoint.size),
        checkpoint_root: checkpoint.root.to_hex(),
        text:
            "Each event is a leaf of this log: `muster audit prove SEQUENCE` writes its proof, which verifies without \
               Muster (docs/verify-without-muster.md)."
                .to_owned(),
        ..Proof::default()
    };
    Ok(Proven { proof, leaf_hashes })
}

async fn leaf_hashes(
    files: &LogFiles,
    size: u64,
    first_sequence: u64,
    sequences: &[u64],
) -> Result<BTreeMap<u64, String>, ProofError> {
    let mut wanted: BTreeMap<u64, Vec<(u64, usize)>> = BTreeMap::new();
    for sequence in sequences {
        // Index 0 is the genesis leaf. What is before this epoch is in the log before.
        let Some(index) = sequence.checked_sub(first_sequence).map(|offset| offset + 1) else { continue };
        if index < size {
            let within = usize::try_from(index % TILE_WIDTH).unwrap_or_default();
            wanted.entry(index / TILE_WIDTH).or_default().push((*sequence, within));
        }
    }
    let mut hashes = BTreeMap::new();
    for (tile_index, places) in wanted {
        let width = (size - tile_index * TILE_WIDTH).min(TILE_WIDTH);
        let width = u16::try_from(width).unwrap_or(u16::MAX);
        let tile = Tile { kind: Kind::Hashes { level: 0 }, index: tile_index, width };
        let bytes = files.read(&tile.path()).await?;
        let bytes = bytes.ok_or_else(|| ProofError::File(format!("{tile} is missing")))?;
        let leaves = decode_tile(tile, &bytes).map_err(|error| ProofError::File(error.to_string()))?;
        for (sequence, within) in places {
            hashes.extend(leaves.get(within).map(|hash| (sequence, hash.to_hex())));
        }
    }
    Ok(hashes)
}
