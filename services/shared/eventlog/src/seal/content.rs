//! From stored bytes to an event's content: the one place where it happens, for every reader.

use std::collections::BTreeMap;

use bytes::Bytes;
use muster_domain::TenantId;

use super::{Content, SealError, Usable, open, sealed_under};
use crate::{
    EventLog, LogError,
    keyring::{DataKey, KeyId, Keyring, KeyringError, Salt},
    wire::Stored,
};

/// What became of one entry's payload.
pub(crate) enum Opened {
    Clear(Bytes),
    Sealed(Content),
    /// Its key is destroyed: nobody can read it any more.
    Destroyed(KeyId),
    /// Not readable now; waiting can help.
    Unavailable(String),
    /// Changed after it was written, or never written by us.
    Broken(String),
}

/// A sealed entry that waits for its data key.
struct Sealed {
    index: usize,
    key_id: KeyId,
    salt: Salt,
}

/// Opens entries, in order. The tenant is the one their subject names.
pub(crate) async fn open_all(log: &EventLog, batch: &[Stored]) -> Vec<Opened> {
    let mut opened: Vec<Opened> = batch.iter().map(|stored| Opened::Clear(stored.payload.clone())).collect();
    let mut sealed: BTreeMap<TenantId, Vec<Sealed>> = BTreeMap::new();
    for (index, stored) in batch.iter().enumerate() {
        let Some(under) = sealed_under(&stored.headers) else { continue };
        match (under, log.names().parse_event(&stored.subject)) {
            (Ok((key_id, salt)), Some(address)) => {
                sealed.entry(address.tenant).or_default().push(Sealed { index, key_id, salt });
            }
            (Err(error), _) => opened[index] = Opened::Broken(error.to_string()),
            // It is no event, and who reads it will say so.
            (Ok(_), None) => {}
        }
    }
    for (tenant, entries) in sealed {
        open_of_tenant(log, &tenant, &entries, batch, &mut opened).await;
    }
    opened
}

async fn open_of_tenant(
    log: &EventLog,
    tenant: &TenantId,
    entries: &[Sealed],
    batch: &[Stored],
    opened: &mut [Opened],
) {
    let (own, foreign) = match usable(log, tenant).await {
        Ok((usable, keyring)) => {
            let (own, foreign): (Vec<_>, Vec<_>) = entries.iter().partition(|entry| entry.key_id == usable.key_id());
            match usable {
                Usable::Destroyed(key_id) => {
                    own.iter().for_each(|entry| opened[entry.index] = Opened::Destroyed(key_id));
                }
                Usable::Key(key_id) => {
                    let salts: Vec<Salt> = own.iter().map(|entry| entry.salt).collect();
                    let keys = keyring.derive(tenant, key_id, &salts).await;
                    put(log, &own, keys, batch, opened);
                }
            }
            (own, foreign)
        }
        Err(why) => {
            entries.iter().for_each(|entry| opened[entry.index] = Opened::Unavailable(why.clone()));
            return;
        }
    };
    debug_assert_eq!(own.len() + foreign.len(), entries.len());
    for entry in foreign {
        let why = format!("sealed under {}, which was never the key of {tenant}", entry.key_id);
        opened[entry.index] = Opened::Broken(why);
    }
}

async fn usable<'l>(log: &'l EventLog, tenant: &TenantId) -> Result<(Usable, &'l dyn Keyring), String> {
    let Some(custody) = log.custody() else {
        return Err("payloads are encrypted, and this process has no keyring; set audit.payload_keys".to_owned());
    };
    match custody.readable(log, tenant).await {
        Ok(Some(usable)) => Ok((usable, custody.keyring().as_ref())),
        Ok(None) => Err(format!("the keyring has no key of {tenant}; restore the keyring that had it")),
        Err(error) => Err(error.to_string()),
    }
}

fn put(
    log: &EventLog,
    entries: &[&Sealed],
    keys: Result<Vec<DataKey>, KeyringError>,
    batch: &[Stored],
    opened: &mut [Opened],
) {
    match keys {
        Ok(keys) => {
            for (entry, key) in entries.iter().zip(&keys) {
                let stored = &batch[entry.index];
                let subject = log.names().own(&stored.subject).unwrap_or(&stored.subject);
                opened[entry.index] = match open(subject, &stored.headers, key, &stored.payload) {
                    Ok(content) => Opened::Sealed(content),
                    Err(error @ SealError::Crypto(_)) => Opened::Unavailable(error.to_string()),
                    Err(error) => Opened::Broken(error.to_string()),
                };
            }
        }
        Err(KeyringError::Destroyed { key_id, .. }) => {
            entries.iter().for_each(|entry| opened[entry.index] = Opened::Destroyed(key_id));
        }
        Err(error) => {
            let why = error.to_string();
            entries.iter().for_each(|entry| opened[entry.index] = Opened::Unavailable(why.clone()));
        }
    }
}

impl Opened {
    /// Why it cannot be read now.
    pub(crate) fn unavailable(&self) -> Option<&str> {
        match self {
            Self::Unavailable(why) => Some(why),
            Self::Clear(_) | Self::Sealed(_) | Self::Destroyed(_) | Self::Broken(_) => None,
        }
    }

    /// The payload, for a reader that has no use for anything else.
    pub(crate) fn into_payload(
        self,
        unreadable: impl Fn(String) -> LogError,
        tenant: &TenantId,
    ) -> Result<Bytes, LogError> {
        match self {
            Self::Clear(payload) | Self::Sealed(Content { payload, .. }) => Ok(payload),
            Self::Destroyed(key_id) => Err(LogError::KeyDestroyed { tenant: tenant.clone(), key_id }),
            Self::Unavailable(why) => Err(LogError::KeyUnavailable { tenant: tenant.clone(), why }),
            Self::Broken(why) => Err(unreadable(why)),
        }
    }
}
