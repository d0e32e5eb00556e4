//! The signatures of those who wrote the record, as far back as there are any: what was changed or dropped before a checkpoint
//! covered it shows here alone.

use muster_domain::TenantId;
use muster_eventlog::{EventLog, LogError, ProducerCheck};

use super::compare::{Finding, MAX_FINDINGS};

pub(super) async fn check(log: &EventLog, tenant: &TenantId) -> Result<Vec<Finding>, LogError> {
    let (mut check, mut follower) = (ProducerCheck::default(), log.raw(tenant, 0));
    while let Some(batch) = follower.next_until_caught_up().await? {
        batch.iter().for_each(|entry| check.take(entry));
    }
    Ok(check.findings().iter().take(MAX_FINDINGS).cloned().map(Finding::Signature).collect())
}
