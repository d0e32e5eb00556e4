//! The log against the stream: the leaves that were logged beside those that the stream gives now, one by one.

use std::{fmt, ops::Range};

use muster_domain::TenantId;
use muster_eventlog::{EventLog, ProducerFinding, RawEntry, RawFollower};
use muster_logstore::LogFiles;
use muster_tlog::{bundle::decode_bundle, tile::bundle_of};

use super::{fault::Fault, growth::Growth, leaves, leaves::Leaves};

/// What one reader needs to hear of; an attacker who changed everything must not fill the memory.
pub(crate) const MAX_FINDINGS: usize = 100;
/// The reason in a leaf that stands for nothing, when nothing more is known.
pub(crate) const NOT_THERE: &str = "the stream has no entry with this sequence";

/// One thing that does not agree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// The leaf at index 0 is not what the epoch's event says.
    Genesis { text: String },
    /// The leaf of a sequence is not what the stream gives now.
    Entry { sequence: u64, text: String },
    /// The stream's entries end before the log does.
    Shorter { last_sequence: u64, logged: u64 },
    /// An event is not as its producer signed it, or one that its producer names is gone.
    Signature(ProducerFinding),
    /// A file of the log is missing or not what its leaves lead to.
    File { file: String, text: String },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Genesis { text } => write!(f, "the log's first leaf: {text}"),
            Self::Entry { sequence, text } => write!(f, "sequence {sequence}: {text}"),
            Self::Shorter { last_sequence, logged } => write!(
                f,
                "sequence {}: the stream ends at {last_sequence}, and events up to {logged} were logged",
                last_sequence + 1
            ),
            Self::Signature(finding) => finding.fmt(f),
            Self::File { file, text } => write!(f, "{file}: {text}"),
        }
    }
}

/// The leaves of consecutive indexes as the stream gives them now, a gap leaf for what it does not have.
pub(crate) struct Derived {
    leaves: Leaves,
    follower: RawFollower,
    batch: std::vec::IntoIter<RawEntry>,
    /// Read from the stream and not due yet.
    ahead: Option<RawEntry>,
    next: u64,
    ended: bool,
}

impl Derived {
    /// From this index on; 0 is the genesis leaf.
    pub(crate) fn from(log: &EventLog, tenant: &TenantId, leaves: Leaves, index: u64) -> Self {
        let after = leaves.next_sequence(index.max(1)) - 1;
        let follower = log.raw(tenant, after);
        Self { leaves, follower, batch: Vec::new().into_iter(), ahead: None, next: index, ended: false }
    }

    /// The index of the leaf that [`Derived::next`] gave last.
    pub(crate) fn index_before(&self) -> u64 {
        self.next.saturating_sub(1)
    }

    /// `None`: the stream has nothing more. An error text: the entry cannot be a leaf.
    pub(crate) async fn next(&mut self) -> Result<Option<Result<String, String>>, Fault> {
        let index = self.next;
        self.next += 1;
        if index == 0 {
            return Ok(Some(Ok(self.leaves.genesis()?)));
        }
        let sequence = self.leaves.next_sequence(index);
        self.fill().await?;
        let leaf = match &self.ahead {
            None => return Ok(None),
            Some(entry) if entry.sequence == sequence => self.leaves.event(entry),
            Some(_) => return Ok(Some(self.leaves.gap(sequence, NOT_THERE).map_err(|error| error.to_string()))),
        };
        self.ahead = None;
        Ok(Some(leaf.map_err(|error| error.to_string())))
    }

    async fn fill(&mut self) -> Result<(), Fault> {
        while self.ahead.is_none() && !self.ended {
            self.ahead = self.batch.next();
            if self.ahead.is_none() {
                match self.follower.next_until_caught_up().await? {
                    Some(batch) => self.batch = batch.into_iter(),
                    None => self.ended = true,
                }
            }
        }
        Ok(())
    }
}

