//! The end of a tenant's content: what the keyring does about it. What is recorded before and after, and who may ask for it,
//! is the audit service's.

use muster_domain::TenantId;

use crate::{
    EventLog, LogError,
    error::of_keyring,
    keyring::{Destruction, KeyId},
};

impl EventLog {
    /// The key that the tenant's payloads are or were encrypted under. `None`: they are stored in clear.
    pub async fn payload_key(&self, tenant: &TenantId) -> Result<Option<KeyId>, LogError> {
        let Some(custody) = self.custody() else { return Ok(None) };
        Ok(custody.readable(self, tenant).await?.map(|usable| usable.key_id()))
    }

    /// Destroys the key, for ever. Again: the same receipt.
    pub async fn shred(&self, tenant: &TenantId, key_id: KeyId) -> Result<Destruction, LogError> {
        let Some(custody) = self.custody() else {
            let why = "this process has no keyring; set audit.payload_keys".to_owned();
            return Err(LogError::KeyUnavailable { tenant: tenant.clone(), why });
        };
        let destroyed = custody.keyring().destroy(tenant, key_id).await;
        custody.forget(tenant);
        destroyed.map_err(|error| of_keyring(tenant, error))
    }
}
