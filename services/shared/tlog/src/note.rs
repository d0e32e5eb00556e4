//! Signed notes (C2SP signed-note): a text, an empty line, and a line for each signature. Signatures of unknown keys are
//! ignored, so keys can be rotated and witnesses added without the consent of every reader.

use std::fmt;

use base64::{Engine, prelude::BASE64_STANDARD};
use thiserror::Error;

use crate::{
    cosignature,
    key::{Algorithm, KeyError, KeyId, SigningKey, VerifierKey, valid_name},
};

/// A checkpoint is some hundred bytes; this leaves room for many signatures, also larger ones.
pub const MAX_NOTE_BYTES: usize = 1 << 20;
pub const MAX_SIGNATURES: usize = 100;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    pub name: String,
    pub key_id: KeyId,
    /// What follows the key id: the signature itself; in a cosignature the time stands before it.
    pub bytes: Vec<u8>,
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let blob = [self.key_id.0.as_slice(), &self.bytes].concat();
        write!(f, "— {} {}", self.name, BASE64_STANDARD.encode(blob))
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<Signature>,
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NoteError {
    #[error("the note has {0} bytes; at most {MAX_NOTE_BYTES} are read")]
    TooLong(usize),
    #[error("the note is not UTF-8, or holds control characters")]
    NotText,
    #[error("the note has no empty line with signatures after it")]
    NoSignatures,
    #[error("this is not a signature line of a note: {0:?}")]
    SignatureLine(String),
    #[error("the note has more than {MAX_SIGNATURES} signatures")]
    TooManySignatures,
    #[error("the text of a note ends with a line break")]
    Unterminated,
    #[error("the signature of {name} ({key_id}) is not over this text")]
    BadSignature { name: String, key_id: KeyId },
    #[error("no signature is of a known key; known: {known}; found: {found}")]
    UnknownKeys { known: String, found: String },
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// A signature of a known key that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified<'a> {
    pub key: &'a VerifierKey,
    /// When a witness cosigned, in Unix seconds.
    pub cosigned_at: Option<u64>,
}

impl Note {
    /// A note that nobody signed yet.
    pub fn new(text: String) -> Result<Self, NoteError> {
        if !text.ends_with('\n') {
            return Err(NoteError::Unterminated);
        }
        if text.contains(|c: char| c.is_ascii_control() && c != '\n') {
            return Err(NoteError::NotText);
        }
        Ok(Self { text, signatures: Vec::new() })
    }

    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > MAX_NOTE_BYTES {
            return Err(NoteError::TooLong(bytes.len()));
        }
        let all = str::from_utf8(bytes).map_err(|_| NoteError::NotText)?;
        // The last empty line: the text may have empty lines of its own.
        let end = all.rfind("\n\n").ok_or(NoteError::NoSignatures)?;
        let (text, signatures) = (all.get(..=end).unwrap_or_default(), all.get(end + 2..).unwrap_or_default());
        let mut note = Self::new(text.to_owned())?;
        let lines = signatures.strip_suffix('\n').ok_or(NoteError::NoSignatures)?;
        for line in lines.split('\n') {
            if note.signatures.len() == MAX_SIGNATURES {
                return Err(NoteError::TooManySignatures);
            }
            note.signatures.push(parse_signature(line)?);
        }
        Ok(note)
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn signatures(&self) -> &[Signature] {
        &self.signatures
    }

    /// Adds a signature line that was made elsewhere, such as a witness' answer. The same key's older line goes.
    pub fn add(&mut self, signature: Signature) {
        self.signatures.retain(|old| (old.key_id, &old.name) != (signature.key_id, &signature.name));
        self.signatures.push(signature);
    }

    /// Signs with a log's key.
    pub fn sign(&mut self, key: &dyn SigningKey) -> Result<(), NoteError> {
        let verifier = key.verifier();
        let bytes = key.sign(self.text.as_bytes())?.to_vec();
        self.add(Signature { name: verifier.name().to_owned(), key_id: verifier.id(), bytes });
        Ok(())
    }

    /// The signatures of those of the known keys that signed. An error if a known key's signature is wrong, or if
    /// there is none of a known key.
    pub fn verify<'a>(&self, known: &'a [VerifierKey]) -> Result<Vec<Verified<'a>>, NoteError> {
        let mut verified: Vec<Verified<'a>> = Vec::new();
        for signature in &self.signatures {
            let by = known.iter().find(|key| key.id() == signature.key_id && key.name() == signature.name);
            let Some(key) = by.filter(|key| verified.iter().all(|seen| seen.key != *key)) else { continue };
            let cosigned_at = self.verify_one(signature, key)?;
            verified.push(Verified { key, cosigned_at });
        }
        if verified.is_empty() {
            let names = |names: Vec<String>| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            return Err(NoteError::UnknownKeys {
                known: names(known.iter().map(|key| format!("{} ({})", key.name(), key.id())).collect()),
                found: names(self.signatures.iter().map(|one| format!("{} ({})", one.name, one.key_id)).collect()),
            });
        }
        Ok(verified)
    }

    fn verify_one(&self, signature: &Signature, key: &VerifierKey) -> Result<Option<u64>, NoteError> {
        let good = match key.algorithm() {
            Algorithm::Ed25519 => key.verify(self.text.as_bytes(), &signature.bytes).then_some(None),
            Algorithm::CosignatureV1 => cosignature::verify(&self.text, &signature.bytes, key).map(Some),
        };
        good.ok_or_else(|| NoteError::BadSignature { name: signature.name.clone(), key_id: signature.key_id })
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| writeln!(f, "{signature}"))
    }
}

/// One line `— name base64`, without its line break: of a note, or of a witness' answer.
pub fn parse_signature(line: &str) -> Result<Signature, NoteError> {
    let wrong = || NoteError::SignatureLine(line.chars().take(120).collect());
    let (name, blob) = line.strip_prefix("— ").and_then(|rest| rest.split_once(' ')).ok_or_else(wrong)?;
    let blob = BASE64_STANDARD.decode(blob).map_err(|_| wrong())?;
    let (key_id, bytes) = blob.split_first_chunk::<4>().ok_or_else(wrong)?;
    if !valid_name(name) || bytes.is_empty() {
        return Err(wrong());
    }
    Ok(Signature { name: name.to_owned(), key_id: KeyId(*key_id), bytes: bytes.to_vec() })
}
