//! SHA-256 as RFC 6962 uses it: leaves and nodes are hashed under different prefixes, so neither can pose as the other.

use std::fmt;

use base64::{Engine, prelude::BASE64_STANDARD};
use sha2::{Digest, Sha256};

use crate::sha256;

pub const HASH_BYTES: usize = 32;

const LEAF_PREFIX: u8 = 0;
const NODE_PREFIX: u8 = 1;

/// A SHA-256 hash. Shown in hex; in notes and proofs it is base64.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hash(pub [u8; HASH_BYTES]);

impl Hash {
    /// Of plain bytes, without a prefix.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The root of a log without leaves.
    pub fn empty_root() -> Self {
        Self::of(&[])
    }

    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    pub fn to_hex(&self) -> String {
        self.to_string()
    }

    /// Lower case only: one hash has one spelling.
    pub fn from_hex(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        if digits.len() != 2 * HASH_BYTES {
            return None;
        }
        let mut hash = [0; HASH_BYTES];
        for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
            let [high, low] = [hex_digit(*pair.first()?)?, hex_digit(*pair.get(1)?)?];
            *byte = high << 4 | low;
        }
        Some(Self(hash))
    }

    pub fn to_base64(&self) -> String {
        BASE64_STANDARD.encode(self.0)
    }

    pub fn from_base64(text: &str) -> Option<Self> {
        Self::from_slice(&BASE64_STANDARD.decode(text).ok()?)
    }
}

fn hex_digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
        let digit = |half: u8| DIGITS.get(usize::from(half)).copied().unwrap_or_default();
        let text: String = self.0.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect();
        f.write_str(&text)
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// SHA-256(0x00 || leaf)
pub fn leaf_hash(leaf: &[u8]) -> Hash {
    Hash(sha256::prefixed(LEAF_PREFIX, leaf, &[]))
}

/// The hashes of two leaves, sooner than one after the other.
pub(crate) fn leaf_hash_pair(first: &[u8], second: &[u8]) -> [Hash; 2] {
    sha256::prefixed_pair(LEAF_PREFIX, [first, second]).map(Hash)
}

/// SHA-256(0x01 || left || right)
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Hash(sha256::prefixed(NODE_PREFIX, &left.0, &right.0))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use super::*;

    #[test]
    fn text_forms_come_back_and_have_one_spelling() {
        let hash = leaf_hash(b"leaf 0");
        assert_eq!(hash.to_hex(), "1bb97dcc21635d47e2663efdfd0a174686d98dd701352dd2cd06e8b43fd3d305");
        assert_eq!(hash.to_string(), hash.to_hex());
        assert_eq!(Hash::from_hex(&hash.to_hex()).unwrap(), hash);
        assert_eq!(Hash::from_base64(&hash.to_base64()).unwrap(), hash);
        assert_eq!(Hash::from_hex(&hash.to_hex().to_uppercase()), None);
        assert_eq!(Hash::from_hex("1b"), None);
        assert_eq!(Hash::from_base64("1b"), None);
    }
}
