//! `muster audit review`: that a person looked at a run, or at a period of the record.

use clap::{Args, Subcommand};
use muster_domain::pb::audit::v1::{ReviewAuditRequest, ReviewDrillRequest};
use muster_domain::time::to_pb;

use super::time;
use crate::client::{error::CliError, output::Screen, request::find::find, session::Session, witnessed};

#[derive(Debug, Subcommand)]
pub(crate) enum ReviewCommand {
    /// Review the record of a drill or a real run that others made. Once for each person.
    Run(RunArgs),
    /// Review a period of the record.
    Period(PeriodArgs),
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The request's id, or enough of it.
    request: String,
    /// It was as it should be.
    #[arg(long, conflicts_with = "reject", required_unless_present = "reject")]
    accept: bool,
    /// It was not.
    #[arg(long)]
    reject: bool,
    /// What was looked at and found.
    #[arg(long)]
    note: String,
    /// A gap that is held against it; its whole id.
    #[arg(long = "gap", value_name = "GAP")]
    gaps: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct PeriodArgs {
    /// From this time on: a time, a day, or 168h for "a week ago".
    #[arg(long)]
    from: String,
    /// Until this time, in the same forms; default: now.
    #[arg(long)]
    to: Option<String>,
    /// What was looked at and found.
    #[arg(long)]
    note: String,
}

pub(super) async fn run(command: ReviewCommand, session: &Session, screen: &Screen) -> Result<(), CliError> {
    match command {
        ReviewCommand::Run(args) => of_run(args, session, screen).await,
        ReviewCommand::Period(args) => of_period(args, session, screen).await,
    }
}

async fn of_run(args: RunArgs, session: &Session, screen: &Screen) -> Result<(), CliError> {
    let request = find(&args.request, session).await?;
    let ask = ReviewDrillRequest {
        tenant: session.tenant(),
        idempotency_key: session.idempotency_key(),
        request_id: request.request_id.clone(),
        accepted: args.accept,
        note: args.note,
        gap_ids: args.gaps,
    };
    let answer = witnessed::told(session.audit().review_drill(session.ask(ask)).await?, screen)?;
    if !screen.is_table() {
        return screen.value(&answer);
    }
    let word = if args.accept { "accepted" } else { "not accepted" };
    screen.line(&format!("the run of request {} is reviewed: {word}", request.request_id))
}

async fn of_period(args: PeriodArgs, session: &Session, screen: &Screen) -> Result<(), CliError> {
    let now = session.clock.now();
    let from = time("--from", &args.from, now)?;
    let to = args.to.map(|text| time("--to", &text, now)).transpose()?.unwrap_or(now);
    let ask = ReviewAuditRequest {
        tenant: session.tenant(),
        idempotency_key: session.idempotency_key(),
        from: Some(to_pb(from)),
        to: Some(to_pb(to)),
        note: args.note,
    };
    let answer = witnessed::told(session.audit().review_audit(session.ask(ask)).await?, screen)?;
    if screen.is_table() {
        screen.line(&format!("the record from {from:.0} to {to:.0} is reviewed"))
    } else {
        screen.value(&answer)
    }
}
