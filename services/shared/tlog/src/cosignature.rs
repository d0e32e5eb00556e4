//! Cosignatures of witnesses (C2SP tlog-cosignature 1.0.1, type 0x04): Ed25519 over the checkpoint and the time at which
//! the witness saw that it only grew.

use crate::{
    key::{KeyError, SIGNATURE_BYTES, SigningKey, VerifierKey},
    note::Signature,
};

fn message(text: &str, unix_seconds: u64) -> String {
    format!("cosignature/v1\ntime {unix_seconds}\n{text}")
}

/// The signature line of a witness under a checkpoint's text.
pub fn cosign(text: &str, unix_seconds: u64, key: &dyn SigningKey) -> Result<Signature, KeyError> {
    let signature = key.sign(message(text, unix_seconds).as_bytes())?;
    let bytes = [unix_seconds.to_be_bytes().as_slice(), &signature].concat();
    Ok(Signature { name: key.verifier().name().to_owned(), key_id: key.verifier().id(), bytes })
}

/// The time of a good cosignature, in Unix seconds.
pub(crate) fn verify(text: &str, bytes: &[u8], key: &VerifierKey) -> Option<u64> {
    let (time, signature) = bytes.split_first_chunk::<8>()?;
    let time = u64::from_be_bytes(*time);
    let whole = signature.len() == SIGNATURE_BYTES;
    (whole && key.verify(message(text, time).as_bytes(), signature)).then_some(time)
}
