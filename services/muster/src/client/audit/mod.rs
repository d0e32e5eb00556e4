//! `muster audit`: reading and exporting the record. No command changes or deletes it.

use std::{io::Write, path::PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};
use muster_domain::pb::audit::v1::{
    AuditFilter, ExportEventsRequest, ExportFormat, ListEventsRequest, ListEventsResponse,
};
use muster_domain::pb::common::v1::PageRequest;
use muster_domain::time::to_pb;

use super::{
    error::CliError,
    output::{Screen, table::Table, words},
    session::Session,
};

/// The server's largest page.
const MAX_PAGE: u32 = 500;

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Records, newest first.
    List(ListArgs),
    /// All records that fit, as a file or on standard output.
    Export(ExportArgs),
}

#[derive(Debug, Args)]
pub(crate) struct FilterArgs {
    /// From this time on: 2026-11-21T20:00:00Z, 2026-11-21 (UTC), or 2h for "two hours ago".
    #[arg(long)]
    from: Option<String>,
    /// Until this time, in the same forms.
    #[arg(long)]
    to: Option<String>,
    #[arg(long)]
    resource: Option<String>,
    /// The request's whole id.
    #[arg(long)]
    request: Option<String>,
    /// Part of the actor's id or name.
    #[arg(long)]
    actor: Option<String>,
    /// Event types such as request.approved; a trailing * matches the rest.
    #[arg(long = "type", value_name = "TYPE")]
    types: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    filter: FilterArgs,
    /// How many records at most.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
}

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    filter: FilterArgs,
    /// One JSON object a line, or CSV with a heading (RFC 4180).
    #[arg(long, value_enum, default_value_t = Format::Json)]
    format: Format,
    /// Written whole or not at all; default: standard output.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Json,
    Csv,
}

pub(crate) async fn run(command: AuditCommand, session: &Session, screen: &Screen) -> Result<(), CliError> {
    match command {
        AuditCommand::List(args) => list(args, session, screen).await,
        AuditCommand::Export(args) => export(args, session, screen).await,
    }
}

async fn list(args: ListArgs, session: &Session, screen: &Screen) -> Result<(), CliError> {
    let filter = Some(filter(&args.filter, session.clock.now())?);
    let mut all = ListEventsResponse::default();
    let mut token = String::new();
    loop {
        let left = args.limit - u32::try_from(all.records.len()).unwrap_or(args.limit).min(args.limit);
        let page = Some(PageRequest { page_size: left.min(MAX_PAGE), page_token: token });
        let ask = ListEventsRequest {
            tenant: session.tenant(),
            filter: filter.clone(),
            newest_first: true,
            page,
            min_version: 0,
        };
        let answer = session.audit().list_events(session.ask(ask)).await?.into_inner();
        all.records.extend(answer.records);
        token = answer.page.map(|page| page.next_page_token).unwrap_or_default();
        if token.is_empty() || all.records.len() >= args.limit as usize {
            break;
        }
    }
    if !screen.is_table() {
        return screen.value(&all);
    }
    let mut table = Table::new(&["SEQUENCE", "TIME", "TYPE", "ACTOR", "RESOURCE", "REQUEST", "OUTCOME", "REASON"]);
    for record in &all.records {
        table.row([
            record.sequence.to_string().into(),
            words::time(record.time.as_ref()).into(),
            record.r#type.as_str().into(),
            words::actor(record.actor.as_ref()).into(),
            words::or_dash(&record.resource).into(),
            words::or_dash(&record.request_id).into(),
            words::or_dash(&record.outcome).into(),
            words::shortened(&record.reason).into(),
        ]);
    }
    table.print(screen, "no records")?;
    if token.is_empty() {
        Ok(())
    } else {
        screen.note(&format!("there are more; --limit shows more than {}", args.limit))
    }
}

async fn export(args: ExportArgs, session: &Session, screen: &Screen) -> Result<(), CliError> {
    let format = match args.format {
        Format::Json => ExportFormat::Json,
        Format::Csv => ExportFormat::Csv,
    };
    let filter = Some(filter(&args.filter, session.clock.now())?);
    let ask = ExportEventsRequest { tenant: session.tenant(), filter, format: format.into(), min_version: 0 };
    let mut chunks = session.audit().export_events(session.follow(ask)).await?.into_inner();
    let Some(path) = args.file else {
        while let Some(message) = chunks.message().await? {
            screen.raw(&message.chunk)?;
        }
        return Ok(());
    };
    // Beside the file, so that the rename stays on one file system; gone again when anything fails.
    let directory =
        path.parent().filter(|parent| !parent.as_os_str().is_empty()).map_or_else(|| PathBuf::from("."), PathBuf::from);
    let failed = |error: std::io::Error| CliError::Failed(format!("{}: {error}", path.display()));
    let mut file = tempfile::NamedTempFile::new_in(directory).map_err(failed)?;
    let mut bytes = 0;
    while let Some(message) = chunks.message().await? {
        file.write_all(&message.chunk).map_err(failed)?;
        bytes += message.chunk.len();
    }
    file.as_file().sync_all().map_err(failed)?;
    file.persist(&path).map_err(|error| failed(error.error))?;
    screen.note(&format!("{bytes} bytes written to {}", path.display()))
}

fn filter(args: &FilterArgs, now: Timestamp) -> Result<AuditFilter, CliError> {
    let at = |option: &str, text: &Option<String>| {
        text.as_deref().map(|text| time(option, text, now).map(to_pb)).transpose()
    };
    Ok(AuditFilter {
        from: at("--from", &args.from)?,
        to: at("--to", &args.to)?,
        resource: args.resource.clone().unwrap_or_default(),
        request_id: args.request.clone().unwrap_or_default(),
        actor: args.actor.clone().unwrap_or_default(),
        types: args.types.clone(),
    })
}

/// A time, a day, or how long ago.
fn time(option: &str, text: &str, now: Timestamp) -> Result<Timestamp, CliError> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    if let Ok(day) = text.parse::<Date>()
        && let Ok(start) = day.to_zoned(TimeZone::UTC)
    {
        return Ok(start.timestamp());
    }
    let ago = text.parse::<SignedDuration>().ok().and_then(|ago| now.checked_sub(ago).ok());
    ago.ok_or_else(|| {
        CliError::Usage(format!(
            "{option} '{text}': write a time (2026-11-21T20:00:00Z), a day (2026-11-21) or how long ago (2h)"
        ))
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use super::*;

    #[test]
    fn times_are_points_days_or_ages() {
        let now: Timestamp = "2026-11-21T20:00:00Z".parse().unwrap();
        assert_eq!(time("--from", "2026-11-21T18:00:00Z", now).unwrap().to_string(), "2026-11-21T18:00:00Z");
        assert_eq!(time("--from", "2026-11-20", now).unwrap().to_string(), "2026-11-20T00:00:00Z");
        assert_eq!(time("--from", "2h", now).unwrap().to_string(), "2026-11-21T18:00:00Z");
        assert_eq!(time("--from", "1h30m", now).unwrap().to_string(), "2026-11-21T18:30:00Z");
        assert_eq!(time("--to", "yesterday", now).unwrap_err().exit().code(), 2);
    }
}
