//! `muster audit report`: one page about one run.

use std::{io::Write, path::PathBuf};

use clap::{Args, ValueEnum};
use muster_domain::pb::audit::v1::{GetRunReportRequest, ReportFormat};

use crate::client::{error::CliError, output::Screen, request::find::find, session::Session};

#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// The request's id, or enough of it.
    request: String,
    /// A printable page, or data for programs; `-o json` is data too.
    #[arg(long, value_enum)]
    format: Option<Form>,
    /// Written whole or not at all; default: standard output.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    Html,
    Json,
}

pub(super) async fn run(args: ReportArgs, session: &Session, screen: &Screen) -> Result<(), CliError> {
    let request = find(&args.request, session).await?;
    let form = args.format.unwrap_or(if screen.is_table() { Form::Html } else { Form::Json });
    let format = if form == Form::Html { ReportFormat::Html } else { ReportFormat::Json };
    let ask = GetRunReportRequest { tenant: session.tenant(), request_id: request.request_id, format: format.into() };
    let content = session.audit().get_run_report(session.ask(ask)).await?.into_inner().content;
    let Some(path) = args.file else {
        return screen.raw(&content);
    };
    // Beside the file, so that the rename stays on one file system; gone again when anything fails.
    let directory =
        path.parent().filter(|parent| !parent.as_os_str().is_empty()).map_or_else(|| PathBuf::from("."), PathBuf::from);
    let failed = |error: std::io::Error| CliError::Failed(format!("{}: {error}", path.display()));
    let mut file = tempfile::NamedTempFile::new_in(directory).map_err(failed)?;
    file.write_all(&content).map_err(failed)?;
    file.persist(&path).map_err(|error| failed(error.error))?;
    screen.note(&format!("{} bytes written to {}", content.len(), path.display()))
}
