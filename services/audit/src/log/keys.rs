//! The keys that logs are signed with: behind a trait, so that a key management service can take the directory's place.

use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::PathBuf,
    sync::Arc,
};

use aws_lc_rs::signature::Ed25519KeyPair;
use muster_domain::TenantId;
use muster_tlog::{Algorithm, Hash, SigningKey, SoftwareKey, VerifierKey};

use super::fault::Fault;

/// Where the signing keys of all logs are.
pub(crate) trait LogKeys: Send + Sync {
    /// Makes a new key that signs under this origin. It is kept before this returns.
    fn create(&self, tenant: &TenantId, origin: &str) -> Result<VerifierKey, Fault>;

    /// The private half of a key.
    fn open(&self, tenant: &TenantId, key: &VerifierKey) -> Result<Arc<dyn SigningKey>, Fault>;

    /// Removes a key that no event names: somebody else was faster.
    fn discard(&self, tenant: &TenantId, key: &VerifierKey);
}

/// Files in a directory, one PKCS#8 document (DER) for each key, readable by their owner alone: for development, and
/// where the machine's disk is guarded.
pub(crate) struct KeyDirectory(PathBuf);

impl KeyDirectory {
    pub(crate) fn new(directory: PathBuf) -> Self {
        Self(directory)
    }

    /// Named by the public key: the same key under a new origin is the same file.
    fn file(&self, tenant: &TenantId, key: &VerifierKey) -> PathBuf {
        let digest = Hash::of(key.public_key()).to_hex();
        self.0.join(tenant.as_str()).join(format!("log-{}.pk8", digest.get(..16).unwrap_or_default()))
    }

    fn write(&self, tenant: &TenantId, key: &VerifierKey, document: &[u8]) -> io::Result<()> {
        let file = self.file(tenant, key);
        let directory = self.0.join(tenant.as_str());
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&directory)?;
        let mut new = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
        new.write_all(document)?;
        new.sync_all()?;
        fs::File::open(directory)?.sync_all()
    }
}

impl LogKeys for KeyDirectory {
    fn create(&self, tenant: &TenantId, origin: &str) -> Result<VerifierKey, Fault> {
        let failed = |what: &str| Fault::Key(what.to_owned());
        let document = Ed25519KeyPair::generate_pkcs8(&aws_lc_rs::rand::SystemRandom::new());
        let document = document.map_err(|_| failed("the random number generator failed"))?;
        let key = SoftwareKey::from_pkcs8(origin, Algorithm::Ed25519, document.as_ref())?;
        let verifier = key.verifier().clone();
        self.write(tenant, &verifier, document.as_ref())
            .map_err(|error| failed(&format!("{}: {error}; check audit.keys", self.0.display())))?;
        Ok(verifier)
    }

    fn open(&self, tenant: &TenantId, key: &VerifierKey) -> Result<Arc<dyn SigningKey>, Fault> {
        let file = self.file(tenant, key);
        let document = fs::read(&file).map_err(|error| {
            Fault::Key(format!("{} for {key}: {error}; restore it from the backup of audit.keys", file.display()))
        })?;
        let found = SoftwareKey::from_pkcs8(key.name(), key.algorithm(), &document)?;
        if found.verifier() != key {
            return Err(Fault::Key(format!("{} is not the private half of {key}", file.display())));
        }
        Ok(Arc::new(found))
    }

    fn discard(&self, tenant: &TenantId, key: &VerifierKey) {
        if let Err(error) = fs::remove_file(self.file(tenant, key)) {
            tracing::warn!(%tenant, %key, %error, "a key that was never used is left over");
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_key_is_found_by_its_public_half_under_every_origin_and_by_nobody_else() {
        let directory = tempfile::tempdir().unwrap();
        let keys = KeyDirectory::new(directory.path().join("keys"));
        let (acme, globex) = ("acme".parse().unwrap(), "globex".parse().unwrap());
        let first = keys.create(&acme, "audit.example/one/record/1").unwrap();
        let signer = keys.open(&acme, &first).unwrap();
        assert!(first.verify(b"text", &signer.sign(b"text").unwrap()));

        let next = VerifierKey::new("audit.example/one/record/2", Algorithm::Ed25519, *first.public_key()).unwrap();
        assert_eq!(keys.open(&acme, &next).unwrap().verifier(), &next);
        assert!(keys.open(&globex, &first).err().unwrap().to_string().contains("backup of audit.keys"));

        let file = keys.file(&acme, &first);
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(file.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
        let other = keys.create(&acme, "audit.example/one/record/1").unwrap();
        fs::copy(keys.file(&acme, &other), &file).unwrap();
        assert!(keys.open(&acme, &first).err().unwrap().to_string().contains("not the private half"));
        keys.discard(&acme, &other);
        assert!(keys.open(&acme, &other).is_err());
    }
}
