//! The tree of RFC 6962: which complete subtrees a range of leaves consists of, and the compact range ("frontier")
//! that is all a growing log has to remember to know its root.

use thiserror::Error;

use crate::hash::{HASH_BYTES, Hash, node_hash};

/// A complete subtree: the 2^level leaves from `index << level` on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Subtree {
    pub level: u8,
    pub index: u64,
}

impl Subtree {
    pub const fn first_leaf(self) -> u64 {
        self.index << self.level
    }

    pub const fn leaves(self) -> u64 {
        1 << self.level
    }
}

/// The complete subtrees of the leaves `start..end`, left to right. `start` must be where RFC 6962 splits a tree, that
/// is a multiple of a power of two that is at least as large as `end - start`; whole trees start at 0.
pub(crate) fn subtrees(start: u64, end: u64) -> Vec<Subtree> {
    let mut found = Vec::new();
    let mut at = start;
    while at < end {
        let largest = (end - at).ilog2();
        let level = at.trailing_zeros().min(largest) as u8;
        found.push(Subtree { level, index: at >> level });
        at += 1 << level;
    }
    found
}

/// The root over complete subtrees of falling size.
pub(crate) fn fold(hashes: &[Hash]) -> Hash {
    let mut from_right = hashes.iter().rev();
    match from_right.next() {
        None => Hash::empty_root(),
        Some(last) => from_right.fold(*last, |right, left| node_hash(left, &right)),
    }
}

/// The roots of the complete subtrees of a log, largest first: enough to append to it and to know its root.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    roots: Vec<Hash>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FrontierError {
    #[error("a frontier of size {size} has {expected} hashes, not {found}")]
    WrongCount { size: u64, expected: u32, found: usize },
    #[error("a frontier is 8 bytes of size and 32 bytes for each hash, not {0} bytes")]
    WrongLength(usize),
}

impl Frontier {
    pub fn new() -> Self {
        Self::default()
    }

    /// `roots` as [`Frontier::roots`] gave them for this size.
    pub fn from_roots(size: u64, roots: Vec<Hash>) -> Result<Self, FrontierError> {
        if roots.len() != size.count_ones() as usize {
            return Err(FrontierError::WrongCount { size, expected: size.count_ones(), found: roots.len() });
        }
        Ok(Self { size, roots })
    }

    pub const fn size(&self) -> u64 {
        self.size
    }

    pub fn roots(&self) -> &[Hash] {
        &self.roots
    }

    pub fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        // As many merges as the size has trailing ones, like carrying in a binary counter.
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.roots.pop() {
                hash = node_hash(&left, &hash);
            }
        }
        self.roots.push(hash);
        self.size += 1;
    }

    pub fn root(&self) -> Hash {
        fold(&self.roots)
    }

    /// Size (8 bytes, big endian), then the hashes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.size.to_be_bytes().to_vec();
        bytes.extend(self.roots.iter().flat_map(|hash| hash.0));
        bytes
    }

    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FrontierError> {
        let wrong = FrontierError::WrongLength(bytes.len());
        let (size, hashes) = bytes.split_first_chunk::<8>().ok_or(wrong)?;
        if hashes.len() % HASH_BYTES != 0 {
            return Err(wrong);
        }
        Self::from_roots(
            u64::from_be_bytes(*size),
            hashes.chunks_exact(HASH_BYTES).filter_map(Hash::from_slice).collect(),
        )
    }
}

impl Extend<Hash> for Frontier {
    fn extend<I: IntoIterator<Item = Hash>>(&mut self, leaves: I) {
        leaves.into_iter().for_each(|leaf| self.push(leaf));
    }
}
