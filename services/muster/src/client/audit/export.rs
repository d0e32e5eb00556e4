//! `muster audit export`: a plain list, or a package of evidence that verifies without Muster.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use clap::{Args, ValueEnum};
use muster_domain::pb::audit::v1::{ExportEventsRequest, ExportFormat, ExportPackageRequest};

use super::{
    FilterArgs, filter,
    package::{PackageWriter, progress},
};
use crate::client::{error::CliError, output::Screen, session::Session};

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    filter: FilterArgs,
    /// json: one object a line. csv: with a heading (RFC 4180). oscal: OSCAL 1.2.1 documents, which come as a package.
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// A package: the events with their stored bytes, the whole log, proofs, documents, signatures. Without --format: all of it.
    #[arg(long)]
    package: bool,
    /// A package at this checkpoint instead of the newest: the size of an earlier export gives the same bytes again.
    #[arg(long, value_name = "SIZE")]
    checkpoint: Option<u64>,
    /// A package of an older epoch of the log, which `muster audit log` lists; default: the present one.
    #[arg(long, value_name = "NUMBER")]
    epoch: Option<u32>,
    /// Written whole or not at all. A list: the file, default standard output. A package: a new directory, or an archive when
    /// it ends in .tar; default muster-evidence-<tenant>.
    #[arg(long, value_name = "PATH")]
    file: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Json,
    Csv,
    Oscal,
}

impl Format {
    fn asked(self) -> ExportFormat {
        match self {
            Self::Json => ExportFormat::Json,
            Self::Csv => ExportFormat::Csv,
            Self::Oscal => ExportFormat::Oscal,
        }
    }
}

pub(crate) async fn run(args: ExportArgs, session: &Session, screen: &Screen) -> Result<(), CliError> {
    if args.package || args.checkpoint.is_some() || args.epoch.is_some() || args.format == Some(Format::Oscal) {
        package(args, session, screen).await
    } else {
        list(args, session, screen).await
    }
}

async fn list(args: ExportArgs, session: &Session, screen: &Screen) -> Result<(), CliError> {
    let format = args.format.unwrap_or(Format::Json).asked();
    let filter = Some(filter(&args.filter, session.clock.now())?);
    let ask = ExportEventsRequest { tenant: session.tenant(), filter, format: format.into(), min_version: 0 };
    let mut chunks = session.audit().export_events(session.follow(ask)).await?.into_inner();
    let Some(path) = args.file else {
        while let Some(message) = chunks.message().await? {
            screen.raw(&message.chunk)?;
        }
        return Ok(());
    };
    let failed = |error: std::io::Error| CliError::Failed(format!("{}: {error}", path.display()));
    // Beside the file, so that the rename stays on one file system; gone again when anything fails.
    let mut file = tempfile::NamedTempFile::new_in(beside(&path)).map_err(failed)?;
    let mut bytes = 0;
    while let Some(message) = chunks.message().await? {
        file.write_all(&message.chunk).map_err(failed)?;
        bytes += message.chunk.len();
    }
    file.as_file().sync_all().map_err(failed)?;
    file.persist(&path).map_err(|error| failed(error.error))?;
    screen.note(&format!("{bytes} bytes written to {}", path.display()))
}

async fn package(args: ExportArgs, session: &Session, screen: &Screen) -> Result<(), CliError> {
    let ask = ExportPackageRequest {
        tenant: session.tenant(),
        filter: Some(filter(&args.filter, session.clock.now())?),
        formats: args.format.map(|format| format.asked().into()).into_iter().collect(),
        checkpoint_size: args.checkpoint.unwrap_or_default(),
        min_version: 0,
        epoch: args.epoch.unwrap_or_default(),
    };
    let path = args.file.unwrap_or_else(|| PathBuf::from(format!("muster-evidence-{}", session.tenant())));
    let mut writer = PackageWriter::create(&path)?;
    let mut pieces = session.audit().export_package(session.follow(ask)).await?.into_inner();
    let bar = progress();
    let mut announced = None;
    while let Some(piece) = pieces.message().await? {
        if piece.files > 0 {
            announced = Some(piece.files);
            break;
        }
        if !piece.path.is_empty() {
            writer.begin(&piece.path)?;
            bar.set_message(piece.path);
        }
        writer.write(&piece.chunk)?;
        bar.inc(piece.chunk.len() as u64);
    }
    bar.finish_and_clear();
    let (files, bytes) = (writer.files(), writer.bytes());
    if announced != Some(files) {
        let why = format!("the package came incomplete ({files} files); nothing was written. Next: export again");
        return Err(CliError::Failed(why));
    }
    writer.finish()?;
    screen.note(&format!("{files} files, {bytes} bytes written to {}", path.display()))?;
    screen.note(&format!("check it with `muster audit verify {}`, or as its README.md says", path.display()))
}

/// The directory that holds a file.
pub(super) fn beside(path: &Path) -> PathBuf {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).map_or_else(|| PathBuf::from("."), PathBuf::from)
}
