//! The tenants' payload keys, behind a trait that hands out no tenant key.
//!
//! What an event is encrypted under is its own data key, derived from the tenant's key and the event's salt inside the
//! keyring. A file can do that, and so can a KMS that never lets a key out (Vault transit: an HMAC of the salt). There is
//! no "wrap": a data key that can be derived again from what stands in the event's headers need not be kept anywhere.

mod file;
#[cfg(test)]
mod tests;

use std::fmt;

use async_trait::async_trait;
use muster_domain::TenantId;
use secrecy::{ExposeSecret, SecretBox};
use uuid::Uuid;

pub use file::FileKeyring;

/// Random bytes that stand in an event's headers: never used for two events.
pub type Salt = [u8; 32];

/// Names a tenant's key for ever, also after its destruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(pub Uuid);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

/// What one event is encrypted under. Whoever gets it can read this event and no other.
pub struct DataKey(SecretBox<[u8; 32]>);

impl DataKey {
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(SecretBox::new(Box::new(bytes)))
    }

    pub(crate) fn expose(&self) -> &[u8; 32] {
        self.0.expose_secret()
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey")
    }
}

/// What the keyring knows of a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TenantKey {
    /// It never had a key here.
    None,
    Present(KeyId),
    Destroyed(Destruction),
}

/// A key's end, as the keyring attests it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destruction {
    pub key_id: KeyId,
    /// What the keyring says about it, for the record.
    pub receipt: String,
}

#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// Asking later can help.
    #[error("the keyring cannot be used ({doing} {what}): {why}; look at audit.payload_keys")]
    Unavailable { doing: &'static str, what: String, why: String },
    /// The tenant's key is another one, or there is none.
    #[error("the keyring has no key {key_id} for tenant {tenant}; restore the keyring that had it")]
    Unknown { tenant: TenantId, key_id: KeyId },
    #[error("the key {key_id} of tenant {tenant} is destroyed")]
    Destroyed { tenant: TenantId, key_id: KeyId },
}

/// Where tenants' keys are. One key a tenant, for ever: a destroyed one has no successor.
#[async_trait]
pub trait Keyring: fmt::Debug + Send + Sync + 'static {
    /// "file", "vault-transit": for the record.
    fn name(&self) -> &'static str;

    /// Asked before each use, so that a destruction elsewhere is noticed: has to be quick.
    async fn find(&self, tenant: &TenantId) -> Result<TenantKey, KeyringError>;

    /// Makes the tenant's key. Of several callers, in any number of processes, one makes it and all get that one.
    async fn create(&self, tenant: &TenantId) -> Result<TenantKey, KeyringError>;

    /// The data keys of these salts, in order. A keyring may never give another key for the same salt.
    async fn derive(&self, tenant: &TenantId, key: KeyId, salts: &[Salt]) -> Result<Vec<DataKey>, KeyringError>;

    /// Destroys the key so that nobody can bring it back from this keyring. Again: the same receipt.
    async fn destroy(&self, tenant: &TenantId, key: KeyId) -> Result<Destruction, KeyringError>;
}
