//! Signatures of what services send to us. Over the bytes as they came, before anything reads them.

use aws_lc_rs::hmac;
use secrecy::{ExposeSecret, SecretString};

/// Why a call is not believed. Its sender hears none of it.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SignatureError {
    #[error("no secret to verify with is configured")]
    NoSecret,
    #[error("the {0} header is missing or malformed")]
    Malformed(&'static str),
    #[error("it was signed more than {limit_s} s ago or ahead")]
    TooFarInTime { limit_s: i64 },
    #[error("no signature fits")]
    Wrong,
}

/// Whether one of the secrets made one of the signatures. In constant time for each pair.
pub(super) fn any_fits(secrets: &[SecretString], message: &[u8], signatures: &[Vec<u8>]) -> Result<(), SignatureError> {
    if secrets.iter().all(|secret| secret.expose_secret().is_empty()) {
        return Err(SignatureError::NoSecret);
    }
    let fits = secrets.iter().filter(|secret| !secret.expose_secret().is_empty()).any(|secret| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose_secret().as_bytes());
        signatures.iter().any(|signature| hmac::verify(&key, message, signature).is_ok())
    });
    if fits { Ok(()) } else { Err(SignatureError::Wrong) }
}

/// HMAC-SHA256 in lower-case hex.
pub(super) fn hmac_hex(secret: &[u8], message: &[u8]) -> String {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message);
    tag.as_ref().iter().fold(String::with_capacity(64), |hex, byte| hex + &format!("{byte:02x}"))
}

/// The 32 bytes of an HMAC-SHA256 in hex; `None` when it is none.
pub(super) fn from_hex(text: &str) -> Option<Vec<u8>> {
    const DIGITS: usize = 64;
    if text.len() != DIGITS || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    (0..DIGITS).step_by(2).map(|i| u8::from_str_radix(text.get(i..i + 2)?, 16).ok()).collect()
}
