//! Entry bundles: the leaves of one tile in one file, each after its length as 16 bits, big endian.

use thiserror::Error;

use crate::{
    hash::{Hash, leaf_hash, leaf_hash_pair},
    leaf::{LeafError, MAX_LEAF_BYTES},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BundleError {
    #[error("the entry bundle ends in the middle of entry {entry}")]
    CutOff { entry: usize },
    #[error("the entry bundle has {found} entries, and {expected} are expected")]
    Count { expected: usize, found: usize },
}

/// Appends one leaf to the bytes of a bundle.
pub fn append_entry(bundle: &mut Vec<u8>, leaf: &[u8]) -> Result<(), LeafError> {
    let length = u16::try_from(leaf.len()).map_err(|_| LeafError::TooLong(leaf.len()))?;
    debug_assert!(leaf.len() <= MAX_LEAF_BYTES);
    bundle.extend(length.to_be_bytes());
    bundle.extend(leaf);
    Ok(())
}

pub fn encode_bundle<L: AsRef<[u8]>>(leaves: impl IntoIterator<Item = L>) -> Result<Vec<u8>, LeafError> {
    let mut bundle = Vec::new();
    leaves.into_iter().try_for_each(|leaf| append_entry(&mut bundle, leaf.as_ref()))?;
    Ok(bundle)
}

/// The leaves of a bundle in order. Each is looked for when its turn comes: where it begins stands behind the one before, and a
/// search ahead of the reading would wait for memory once for each leaf.
struct Entries<'a> {
    rest: &'a [u8],
    read: usize,
}

impl<'a> Entries<'a> {
    const fn new(bundle: &'a [u8]) -> Self {
        Self { rest: bundle, read: 0 }
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<&'a [u8], BundleError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let Some((leaf, rest)) = first_entry(self.rest) else {
            self.rest = &[];
            return Some(Err(BundleError::CutOff { entry: self.read }));
        };
        self.rest = rest;
        self.read += 1;
        Some(Ok(leaf))
    }
}

/// The first leaf, and what follows it.
fn first_entry(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

/// The leaves of a bundle, which must be exactly `expected`.
pub fn decode_bundle(bytes: &[u8], expected: usize) -> Result<Vec<&[u8]>, BundleError> {
    let mut leaves = Vec::with_capacity(expected);
    for leaf in Entries::new(bytes) {
        leaves.push(leaf?);
    }
    counted(leaves, expected)
}

/// The hashes of the leaves of a bundle, which must be exactly `expected`: what a root is rebuilt from.
pub fn leaf_hashes(bytes: &[u8], expected: usize) -> Result<Vec<Hash>, BundleError> {
    let mut hashes = Vec::with_capacity(expected);
    let mut leaves = Entries::new(bytes);
    while let Some(first) = leaves.next().transpose()? {
        match leaves.next().transpose()? {
            Some(second) => hashes.extend(leaf_hash_pair(first, second)),
            None => hashes.push(leaf_hash(first)),
        }
    }
    counted(hashes, expected)
}

fn counted<T>(found: Vec<T>, expected: usize) -> Result<Vec<T>, BundleError> {
    if found.len() == expected { Ok(found) } else { Err(BundleError::Count { expected, found: found.len() }) }
}
