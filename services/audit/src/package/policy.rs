//! The trust policy of a package: that of its own epoch, and beside it the keys of all others, so that who has one package knows
//! every key that the log has had and where each ended.

use bytes::Bytes;
use muster_domain::{TenantId, pb::audit::v1::EpochOpened};
use muster_logstore::{LogFiles, LogStore, StoreError};
use muster_tlog::{
    Policy,
    policy::{LogKey, MAX_LOGS},
};

const FILE: &str = "policy";

pub(super) async fn of_epochs(
    store: &LogStore,
    tenant: &TenantId,
    epoch: &EpochOpened,
    epochs: &[&EpochOpened],
) -> Result<Bytes, StoreError> {
    let own = store.log(tenant, epoch.epoch).read(FILE).await?.unwrap_or_default();
    // What cannot be read is handed out as it is: a verifier says so.
    let Some(mut policy) = parse(&own) else { return Ok(own) };
    let (mut same_key, before) = (Vec::new(), policy.logs.len());
    for other in epochs.iter().filter(|other| other.epoch != epoch.epoch) {
        for log in keys(&store.log(tenant, other.epoch), other).await? {
            // A policy names a public key once; a promoted epoch goes on under the same one.
            if policy.logs.iter().any(|one| one.key.public_key() == log.key.public_key()) {
                same_key.push(format!("# epoch {} has the key {}\n", other.epoch, log.key));
            } else if policy.logs.len() < MAX_LOGS {
                policy.logs.push(log);
            }
        }
    }
    if same_key.is_empty() && policy.logs.len() == before {
        return Ok(own);
    }
    Ok(Bytes::from(format!("{policy}{}", same_key.concat())))
}

async fn keys(files: &LogFiles, epoch: &EpochOpened) -> Result<Vec<LogKey>, StoreError> {
    let policy = files.read(FILE).await?.and_then(|text| parse(&text));
    let opened = || epoch.verifier_key.parse().ok().map(|key| LogKey { key, url: None, ends_at: None });
    Ok(policy.map_or_else(|| opened().into_iter().collect(), |policy| policy.logs))
}

fn parse(text: &[u8]) -> Option<Policy> {
    str::from_utf8(text).ok()?.parse().ok()
}
