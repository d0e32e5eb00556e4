//! One JSON Web Token: reading it, and checking its signature against one key.

use jsonwebtoken::{DecodingKey, Header, TokenData, Validation};
use serde_json::{Map, Value};

use super::AuthError;
use crate::config::{self, Algorithm};

/// Tokens travel in a header; providers stay well below. Checked before anything is decoded.
const MAX_TOKEN: usize = 16 * 1024;
/// For access tokens (RFC 9068) and the plain kind. Others, such as logout tokens, are not for us.
const TYPES: &[&str] = &["jwt", "at+jwt", "application/at+jwt"];

/// The claims of a token.
pub(super) type Claims = Map<String, Value>;

/// A token that nobody should believe yet.
pub(super) struct Unverified<'a> {
    text: &'a str,
    header: Header,
    /// Only good for choosing the keys to check with.
    pub(super) issuer: String,
}

impl<'a> Unverified<'a> {
    pub(super) fn read(text: &'a str) -> Result<Self, AuthError> {
        if text.is_empty() {
            return Err(AuthError::Missing);
        }
        if text.len() > MAX_TOKEN {
            return Err(AuthError::Malformed("it is longer than 16 KiB"));
        }
        // "none" and everything unknown already ends here: the type has no such algorithm.
        let header = jsonwebtoken::decode_header(text).map_err(|e| match e.kind() {
            jsonwebtoken::errors::ErrorKind::Json(_) => AuthError::Algorithm { found: algorithm_text(text) },
            _ => AuthError::Malformed("it is not a signed JWT"),
        })?;
        let claims: Claims = jsonwebtoken::dangerous::insecure_decode_claims(text)
            .map_err(|_| AuthError::Malformed("its claims are not a JSON object"))?;
        let issuer = claims.get("iss").and_then(Value::as_str).ok_or(AuthError::ClaimMissing("iss"))?;
        Ok(Self { text, issuer: issuer.to_owned(), header })
    }

    pub(super) fn key_id(&self) -> Option<&str> {
        self.header.kid.as_deref()
    }

    /// The algorithm, if this issuer may use it.
    pub(super) fn check_header(&self, issuer: &config::Issuer) -> Result<Algorithm, AuthError> {
        if self.header.crit.is_some() {
            // RFC 7515, 4.1.11: what we must understand and do not, we refuse.
            return Err(AuthError::Malformed("it names critical extensions, and Muster knows none"));
        }
        if let Some(found) = &self.header.typ
            && !TYPES.contains(&found.to_ascii_lowercase().as_str())
        {
            return Err(AuthError::Type { found: found.chars().take(40).collect() });
        }
        let accepted = ours(self.header.alg).filter(|a| issuer.accepted_algorithms.contains(a));
        accepted.ok_or_else(|| AuthError::Algorithm { found: format!("{:?}", self.header.alg) })
    }

    /// The claims, once the signature holds. Times and audience are checked by [`super::claims::check`], with our clock.
    pub(super) fn verify(&self, key: &DecodingKey, algorithm: Algorithm) -> Result<Claims, AuthError> {
        let mut validation = Validation::new(theirs(algorithm));
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_aud = false;
        let data: TokenData<Claims> =
            jsonwebtoken::decode(self.text, key, &validation).map_err(|_| AuthError::Signature)?;
        Ok(data.claims)
    }
}

/// What the header says, for the message alone.
fn algorithm_text(token: &str) -> String {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    let header = token.split('.').next().unwrap_or_default();
    let json = URL_SAFE_NO_PAD.decode(header).ok().and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
    let found = json.as_ref().and_then(|j| j.get("alg")).and_then(Value::as_str).unwrap_or("of the header");
    found.chars().take(20).collect()
}

fn ours(algorithm: jsonwebtoken::Algorithm) -> Option<Algorithm> {
    match algorithm {
        jsonwebtoken::Algorithm::RS256 => Some(Algorithm::RS256),
        jsonwebtoken::Algorithm::PS256 => Some(Algorithm::PS256),
        jsonwebtoken::Algorithm::ES256 => Some(Algorithm::ES256),
        jsonwebtoken::Algorithm::EdDSA => Some(Algorithm::EdDSA),
        _ => None,
    }
}

fn theirs(algorithm: Algorithm) -> jsonwebtoken::Algorithm {
    match algorithm {
        Algorithm::RS256 => jsonwebtoken::Algorithm::RS256,
        Algorithm::PS256 => jsonwebtoken::Algorithm::PS256,
        Algorithm::ES256 => jsonwebtoken::Algorithm::ES256,
        Algorithm::EdDSA => jsonwebtoken::Algorithm::EdDSA,
    }
}
