//! The links in messages to approvers: signed here, opened here. What a good one may do, the domain decides.
//!
//! A link is made anew from the record each time it is needed, so that it stands in no event, timer, list or log.

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use muster_domain::{TenantId, pb::request::v1::IntentIssued, request::intent::Claims};
use secrecy::ExposeSecret;

use crate::{SecretResolver, config, secrets::SecretError};

/// Longer ones are not looked at.
const MAX_TOKEN: usize = 2_048;
/// HMAC-SHA-256 with less than its own length is weaker than it looks.
const MIN_KEY: usize = 32;
/// What is signed says what it is for: a key that serves for something else by mistake signs no links.
const LINK: &[u8] = b"muster intent link 1\n";
const NONCE: &[u8] = b"muster intent nonce 1\n";
/// Bytes of the nonce.
const NONCE_LENGTH: usize = 12;

/// Why no link can be made or opened.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error(
        "{reference} of approval.intent_key_refs has {length} bytes. Next: use at least {MIN_KEY}, such as the output of `openssl rand -hex 32`"
    )]
    ShortKey { reference: String, length: usize },
}

/// Makes and opens links. A cheap handle; keys are read at the moment of use, so that they can be changed.
#[derive(Debug, Clone)]
pub struct IntentLinks {
    references: Vec<String>,
    secrets: SecretResolver,
}

impl IntentLinks {
    pub fn new(config: &config::Approval, secrets: SecretResolver) -> Self {
        Self { references: config.intent_key_refs.clone(), secrets }
    }

    /// Whether links are made at all.
    pub fn is_configured(&self) -> bool {
        !self.references.is_empty()
    }

    /// The token of a record's link, signed with the newest key. `None`: no key is configured.
    pub fn sign(&self, tenant: &TenantId, issued: &IntentIssued) -> Result<Option<String>, LinkError> {
        let Some(reference) = self.references.first() else { return Ok(None) };
        let key = self.key(reference)?;
        let nonce = hmac::sign(&key, &[NONCE, tenant.as_str().as_bytes(), b"\n", issued.intent_id.as_bytes()].concat());
        let nonce = URL_SAFE_NO_PAD.encode(nonce.as_ref().get(..NONCE_LENGTH).unwrap_or_default());
        Ok(Claims::of(tenant.as_str(), issued, nonce).map(|claims| {
            let payload = claims.encode();
            let signature = hmac::sign(&key, &[LINK, &payload].concat());
            format!("{}.{}", URL_SAFE_NO_PAD.encode(&payload), URL_SAFE_NO_PAD.encode(signature))
        }))
    }

    /// What the token says, if one of the keys signed it. Nothing of it is read before that.
    pub fn open(&self, token: &str) -> Result<Option<Claims>, LinkError> {
        let Some((payload, signature)) = split(token) else { return Ok(None) };
        let signed = [LINK, &payload].concat();
        for reference in &self.references {
            if hmac::verify(&self.key(reference)?, &signed, &signature).is_ok() {
                return Ok(Claims::decode(&payload));
            }
        }
        Ok(None)
    }

    fn key(&self, reference: &str) -> Result<hmac::Key, LinkError> {
        let secret = self.secrets.resolve(crate::Owner::System, reference)?;
        let bytes = secret.expose_secret().as_bytes();
        if bytes.len() < MIN_KEY {
            return Err(LinkError::ShortKey { reference: reference.to_owned(), length: bytes.len() });
        }
        Ok(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }
}

fn split(token: &str) -> Option<(Vec<u8>, Vec<u8>)> {
    if token.len() > MAX_TOKEN {
        return None;
    }
    let (payload, signature) = token.split_once('.')?;
    Some((URL_SAFE_NO_PAD.decode(payload).ok()?, URL_SAFE_NO_PAD.decode(signature).ok()?))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use std::{fs, path::Path};

    use super::*;

    fn links(directory: &Path, keys: &[(&str, &str)]) -> IntentLinks {
        let system = directory.join("_system");
        fs::create_dir_all(&system).unwrap();
        for (name, text) in keys {
            fs::write(system.join(name), text).unwrap();
        }
        let config =
            config::Approval { intent_key_refs: keys.iter().map(|(name, _)| format!("file:{name}")).collect() };
        let secrets = config::Secrets { directory: Some(directory.to_owned()) };
        IntentLinks::new(&config, SecretResolver::new(&secrets))
    }

    fn issued() -> IntentIssued {
        IntentIssued {
            intent_id: "0190-a".into(),
            request_id: "r-1".into(),
            person: "https://idp.example|ingo".into(),
            expires_at: Some(muster_domain::time::PbTimestamp { seconds: 1_790_000_000, nanos: 0 }),
            ..IntentIssued::default()
        }
    }

    const OLD: &str = "an old key of more than 32 characters";
    const NEW: &str = "a new key, of more than 32 characters";

    #[test]
    fn a_link_opens_as_it_was_made_and_no_other_way() {
        let directory = tempfile::tempdir().unwrap();
        let links = links(directory.path(), &[("k", OLD)]);
        let acme: TenantId = "acme".parse().unwrap();
        let token = links.sign(&acme, &issued()).unwrap().unwrap();
        assert_eq!(links.sign(&acme, &issued()).unwrap().unwrap(), token, "made anew, it is the same");
        let claims = links.open(&token).unwrap().unwrap();
        assert!(claims.fit(&issued()) && claims.tenant == "acme" && !token.contains("ingo"));
        for position in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[position] = if bytes[position] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            assert_eq!(links.open(&changed).unwrap(), None, "{position}");
        }
        for wrong in ["", ".", &token[..token.len() - 1], &format!("{token}="), &token.replace('.', "")] {
            assert_eq!(links.open(wrong).unwrap(), None, "{wrong}");
        }
        assert_eq!(links.open(&"A".repeat(MAX_TOKEN + 1)).unwrap(), None);
    }

    #[test]
    fn the_newest_key_signs_and_older_ones_are_accepted_until_they_are_removed() {
        let directory = tempfile::tempdir().unwrap();
        let acme: TenantId = "acme".parse().unwrap();
        let before = links(directory.path(), &[("old", OLD)]).sign(&acme, &issued()).unwrap().unwrap();
        let both = links(directory.path(), &[("new", NEW), ("old", OLD)]);
        let after = both.sign(&acme, &issued()).unwrap().unwrap();
        assert!(both.open(&before).unwrap().is_some() && both.open(&after).unwrap().is_some() && before != after);
        let alone = links(directory.path(), &[("new", NEW)]);
        assert!(alone.open(&before).unwrap().is_none() && alone.open(&after).unwrap().is_some());
    }

    #[test]
    fn without_a_key_nothing_is_signed_and_a_short_one_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let acme: TenantId = "acme".parse().unwrap();
        assert_eq!(links(directory.path(), &[]).sign(&acme, &issued()).unwrap(), None);
        let short = links(directory.path(), &[("k", "0123456789")]);
        assert!(matches!(short.sign(&acme, &issued()), Err(LinkError::ShortKey { length: 10, .. })));
    }
}
