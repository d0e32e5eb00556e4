//! Beginnings: the installation's domain, a log's first epoch, and the next one after a promotion or a revoked key.

use muster_domain::{
    TenantId,
    audit::{
        AuditDomain, AuditLog, Stopped,
        log::{open_epoch, set_domain},
    },
    pb::audit::v1::{CheckpointRef, EpochOpened},
};
use muster_tlog::{Algorithm, VerifierKey};

use super::{fault::Fault, parts::Parts, record};

/// Why an epoch begins, as its event says it.
pub(crate) const FIRST: &str = "first";
pub(crate) const PROMOTED: &str = "promoted";
pub(crate) const REVOKED: &str = "key revoked";

/// The tenant's log as the events have it, with an epoch that may be written: opens the first one, or the one that
/// follows a revoked key.
pub(crate) async fn ensure(parts: &Parts, tenant: &TenantId, log: AuditLog) -> Result<AuditLog, Fault> {
    match (&log.stopped, log.epoch()) {
        (_, None) => {
            let next = Next { epoch: 1, reason: FIRST, first_sequence: 1, previous: None };
            open(parts, tenant, &log, next).await
        }
        (Some(Stopped::KeyRevoked(_)), Some(epoch)) => {
            let (first_sequence, previous) = (epoch.first_sequence, log.last_good().cloned());
            let next = Next { epoch: epoch.epoch + 1, reason: REVOKED, first_sequence, previous };
            open(parts, tenant, &log, next).await
        }
        _ => Ok(log),
    }
}

/// How the next epoch differs from the one before.
pub(crate) struct Next {
    pub(crate) epoch: u32,
    pub(crate) reason: &'static str,
    pub(crate) first_sequence: u64,
    pub(crate) previous: Option<CheckpointRef>,
}

/// Opens an epoch. Somebody else who does the same at the same time is as good.
pub(crate) async fn open(parts: &Parts, tenant: &TenantId, log: &AuditLog, next: Next) -> Result<AuditLog, Fault> {
    let epoch = next.epoch;
    let origin = origin(parts, log, &next).await?;
    let (key, is_new) = key(parts, tenant, log, &origin, next.reason)?;
    let opened = EpochOpened {
        origin,
        epoch,
        first_sequence: next.first_sequence,
        verifier_key: key.to_string(),
        previous: next.previous,
        reason: next.reason.to_owned(),
    };
    let meta = record::meta(&parts.context, tenant, &["epoch", &opened.verifier_key]);
    let state = record::decide(&parts.context, tenant, &meta, |log| open_epoch(log, &opened)).await?;
    let ours = state.epochs.iter().any(|one| one.verifier_key == opened.verifier_key);
    if !ours && is_new {
        parts.keys.discard(tenant, &key);
    }
    if ours {
        tracing::info!(%tenant, origin = opened.origin, key = opened.verifier_key, reason = next.reason, "the transparency log opens an epoch");
    }
    Ok(state)
}

/// `<audit domain>/<the tenant's opaque id>/record/<epoch>`: no customer's name, which witnesses would see.
async fn origin(parts: &Parts, log: &AuditLog, next: &Next) -> Result<String, Fault> {
    let epoch = next.epoch;
    let before = next.previous.as_ref().map(|old| &old.origin).or(log.epoch().map(|last| &last.origin));
    if let Some((same, _)) = before.and_then(|before| before.rsplit_once('/')) {
        return Ok(format!("{same}/{epoch}"));
    }
    let domain = domain(parts).await?;
    Ok(format!("{domain}/{}/{}/{epoch}", parts.context.clock.new_id().simple(), AuditLog::ID))
}

/// The first part of every origin of this installation: what the first process of all was told, or a UUID.
async fn domain(parts: &Parts) -> Result<String, Fault> {
    let context = &parts.context;
    let wished = context.config.audit.domain.clone();
    let wished = wished.unwrap_or_else(|| context.clock.new_id().to_string());
    let id = AuditDomain::ID.parse().map_err(|error: muster_domain::ids::InvalidId| Fault::Log(error.to_string()))?;
    let operating = TenantId::operating();
    let meta = context.service_meta("audit", context.clock.new_id(), context.clock.new_id(), None);
    let decided = context
        .log
        .decide::<AuditDomain, muster_domain::Refusal>(&operating, &id, &meta, |state| Ok(set_domain(state, &wished)))
        .await?;
    let domain = decided.state.domain.unwrap_or(wished);
    if context.config.audit.domain.as_ref().is_some_and(|configured| *configured != domain) {
        tracing::warn!(domain, "audit.domain was fixed at the first start and stays as it was");
    }
    Ok(domain)
}

/// A promoted stream goes on under the key that its readers know; everything else begins with a new one.
fn key(
    parts: &Parts,
    tenant: &TenantId,
    log: &AuditLog,
    origin: &str,
    reason: &str,
) -> Result<(VerifierKey, bool), Fault> {
    let known = log.keys.iter().rev().find(|key| key.signs_at(parts.context.clock.now()));
    if let Some(known) = known.filter(|_| reason == PROMOTED) {
        let known: VerifierKey = known.verifier_key.parse()?;
        if parts.keys.open(tenant, &known).is_ok() {
            return Ok((VerifierKey::new(origin, Algorithm::Ed25519, *known.public_key())?, false));
        }
    }
    Ok((parts.keys.create(tenant, origin)?, true))
}
