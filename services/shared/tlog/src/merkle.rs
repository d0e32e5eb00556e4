//! Inclusion and consistency proofs (RFC 6962, section 2.1): made from the hashes of complete subtrees, and verified.

use thiserror::Error;

use crate::{
    hash::{Hash, node_hash},
    tree::{Subtree, fold, subtrees},
};

/// Where the hashes of complete subtrees come from: a tile set, or a whole tree in memory.
pub trait HashReader {
    type Error;

    fn hash(&self, subtree: Subtree) -> Result<Hash, Self::Error>;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ProofError {
    #[error("there is no leaf {index} in a tree of {size}")]
    NoSuchLeaf { index: u64, size: u64 },
    #[error("a tree of {old} leaves cannot have grown to {new}")]
    Shrunk { old: u64, new: u64 },
    #[error("the proof has {found} hashes; one for this place has {expected}")]
    WrongLength { expected: usize, found: usize },
    #[error("the proof leads to the root {computed}, and the checkpoint says {expected}")]
    WrongRoot { computed: Hash, expected: Hash },
    #[error("the proof leads to the root {computed} for the older size, and the older checkpoint says {expected}")]
    WrongOldRoot { computed: Hash, expected: Hash },
}

/// The largest power of two that is smaller than `n`, where a tree of `n` > 1 leaves splits.
const fn split(n: u64) -> u64 {
    1 << (n - 1).ilog2()
}

/// The leaf ranges whose roots an inclusion proof consists of, from the leaf's sibling up.
fn inclusion_ranges(index: u64, size: u64) -> Result<Vec<(u64, u64)>, ProofError> {
    if index >= size {
        return Err(ProofError::NoSuchLeaf { index, size });
    }
    let (mut start, mut end, mut ranges) = (0, size, Vec::new());
    while end - start > 1 {
        let middle = start + split(end - start);
        if index < middle {
            ranges.push((middle, end));
            end = middle;
        } else {
            ranges.push((start, middle));
            start = middle;
        }
    }
    ranges.reverse();
    Ok(ranges)
}

/// The leaf ranges whose roots a consistency proof consists of.
fn consistency_ranges(old: u64, new: u64) -> Result<Vec<(u64, u64)>, ProofError> {
    if old > new {
        return Err(ProofError::Shrunk { old, new });
    }
    if old == 0 || old == new {
        return Ok(Vec::new());
    }
    let (mut start, mut end, mut ranges) = (0, new, Vec::new());
    while end != old {
        let middle = start + split(end - start);
        if old <= middle {
            ranges.push((middle, end));
            end = middle;
        } else {
            ranges.push((start, middle));
            start = middle;
        }
    }
    // The verifier has the old root itself when the old tree is one complete subtree of the new one.
    if start != 0 {
        ranges.push((start, end));
    }
    ranges.reverse();
    Ok(ranges)
}

/// The complete subtrees whose hashes [`prove_inclusion`] will ask for.
pub fn inclusion_needs(index: u64, size: u64) -> Result<Vec<Subtree>, ProofError> {
    Ok(inclusion_ranges(index, size)?.into_iter().flat_map(|(start, end)| subtrees(start, end)).collect())
}

/// The complete subtrees whose hashes [`prove_consistency`] will ask for.
pub fn consistency_needs(old: u64, new: u64) -> Result<Vec<Subtree>, ProofError> {
    Ok(consistency_ranges(old, new)?.into_iter().flat_map(|(start, end)| subtrees(start, end)).collect())
}

/// The complete subtrees whose hashes [`root`] will ask for.
pub fn root_needs(size: u64) -> Vec<Subtree> {
    subtrees(0, size)
}

fn roots<R: HashReader<Error: From<ProofError>>>(ranges: Vec<(u64, u64)>, reader: &R) -> Result<Vec<Hash>, R::Error> {
    let range_root = |(start, end)| {
        let hashes: Result<Vec<Hash>, R::Error> = subtrees(start, end).into_iter().map(|s| reader.hash(s)).collect();
        Ok(fold(&hashes?))
    };
    ranges.into_iter().map(range_root).collect()
}

pub fn prove_inclusion<R: HashReader<Error: From<ProofError>>>(
    index: u64,
    size: u64,
    reader: &R,
) -> Result<Vec<Hash>, R::Error> {
    roots(inclusion_ranges(index, size)?, reader)
}

pub fn prove_consistency<R: HashReader<Error: From<ProofError>>>(
    old: u64,
    new: u64,
    reader: &R,
) -> Result<Vec<Hash>, R::Error> {
    roots(consistency_ranges(old, new)?, reader)
}

/// The root of the first `size` leaves.
pub fn root<R: HashReader<Error: From<ProofError>>>(size: u64, reader: &R) -> Result<Hash, R::Error> {
    Ok(roots(vec![(0, size)], reader)?.first().copied().unwrap_or_else(Hash::empty_root))
}

/// That the leaf with this hash stands at `index` of the tree of `size` leaves with this root.
pub fn verify_inclusion(proof: &[Hash], index: u64, leaf: Hash, size: u64, root: Hash) -> Result<(), ProofError> {
    let ranges = inclusion_ranges(index, size)?;
    if ranges.len() != proof.len() {
        return Err(ProofError::WrongLength { expected: ranges.len(), found: proof.len() });
    }
    let steps = ranges.iter().zip(proof);
    let computed = steps.fold(
        leaf,
        |hash, ((start, _), sibling)| {
            if *start > index { node_hash(&hash, sibling) } else { node_hash(sibling, &hash) }
        },
    );
    if computed == root { Ok(()) } else { Err(ProofError::WrongRoot { computed, expected: root }) }
}

/// That the tree of `new` leaves begins with all leaves of the tree of `old` leaves, unchanged.
pub fn verify_consistency(
    proof: &[Hash],
    (old, old_root): (u64, Hash),
    (new, new_root): (u64, Hash),
) -> Result<(), ProofError> {
    let ranges = consistency_ranges(old, new)?;
    if ranges.len() != proof.len() {
        return Err(ProofError::WrongLength { expected: ranges.len(), found: proof.len() });
    }
    let (old_computed, new_computed) = if old == 0 {
        (Hash::empty_root(), new_root)
    } else if old == new {
        (old_root, old_root)
    } else {
        grown(&ranges, proof, old, old_root)
    };
    if old_computed != old_root {
        return Err(ProofError::WrongOldRoot { computed: old_computed, expected: old_root });
    }
    if new_computed != new_root {
        return Err(ProofError::WrongRoot { computed: new_computed, expected: new_root });
    }
    Ok(())
}

/// Both roots that the proof leads to: its first hash (or the old root, when the old tree is complete) ends at the old
/// size, everything left of it belongs to both trees, everything right of it only to the new one.
fn grown(ranges: &[(u64, u64)], proof: &[Hash], old: u64, old_root: Hash) -> (Hash, Hash) {
    let steps = ranges.iter().zip(proof);
    let (mut old_hash, mut new_hash, skip) = match (old.is_power_of_two(), proof.first()) {
        (false, Some(first)) => (*first, *first, 1),
        _ => (old_root, old_root, 0),
    };
    for ((start, _), sibling) in steps.skip(skip) {
        if *start >= old {
            new_hash = node_hash(&new_hash, sibling);
        } else {
            old_hash = node_hash(sibling, &old_hash);
            new_hash = node_hash(sibling, &new_hash);
        }
    }
    (old_hash, new_hash)
}
