//! Entry bundles: the leaves of one tile in one file, each after its length as 16 bits, big endian.

use thiserror::Error;

use crate::leaf::{LeafError, MAX_LEAF_BYTES};

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

/// The leaves of a bundle, which must be exactly `expected`.
pub fn decode_bundle(mut bytes: &[u8], expected: usize) -> Result<Vec<&[u8]>, BundleError> {
    let mut leaves = Vec::with_capacity(expected);
    while !bytes.is_empty() {
        let cut_off = BundleError::CutOff { entry: leaves.len() };
        let (length, rest) = bytes.split_first_chunk::<2>().ok_or(cut_off)?;
        let (leaf, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length))).ok_or(cut_off)?;
        leaves.push(leaf);
        bytes = rest;
    }
    if leaves.len() == expected { Ok(leaves) } else { Err(BundleError::Count { expected, found: leaves.len() }) }
}
