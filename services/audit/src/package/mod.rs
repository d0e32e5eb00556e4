//! Packages of evidence that verify without Muster.
//!
//! A package is a list of files in a fixed order, a function of the log at one checkpoint and of the filter: the same
//! checkpoint always gives the same bytes. It is written as it is read, in constant memory.

mod documents;
mod dsse;
mod events;
mod key;
mod log_at;
mod policy;
mod select;
mod sink;

use std::{pin::Pin, time::Duration};

use futures::Stream;
use muster_domain::{
    TenantId,
    audit::{AuditLog, Export},
    pb::audit::v1::{
        EpochOpened, ExportCreated, ExportEvent, ExportFormat, ExportPackageRequest, ExportPackageResponse,
        export_event,
    },
    refusal::field_refusal,
};
use muster_eventlog::{Meta, wait_for};
use muster_runtime::{Call, Context, IntoStatus, refused, status::internal};
use muster_tlog::Checkpoint;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use crate::{
    filter::{self, Filter},
    format::FormatError,
    oscal::{PackageFile, Scope},
    projection,
    query::QueryError,
};
use documents::Documents;
use events::Counts;
pub(crate) use events::stored_event;
use key::{DocumentKey, KeyError};
use log_at::{Leaves, LogAt};
use select::Selection;
use sink::Sink;

/// Pieces between the reader of the log and the caller: it reads ahead by so much and no more.
const PIECES: usize = 8;
/// How long an export waits for the newest events to be published, and for the table to know them.
const WAIT_FOR_CHECKPOINT: Duration = Duration::from_secs(5);
const LOOK_AGAIN: Duration = Duration::from_millis(50);
const WAIT_FOR_TABLE: Duration = Duration::from_secs(25);
const README: &str = include_str!("README.md");

