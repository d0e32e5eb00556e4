//! What a link carries. It is signed as it is written; no secret and no name is in it.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::pb::request::v1::IntentIssued;
use crate::time::from_pb;

/// Links of another version are not understood, and therefore refused.
const VERSION: u8 = 1;

/// The payload, as JSON with short names in this order: links are read by mail programs that break long lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    #[serde(rename = "v")]
    pub version: u8,
    #[serde(rename = "t")]
    pub tenant: String,
    #[serde(rename = "i")]
    pub intent_id: String,
    #[serde(rename = "r")]
    pub request_id: String,
    #[serde(rename = "h")]
    pub plan_hash: String,
    /// See [`person_digest`].
    #[serde(rename = "p")]
    pub person: String,
    /// Seconds since 1970.
    #[serde(rename = "e")]
    pub expires: i64,
    /// Not to be known from the other fields.
    #[serde(rename = "n")]
    pub nonce: String,
}

impl Claims {
    /// `None`: the record does not say when it ends, and a link without an end is not made.
    pub fn of(tenant: &str, issued: &IntentIssued, nonce: String) -> Option<Self> {
        Some(Self {
            version: VERSION,
            tenant: tenant.to_owned(),
            intent_id: issued.intent_id.clone(),
            request_id: issued.request_id.clone(),
            plan_hash: issued.plan_hash.clone(),
            person: person_digest(tenant, &issued.person),
            expires: from_pb(issued.expires_at.as_ref())?.as_second(),
            nonce,
        })
    }

    /// The bytes that are signed.
    pub fn encode(&self) -> Vec<u8> {
        // Of strings and numbers alone: it cannot fail.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads what was signed, and only in the one form that [`Claims::encode`] writes.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let claims: Self = serde_json::from_slice(bytes).ok()?;
        (claims.version == VERSION && claims.encode() == bytes).then_some(claims)
    }

    /// It is the link of this record: a signature alone opens nothing that is not in the log.
    pub fn fit(&self, issued: &IntentIssued) -> bool {
        Self::of(&self.tenant, issued, self.nonce.clone()).is_some_and(|of_record| of_record == *self)
    }
}

/// Links pass through mail servers and proxies, who need not learn the person's id from them.
pub fn person_digest(tenant: &str, person: &str) -> String {
    let mut hash = Sha256::new();
    for part in ["muster intent person", tenant, person] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
