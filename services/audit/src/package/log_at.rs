//! The transparency log as it was at one checkpoint.

use bytes::Bytes;
use muster_domain::{
    TenantId,
    pb::audit::v1::EpochOpened,
    refusal::{field_refusal, refusal},
};
use muster_eventlog::EventLog;
use muster_logstore::LogFiles;
use muster_runtime::{Context, refused};
use muster_tlog::{
    Checkpoint, Note, Policy, Tile, TlogProof,
    bundle::decode_bundle,
    leaf_hash,
    merkle::{inclusion_needs, prove_inclusion},
    tile::{TILE_WIDTH, bundle_of, grown, tiles_of},
    tile_set::TileSet,
    verify::package::{KEY_CHANGES, last_of},
};

use super::{PackageError, policy};
use crate::{
    log::{Fault, key_change_lines, key_changes_of_epoch},
    oscal::{PackageFile, proof_path},
};

/// What an export was made at is kept, so that the same size gives the same bytes for ever.
const EXPORTED: &str = "exported";

/// One log at one size, with everything that proves it.
pub(crate) struct LogAt {
    files: LogFiles,
    pub(crate) checkpoint: Checkpoint,
    pub(crate) note: Bytes,
    pub(crate) policy: Bytes,
    pub(crate) first_sequence: u64,
    pub(crate) epoch: u32,
}

impl LogAt {
    /// `size` 0: the newest published checkpoint. `epochs` are all that the log has had.
    pub(crate) async fn open(
        context: &Context,
        tenant: &TenantId,
        epoch: &EpochOpened,
        epochs: &[&EpochOpened],
        size: u64,
    ) -> Result<Self, PackageError> {
        let Some(store) = &context.log_store else { return Err(no_log()) };
        let files = store.log(tenant, epoch.epoch);
        let newest = files.read("checkpoint").await?.ok_or_else(|| nothing_published(epoch))?;
        let newest = if size == 0 { newest } else { at_size(&files, size, newest).await? };
        let found = parse(&newest)?;
        // The first export at a size decides which cosignatures and which policy belong to it.
        let note = kept(&files, &format!("{EXPORTED}/{}.checkpoint", found.size), newest).await?;
        let policy = policy::of_epochs(store, tenant, epoch, epochs).await?;
        let policy = kept(&files, &format!("{EXPORTED}/{}.policy", found.size), policy).await?;
        let checkpoint = parse(&note)?;
        Ok(Self { files, checkpoint, note, policy, first_sequence: epoch.first_sequence, epoch: epoch.epoch })
    }

    pub(crate) fn size(&self) -> u64 {
        self.checkpoint.size
    }

    /// The last sequence that the checkpoint covers: index 0 is the genesis leaf.
    pub(crate) fn last_sequence(&self) -> u64 {
        (self.first_sequence + self.size()).saturating_sub(2)
    }

    /// Where the leaf of a sequence stands; `None` when it is not in this tree.
    pub(crate) fn index_of(&self, sequence: u64) -> Option<u64> {
        let index = sequence.checked_sub(self.first_sequence)? + 1;
        (index < self.size()).then_some(index)
    }

    /// What proves which key follows which, as far as this checkpoint covers it: the events, and the last checkpoints of the
    /// keys that have ended.
    pub(crate) async fn key_changes(
        &self,
        log: &EventLog,
        tenant: &TenantId,
    ) -> Result<Vec<(String, Bytes)>, PackageError> {
        let failed = |fault: Fault| PackageError::Keys(fault.to_string());
        let mut events = key_changes_of_epoch(log, tenant, &self.checkpoint.origin).await.map_err(failed)?;
        events.retain(|event| event.seq <= self.last_sequence());
        if events.is_empty() {
            return Ok(Vec::new());
        }
        let mut found = vec![(KEY_CHANGES.to_owned(), Bytes::from(key_change_lines(&events)?))];
        let policy = str::from_utf8(&self.policy).ok().and_then(|text| text.parse::<Policy>().ok()).unwrap_or_default();
        for log in policy.logs.iter().filter(|log| log.ends_at.is_some() && log.key.name() == self.checkpoint.origin) {
            let path = last_of(log.key.id());
            if let Some(note) = self.files.read(&path).await? {
                found.push((path, note));
            }
        }
        Ok(found)
    }

    /// Every entry bundle and hash tile of the tree, entries first.
    pub(crate) fn tiles(&self) -> Vec<Tile> {
        grown(0, self.size())
    }

    pub(crate) async fn tile(&self, tile: Tile) -> Result<Bytes, PackageError> {
        self.files.read(&tile.path()).await?.ok_or_else(|| PackageError::Tile(tile.path(), "it is missing".into()))
    }

