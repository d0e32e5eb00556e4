//! `muster audit fsck`: derives everything again, from the stream and from the leaves, and compares it with what is there.
//! Constant memory, whatever the log's size; nothing is written.

use std::collections::BTreeMap;

use muster_domain::{
    TenantId,
    audit::AuditLog,
    pb::audit::v1::{CheckpointRef, EpochOpened},
};
use muster_eventlog::{EventLog, LogError};
use muster_logstore::{LogFiles, LogStore, StoreError};
use muster_tlog::{Checkpoint, Hash, Note, Tile, VerifierKey, leaf_hash, tile_set::TileWriter};

use super::{
    compare::{Bundle, Derived, Finding, MAX_FINDINGS},
    fault::Fault,
    leaves::{self, Leaves},
    policy,
    publish::{CHECKPOINT, PENDING},
    signatures,
    signer::{self, SignerState},
};

/// What `fsck` saw of one tenant's log.
#[derive(Debug, Clone, Default)]
pub struct FsckReport {
    pub origin: String,
    pub epochs: u32,
    /// Of the present epoch.
    pub leaves: u64,
    /// Newest witnessed and newest signed size.
    pub witnessed: u64,
    pub signed: u64,
    /// Empty: everything agrees. At most 100 for each epoch.
    pub findings: Vec<(u32, Finding)>,
}

#[derive(Debug, thiserror::Error)]
pub enum FsckError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("tenant {0} has no transparency log yet")]
    NotBegun(TenantId),
    #[error("{0}")]
    Other(String),
}

impl From<Fault> for FsckError {
    fn from(fault: Fault) -> Self {
        Self::Other(fault.to_string())
    }
}

/// Checks all epochs of a tenant's log. `progress` hears (leaves done, leaves in all) of the epoch at hand.
pub async fn fsck(
    log: &EventLog,
    store: &LogStore,
    tenant: &TenantId,
    mut progress: impl FnMut(u64, u64) + Send,
) -> Result<FsckReport, FsckError> {
    let id =
        AuditLog::ID.parse().map_err(|error: muster_domain::ids::InvalidId| FsckError::Other(error.to_string()))?;
    let state = log.load::<AuditLog>(tenant, &id).await?.state;
    let present = state.epoch().ok_or_else(|| FsckError::NotBegun(tenant.clone()))?;
    let mut report = FsckReport { origin: present.origin.clone(), epochs: present.epoch, ..FsckReport::default() };
    for opened in &state.epochs {
        let check = Check {
            log,
            tenant,
            files: store.log(tenant, opened.epoch),
            opened,
            // What a closed epoch lost was declared when the next one opened.
            is_present: opened.epoch == present.epoch,
            findings: Vec::new(),
        };
        let (sizes, findings) = check.run(&mut progress).await?;
        report.findings.extend(findings.into_iter().map(|finding| (opened.epoch, finding)));
        if opened.epoch == present.epoch {
            (report.leaves, report.witnessed, report.signed) = sizes;
        }
    }
    let signatures = signatures::check(log, tenant).await?;
    report.findings.extend(signatures.into_iter().map(|finding| (present.epoch, finding)));
    Ok(report)
}

struct Check<'a> {
    log: &'a EventLog,
    tenant: &'a TenantId,
    files: LogFiles,
    opened: &'a EpochOpened,
    is_present: bool,
    findings: Vec<Finding>,
}

