//! Keys of signed notes (C2SP signed-note): verifier keys as text, signing keys behind a trait, Ed25519.

use std::{fmt, str::FromStr};

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::{Engine, prelude::BASE64_STANDARD};
use thiserror::Error;

use crate::hash::Hash;

pub const SIGNATURE_BYTES: usize = 64;
pub const PUBLIC_KEY_BYTES: usize = 32;

/// What a key's signatures are over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// Ed25519 over the note's text: logs.
    Ed25519,
    /// Timestamped Ed25519 over the text (tlog-cosignature): witnesses.
    CosignatureV1,
}

impl Algorithm {
    const fn byte(self) -> u8 {
        match self {
            Self::Ed25519 => 0x01,
            Self::CosignatureV1 => 0x04,
        }
    }
}

/// The first four bytes of a digest over name, algorithm and public key. An identifier, not a strong hash.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(pub [u8; 4]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for KeyId {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let digits = text.len() == 8 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        let number = u32::from_str_radix(text, 16).ok().filter(|_| digits);
        number.map(|number| Self(number.to_be_bytes())).ok_or(KeyError::Id)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KeyError {
    #[error("a verifier key is written as name+key id+base64")]
    Shape,
    #[error("a key's name must not be empty, nor hold blanks or '+': {0:?}")]
    Name(String),
    #[error("a key id is eight hex digits, in lower case")]
    Id,
    #[error("the key id {said} does not belong to this name and key; it would be {right}")]
    WrongId { said: KeyId, right: KeyId },
    #[error("the key's algorithm is {0:#04x}; known are 0x01 (Ed25519) and 0x04 (witness cosignature)")]
    Algorithm(u8),
    #[error("an Ed25519 public key has {PUBLIC_KEY_BYTES} bytes, not {0}")]
    Length(usize),
    #[error("the private key is not Ed25519 in PKCS#8, or not a seed of 32 bytes")]
    Private,
    #[error("the signer did not sign: {0}")]
    Sign(String),
}

/// A public key with the name that it signs under. Its text form is the "vkey" that is handed to auditors.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct VerifierKey {
    name: String,
    algorithm: Algorithm,
    public_key: [u8; PUBLIC_KEY_BYTES],
}

impl VerifierKey {
    pub fn new(name: &str, algorithm: Algorithm, public_key: [u8; PUBLIC_KEY_BYTES]) -> Result<Self, KeyError> {
        if !valid_name(name) {
            return Err(KeyError::Name(name.chars().take(120).collect()));
        }
        Ok(Self { name: name.to_owned(), algorithm, public_key })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    pub const fn public_key(&self) -> &[u8; PUBLIC_KEY_BYTES] {
        &self.public_key
    }

    pub fn id(&self) -> KeyId {
        let parts: [&[u8]; 4] = [self.name.as_bytes(), b"\n", &[self.algorithm.byte()], &self.public_key];
        let [a, b, c, d, ..] = Hash::of(&parts.concat()).0;
        KeyId([a, b, c, d])
    }

    /// Whether the key made this signature over these bytes.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.public_key).verify(message, signature).is_ok()
    }
}

/// Names stand between blanks in notes, and between '+' in keys.
pub(crate) fn valid_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c.is_control() || c == '+')
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = [&[self.algorithm.byte()], self.public_key.as_slice()].concat();
        write!(f, "{}+{}+{}", self.name, self.id(), BASE64_STANDARD.encode(key))
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for VerifierKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        // The base64 may hold a '+' of its own.
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(KeyError::Shape);
        };
        let said: KeyId = id.parse()?;
        let key = BASE64_STANDARD.decode(key).map_err(|_| KeyError::Shape)?;
        let (algorithm, public_key) = key.split_first().ok_or(KeyError::Shape)?;
        let algorithm = match algorithm {
            0x01 => Algorithm::Ed25519,
            0x04 => Algorithm::CosignatureV1,
            other => return Err(KeyError::Algorithm(*other)),
        };
        let public_key = public_key.try_into().map_err(|_| KeyError::Length(public_key.len()))?;
        let key = Self::new(name, algorithm, public_key)?;
        let right = key.id();
        if said == right { Ok(key) } else { Err(KeyError::WrongId { said, right }) }
    }
}