    /// The proof of one event, as a file.
    pub(crate) async fn proof(&self, sequence: u64, leaf: Vec<u8>) -> Result<PackageFile, PackageError> {
        let index = self.index_of(sequence).ok_or(PackageError::NotInTree(sequence))?;
        let mut tiles = TileSet::new(self.size());
        for tile in tiles_of(&inclusion_needs(index, self.size())?, self.size()) {
            let bytes = self.tile(tile).await?;
            tiles.insert(tile, &bytes).map_err(|error| PackageError::Tile(tile.path(), error.to_string()))?;
        }
        let hashes = prove_inclusion(index, self.size(), &tiles)?;
        let proof = TlogProof { leaf, index, hashes, checkpoint: Note::parse(&self.note)? };
        // What is handed out as evidence leads to the checkpoint, or is not handed out.
        proof.verify()?;
        let (path, title) = (proof_path(sequence), format!("Inclusion proof of sequence {sequence}"));
        Ok(PackageFile::whole(path, title, "evidence", proof.to_string().into_bytes()))
    }
}

fn parse(note: &[u8]) -> Result<Checkpoint, PackageError> {
    Ok(Note::parse(note)?.text().parse()?)
}

/// The content that was kept under this name first.
async fn kept(files: &LogFiles, name: &str, content: Bytes) -> Result<Bytes, PackageError> {
    if let Some(there) = files.read(name).await? {
        return Ok(there);
    }
    files.create(name, content.clone()).await?;
    Ok(files.read(name).await?.unwrap_or(content))
}

async fn at_size(files: &LogFiles, size: u64, newest: Bytes) -> Result<Bytes, PackageError> {
    let newest_size = parse(&newest)?.size;
    if newest_size == size {
        return Ok(newest);
    }
    let kept = files.read(&format!("{EXPORTED}/{size}.checkpoint")).await?;
    kept.ok_or_else(|| {
        PackageError::Refused(Box::new(refused(&field_refusal(
            "checkpoint_size",
            "CHECKPOINT_NOT_KEPT",
            "an export is made at the newest published checkpoint, or at one that was exported before",
            size.to_string(),
            format!("{newest_size}, or the size of an earlier export"),
            "leave the size out, or look for it in the manifest of an earlier export",
        ))))
    })
}

pub(crate) fn no_log() -> PackageError {
    PackageError::Refused(Box::new(refused(&refusal(
        "LOG_NOT_KEPT",
        "a package is made from the transparency log",
        "audit.store and audit.keys are not configured",
        "both are configured",
        "configure them, or export a plain list with `--format json` or `--format csv`",
    ))))
}

fn nothing_published(epoch: &EpochOpened) -> PackageError {
    PackageError::Refused(Box::new(refused(&refusal(
        "NOTHING_WITNESSED",
        "a package is made at a checkpoint that the witnesses have cosigned",
        format!("{} has none yet", epoch.origin),
        "one",
        "look at `muster audit log`: it says which witness does not answer",
    ))))
}

/// The leaves in the order of the log, one bundle in memory.
pub(crate) struct Leaves<'l> {
    log: &'l LogAt,
    bundle: Option<(Tile, Vec<Vec<u8>>)>,
}

impl<'l> Leaves<'l> {
    pub(crate) fn new(log: &'l LogAt) -> Self {
        Self { log, bundle: None }
    }

    /// The text of the leaf at an index.
    pub(crate) async fn at(&mut self, index: u64) -> Result<&[u8], PackageError> {
        let tile = bundle_of(index, self.log.size());
        if self.bundle.as_ref().is_none_or(|(loaded, _)| *loaded != tile) {
            let bytes = self.log.tile(tile).await?;
            let leaves = decode_bundle(&bytes, usize::from(tile.width))
                .map_err(|error| PackageError::Tile(tile.path(), error.to_string()))?;
            self.bundle = Some((tile, leaves.into_iter().map(<[u8]>::to_vec).collect()));
        }
        let place = usize::try_from(index % TILE_WIDTH).unwrap_or(usize::MAX);
        let leaf = self.bundle.as_ref().and_then(|(_, leaves)| leaves.get(place));
        leaf.map(Vec::as_slice).ok_or_else(|| PackageError::Tile(tile.path(), "it has too few leaves".into()))
    }

    /// The text and the hash, in hex, of an event's leaf; `None` when it is not in the tree.
    pub(crate) async fn of(&mut self, sequence: u64) -> Result<Option<(Vec<u8>, String)>, PackageError> {
        let Some(index) = self.log.index_of(sequence) else { return Ok(None) };
        let leaf = self.at(index).await?.to_vec();
        let hash = leaf_hash(&leaf).to_hex();
        Ok(Some((leaf, hash)))
    }
}
