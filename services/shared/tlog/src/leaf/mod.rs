//! The leaves of Muster's logs: short texts over digests, never the payload. A leaf can be recomputed with `printf` and
//! `sha256sum`, shows nothing confidential, and stays verifiable when its payload can no longer be read.
//!
//! One value has one text: what is parsed and written again is the same bytes, or it is refused.

mod event;
mod gap;
mod genesis;
mod headers;
mod lines;

use thiserror::Error;

pub use event::Event;
pub use gap::Gap;
pub use genesis::{Genesis, Previous};
pub use headers::{canonical_headers, canonical_headers_text};

use crate::hash::{Hash, leaf_hash};

/// Entry bundles have 16-bit lengths.
pub const MAX_LEAF_BYTES: usize = 65_535;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leaf {
    /// Index 0.
    Genesis(Genesis),
    Event(Event),
    /// Stands for one sequence that the stream does not have, so that the index never slips.
    Gap(Gap),
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LeafError {
    #[error("{field} is empty")]
    Empty { field: &'static str },
    #[error("{field} has {character:?}, which a leaf cannot hold: {value:?}")]
    Character { field: &'static str, character: char, value: String },
    #[error("the leaf has {0} bytes; an entry bundle holds at most {MAX_LEAF_BYTES}")]
    TooLong(usize),
    #[error("the leaf is not UTF-8")]
    NotText,
    #[error("a leaf begins with muster-audit-leaf/v1, muster-audit-genesis/v1 or muster-audit-gap/v1, not {0:?}")]
    UnknownKind(String),
    #[error("the leaf's line for `{field}` is missing or not as the format says: {line:?}")]
    Line { field: &'static str, line: String },
    #[error("the leaf goes on after its last line")]
    Trailing,
    #[error("the leaf says the same in another spelling")]
    OtherSpelling,
}

impl Leaf {
    pub fn parse(bytes: &[u8]) -> Result<Self, LeafError> {
        if bytes.len() > MAX_LEAF_BYTES {
            return Err(LeafError::TooLong(bytes.len()));
        }
        let text = str::from_utf8(bytes).map_err(|_| LeafError::NotText)?;
        let (kind, rest) = text.split_once('\n').unwrap_or((text, ""));
        let leaf = match kind {
            event::KIND => Self::Event(event::parse(rest)?),
            genesis::KIND => Self::Genesis(genesis::parse(rest)?),
            gap::KIND => Self::Gap(gap::parse(rest)?),
            other => return Err(LeafError::UnknownKind(other.chars().take(60).collect())),
        };
        if leaf.to_text()? == text { Ok(leaf) } else { Err(LeafError::OtherSpelling) }
    }

    /// The bytes that the log keeps.
    pub fn to_text(&self) -> Result<String, LeafError> {
        let text = match self {
            Self::Genesis(leaf) => leaf.to_text(),
            Self::Event(leaf) => leaf.to_text(),
            Self::Gap(leaf) => leaf.to_text(),
        }?;
        if text.len() > MAX_LEAF_BYTES { Err(LeafError::TooLong(text.len())) } else { Ok(text) }
    }

    pub fn hash(&self) -> Result<Hash, LeafError> {
        Ok(leaf_hash(self.to_text()?.as_bytes()))
    }

    /// The origin of the log that it belongs to.
    pub fn log(&self) -> &str {
        match self {
            Self::Genesis(leaf) => &leaf.log,
            Self::Event(leaf) => &leaf.log,
            Self::Gap(leaf) => &leaf.log,
        }
    }

    /// The logical name of the stream.
    pub fn stream(&self) -> &str {
        match self {
            Self::Genesis(leaf) => &leaf.stream,
            Self::Event(leaf) => &leaf.stream,
            Self::Gap(leaf) => &leaf.stream,
        }
    }

    /// The stream sequence; a genesis leaf has none.
    pub const fn sequence(&self) -> Option<u64> {
        match self {
            Self::Genesis(_) => None,
            Self::Event(leaf) => Some(leaf.seq),
            Self::Gap(leaf) => Some(leaf.seq),
        }
    }
}
