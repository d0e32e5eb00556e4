//! SHA-256 of a byte and a short message, in one call of the compression function. Leaves and nodes are short and there are
//! millions of them: the buffering of a hasher for messages of any length costs a third of the time here.

use sha2::{
    Digest, Sha256, compress256,
    digest::{consts::U64, generic_array::GenericArray},
};

type Block = GenericArray<u8, U64>;

const BLOCK_BYTES: usize = 64;
/// The end of the message, and its length in bits.
const PADDING_BYTES: usize = 9;
/// FIPS 180-4, section 5.3.3.
const INITIAL: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// SHA-256(prefix || first || second)
pub(crate) fn prefixed(prefix: u8, first: &[u8], second: &[u8]) -> [u8; 32] {
    // Room is cleared before it is filled: as little of it as the usual sizes need.
    match (1 + first.len() + second.len() + PADDING_BYTES).div_ceil(BLOCK_BYTES) {
        // A node.
        0..=2 => at_once::<2>(prefix, first, second),
        // A leaf.
        3..=8 => at_once::<8>(prefix, first, second),
        9..=12 => at_once::<12>(prefix, first, second),
        _ => Sha256::new().chain_update([prefix]).chain_update(first).chain_update(second).finalize().into(),
    }
}

/// Of a message that fits in so many blocks.
fn at_once<const BLOCKS: usize>(prefix: u8, first: &[u8], second: &[u8]) -> [u8; 32] {
    let length = 1 + first.len() + second.len();
    let count = (length + PADDING_BYTES).div_ceil(BLOCK_BYTES);
    let mut blocks = [Block::default(); BLOCKS];
    put(&mut blocks, 0, &[prefix]);
    put(&mut blocks, 1, first);
    put(&mut blocks, 1 + first.len(), second);
    put(&mut blocks, length, &[0x80]);
    put(&mut blocks, count * BLOCK_BYTES - 8, &(length as u64 * 8).to_be_bytes());
    let mut state = INITIAL;
    compress256(&mut state, blocks.get(..count).unwrap_or_default());
    let mut hash = [0; 32];
    for (bytes, word) in hash.chunks_exact_mut(4).zip(state) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    hash
}

/// Copies bytes to a place that may span several blocks.
fn put(blocks: &mut [Block], mut at: usize, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let Some(room) = blocks.get_mut(at / BLOCK_BYTES).and_then(|block| block.get_mut(at % BLOCK_BYTES..)) else {
            return;
        };
        let (now, later) = bytes.split_at(room.len().min(bytes.len()));
        if let Some(room) = room.get_mut(..now.len()) {
            room.copy_from_slice(now);
        }
        at += now.len();
        bytes = later;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_long_messages_hash_as_the_standard_hasher_does() {
        let message: Vec<u8> = (0..2_000_u32).map(|i| (i * 7 % 251) as u8).collect();
        for length in 0..message.len() {
            let (first, second) = message.split_at(length).0.split_at(length / 3);
            let expected: [u8; 32] =
                Sha256::new().chain_update([0]).chain_update(first).chain_update(second).finalize().into();
            assert_eq!(prefixed(0, first, second), expected, "at {length} bytes");
        }
    }
}
