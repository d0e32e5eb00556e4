//! `muster gap …`: what is not as it should be, until it is closed or accepted until a date.

mod change;
mod find;
mod list;
mod open;
mod show;

use clap::Subcommand;
use muster_domain::gap::{severity_name, state_name};
use muster_domain::pb::audit::v1::{Gap, GapState, Severity};

use super::{
    error::CliError,
    output::{Screen, style::Tone, table::Cell},
    session::Session,
};

#[derive(Debug, Subcommand)]
pub(crate) enum GapCommand {
    /// Gaps that are not closed: the worst first.
    List(list::ListArgs),
    /// One gap with everything that was decided about it.
    Show(change::IdArgs),
    /// Say that something is not as it should be.
    Open(open::OpenArgs),
    /// Say what will be done about it, by whom, until when.
    Plan(change::PlanArgs),
    /// Say that it is mended, and what shows it.
    Close(change::CloseArgs),
    /// The business bears the risk until a date, a year at most; then it opens again by itself.
    Accept(change::AcceptArgs),
    /// Say that it is there again, or that a plan or an acceptance holds no more.
    Reopen(change::ReopenArgs),
}

pub(crate) async fn run(command: GapCommand, session: &Session, screen: &Screen) -> Result<(), CliError> {
    match command {
        GapCommand::List(args) => list::run(args, session, screen).await,
        GapCommand::Show(args) => show::run(&args.id, session, screen).await,
        GapCommand::Open(args) => open::run(args, session, screen).await,
        GapCommand::Plan(args) => change::plan(args, session, screen).await,
        GapCommand::Close(args) => change::close(args, session, screen).await,
        GapCommand::Accept(args) => change::accept(args, session, screen).await,
        GapCommand::Reopen(args) => change::reopen(args, session, screen).await,
    }
}

fn severity(gap: &Gap) -> Cell {
    let severity = gap.opened.as_ref().map(|opened| opened.severity()).unwrap_or_default();
    match severity {
        Severity::High => Cell::toned(Tone::Bad, severity_name(severity)),
        Severity::Moderate => Cell::toned(Tone::Warning, severity_name(severity)),
        Severity::Low | Severity::Unspecified => severity_name(severity).into(),
    }
}

fn state(gap: &Gap) -> Cell {
    match gap.state() {
        GapState::Planned if gap.overdue => Cell::toned(Tone::Bad, "planned, OVERDUE"),
        GapState::Closed => Cell::toned(Tone::Good, state_name(gap.state())),
        GapState::Accepted => Cell::toned(Tone::Dim, state_name(gap.state())),
        state => state_name(state).into(),
    }
}
