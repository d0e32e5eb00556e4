//! The installation's key, and signed notes: <https://c2sp.org/signed-note>. Ed25519, so that `openssl` alone verifies them.

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{Ed25519KeyPair, KeyPair},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use muster_domain::refusal::{Refusal, refusal};
use muster_runtime::{Config, SecretResolver, secrets::Owner};
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};

const PRIVATE: &str = "PRIVATE KEY";
const PUBLIC: &str = "PUBLIC KEY";
/// RFC 8410: what stands before the 32 bytes of an Ed25519 public key.
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// signed-note: the signature type of Ed25519.
const ED25519: u8 = 0x01;
/// A line of PEM.
const PEM_LINE: usize = 64;

#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyError {
    #[error("planner.signing_key_ref is not set")]
    Absent,
    #[error("the signing key cannot be read: {0}")]
    Secret(#[from] muster_runtime::secrets::SecretError),
    #[error("the signing key is no Ed25519 key in PEM (PKCS#8)")]
    Form,
}

impl KeyError {
    pub(crate) fn to_refusal(&self) -> Refusal {
        refusal(
            "SIGNING_KEY_MISSING",
            "a run-card is signed with the installation's key",
            self.to_string(),
            "planner.signing_key_ref names an Ed25519 key in PEM",
            "make one with `openssl genpkey -algorithm ed25519`, put it into the secrets of _system, and name it there",
        )
    }
}

/// Read at the moment of use, and dropped with it.
pub(crate) struct SigningKey {
    name: String,
    pair: Ed25519KeyPair,
}

impl SigningKey {
    pub(crate) fn load(config: &Config, secrets: &SecretResolver) -> Result<Self, KeyError> {
        let reference = config.planner.signing_key_ref.as_deref().ok_or(KeyError::Absent)?;
        let pem = secrets.resolve(Owner::System, reference)?;
        Self::from_pem(&name_of(&config.server.public_url), pem.expose_secret())
    }

    fn from_pem(name: &str, pem: &str) -> Result<Self, KeyError> {
        let der = from_pem(PRIVATE, pem).ok_or(KeyError::Form)?;
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).map_err(|_| KeyError::Form)?;
        Ok(Self { name: name.to_owned(), pair })
    }

    /// For `openssl pkeyutl -verify -pubin -inkey`.
    pub(crate) fn public_pem(&self) -> String {
        let mut der = SPKI_PREFIX.to_vec();
        der.extend_from_slice(self.pair.public_key().as_ref());
        to_pem(PUBLIC, &der)
    }

    /// The text, an empty line, and the signature's line. The text ends with a line feed.
    pub(super) fn note(&self, text: &str) -> String {
        let mut signature = self.id().to_vec();
        signature.extend_from_slice(self.pair.sign(text.as_bytes()).as_ref());
        format!("{text}\n— {} {}\n", self.name, STANDARD.encode(signature))
    }

    /// signed-note: the first bytes of the hash over name, type and key.
    fn id(&self) -> [u8; 4] {
        let mut digest = Sha256::new();
        digest.update(self.name.as_bytes());
        digest.update([b'\n', ED25519]);
        digest.update(self.pair.public_key().as_ref());
        let hash = digest.finalize();
        [hash[0], hash[1], hash[2], hash[3]]
    }
}

/// "muster.example.org/run-cards": a note's key has a name without blanks and plus signs.
fn name_of(public_url: &str) -> String {
    let host = public_url.split_once("://").map_or(public_url, |(_, host)| host).trim_end_matches('/');
    let host: String = host.chars().map(|c| if c.is_whitespace() || c == '+' { '-' } else { c }).collect();
    format!("{host}/run-cards")
}

/// A new key in PEM, as `openssl genpkey -algorithm ed25519` makes one.
pub fn new_signing_key() -> Result<String, aws_lc_rs::error::Unspecified> {
    let der = Ed25519KeyPair::generate_pkcs8v1(&SystemRandom::new())?;
    Ok(to_pem(PRIVATE, der.as_ref()))
}

fn to_pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut pem = format!("-----BEGIN {label}-----\n");
    for line in text.as_bytes().chunks(PEM_LINE) {
        pem.push_str(&String::from_utf8_lossy(line));
        pem.push('\n');
    }
    pem.push_str(&format!("-----END {label}-----\n"));
    pem
}

fn from_pem(label: &str, pem: &str) -> Option<Vec<u8>> {
    let (_, rest) = pem.split_once(&format!("-----BEGIN {label}-----"))?;
    let (body, _) = rest.split_once(&format!("-----END {label}-----"))?;
    let body: String = body.chars().filter(|c| !c.is_whitespace()).collect();
    STANDARD.decode(body).ok()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use super::*;

    #[test]
    fn a_key_reads_back_and_what_is_none_is_refused() {
        let pem = new_signing_key().unwrap();
        assert!(SigningKey::from_pem("x", &pem).is_ok());
        for wrong in ["", "hunter2", &pem.replace("PRIVATE", "PUBLIC"), &pem.replacen('M', "?", 1), &pem[..80]] {
            assert!(matches!(SigningKey::from_pem("x", wrong), Err(KeyError::Form)), "{wrong}");
        }
    }

    #[test]
    fn the_name_of_the_key_fits_into_a_note() {
        assert_eq!(name_of("https://muster.example.org/"), "muster.example.org/run-cards");
        assert_eq!(name_of("http://a b+c"), "a-b-c/run-cards");
    }
}
