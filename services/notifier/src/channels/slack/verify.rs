//! What Slack sends to us: only what its signature proves is Slack's, and of now.
//!
//! It proves that Slack sent it, not that the person may do what was pressed. Who calls this also remembers
//! (timestamp, signature) for twice the window, against replays.

use jiff::Timestamp;
use secrecy::SecretString;

use crate::channels::signature::{SignatureError, any_fits, from_hex};

/// As Slack asks: older is a replay, or a clock is wrong.
pub const MAX_DISTANCE_S: i64 = 300;

/// Verifies the raw body. `timestamp` and `signature` are the headers `X-Slack-Request-Timestamp` and
/// `X-Slack-Signature`, empty when missing; several secrets while one is rotated.
pub fn verify(
    body: &[u8],
    timestamp: &str,
    signature: &str,
    secrets: &[SecretString],
    now: Timestamp,
) -> Result<(), SignatureError> {
    let malformed = || SignatureError::Malformed("X-Slack-Request-Timestamp");
    // Digits alone: "+5" and " 5" are numbers to a parser, and other bytes to the signature.
    let digits = !timestamp.is_empty() && timestamp.len() <= 11 && timestamp.bytes().all(|b| b.is_ascii_digit());
    let at: i64 = if digits { timestamp.parse().map_err(|_| malformed())? } else { return Err(malformed()) };
    let signature = signature.strip_prefix("v0=").and_then(from_hex);
    let signature = signature.ok_or(SignatureError::Malformed("X-Slack-Signature"))?;
    if at.abs_diff(now.as_second()) > MAX_DISTANCE_S.unsigned_abs() {
        return Err(SignatureError::TooFarInTime { limit_s: MAX_DISTANCE_S });
    }
    let mut base = format!("v0:{timestamp}:").into_bytes();
    base.extend_from_slice(body);
    any_fits(secrets, &base, &[signature])
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use super::*;

    /// The example of Slack's documentation ("Verifying requests from Slack"); PyPI slack-sdk's `SignatureVerifier`
    /// gives the same.
    const SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";
    const TIMESTAMP: &str = "1531420618";
    const BODY: &[u8] = b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
    const SIGNATURE: &str = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";

    fn secret(text: &str) -> SecretString {
        SecretString::from(text.to_owned())
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn the_published_vector() {
        let now = at(1_531_420_618);
        assert_eq!(verify(BODY, TIMESTAMP, SIGNATURE, &[secret(SECRET)], now), Ok(()));
        assert_eq!(verify(BODY, TIMESTAMP, SIGNATURE, &[secret("other"), secret(SECRET)], now), Ok(()));
        assert_eq!(verify(BODY, TIMESTAMP, SIGNATURE, &[secret("other")], now), Err(SignatureError::Wrong));
        assert_eq!(verify(BODY, TIMESTAMP, SIGNATURE, &[], now), Err(SignatureError::NoSecret));
        assert_eq!(verify(BODY, TIMESTAMP, SIGNATURE, &[secret("")], now), Err(SignatureError::NoSecret));
    }

    /// Made with PyPI slack-sdk 3.47.0, `SignatureVerifier.generate_signature`: a form as Slack posts it, and raw UTF-8.
    #[test]
    fn vectors_of_slacks_own_library() {
        let secrets = [secret("e6b19c573432dcc6b075501d51b51bb8")];
        let form = "payload=%7B%22type%22%3A%22block_actions%22%2C%22user%22%3A%7B%22id%22%3A%22U0123ABCD%22%7D%7D";
        for (body, signature) in [
            (form, "v0=5b98f0d2224d29f8266bc18cc3aef39f10c76493db09451d1efd21514b46ba3a"),
            ("payload={\"text\":\"grün – ✓\"}", "v0=ee5ed6e0122ff31c8f10b4354840c1f8941f6abb54f05385cda40615598799f0"),
        ] {
            assert_eq!(verify(body.as_bytes(), "1763796000", signature, &secrets, at(1_763_796_000)), Ok(()), "{body}");
        }
    }

    #[test]
    fn one_byte_or_a_second_too_many_is_refused() {
        let secrets = [secret(SECRET)];
        let now = at(1_531_420_618);
        assert_eq!(verify(&[BODY, b" "].concat(), TIMESTAMP, SIGNATURE, &secrets, now), Err(SignatureError::Wrong));
        assert_eq!(verify(BODY, "1531420619", SIGNATURE, &secrets, now), Err(SignatureError::Wrong));
        for (now, fits) in [(300, true), (301, false), (-300, true), (-301, false)] {
            assert_eq!(verify(BODY, TIMESTAMP, SIGNATURE, &secrets, at(1_531_420_618 + now)).is_ok(), fits, "{now}");
        }
    }

    #[test]
    fn what_is_no_header_is_refused_before_anything_is_computed() {
        let secrets = [secret(SECRET)];
        for timestamp in ["", " 1531420618", "+1531420618", "-1", "1531420618.0", "99999999999999999999"] {
            let refused = verify(BODY, timestamp, SIGNATURE, &secrets, at(1_531_420_618));
            assert_eq!(refused, Err(SignatureError::Malformed("X-Slack-Request-Timestamp")), "{timestamp:?}");
        }
        let short = SIGNATURE.get(..66).unwrap();
        for signature in ["", "v0=", short, SIGNATURE.trim_start_matches("v0="), &SIGNATURE.replace("v0", "v1")] {
            let refused = verify(BODY, TIMESTAMP, signature, &secrets, at(1_531_420_618));
            assert_eq!(refused, Err(SignatureError::Malformed("X-Slack-Signature")), "{signature:?}");
        }
    }
}
