//! What PagerDuty tells us (webhooks v3), such as an acknowledgement: believed only with its signature.
//!
//! There is no time in the signature: who calls this remembers `event.id` and refuses it the second time.

use secrecy::SecretString;

use crate::channels::signature::{SignatureError, any_fits, from_hex};

/// Signatures in one header; PagerDuty sends one for each secret of a rotation.
const MAX_SIGNATURES: usize = 8;

/// Verifies the raw body. `signatures` is the header `X-PagerDuty-Signature`, "v1=<hex>[,v1=<hex>]", empty when missing;
/// any one that fits is enough. Versions that are not known are passed over.
pub fn verify(body: &[u8], signatures: &str, secrets: &[SecretString]) -> Result<(), SignatureError> {
    let known: Vec<Vec<u8>> = signatures
        .split(',')
        .take(MAX_SIGNATURES)
        .filter_map(|signature| signature.trim().strip_prefix("v1="))
        .filter_map(from_hex)
        .collect();
    if known.is_empty() {
        return Err(SignatureError::Malformed("X-PagerDuty-Signature"));
    }
    any_fits(secrets, body, &known)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channels::signature::hmac_hex;

    const BODY: &[u8] =
        br#"{"event":{"id":"5ac64822-4adc-4fda-ade0-410becf0de4f","event_type":"incident.acknowledged"}}"#;

    fn secrets(texts: &[&str]) -> Vec<SecretString> {
        texts.iter().map(|text| SecretString::from((*text).to_owned())).collect()
    }

    /// RFC 4231, case 2: the function under it is HMAC-SHA256.
    #[test]
    fn the_published_vector_of_the_function() {
        let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(hmac_hex(b"Jefe", b"what do ya want for nothing?"), expected);
        assert_eq!(verify(b"what do ya want for nothing?", &format!("v1={expected}"), &secrets(&["Jefe"])), Ok(()));
    }

    #[test]
    fn one_of_several_is_enough_on_both_sides() {
        let (old, new) = (hmac_hex(b"old", BODY), hmac_hex(b"new", BODY));
        for header in [format!("v1={old}"), format!("v1={new},v1={old}"), format!("v2=00, v1={old}")] {
            assert_eq!(verify(BODY, &header, &secrets(&["other", "old"])), Ok(()), "{header}");
        }
        assert_eq!(verify(BODY, &format!("v1={new}"), &secrets(&["old"])), Err(SignatureError::Wrong));
        assert_eq!(verify(b"{}", &format!("v1={old}"), &secrets(&["old"])), Err(SignatureError::Wrong));
        assert_eq!(verify(BODY, &format!("v1={old}"), &[]), Err(SignatureError::NoSecret));
    }

    #[test]
    fn a_header_that_is_none_is_malformed() {
        let old = hmac_hex(b"old", BODY);
        for header in ["", "v1=", "v1=abc", &old, &format!("v2={old}"), &format!("v1={old}00")] {
            let refused = verify(BODY, header, &secrets(&["old"]));
            assert_eq!(refused, Err(SignatureError::Malformed("X-PagerDuty-Signature")), "{header}");
        }
        // The one that fits is behind more than anybody sends.
        let many = format!("{}v1={old}", "v1=00,".repeat(MAX_SIGNATURES));
        assert!(verify(BODY, &many, &secrets(&["old"])).is_err());
    }
}
