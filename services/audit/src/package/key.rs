//! The key that documents are signed with: beside the tenant's log key, and another one.

use std::{
    fs, io,
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use aws_lc_rs::{
    digest::{SHA256, digest},
    rand::SystemRandom,
    signature::{Ed25519KeyPair, KeyPair as _},
};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use muster_domain::TenantId;

use super::dsse::hex;

/// Before the 32 bytes of an Ed25519 key in a SubjectPublicKeyInfo (RFC 8410).
const SPKI_HEAD: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
const FILE: &str = "documents.pk8";

#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyError {
    #[error("the key for documents at {path} cannot be {doing}: {source}")]
    File { path: PathBuf, doing: &'static str, source: io::Error },
    #[error("the key for documents at {0} is not an Ed25519 key in PKCS#8")]
    Unreadable(PathBuf),
    #[error("no key could be made")]
    Random,
}

#[derive(Debug)]
pub(crate) struct DocumentKey(Ed25519KeyPair);

impl DocumentKey {
    /// The tenant's key; made on first use. Of several processes that make it at once, one wins.
    pub(crate) fn open(keys: &Path, tenant: &TenantId) -> Result<Self, KeyError> {
        let directory = keys.join(tenant.as_str());
        let path = directory.join(FILE);
        if !path.exists() {
            create(&directory, &path)?;
        }
        let failed = |source| KeyError::File { path: path.clone(), doing: "read", source };
        let document = fs::read(&path).map_err(failed)?;
        Ed25519KeyPair::from_pkcs8(&document).map(Self).map_err(|_| KeyError::Unreadable(path.clone()))
    }

    #[cfg(test)]
    pub(crate) fn from_seed(seed: &[u8]) -> Result<Self, KeyError> {
        Ed25519KeyPair::from_seed_unchecked(seed).map(Self).map_err(|_| KeyError::Random)
    }

    pub(crate) fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        self.0.sign(bytes).as_ref().to_vec()
    }

    /// SHA-256 of the public key as SubjectPublicKeyInfo, in hex.
    pub(crate) fn id(&self) -> String {
        hex(digest(&SHA256, &self.spki()).as_ref())
    }

    pub(crate) fn public_pem(&self) -> String {
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", BASE64.encode(self.spki()))
    }

    fn spki(&self) -> Vec<u8> {
        [&SPKI_HEAD[..], self.0.public_key().as_ref()].concat()
    }
}

/// Whole or not at all: written beside, then linked, which fails when somebody else was faster.
fn create(directory: &Path, path: &Path) -> Result<(), KeyError> {
    let failed = |source| KeyError::File { path: path.to_owned(), doing: "written", source };
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(failed)?;
    let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| KeyError::Random)?;
    let mut file = tempfile::NamedTempFile::new_in(directory).map_err(failed)?;
    file.as_file().set_permissions(fs::Permissions::from_mode(0o600)).map_err(failed)?;
    file.write_all(document.as_ref()).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    match fs::hard_link(file.path(), path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(failed(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use super::*;

    #[test]
    fn a_tenant_has_one_key_that_only_its_owner_reads() {
        let keys = tempfile::tempdir().unwrap();
        let (acme, other) = ("acme".parse().unwrap(), "other".parse().unwrap());
        let first = DocumentKey::open(keys.path(), &acme).unwrap();
        assert_eq!(DocumentKey::open(keys.path(), &acme).unwrap().id(), first.id());
        assert_ne!(DocumentKey::open(keys.path(), &other).unwrap().id(), first.id());
        let file = fs::metadata(keys.path().join("acme").join(FILE)).unwrap();
        assert_eq!(file.permissions().mode() & 0o777, 0o600);
        fs::write(keys.path().join("acme").join(FILE), b"no key").unwrap();
        assert!(matches!(DocumentKey::open(keys.path(), &acme).unwrap_err(), KeyError::Unreadable(_)));
    }
}
