//! `muster audit`: reading and exporting the record. No command changes or deletes it.

mod changes;
mod denied;
mod destroy;
mod export;
mod fsck;
mod keys;
mod package;
mod prove;
mod report;
mod review;
mod show_log;
mod story;
mod verify;

use clap::{Args, Subcommand};
use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};
use muster_domain::pb::audit::v1::{AuditFilter, ListEventsRequest, ListEventsResponse};
use muster_domain::pb::common::v1::PageRequest;
use muster_domain::time::to_pb;

use super::{
    GlobalArgs,
    error::CliError,
    exit::Exit,
    output::{Screen, table::Table, words},
    session::Session,
};

/// The server's largest page.
const MAX_PAGE: u32 = 500;

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Records, newest first.
    List(ListArgs),
    /// All records that fit: as a list, or as a package of evidence that verifies without Muster.
    Export(export::ExportArgs),
    /// One page about one run: what was decided, done and measured, and how it is proven.
    Report(report::ReportArgs),
    /// Everything about one request, each event below what caused it.
    Story(story::StoryArgs),
    /// What was refused to whom.
    Denied(denied::DeniedArgs),
    /// Who changed which field of which document from what to what.
    Changes(changes::ChangesArgs),
    /// Say that you looked at a run, or at a period of the record.
    #[command(subcommand)]
    Review(review::ReviewCommand),
    /// That nothing was changed since it was logged: the server's record now, a package, or one proof. Exit code 0: good;
    /// 1: not good; 2: it could not be verified.
    Verify(verify::VerifyArgs),
    /// The proof of one event, as a file that verifies without Muster.
    Prove(prove::ProveArgs),
    /// Make the content of every encrypted event of the tenant unreadable, for ever. Proofs stay good.
    DestroyPayloadKey(destroy::DestroyArgs),
    /// Derive the whole transparency log again from the record, on the machine that has broker and store, and compare it with
    /// what is there. Changes nothing; exit code 1 when something differs.
    Fsck(fsck::FsckArgs),
    /// Sign the log with a new key; the old one signs beside it for 30 days.
    RotateKey(keys::RotateArgs),
    /// Take back the trust in a key from a size on: a new epoch begins with a new key.
    RevokeKey(keys::RevokeArgs),
    /// The transparency log: its keys, its newest checkpoint, its witnesses, and what auditors need.
    Log,
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

pub(crate) async fn run(command: AuditCommand, global: &GlobalArgs, screen: &Screen) -> Result<Exit, CliError> {
    let open = || Session::with_tenant(global);
    match command {
        // A package is verified without a server and a login.
        AuditCommand::Verify(args) => return Box::pin(verify::run(args, global, screen)).await,
        AuditCommand::Prove(args) => return prove::run(args, &open().await?, global, screen).await,
        AuditCommand::Fsck(args) => return Box::pin(fsck::run(args, global, screen)).await,
        AuditCommand::RotateKey(args) => keys::rotate(args, &open().await?, screen).await,
        AuditCommand::RevokeKey(args) => keys::revoke(args, &open().await?, screen).await,
        AuditCommand::Log => show_log::run(&open().await?, global, screen).await,
        AuditCommand::DestroyPayloadKey(args) => destroy::run(args, &open().await?, screen).await,
        AuditCommand::List(args) => list(args, &open().await?, screen).await,
        AuditCommand::Export(args) => export::run(args, &open().await?, screen).await,
        AuditCommand::Report(args) => report::run(args, &open().await?, screen).await,
        AuditCommand::Story(args) => story::run(args, &open().await?, screen).await,
        AuditCommand::Denied(args) => denied::run(args, &open().await?, screen).await,
        AuditCommand::Changes(args) => changes::run(args, &open().await?, screen).await,
        AuditCommand::Review(command) => review::run(command, &open().await?, screen).await,
    }?;
    Ok(Exit::Done)
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
