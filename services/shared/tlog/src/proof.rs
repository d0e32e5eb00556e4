//! `.tlog-proof` files (C2SP tlog-proof): one leaf, its place, and the signed checkpoint that it leads to. Verifiable alone,
//! offline. The leaf's text rides in the `extra` line.

use std::fmt;

use base64::{Engine, prelude::BASE64_STANDARD};
use thiserror::Error;

use crate::{
    checkpoint::{Checkpoint, CheckpointError},
    hash::{Hash, leaf_hash},
    leaf::{Leaf, LeafError},
    merkle::{ProofError, verify_inclusion},
    note::{MAX_NOTE_BYTES, Note, NoteError},
};

const HEADER: &str = "c2sp.org/tlog-proof@v1";
/// A path in a tree of 2^64 leaves.
const MAX_HASHES: usize = 64;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlogProof {
    /// The leaf, byte for byte.
    pub leaf: Vec<u8>,
    pub index: u64,
    pub hashes: Vec<Hash>,
    /// The signed checkpoint.
    pub checkpoint: Note,
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TlogProofError {
    #[error("a proof file's {0} is missing or not as the format says")]
    Line(&'static str),
    #[error("the file has {0} bytes; a proof has far less")]
    TooLong(usize),
    #[error("the leaf says sequence {sequence:?} and stands at index {index}, which is another event's place")]
    OtherPlace { sequence: Option<u64>, index: u64 },
    #[error("the leaf belongs to the log '{leaf}', the checkpoint to '{checkpoint}'")]
    OtherLog { leaf: String, checkpoint: String },
    #[error(transparent)]
    Leaf(#[from] LeafError),
    #[error(transparent)]
    Note(#[from] NoteError),
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    #[error("the leaf does not lead to the checkpoint: {0}")]
    Proof(#[from] ProofError),
}

impl TlogProof {
    pub fn parse(bytes: &[u8]) -> Result<Self, TlogProofError> {
        if bytes.len() > 2 * MAX_NOTE_BYTES {
            return Err(TlogProofError::TooLong(bytes.len()));
        }
        let text = str::from_utf8(bytes).map_err(|_| TlogProofError::Line("text (UTF-8)"))?;
        let (head, note) = text.split_once("\n\n").ok_or(TlogProofError::Line("checkpoint"))?;
        let mut lines = head.split('\n');
        if lines.next() != Some(HEADER) {
            return Err(TlogProofError::Line("first line"));
        }
        let extra = lines.next().and_then(|line| line.strip_prefix("extra "));
        let leaf = extra.and_then(|text| BASE64_STANDARD.decode(text).ok()).ok_or(TlogProofError::Line("leaf"))?;
        let digits = lines.next().and_then(|line| line.strip_prefix("index ")).ok_or(TlogProofError::Line("index"))?;
        let index: u64 = digits.parse().map_err(|_| TlogProofError::Line("index"))?;
        if index.to_string() != digits {
            return Err(TlogProofError::Line("index"));
        }
        let hashes: Option<Vec<Hash>> = lines.take(MAX_HASHES + 1).map(Hash::from_base64).collect();
        let hashes = hashes.filter(|all| all.len() <= MAX_HASHES).ok_or(TlogProofError::Line("list of hashes"))?;
        Ok(Self { leaf, index, hashes, checkpoint: Note::parse(note.as_bytes())? })
    }

    /// That the leaf stands where it says, under the checkpoint. Whether the checkpoint is to be believed is the
    /// policy's question: ask it with [`TlogProof::checkpoint`].
    pub fn verify(&self) -> Result<(Leaf, Checkpoint), TlogProofError> {
        let leaf = Leaf::parse(&self.leaf)?;
        let checkpoint: Checkpoint = self.checkpoint.text().parse()?;
        verify_inclusion(&self.hashes, self.index, leaf_hash(&self.leaf), checkpoint.size, checkpoint.root)?;
        if leaf.log() != checkpoint.origin {
            return Err(TlogProofError::OtherLog { leaf: leaf.log().to_owned(), checkpoint: checkpoint.origin });
        }
        // The first sequence is in the genesis leaf, which a lone proof does not have; only the kinds can be compared.
        if leaf.sequence().is_none() != (self.index == 0) {
            return Err(TlogProofError::OtherPlace { sequence: leaf.sequence(), index: self.index });
        }
        Ok((leaf, checkpoint))
    }
}

impl fmt::Display for TlogProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}\nextra {}\nindex {}", BASE64_STANDARD.encode(&self.leaf), self.index)?;
        self.hashes.iter().try_for_each(|hash| writeln!(f, "{}", hash.to_base64()))?;
        write!(f, "\n{}", self.checkpoint)
    }
}
