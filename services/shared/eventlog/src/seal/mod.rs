//! Encrypting one event's payload, and opening it again.
//!
//! The payload is stored as AES-256-GCM ciphertext under the event's own data key. Associated data are the subject and all
//! headers that stand when it is sealed, so a payload cannot be moved to another place, and no header can be changed beside
//! it. The encryption commits to its key: AES-GCM alone can be made to open to two texts under two keys, so the headers hold
//! an HMAC under the data key, which is compared before anything is decrypted. All of it is in the leaf of the audit's log.

mod content;
mod custody;
#[cfg(test)]
mod tests;

pub(crate) use content::{Opened, open_all};
pub(crate) use custody::{Custody, Usable, own_meta};

use async_nats::HeaderMap;
use aws_lc_rs::{aead, hkdf, hmac, rand};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use bytes::Bytes;
use muster_tlog::leaf::canonical_headers_text;
use prost::Message as _;

use crate::{
    keyring::{DataKey, KeyId, Salt},
    producer,
    record::text,
};

/// The id of the tenant's key.
pub(crate) const KEY: &str = "Muster-Key";
/// What the event's data key is derived with, base64.
pub(crate) const SALT: &str = "Muster-Salt";
/// HMAC-SHA256 under the event's data key, base64.
pub(crate) const COMMIT: &str = "Muster-Key-Commit";

/// What the trail needs to be read, and what tells of the keys themselves, outlives every key.
const CLEAR_KINDS: [&str; 5] = ["audit-domain", "audit-log", "payload-key", "producer", "export"];

/// Whether events of this kind are encrypted where encryption is on.
pub(crate) fn is_sealed_kind(kind: &str) -> bool {
    !CLEAR_KINDS.contains(&kind)
}

/// What is encrypted: the event, and what its headers must not show.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Content {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) payload: Bytes,
    /// A person's name is personal data: headers only hold the opaque id.
    #[prost(string, tag = "2")]
    pub(crate) actor_name: String,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SealError {
    #[error("header {0} is missing or not as it is written")]
    Header(&'static str),
    #[error("the key does not fit the header {COMMIT}: the event was changed after it was written")]
    OtherKey,
    #[error("the payload does not fit its headers: one of both was changed after the event was written")]
    Changed,
    #[error("headers that cannot be written down: {0}")]
    Canonical(String),
    #[error("the cryptography failed: {0}")]
    Crypto(&'static str),
}

pub(crate) fn new_salt() -> Result<Salt, SealError> {
    let mut salt = [0; 32];
    rand::fill(&mut salt).map_err(|_| SealError::Crypto("no random numbers"))?;
    Ok(salt)
}

/// Encrypts, and adds what is needed to open it again to the headers. Headers that are added later are not protected by it.
pub(crate) fn seal(
    subject: &str,
    headers: &mut HeaderMap,
    key_id: KeyId,
    salt: &Salt,
    data_key: &DataKey,
    content: &Content,
) -> Result<Bytes, SealError> {
    let keys = EventKeys::of(data_key)?;
    headers.insert(KEY, key_id.to_string());
    headers.insert(SALT, BASE64.encode(salt));
    headers.insert(COMMIT, BASE64.encode(keys.commitment()));
    let context = associated_data(subject, headers)?;
    let mut bytes = content.encode_to_vec();
    keys.cipher
        .seal_in_place_append_tag(nonce(), aead::Aad::from(context), &mut bytes)
        .map_err(|_| SealError::Crypto("AES-GCM"))?;
    Ok(bytes.into())
}

/// What `sealed` says about itself; `None` when it is stored in clear.
pub(crate) fn sealed_under(headers: &HeaderMap) -> Option<Result<(KeyId, Salt), SealError>> {
    let names = [KEY, SALT, COMMIT];
    names.iter().any(|name| text(headers, name).is_some()).then(|| {
        let key = text(headers, KEY).and_then(|id| id.parse().ok()).ok_or(SealError::Header(KEY))?;
        let salt = decoded(headers, SALT).and_then(|salt| salt.try_into().ok()).ok_or(SealError::Header(SALT))?;
        Ok((KeyId(key), salt))
    })
}

/// Opens what [`seal`] made of these headers at this subject, and nothing else.
pub(crate) fn open(
    subject: &str,
    headers: &HeaderMap,
    data_key: &DataKey,
    sealed: &[u8],
) -> Result<Content, SealError> {
    let keys = EventKeys::of(data_key)?;
    let commitment = decoded(headers, COMMIT).ok_or(SealError::Header(COMMIT))?;
    hmac::verify(&keys.commit, COMMIT_TEXT, &commitment).map_err(|_| SealError::OtherKey)?;
    let context = associated_data(subject, headers)?;
    let mut bytes = sealed.to_vec();
    let clear =
        keys.cipher.open_in_place(nonce(), aead::Aad::from(context), &mut bytes).map_err(|_| SealError::Changed)?;
    Content::decode(&*clear).map_err(|_| SealError::Changed)
}

const COMMIT_TEXT: &[u8] = b"muster-key-commit/v1";

/// One key for each purpose (RFC 5869, expand only: a data key is uniformly random).
struct EventKeys {
    cipher: aead::LessSafeKey,
    commit: hmac::Key,
}

impl EventKeys {
    fn of(data_key: &DataKey) -> Result<Self, SealError> {
        let failed = |_| SealError::Crypto("HKDF");
        let prk = hkdf::Prk::new_less_safe(hkdf::HKDF_SHA256, data_key.expose());
        let cipher = prk.expand(&[b"muster-payload/v1 aes-256-gcm"], &aead::AES_256_GCM).map_err(failed)?;
        let commit = prk.expand(&[b"muster-payload/v1 commit"], hmac::HMAC_SHA256).map_err(failed)?;
        Ok(Self { cipher: aead::LessSafeKey::new(cipher.into()), commit: commit.into() })
    }

    fn commitment(&self) -> hmac::Tag {
        hmac::sign(&self.commit, COMMIT_TEXT)
    }
}

/// A data key encrypts one message, ever: its salt is 32 random bytes. So the nonce may be the same for all of them.
fn nonce() -> aead::Nonce {
    aead::Nonce::assume_unique_for_key([0; aead::NONCE_LEN])
}

/// The subject, and the headers as the audit's leaf has them, without what the producer adds after sealing.
fn associated_data(subject: &str, headers: &HeaderMap) -> Result<Vec<u8>, SealError> {
    let before = producer::pairs(headers).filter(|(name, _)| !producer::HEADERS.contains(name));
    let lines = canonical_headers_text(before).map_err(|error| SealError::Canonical(error.to_string()))?;
    Ok(format!("muster-payload/v1\n{subject}\n{lines}").into_bytes())
}

fn decoded(headers: &HeaderMap, name: &str) -> Option<Vec<u8>> {
    BASE64.decode(text(headers, name)?).ok()
}
