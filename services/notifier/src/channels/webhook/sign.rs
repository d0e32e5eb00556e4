//! Standard Webhooks signatures. The id names the event, not the endpoint, and stays over retries.

use secrecy::{ExposeSecret, SecretString};
use standardwebhooks::Webhook;
use uuid::Uuid;

/// During a rotation both secrets sign; more than that is a mistake in the file.
const MAX_SECRETS: usize = 4;
/// Bytes of a secret, as the specification asks.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;
const PREFIX: &str = "whsec_";

/// Why nothing can be signed. Never holds the secret.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum SignError {
    #[error("the signing secret is empty; store one or more 'whsec_…' values, the newest first")]
    NoSecret,
    #[error("the secret holds {0} values; at most {MAX_SECRETS} can sign")]
    TooMany(usize),
    #[error("value {0} of the secret is not 'whsec_' and the standard base64 of 24 to 64 bytes")]
    NotASecret(usize),
    #[error("the body could not be signed: {0}")]
    Signing(String),
}

/// The keys in a secret: values separated by white space, the newest first.
pub(super) fn keys(secret: &SecretString) -> Result<Vec<Webhook>, SignError> {
    let values: Vec<&str> = secret.expose_secret().split_whitespace().collect();
    match values.len() {
        0 => return Err(SignError::NoSecret),
        n if n > MAX_SECRETS => return Err(SignError::TooMany(n)),
        _ => {}
    }
    values.iter().enumerate().map(|(i, value)| key(value).ok_or(SignError::NotASecret(i + 1))).collect()
}

fn key(value: &str) -> Option<Webhook> {
    let encoded = value.strip_prefix(PREFIX)?;
    let padding = encoded.bytes().rev().take_while(|b| *b == b'=').count();
    let bytes = (encoded.len() / 4 * 3).checked_sub(padding)?;
    if !SECRET_BYTES.contains(&bytes) {
        return None;
    }
    Webhook::new(value).ok()
}

/// The three headers for exactly these bytes, at this second.
pub(super) fn headers(
    keys: &[Webhook],
    id: &str,
    unix_seconds: i64,
    body: &[u8],
) -> Result<[(&'static str, String); 3], SignError> {
    let signatures: Result<Vec<String>, _> = keys.iter().map(|key| key.sign(id, unix_seconds, body)).collect();
    let signatures = signatures.map_err(|e| SignError::Signing(e.to_string()))?;
    Ok([
        (standardwebhooks::HEADER_WEBHOOK_ID, id.to_owned()),
        (standardwebhooks::HEADER_WEBHOOK_TIMESTAMP, unix_seconds.to_string()),
        (standardwebhooks::HEADER_WEBHOOK_SIGNATURE, signatures.join(" ")),
    ])
}

/// `msg_` and the event's id as ULID text: the same for every endpoint and every attempt.
pub fn webhook_id(event: Uuid) -> String {
    const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let bits = event.as_u128();
    let digit =
        |i: u32| CROCKFORD.get(usize::try_from(bits >> (i * 5) & 31).unwrap_or(0)).map_or('0', |b| char::from(*b));
    format!("msg_{}", (0..26).rev().map(digit).collect::<String>())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn sign(secret: &str, id: &str, at: i64, body: &[u8]) -> String {
        let keys = keys(&SecretString::from(secret.to_owned())).unwrap();
        headers(&keys, id, at, body).unwrap()[2].1.clone()
    }

    /// The example of the reference libraries (standard-webhooks, libraries/*/tests).
    #[test]
    fn the_published_vector() {
        let signature = sign(SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn the_specifications_example_id_is_taken_as_it_is() {
        let body = br#"{"type":"contact.created"}"#;
        let signature = sign(SECRET, "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W", 1_674_087_231, body);
        let expected =
            Webhook::new(SECRET).unwrap().sign("msg_2KWPBgLlAfxdpx2AI54pPJ85f4W", 1_674_087_231, body).unwrap();
        assert_eq!(signature, expected);
    }

    #[test]
    fn a_rotation_signs_with_both_the_new_one_first() {
        let new = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
        let both = sign(&format!("{new}\n{SECRET}\n"), "msg_a", 5, b"{}");
        assert_eq!(both, format!("{} {}", sign(new, "msg_a", 5, b"{}"), sign(SECRET, "msg_a", 5, b"{}")));
    }

    #[test]
    fn what_is_no_secret_is_refused_without_showing_it() {
        let bad = [
            "",
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "whsec_",
            "whsec_c2hvcnQ=",
            "whsec_!!!!9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "whsk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        ];
        for secret in bad {
            let error = keys(&SecretString::from(secret.to_owned())).map(|_| ()).unwrap_err().to_string();
            assert!(!error.contains("9r8GKYqr"), "{error}");
        }
    }

    #[test]
    fn ids_are_ulids_without_dots_and_follow_the_event() {
        assert_eq!(webhook_id(Uuid::nil()), "msg_00000000000000000000000000");
        assert_eq!(webhook_id(Uuid::from_u128(u128::MAX)), "msg_7ZZZZZZZZZZZZZZZZZZZZZZZZZ");
        assert_eq!(webhook_id(Uuid::from_u128(33)), "msg_00000000000000000000000011");
    }
}