#[derive(Debug, thiserror::Error)]
pub(crate) enum PackageError {
    #[error("{}", .0.message())]
    Refused(Box<Status>),
    #[error("the caller went away")]
    Abandoned,
    #[error("a file was written that was not begun")]
    NoFile,
    #[error("the event {0} is not in the tree of this checkpoint")]
    NotInTree(u64),
    #[error("the log's file {0}: {1}; look at it with `muster audit fsck`")]
    Tile(String, String),
    #[error(transparent)]
    Store(#[from] muster_logstore::StoreError),
    #[error(transparent)]
    Log(#[from] muster_eventlog::LogError),
    #[error(transparent)]
    Query(#[from] QueryError),
    #[error(transparent)]
    Format(#[from] FormatError),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error("a document cannot be written or read: {0}")]
    Json(#[from] serde_json::Error),
    #[error("the manifest cannot be kept meanwhile: {0}")]
    Io(#[from] std::io::Error),
    #[error("the checkpoint cannot be read: {0}")]
    Note(#[from] muster_tlog::note::NoteError),
    #[error("the checkpoint cannot be read: {0}")]
    Checkpoint(#[from] muster_tlog::checkpoint::CheckpointError),
    #[error("a leaf cannot be read: {0}")]
    Leaf(#[from] muster_tlog::leaf::LeafError),
    #[error("a proof cannot be made: {0}")]
    Set(#[from] muster_tlog::tile_set::TileSetError),
    #[error("a proof cannot be made: {0}")]
    Proof(#[from] muster_tlog::merkle::ProofError),
    #[error("{0}")]
    Keys(String),
    #[error("a proof does not verify: {0}")]
    Wrong(#[from] muster_tlog::proof::TlogProofError),
}

impl From<PackageError> for Status {
    fn from(error: PackageError) -> Self {
        match error {
            PackageError::Refused(status) => *status,
            other => internal(&other),
        }
    }
}

pub type Pieces = Pin<Box<dyn Stream<Item = Result<ExportPackageResponse, Status>> + Send>>;

pub(crate) async fn export_package(context: &Context, call: Call<ExportPackageRequest>) -> Result<Pieces, Status> {
    let meta = call.meta("")?;
    evidence_package(context, call.tenant, meta, call.message).await
}

/// The pieces of a package of one tenant, for somebody who may have it. `meta` is of the event that will say so.
pub async fn evidence_package(
    context: &Context,
    tenant: TenantId,
    meta: Meta,
    asked: ExportPackageRequest,
) -> Result<Pieces, Status> {
    let filter = filter::check(asked.filter.as_ref()).map_err(|r| refused(&r))?;
    let keys = context.config.audit.keys.clone().ok_or_else(log_at::no_log)?;
    let key = DocumentKey::open(&keys, &tenant).map_err(PackageError::from)?;
    let log = newest_log(context, &tenant, &asked).await?;
    wait_for(&context.db, projection::NAME, &tenant, log.last_sequence(), WAIT_FOR_TABLE)
        .await
        .map_err(IntoStatus::into_status)?;
    let (to, pieces) = mpsc::channel(PIECES);
    let package = Package { context: context.clone(), tenant, meta, asked, filter, key, log };
    tokio::spawn(async move {
        if let Err(error) = package.write(to.clone()).await {
            if !matches!(error, PackageError::Abandoned) {
                tracing::error!(%error, "an evidence package could not be finished");
            }
            // Who has gone away is told nothing.
            let _ = to.send(Err(error.into())).await;
        }
    });
    Ok(Box::pin(ReceiverStream::new(pieces)))
}

/// The log at the newest published checkpoint, after a moment for what was just written to get into it.
async fn newest_log(context: &Context, tenant: &TenantId, asked: &ExportPackageRequest) -> Result<LogAt, PackageError> {
    let id = AuditLog::ID.parse().map_err(|_| log_at::no_log())?;
    let state = context.log.load::<AuditLog>(tenant, &id).await?.state;
    let present = state.epoch().ok_or_else(log_at::no_log)?;
    let epoch = match asked.epoch {
        0 => present,
        wanted => state.epochs.iter().find(|one| one.epoch == wanted).ok_or_else(|| no_epoch(wanted, present.epoch))?,
    };
    let origins: Vec<&EpochOpened> = state.epochs.iter().collect();
    if asked.checkpoint_size > 0 || epoch != present {
        return LogAt::open(context, tenant, epoch, &origins, asked.checkpoint_size).await;
    }
    let stream = context.log.record_stream_state(tenant).await?;
    let wanted = stream.map_or(0, |stream| stream.last_sequence).max(asked.min_version);
    let deadline = tokio::time::Instant::now() + WAIT_FOR_CHECKPOINT;
    loop {
        let log = LogAt::open(context, tenant, epoch, &origins, 0).await;
        let covers = log.as_ref().is_ok_and(|log| log.last_sequence() >= wanted);
        // A log that waits for its witnesses is exported as far as they have seen it.
        if covers || tokio::time::Instant::now() > deadline {
            return log;
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

fn no_epoch(wanted: u32, present: u32) -> PackageError {
    PackageError::Refused(Box::new(refused(&field_refusal(
        "epoch",
        "FIELD_INVALID",
        "a package is of one epoch of the log",
        wanted.to_string(),
        format!("1 to {present}"),
        "`muster audit log` lists the epochs; leave it out for the present one",
    ))))
}

struct Package {
    context: Context,
    tenant: TenantId,
    /// Of the event that records the export.
    meta: Meta,
    asked: ExportPackageRequest,
    filter: Filter,
    key: DocumentKey,
    log: LogAt,
}

impl Package {
    fn has(&self, format: ExportFormat) -> bool {
        self.asked.formats.is_empty() || self.asked.formats().any(|one| one == format)
    }

    /// The files in their order; then the export is itself an event, with the digest of its manifest.
    async fn write(&self, to: mpsc::Sender<Result<ExportPackageResponse, Status>>) -> Result<(), PackageError> {
        let mut sink = Sink::new(to)?;
        let (log, selection) = (&self.log, self.selection());
        sink.file("README.md", README.as_bytes()).await?;
        sink.file("checkpoint", &log.note).await?;
        sink.file("policy", &log.policy).await?;
        for (path, content) in log.key_changes(&self.context.log, &self.tenant).await? {
            sink.file(&path, &content).await?;
        }
        sink.file("package-key.pem", self.key.public_pem().as_bytes()).await?;
        leaves(&mut sink, log).await?;
        for tile in log.tiles() {
            sink.file(&tile.path(), &log.tile(tile).await?).await?;
        }
        let (events, counts) = events::json_lines(&mut sink, log, &self.context.log, &selection).await?;
        if self.has(ExportFormat::Csv) {
            events::csv(&mut sink, log, &selection).await?;
        }
        if self.has(ExportFormat::Oscal) {
            let scope = self.scope(&events.sha256).await?;
            let mut documents = Documents {
                sink: &mut sink,
                log,
                selection: &selection,
                scope: &scope,
                key: &self.key,
                proven: Vec::new(),
            };
            documents.write_all().await?;
        }
        let manifest = sink.manifest("manifest.json", &self.about(&counts)).await?;
        let signed = dsse::of_file(&self.key, "manifest.json", &manifest.sha256)?;
        sink.last("manifest.dsse.json", &signed).await?;
        self.record(&manifest.sha256).await?;
        sink.close().await
    }

    fn selection(&self) -> Selection<'_> {
        Selection {
            db: &self.context.db,
            tenant: &self.tenant,
            filter: &self.filter,
            first: self.log.first_sequence,
            last: self.log.last_sequence(),
        }
    }

    /// What all documents have in common. The opaque id in the origin names the tenant; its people's name for it is shown.
    async fn scope(&self, events_sha256: &str) -> Result<Scope, PackageError> {
        let Checkpoint { origin, size, root, .. } = &self.log.checkpoint;
        let tenant = origin.rsplit('/').nth(2).unwrap_or_else(|| self.tenant.as_str()).to_owned();
        let files = vec![
            PackageFile::whole(
                "checkpoint".into(),
                format!("Signed checkpoint at size {size}"),
                "evidence",
                self.log.note.to_vec(),
            ),
            PackageFile::whole(
                "policy".into(),
                "Trust policy: keys, witnesses, quorum".into(),
                "artifact",
                self.log.policy.to_vec(),
            ),
            PackageFile {
                path: "events.jsonl".into(),
                title: "The selected events with their stored bytes".into(),
                media_type: "application/jsonl",
                kind: "raw-data",
                sha256: events_sha256.to_owned(),
                content: None,
            },
        ];
        Ok(Scope {
            organization: self.tenant.to_string(),
            tenant,
            origin: origin.clone(),
            stream: AuditLog::ID.to_owned(),
            size: *size,
            root: root.to_hex(),
            files,
        })
    }

    /// The head of the manifest. Nothing in it says when or by whom it was made: the same checkpoint gives the same bytes.
    fn about(&self, counts: &Counts) -> serde_json::Value {
        let Checkpoint { origin, size, root, .. } = &self.log.checkpoint;
        let formats = [(ExportFormat::Json, "json"), (ExportFormat::Csv, "csv"), (ExportFormat::Oscal, "oscal")];
        let held = formats.iter().filter(|(format, _)| *format == ExportFormat::Json || self.has(*format));
        serde_json::json!({
            "format": "muster-evidence-package/v1",
            "tenant": self.tenant.as_str(),
            "log": {
                "origin": origin,
                "epoch": self.log.epoch,
                "size": size,
                "root": root.to_hex(),
                "first_sequence": self.log.first_sequence,
                "last_sequence": self.log.last_sequence(),
            },
            "filter": self.asked.filter.clone().unwrap_or_default(),
            "formats": held.map(|(_, name)| *name).collect::<Vec<_>>(),
            "events": counts.values().sum::<u64>(),
            "events_by_type": counts,
            "completeness": "leaves.txt holds every leaf of the log up to this checkpoint: it leads to the signed root, and shows by subject and time what a filter left out",
            "csv_cells": "a cell that would begin with = + - @, a tab or a carriage return has an apostrophe in front, so that no spreadsheet runs it",
        })
    }

    async fn record(&self, manifest_sha256: &str) -> Result<(), PackageError> {
        let export_id = self.context.clock.new_id();
        let created = ExportCreated {
            export_id: export_id.to_string(),
            format: "package".into(),
            filter: self.asked.filter.clone(),
            checkpoint_size: self.log.size(),
            manifest_sha256: manifest_sha256.to_owned(),
        };
        let event = ExportEvent { event: Some(export_event::Event::Created(created)) };
        let appended = self.context.log.append::<Export>(&self.tenant, &export_id.into(), 1, &self.meta, &event).await;
        appended.map(drop).map_err(|error| PackageError::Refused(Box::new(error.into_status())))
    }
}

/// `leaves.txt`: the texts of all leaves with an empty line between two.
async fn leaves(sink: &mut Sink, log: &LogAt) -> Result<(), PackageError> {
    sink.begin("leaves.txt");
    let mut leaves = Leaves::new(log);
    for index in 0..log.size() {
        if index > 0 {
            sink.write(b"\n").await?;
        }
        sink.write(leaves.at(index).await?).await?;
    }
    sink.end().await.map(drop)
}