/// Compares the logged leaves of these indexes with the stream. The last index is within a published size.
pub(crate) async fn with_stream(
    log: &EventLog,
    tenant: &TenantId,
    files: &LogFiles,
    leaves: &Leaves,
    indexes: Range<u64>,
) -> Result<Vec<Finding>, Fault> {
    let mut findings = Vec::new();
    let (start, end) = (indexes.start, indexes.end);
    let mut derived = Derived::from(log, tenant, leaves.clone(), start);
    let mut index = start;
    while index < end && findings.len() < MAX_FINDINGS {
        let logged = match Bundle::read(files, index, end).await? {
            Ok(bundle) => bundle,
            Err(finding) => {
                findings.push(finding);
                break;
            }
        };
        while index < logged.end && findings.len() < MAX_FINDINGS {
            let Some(now) = derived.next().await? else {
                let (last_sequence, logged) = (leaves.next_sequence(index) - 1, leaves.next_sequence(end) - 1);
                findings.push(Finding::Shorter { last_sequence, logged });
                return Ok(findings);
            };
            findings.extend(difference(leaves, index, logged.leaf(index), &now));
            index += 1;
        }
    }
    Ok(findings)
}

fn difference(leaves: &Leaves, index: u64, logged: &[u8], now: &Result<String, String>) -> Option<Finding> {
    let text = match now {
        Ok(now) if leaves::same(logged, now) => return None,
        Ok(now) => leaves::difference(logged, now),
        Err(error) => format!("the stream's entry cannot be a leaf: {error}"),
    };
    Some(match index {
        0 => Finding::Genesis { text },
        index => Finding::Entry { sequence: leaves.next_sequence(index), text },
    })
}

/// The logged leaves of one entry bundle.
pub(crate) struct Bundle {
    start: u64,
    pub(crate) end: u64,
    leaves: Vec<Vec<u8>>,
}

impl Bundle {
    /// The bundle with this leaf in a log of `size` leaves. A partial one may have become full since.
    pub(crate) async fn read(files: &LogFiles, index: u64, size: u64) -> Result<Result<Self, Finding>, Fault> {
        let tile = bundle_of(index, size);
        let full = muster_tlog::Tile { width: muster_tlog::tile::TILE_WIDTH as u16, ..tile };
        for one in [tile, full] {
            let Some(bytes) = files.read(&one.path()).await? else { continue };
            return Ok(match decode_bundle(&bytes, usize::from(one.width)) {
                Ok(leaves) => {
                    let end = (one.start() + u64::from(one.width)).min(size);
                    Ok(Self { start: one.start(), end, leaves: leaves.into_iter().map(<[u8]>::to_vec).collect() })
                }
                Err(error) => Err(Finding::File { file: one.path(), text: error.to_string() }),
            });
        }
        Ok(Err(Finding::File { file: tile.path(), text: "it is missing".to_owned() }))
    }

    pub(crate) fn leaf(&self, index: u64) -> &[u8] {
        let at = index.checked_sub(self.start).and_then(|at| usize::try_from(at).ok());
        at.and_then(|at| self.leaves.get(at)).map(Vec::as_slice).unwrap_or_default()
    }
}

/// Makes the tree of the first `size` leaves from the stream, and writes the files that are missing. Files that are there
/// must be the same.
pub(crate) async fn derive_again(
    log: &EventLog,
    tenant: &TenantId,
    files: &LogFiles,
    leaves: &Leaves,
    size: u64,
) -> Result<Growth, Fault> {
    let mut growth = Growth::default();
    let mut derived = Derived::from(log, tenant, leaves.clone(), 0);
    while growth.size() < size {
        let sequence = leaves.next_sequence(growth.size());
        let leaf = derived.next().await?;
        let why = |why: String| Fault::Damaged { file: format!("the leaf of sequence {sequence}"), why };
        let leaf = leaf.ok_or_else(|| why("the stream does not have it".to_owned()))?.map_err(why)?;
        growth.push(&leaf).map_err(|error| Fault::NoLeaf { sequence, error })?;
        if growth.size() % muster_tlog::tile::TILE_WIDTH == 0 {
            growth.write_full(files).await?;
        }
    }
    growth.write_all(files).await?;
    Ok(growth)
}
