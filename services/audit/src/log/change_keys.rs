//! Keys change hands: rotation with both keys for a month, revocation with a new epoch. The signer reads of it in the record.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use muster_domain::{
    Refusal,
    audit::{
        AuditLog,
        log::{revoke_key, rotate_key},
    },
    pb::audit::v1::{self as pb, CheckpointRef, LogKeyRevoked},
    refusal::field_refusal,
    time::to_pb,
};
use muster_logstore::LogFiles;
use muster_runtime::{Call, Context, refused};
use tonic::Status;

use super::{
    epoch,
    fault::Fault,
    keys::{KeyDirectory, LogKeys},
    parts::Parts,
    proofs::Proofs,
    record,
    rpc::{begun, into_status, store},
    signer::SignerState,
};

/// Both keys sign so long, so that nobody has to take over the new one on a certain day.
const BOTH_SIGN: SignedDuration = SignedDuration::from_hours(30 * 24);
const MAX_REASON_CHARS: usize = 1000;

pub(crate) async fn rotate_log_key(
    context: &Context,
    call: Call<pb::RotateLogKeyRequest>,
) -> Result<pb::RotateLogKeyResponse, Status> {
    store(context)?;
    let keys = key_directory(context)?;
    check_reason(&call.message.reason).map_err(|refusal| refused(&refusal))?;
    let log = begun(context, &call.tenant).await?;
    let opened = log.epoch().cloned().unwrap_or_default();
    let old_until = call.now.saturating_add(BOTH_SIGN).unwrap_or(Timestamp::MAX);
    let reason = call.message.reason.as_str();
    // Asked before a key is made.
    if let Err(refusal) = rotate_key(&log, "new", old_until, reason, call.now) {
        return Err(context.deny(&call, &refusal, "", "").await);
    }
    let new = keys.create(&call.tenant, &opened.origin).map_err(|fault| into_status(&fault))?;
    let text = new.to_string();
    let meta = call.meta("")?;
    let decide = |log: &AuditLog| rotate_key(log, &text, old_until, reason, call.now);
    match record::decide(context, &call.tenant, &meta, decide).await {
        Ok(_) => Ok(pb::RotateLogKeyResponse { verifier_key: text, old_until: Some(to_pb(old_until)) }),
        Err(Fault::Refused(refusal)) => {
            keys.discard(&call.tenant, &new);
            Err(context.deny(&call, &refusal, "", "").await)
        }
        Err(fault) => Err(into_status(&fault)),
    }
}

pub(crate) async fn revoke_log_key(
    context: &Context,
    call: Call<pb::RevokeLogKeyRequest>,
) -> Result<pb::RevokeLogKeyResponse, Status> {
    let store = store(context)?;
    check_reason(&call.message.reason).map_err(|refusal| refused(&refusal))?;
    let log = begun(context, &call.tenant).await?;
    let opened = log.epoch().cloned().unwrap_or_default();
    let files = store.log(&call.tenant, opened.epoch);
    let last_good = last_good(&files, &opened.origin, call.message.last_good_size).await?;
    let revoked = LogKeyRevoked {
        verifier_key: call.message.verifier_key.clone(),
        last_good: Some(last_good),
        reason: call.message.reason.clone(),
    };
    let meta = call.meta("")?;
    match record::decide(context, &call.tenant, &meta, |log| revoke_key(log, &revoked)).await {
        Ok(log) => {
            // Its signer opens the epoch as well; whoever is first.
            let parts = parts(context)?;
            let log = epoch::ensure(&parts, &call.tenant, log).await.map_err(|fault| into_status(&fault))?;
            let opened = log.epoch().cloned().unwrap_or_default();
            Ok(pb::RevokeLogKeyResponse { origin: opened.origin, verifier_key: opened.verifier_key })
        }
        Err(Fault::Refused(refusal)) => Err(context.deny(&call, &refusal, "", "").await),
        Err(fault) => Err(into_status(&fault)),
    }
}

/// The checkpoint at that size, by the log's own tiles. Nothing is trusted that was never signed.
async fn last_good(files: &LogFiles, origin: &str, size: u64) -> Result<CheckpointRef, Status> {
    let state = SignerState::read(files).await.map_err(|fault| into_status(&fault))?;
    let signed = state.map_or(0, |state| state.size);
    if size == 0 || size > signed {
        return Err(refused(&field_refusal(
            "last_good_size",
            "FIELD_INVALID",
            "the last good size is one that was signed",
            size.to_string(),
            format!("1 to {signed}"),
            "take the size of a checkpoint that a witness or an auditor keeps",
        )));
    }
    let root = Proofs::new(files.clone()).root(size, signed).await;
    let root = root.map_err(|error| Status::data_loss(error.to_string()))?;
    Ok(CheckpointRef { origin: origin.to_owned(), size, root: root.to_hex() })
}

fn check_reason(reason: &str) -> Result<(), Refusal> {
    let length = reason.trim().chars().count();
    if (1..=MAX_REASON_CHARS).contains(&length) {
        return Ok(());
    }
    Err(field_refusal(
        "reason",
        "FIELD_INVALID",
        "why a key changes is part of the record",
        format!("{length} characters"),
        format!("1 to {MAX_REASON_CHARS}"),
        "give the reason",
    ))
}

fn key_directory(context: &Context) -> Result<Arc<dyn LogKeys>, Status> {
    let directory = context.config.audit.keys.clone();
    let missing = || Status::failed_precondition("this process has no audit.keys; ask the one that signs");
    Ok(Arc::new(KeyDirectory::new(directory.ok_or_else(missing)?)))
}

fn parts(context: &Context) -> Result<Parts, Status> {
    let missing = || Status::failed_precondition("this process has no audit.keys; ask the one that signs");
    Parts::open(context).map_err(Status::failed_precondition)?.ok_or_else(missing)
}