impl Check<'_> {
    async fn run(
        mut self,
        progress: &mut (impl FnMut(u64, u64) + Send),
    ) -> Result<((u64, u64, u64), Vec<Finding>), FsckError> {
        let Some(state) = SignerState::read(&self.files).await? else {
            self.file(signer::FILE, "it is missing: nothing was signed in this epoch");
            return Ok(((0, 0, 0), self.findings));
        };
        let keys = self.keys().await?;
        let pending = self.checkpoint(PENDING, &keys).await?;
        let witnessed = self.checkpoint(CHECKPOINT, &keys).await?;
        let named =
            [(signer::FILE, Some(state.checkpoint())), (PENDING, pending.clone()), (CHECKPOINT, witnessed.clone())];
        let mut roots: BTreeMap<u64, Vec<(&str, CheckpointRef)>> = BTreeMap::new();
        for (file, checkpoint) in named {
            let Some(checkpoint) = checkpoint else { continue };
            if checkpoint.size > state.size {
                self.file(
                    file,
                    &format!("it is of size {}, and the signer's state of {}", checkpoint.size, state.size),
                );
                continue;
            }
            roots.entry(checkpoint.size).or_default().push((file, checkpoint));
        }
        self.leaves(state.size, roots, progress).await?;
        let size = |checkpoint: Option<CheckpointRef>| checkpoint.map_or(0, |checkpoint| checkpoint.size);
        Ok(((state.size, size(witnessed), size(pending)), self.findings))
    }

    fn file(&mut self, file: &str, text: &str) {
        self.find(Finding::File { file: file.to_owned(), text: text.to_owned() });
    }

    fn find(&mut self, finding: Finding) {
        if self.findings.len() < MAX_FINDINGS {
            self.findings.push(finding);
        }
    }

    /// The keys of the policy, which must be those that the events name.
    async fn keys(&mut self) -> Result<Vec<VerifierKey>, FsckError> {
        let keys = policy::keys_of(&self.files).await;
        let first: Option<VerifierKey> = self.opened.verifier_key.parse().ok();
        match &first {
            Some(first) if keys.contains(first) => {}
            _ => self.file(
                policy::FILE,
                &format!("it does not name the key that the epoch was opened with, {}", self.opened.verifier_key),
            ),
        }
        // What the policy says beyond the events is not believed for the signatures below.
        Ok(if keys.is_empty() { first.into_iter().collect() } else { keys })
    }

    async fn checkpoint(
        &mut self,
        file: &'static str,
        keys: &[VerifierKey],
    ) -> Result<Option<CheckpointRef>, FsckError> {
        let Some(content) = self.files.read(file).await? else {
            // Before the first witness has answered there is none.
            if file == PENDING {
                self.file(file, "it is missing");
            }
            return Ok(None);
        };
        if let Err(error) = Checkpoint::open(&content, keys) {
            self.file(file, &error.to_string());
        }
        let note = Note::parse(&content).ok().and_then(|note| note.text().parse::<Checkpoint>().ok());
        Ok(note.filter(|note| note.origin == self.opened.origin).map(|note| CheckpointRef {
            origin: note.origin,
            size: note.size,
            root: note.root.to_hex(),
        }))
    }

    /// Every leaf against the stream, every tile against the leaves, every named root against the tree.
    async fn leaves(
        &mut self,
        size: u64,
        mut roots: BTreeMap<u64, Vec<(&'static str, CheckpointRef)>>,
        progress: &mut (impl FnMut(u64, u64) + Send),
    ) -> Result<(), FsckError> {
        let leaves = Leaves::new(self.opened);
        let mut derived = Derived::from(self.log, self.tenant, leaves.clone(), 0);
        let (mut tree, mut index, mut ended) = (TileWriter::new(), 0, false);
        while index < size {
            let bundle = match Bundle::read(&self.files, index, size).await? {
                Ok(bundle) => bundle,
                Err(finding) => {
                    self.find(finding);
                    return Ok(());
                }
            };
            while index < bundle.end {
                let logged = bundle.leaf(index);
                if self.is_present && !ended {
                    ended = !self.leaf(&leaves, index, size, logged, derived.next().await?);
                }
                tree.push(leaf_hash(logged));
                index += 1;
                for (file, checkpoint) in roots.remove(&index).unwrap_or_default() {
                    self.root(file, &checkpoint, tree.root());
                }
            }
            self.tiles(&mut tree, size).await?;
            progress(index, size);
        }
        Ok(())
    }

    /// `false`: the stream has nothing more.
    fn leaf(
        &mut self,
        leaves: &Leaves,
        index: u64,
        size: u64,
        logged: &[u8],
        now: Option<Result<String, String>>,
    ) -> bool {
        let text = match now {
            None => {
                let (last_sequence, logged) = (leaves.next_sequence(index) - 1, leaves.next_sequence(size) - 1);
                self.find(Finding::Shorter { last_sequence, logged });
                return false;
            }
            Some(Ok(now)) if leaves::same(logged, &now) => return true,
            Some(Ok(now)) => leaves::difference(logged, &now),
            Some(Err(error)) => format!("the stream's entry cannot be a leaf: {error}"),
        };
        self.find(match index {
            0 => Finding::Genesis { text },
            index => Finding::Entry { sequence: leaves.next_sequence(index), text },
        });
        true
    }

    fn root(&mut self, file: &str, checkpoint: &CheckpointRef, root: Hash) {
        if checkpoint.root != root.to_hex() {
            let text =
                format!("its root at size {} is {}, and the leaves lead to {root}", checkpoint.size, checkpoint.root);
            self.file(file, &text);
        }
    }

    async fn tiles(&mut self, tree: &mut TileWriter, size: u64) -> Result<(), FsckError> {
        let mut tiles = tree.take_full();
        if tree.size() == size {
            tiles.extend(tree.partial());
        }
        for (tile, expected) in tiles {
            self.tile(tile, &expected).await?;
        }
        Ok(())
    }

    async fn tile(&mut self, tile: Tile, expected: &[u8]) -> Result<(), FsckError> {
        match self.files.read(&tile.path()).await? {
            Some(there) if there == expected => {}
            Some(_) => self.file(&tile.path(), "it is not what its leaves lead to"),
            None => self.file(&tile.path(), "it is missing"),
        }
        Ok(())
    }
}
