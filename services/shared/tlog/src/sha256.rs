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

/// What a usual leaf needs.
const LEAF_BLOCKS: usize = 8;

/// SHA-256(prefix || first || second)
pub(crate) fn prefixed(prefix: u8, first: &[u8], second: &[u8]) -> [u8; 32] {
    // Room is cleared before it is filled: as little of it as the usual sizes need.
    match blocks_of(1 + first.len() + second.len()) {
        // A node.
        0..=2 => at_once::<2>(prefix, first, second),
        3..=LEAF_BLOCKS => at_once::<LEAF_BLOCKS>(prefix, first, second),
        9..=12 => at_once::<12>(prefix, first, second),
        _ => Sha256::new().chain_update([prefix]).chain_update(first).chain_update(second).finalize().into(),
    }
}

/// SHA-256(prefix || message) of two messages, block by block in turn: a block waits for the one before it of the same message
/// only, so that the processor has work while it waits.
pub(crate) fn prefixed_pair(prefix: u8, messages: [&[u8]; 2]) -> [[u8; 32]; 2] {
    let [first, second] = messages;
    let most = blocks_of(1 + first.len().max(second.len()));
    if most > LEAF_BLOCKS {
        return messages.map(|message| prefixed(prefix, message, &[]));
    }
    let [mut first_room, mut second_room] = [[Block::default(); LEAF_BLOCKS]; 2];
    let padded = [pad(&mut first_room, prefix, first, &[]), pad(&mut second_room, prefix, second, &[])];
    let mut states = [INITIAL; 2];
    for at in 0..most {
        for (state, blocks) in states.iter_mut().zip(padded) {
            compress256(state, blocks.get(at..=at).unwrap_or_default());
        }
    }
    states.map(bytes_of)
}

/// How many blocks a message of so many bytes is hashed in.
const fn blocks_of(length: usize) -> usize {
    (length + PADDING_BYTES).div_ceil(BLOCK_BYTES)
}

fn at_once<const BLOCKS: usize>(prefix: u8, first: &[u8], second: &[u8]) -> [u8; 32] {
    let mut room = [Block::default(); BLOCKS];
    let mut state = INITIAL;
    compress256(&mut state, pad(&mut room, prefix, first, second));
    bytes_of(state)
}

fn bytes_of(state: [u32; 8]) -> [u8; 32] {
    let mut hash = [0; 32];
    for (bytes, word) in hash.chunks_exact_mut(4).zip(state) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    hash
}

/// The message as SHA-256 takes it, in room that is cleared and large enough.
fn pad<'r>(room: &'r mut [Block], prefix: u8, first: &[u8], second: &[u8]) -> &'r [Block] {
    let length = 1 + first.len() + second.len();
    let count = blocks_of(length);
    put(room, 0, &[prefix]);
    put(room, 1, first);
    put(room, 1 + first.len(), second);
    put(room, length, &[0x80]);
    put(room, count * BLOCK_BYTES - 8, &(length as u64 * 8).to_be_bytes());
    room.get(..count).unwrap_or_default()
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
    fn two_messages_side_by_side_hash_as_each_alone_whatever_their_lengths() {
        let message: Vec<u8> = (0..700_u32).map(|i| (i * 11 % 251) as u8).collect();
        for first in 0..message.len() {
            for second in [0, 54, 55, 380, 502, 503, first] {
                let messages = [first, second].map(|length| message.split_at(length).0);
                let expected: [[u8; 32]; 2] =
                    messages.map(|message| Sha256::new().chain_update([1]).chain_update(message).finalize().into());
                assert_eq!(prefixed_pair(1, messages), expected, "{first} and {second} bytes");
            }
        }
    }

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