/// Something that signs: a key in memory here, a key management service elsewhere.
pub trait SigningKey: Send + Sync {
    fn verifier(&self) -> &VerifierKey;

    /// Ed25519 over the bytes as they are.
    fn sign(&self, message: &[u8]) -> Result<[u8; SIGNATURE_BYTES], KeyError>;
}

/// An Ed25519 key in this process's memory.
pub struct SoftwareKey {
    verifier: VerifierKey,
    pair: Ed25519KeyPair,
}

impl fmt::Debug for SoftwareKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SoftwareKey({})", self.verifier)
    }
}

impl SoftwareKey {
    /// From a PKCS#8 document (DER), as `openssl genpkey -algorithm ed25519 -outform der` and `Ed25519KeyPair::to_pkcs8` write it.
    pub fn from_pkcs8(name: &str, algorithm: Algorithm, der: &[u8]) -> Result<Self, KeyError> {
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).map_err(|_| KeyError::Private)?;
        Self::new(name, algorithm, pair)
    }

    pub fn from_seed(name: &str, algorithm: Algorithm, seed: &[u8; 32]) -> Result<Self, KeyError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| KeyError::Private)?;
        Self::new(name, algorithm, pair)
    }

    fn new(name: &str, algorithm: Algorithm, pair: Ed25519KeyPair) -> Result<Self, KeyError> {
        let public_key = pair.public_key().as_ref();
        let public_key = public_key.try_into().map_err(|_| KeyError::Length(public_key.len()))?;
        Ok(Self { verifier: VerifierKey::new(name, algorithm, public_key)?, pair })
    }

    /// `PRIVATE+KEY+name+key id+base64`, as Go's note package and witnesses' tools read it.
    pub fn from_skey(text: &str) -> Result<Self, KeyError> {
        let text = text.strip_prefix("PRIVATE+KEY+").ok_or(KeyError::Private)?;
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(KeyError::Private);
        };
        let key = BASE64_STANDARD.decode(key).map_err(|_| KeyError::Private)?;
        let (algorithm, seed) = match key.split_first() {
            Some((0x01, seed)) => (Algorithm::Ed25519, seed),
            Some((0x04, seed)) => (Algorithm::CosignatureV1, seed),
            _ => return Err(KeyError::Private),
        };
        let key = Self::from_seed(name, algorithm, seed.try_into().map_err(|_| KeyError::Private)?)?;
        let (said, right) = (id.parse()?, key.verifier.id());
        if said == right { Ok(key) } else { Err(KeyError::WrongId { said, right }) }
    }

    /// The private key as text: for the file of a key only.
    pub fn to_skey(&self) -> Result<String, KeyError> {
        let seed = self.pair.seed().and_then(|seed| {
            aws_lc_rs::encoding::AsBigEndian::<aws_lc_rs::encoding::Curve25519SeedBin<'_>>::as_be_bytes(&seed)
        });
        let seed = seed.map_err(|_| KeyError::Private)?;
        let key = [&[self.verifier.algorithm.byte()], seed.as_ref()].concat();
        Ok(format!("PRIVATE+KEY+{}+{}+{}", self.verifier.name, self.verifier.id(), BASE64_STANDARD.encode(key)))
    }
}

impl SigningKey for SoftwareKey {
    fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; SIGNATURE_BYTES], KeyError> {
        let signature = self.pair.try_sign(message).map_err(|error| KeyError::Sign(error.to_string()))?;
        signature.as_ref().try_into().map_err(|_| KeyError::Sign("a signature of another length".to_owned()))
    }
}
