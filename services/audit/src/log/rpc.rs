//! The log as its readers ask for it. Every audit process answers from the store, whoever signs.

use muster_domain::{Refusal, TenantId, audit::AuditLog, pb::audit::v1 as pb, refusal::field_refusal};
use muster_logstore::{LogFiles, LogStore, StoreError};
use muster_runtime::{Call, Context, IntoStatus, refused, status::internal, unavailable};
use muster_tlog::{Tile, verify::package::KEY_CHANGES};
use tonic::Status;

use super::{fault::Fault, key_changes, policy, publish, record, status::Status as LogStatus};

/// The store, or the refusal that says that no log is kept.
pub(crate) fn store(context: &Context) -> Result<&LogStore, Status> {
    context.log_store.as_ref().ok_or_else(|| {
        refused(&muster_domain::refusal::refusal(
            "LOG_NOT_KEPT",
            "this installation keeps no transparency log",
            "audit.store is not set",
            "a directory or s3://bucket/prefix",
            "ask its operator to set audit.store and audit.keys (docs/transparency-log.md)",
        ))
    })
}

pub(crate) fn store_away(error: &StoreError) -> Status {
    tracing::warn!(%error, "the store of the transparency logs cannot be read");
    unavailable("the store of the transparency logs", "ask again; if it stays so, look at audit.store")
}

pub(crate) fn into_status(fault: &Fault) -> Status {
    match fault {
        Fault::Refused(refusal) => refused(refusal),
        Fault::Store(error) => store_away(error),
        Fault::Log(_) | Fault::OtherSigner | Fault::NewEpoch => {
            tracing::warn!(%fault, "the transparency log cannot answer");
            unavailable("the transparency log", "ask again in a moment")
        }
        fault => {
            tracing::error!(%fault, "the transparency log cannot answer");
            Status::data_loss(format!("{fault}"))
        }
    }
}

/// The log as its events have it, with at least one epoch.
pub(crate) async fn begun(context: &Context, tenant: &TenantId) -> Result<AuditLog, Status> {
    let log = record::load(context, tenant).await.map_err(|fault| into_status(&fault))?;
    match log.epoch() {
        Some(_) => Ok(log),
        None => Err(unavailable("the transparency log", "it begins within seconds of the tenant; ask again")),
    }
}

pub(crate) async fn get_log(context: &Context, call: Call<pb::GetLogRequest>) -> Result<pb::GetLogResponse, Status> {
    let store = store(context)?;
    let log = begun(context, &call.tenant).await?;
    let opened = log.epoch().cloned().unwrap_or_default();
    let files = store.log(&call.tenant, opened.epoch);
    let status = LogStatus::read(&files).await;
    let stopped = log.stopped.as_ref().map(|stopped| stopped.text()).unwrap_or(status.stopped);
    Ok(pb::GetLogResponse {
        origin: opened.origin,
        epoch: opened.epoch,
        verifier_keys: log.keys.iter().map(|key| key.verifier_key.clone()).collect(),
        checkpoint: text(&files, publish::CHECKPOINT).await?,
        pending: text(&files, publish::PENDING).await?,
        policy: text(&files, policy::FILE).await?,
        witnesses: status.witnesses.into_iter().map(Into::into).collect(),
        stream_sequence: context.log.last_sequence(&call.tenant).await.map_err(IntoStatus::into_status)?,
        stopped,
        epochs: log.epochs,
    })
}

async fn text(files: &LogFiles, file: &str) -> Result<String, Status> {
    let content = files.read(file).await.map_err(|error| store_away(&error))?.unwrap_or_default();
    String::from_utf8(content.to_vec()).map_err(|_| Status::data_loss(format!("{file} of the log is not text")))
}

/// Only what the log consists of: nothing else that lies in its folder.
fn is_public(path: &str) -> bool {
    [publish::CHECKPOINT, publish::PENDING, policy::FILE, KEY_CHANGES].contains(&path)
        || path.parse::<Tile>().is_ok()
        || key_changes::is_last_of_a_key(path)
}

pub(crate) async fn read_log_file(
    context: &Context,
    call: Call<pb::ReadLogFileRequest>,
) -> Result<pb::ReadLogFileResponse, Status> {
    let (store, ask) = (store(context)?, &call.message);
    if !is_public(&ask.path) {
        return Err(refused(&unknown_file(&ask.path)));
    }
    let log = begun(context, &call.tenant).await?;
    let epoch = match ask.epoch {
        0 => log.epoch().map_or(0, |epoch| epoch.epoch),
        epoch => epoch,
    };
    if ask.path == KEY_CHANGES {
        // Not a file of the store: the record has them.
        let opened = log.epochs.iter().find(|opened| opened.epoch == epoch).cloned().unwrap_or_default();
        let events = key_changes::of_epoch(&context.log, &call.tenant, &opened.origin).await;
        let content = key_changes::lines(&events.map_err(|fault| into_status(&fault))?);
        return Ok(pb::ReadLogFileResponse { content: content.map_err(|error| internal(&error))? });
    }
    let content = store.log(&call.tenant, epoch).read(&ask.path).await.map_err(|error| store_away(&error))?;
    match content {
        Some(content) => Ok(pb::ReadLogFileResponse { content: content.to_vec() }),
        None => Err(Status::not_found(format!(
            "epoch {epoch} of the log has no file {}; partial tiles are there for the sizes of its checkpoints",
            ask.path
        ))),
    }
}

fn unknown_file(path: &str) -> Refusal {
    field_refusal(
        "path",
        "LOG_FILE_UNKNOWN",
        "a log has the files of C2SP tlog-tiles",
        path.chars().take(120).collect::<String>(),
        "checkpoint, checkpoint.pending, checkpoint.last.<key id>, key-changes.jsonl, policy, \
         tile/<level>/<index>[.p/<width>], tile/entries/<index>[.p/<width>]",
        "name one of these",
    )
}

#[cfg(test)]
mod tests {
    use super::is_public;

    #[test]
    fn a_reader_gets_the_files_of_the_log_and_nothing_else() {
        for path in [
            "checkpoint",
            "checkpoint.pending",
            "policy",
            "tile/0/000",
            "tile/entries/x001/234.p/56",
            "key-changes.jsonl",
        ] {
            assert!(is_public(path), "{path}");
        }
        for path in [
            "",
            "signer",
            "status",
            "signer.lock",
            "../2/checkpoint",
            "tile/0/../../signer",
            "tile/0/0",
            "tile/9/000",
            "tile/0/000.p/256",
            "/checkpoint",
            "anchor/worm/newest.json",
        ] {
            assert!(!is_public(path), "{path}");
        }
    }
}
