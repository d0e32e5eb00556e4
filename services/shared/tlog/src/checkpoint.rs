//! Checkpoints (C2SP tlog-checkpoint): origin, size and root of a log at one moment, as the text of a signed note.

use std::{fmt, str::FromStr};

use thiserror::Error;

use crate::{
    hash::Hash,
    key::{KeyError, SigningKey, VerifierKey},
    note::{Note, NoteError, Verified},
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    pub origin: String,
    /// How many leaves.
    pub size: u64,
    pub root: Hash,
    /// Lines after the root. Muster's logs have none; a witness meets those of others.
    pub extensions: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CheckpointError {
    #[error("a checkpoint has lines for origin, size and root; the {0} is missing or not as it should be")]
    Line(&'static str),
    #[error("the checkpoint is of the log '{found}', not of '{expected}'")]
    OtherLog { expected: String, found: String },
    #[error("only witnesses signed the checkpoint, not the log")]
    WitnessesOnly,
    #[error(transparent)]
    Note(#[from] NoteError),
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl Checkpoint {
    pub fn new(origin: impl Into<String>, size: u64, root: Hash) -> Self {
        Self { origin: origin.into(), size, root, extensions: Vec::new() }
    }

    /// The checkpoint as a note, signed by these keys of the log.
    pub fn sign(&self, keys: &[&dyn SigningKey]) -> Result<Note, CheckpointError> {
        let mut note = Note::new(self.to_string())?;
        for key in keys {
            note.sign(*key)?;
        }
        Ok(note)
    }

    /// Parses and verifies a signed checkpoint of the log that the keys belong to: at least one of them signed it, no
    /// signature of a known key is wrong, and the origin is the signer's name.
    pub fn open<'a>(note: &[u8], known: &'a [VerifierKey]) -> Result<(Self, Note, Vec<Verified<'a>>), CheckpointError> {
        let note = Note::parse(note)?;
        let (checkpoint, verified) = Self::open_note(&note, known)?;
        Ok((checkpoint, note, verified))
    }

    /// As [`Checkpoint::open`], of a note that is parsed already.
    pub fn open_note<'a>(note: &Note, known: &'a [VerifierKey]) -> Result<(Self, Vec<Verified<'a>>), CheckpointError> {
        let verified = note.verify(known)?;
        let checkpoint: Self = note.text().parse()?;
        let mut logs = verified.iter().filter(|one| one.cosigned_at.is_none()).map(|one| one.key.name()).peekable();
        if logs.peek().is_none() {
            return Err(CheckpointError::WitnessesOnly);
        }
        if let Some(other) = logs.find(|name| *name != checkpoint.origin) {
            return Err(CheckpointError::OtherLog { expected: other.to_owned(), found: checkpoint.origin });
        }
        Ok((checkpoint, verified))
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.size, self.root.to_base64())?;
        self.extensions.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

impl FromStr for Checkpoint {
    type Err = CheckpointError;

    fn from_str(text: &str) -> Result<Self, CheckpointError> {
        let mut lines = text.strip_suffix('\n').ok_or(CheckpointError::Line("last line break"))?.split('\n');
        let mut line = |name| lines.next().filter(|line| !line.is_empty()).ok_or(CheckpointError::Line(name));
        let origin = line("origin")?.to_owned();
        let digits = line("size")?;
        let size: u64 = digits.parse().map_err(|_| CheckpointError::Line("size"))?;
        if size.to_string() != digits {
            return Err(CheckpointError::Line("size"));
        }
        let root = Hash::from_base64(line("root")?).ok_or(CheckpointError::Line("root"))?;
        let extensions: Vec<String> = lines.map(str::to_owned).collect();
        if extensions.iter().any(String::is_empty) {
            return Err(CheckpointError::Line("extension line"));
        }
        Ok(Self { origin, size, root, extensions })
    }
}
