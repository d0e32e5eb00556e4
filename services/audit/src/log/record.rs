//! What happens to the log is itself in the record it covers.

use muster_domain::{
    AggregateId, Refusal, TenantId,
    audit::AuditLog,
    ids::derived_id,
    pb::audit::v1::{AuditLogEvent, LogGapDetected, SplitDetected, audit_log_event::Event},
};
use muster_eventlog::Meta;
use muster_runtime::Context;

use super::fault::Fault;

/// The aggregate of what happens once in a log's life.
pub(crate) fn life() -> Result<AggregateId, Fault> {
    id(AuditLog::ID)
}

fn id(text: &str) -> Result<AggregateId, Fault> {
    text.parse().map_err(|error: muster_domain::ids::InvalidId| Fault::Log(error.to_string()))
}

pub(crate) async fn load(context: &Context, tenant: &TenantId) -> Result<AuditLog, Fault> {
    Ok(context.log.load::<AuditLog>(tenant, &life()?).await?.state)
}

/// Of an event by the log itself. `key` says what it is about: the same key is the same event, however often.
pub(crate) fn meta(context: &Context, tenant: &TenantId, key: &[&str]) -> Meta {
    let mut parts = vec!["transparency log", tenant.as_str()];
    parts.extend(key);
    let event_id = derived_id(&parts);
    context.service_meta("audit", event_id, event_id, None)
}

/// Decides on the log's life: the state after it.
pub(crate) async fn decide(
    context: &Context,
    tenant: &TenantId,
    meta: &Meta,
    decide: impl FnMut(&AuditLog) -> Result<Option<AuditLogEvent>, Refusal>,
) -> Result<AuditLog, Fault> {
    Ok(context.log.decide::<AuditLog, Refusal>(tenant, &life()?, meta, decide).await?.state)
}

/// Records what comes back again and again: heartbeats, anchors, alarms. Once for each key.
pub(crate) async fn note(context: &Context, tenant: &TenantId, key: &[&str], event: Event) -> Result<(), Fault> {
    let meta = meta(context, tenant, key);
    let month = id(&AuditLog::monthly(context.clock.now()))?;
    let event = AuditLogEvent { event: Some(event) };
    context.log.decide::<AuditLog, Refusal>(tenant, &month, &meta, |_| Ok(Some(event.clone()))).await?;
    Ok(())
}

/// Two trees were seen under the log's name: from here on its signer signs nothing.
pub(crate) async fn split(context: &Context, tenant: &TenantId, split: &SplitDetected) -> Result<(), Fault> {
    let ours = split.ours.as_ref().map(|ours| format!("{} {}", ours.origin, ours.size)).unwrap_or_default();
    let meta = meta(context, tenant, &["split", &ours, &split.seen_by, &split.text]);
    decide(context, tenant, &meta, |log| muster_domain::audit::log::detect_split(log, split)).await?;
    Ok(())
}

/// Sequences that the log accounts for and the stream does not have. Once for each range of an epoch.
pub(crate) async fn gap(context: &Context, tenant: &TenantId, origin: &str, gap: &LogGapDetected) -> Result<(), Fault> {
    let (first, last) = (gap.first_sequence.to_string(), gap.last_sequence.to_string());
    let meta = meta(context, tenant, &["gap", origin, &first, &last]);
    decide(context, tenant, &meta, |log| muster_domain::audit::log::detect_gap(log, gap)).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use super::*;

    #[test]
    fn the_ids_are_ids() {
        assert_eq!(life().unwrap().as_str(), "record");
        assert_eq!(id(&AuditLog::monthly(jiff::Timestamp::UNIX_EPOCH)).unwrap().as_str(), "record-1970-01");
    }
}
