//! The signing key: made once, kept in a file that only its owner may read.

use std::{
    fs::{self, OpenOptions},
    io::{ErrorKind, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use jsonwebtoken::{
    Algorithm, EncodingKey, Header,
    jwk::{Jwk, KeyAlgorithm, PublicKeyUse, ThumbprintHash},
};
use serde::Serialize;

use super::IssuerError;

pub(super) struct SigningKey {
    private: EncodingKey,
    public: Jwk,
    id: String,
}

impl SigningKey {
    pub(super) fn load_or_create(path: &Path) -> Result<Self, IssuerError> {
        let problem = |problem: String| IssuerError::Key { path: path.to_owned(), problem };
        let pkcs8 = match read(path) {
            Err(e) if e.kind() == ErrorKind::NotFound => {
                create(path).map_err(|e| problem(e.to_string()))?;
                read(path)
            }
            other => other,
        };
        let pkcs8 = pkcs8.map_err(|e| problem(e.to_string()))?;
        Self::from_pkcs8(&pkcs8).map_err(|e| problem(e.to_string()))
    }

    fn from_pkcs8(pkcs8: &[u8]) -> jsonwebtoken::errors::Result<Self> {
        let private = EncodingKey::from_ec_der(pkcs8);
        let mut public = Jwk::from_encoding_key(&private, Algorithm::ES256)?;
        let id = public.thumbprint(ThumbprintHash::SHA256)?;
        public.common.key_id = Some(id.clone());
        public.common.key_algorithm = Some(KeyAlgorithm::ES256);
        public.common.public_key_use = Some(PublicKeyUse::Signature);
        Ok(Self { private, public, id })
    }

    pub(super) fn public(&self) -> &Jwk {
        &self.public
    }

    /// `kind`: "at+jwt" or "JWT".
    pub(super) fn sign<T: Serialize>(&self, kind: &str, claims: &T) -> jsonwebtoken::errors::Result<String> {
        let mut header = Header::new(Algorithm::ES256);
        header.typ = Some(kind.to_owned());
        header.kid = Some(self.id.clone());
        jsonwebtoken::encode(&header, claims, &self.private)
    }
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mode = fs::metadata(path)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(std::io::Error::other(format!("others may read it (mode {:o}); it must be 600", mode & 0o777)));
    }
    fs::read(path)
}

/// Written aside and then linked, so that a crash leaves no half key and two processes get the same one.
fn create(path: &Path) -> std::io::Result<()> {
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
        .map_err(|_| std::io::Error::other("the random number generator failed"))?;
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    let aside = path.with_extension(format!("new-{}", std::process::id()));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&aside)?;
    file.write_all(pkcs8.as_ref())?;
    file.sync_all()?;
    let linked = fs::hard_link(&aside, path);
    fs::remove_file(&aside)?;
    match linked {
        Err(e) if e.kind() == ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}
