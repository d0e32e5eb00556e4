//! `muster request …`: open, decide, start, stop, follow.

mod change;
mod exceptions;
pub(crate) mod find;
mod follow;
mod open;
mod run;
mod scope;
mod show;
mod start;

pub(crate) use open::request_type;

use clap::{Args, Subcommand};
use muster_domain::pb::request::v1::{
    ListRequestsRequest, ListRequestsResponse, RequestOpened, RequestState, RequestView,
};
use muster_domain::request::{scope_name, state_name, type_name};

use super::{
    error::CliError,
    exit::Exit,
    get::{follows, next_page},
    output::{
        Screen,
        style::Tone,
        table::{Cell, Table},
        words,
    },
    run::say,
    session::Session,
};

#[derive(Debug, Subcommand)]
pub(crate) enum RequestCommand {
    /// Ask for a move. It waits for its approvals.
    Open(open::OpenArgs),
    /// Requests, newest first.
    List(ListArgs),
    /// One request with its approvals, checks, positions, steps and result.
    Show(IdArgs),
    /// Say yes, as an approver other than the requester.
    Approve(change::ApproveArgs),
    /// Say no.
    Deny(change::ReasonArgs),
    /// Take the responsibility for one check that says no, as an Approver-IT other than the requester.
    Override(exceptions::OverrideArgs),
    /// Record the review that a broken glass owes.
    Review(exceptions::ReviewArgs),
    /// Take a request back.
    Withdraw(change::ReasonArgs),
    /// Start an approved request; asks for the confirmation phrase.
    Start(start::StartArgs),
    /// Stop a running execution before its next step.
    Stop(change::ReasonArgs),
    /// Begin no further step until somebody resumes; what is under way comes to its end.
    Pause(say::PauseArgs),
    /// Let a paused run go on.
    Resume(say::ResumeArgs),
    /// Say that a manual step is done, or that it cannot be done.
    ConfirmStep(say::ConfirmStepArgs),
    /// Add a note to a run.
    Note(say::NoteArgs),
    /// Follow a request until it is over.
    Watch(IdArgs),
}

#[derive(Debug, Args)]
pub(crate) struct IdArgs {
    /// The request's id, or the beginning or end of it that no other request has.
    pub id: String,
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Only in this state: pending, approved, denied, withdrawn, expired, confirmed, executing, succeeded, failed, stopped.
    #[arg(long = "state", value_parser = state)]
    states: Vec<RequestState>,
    /// Only of this resource, alone or in a group.
    #[arg(long)]
    resource: Option<String>,
    /// Only of this group.
    #[arg(long)]
    group: Option<String>,
    /// Only those that used, or could use, the emergency path.
    #[arg(long)]
    break_glass: bool,
}

pub(crate) async fn run(command: RequestCommand, session: &Session, screen: &Screen) -> Result<Exit, CliError> {
    match command {
        RequestCommand::Open(args) => open::run(args, session, screen).await?,
        RequestCommand::List(args) => list(args, session, screen).await?,
        RequestCommand::Show(args) => {
            let view = find::find(&args.id, session).await?;
            show::print(&view, session.clock.now(), screen)?;
            if screen.is_table() {
                super::notify::of_request(&view.request_id, session, screen).await?;
            }
        }
        RequestCommand::Approve(args) => change::approve(args, session, screen).await?,
        RequestCommand::Deny(args) => change::deny(args, session, screen).await?,
        RequestCommand::Override(args) => exceptions::override_check(args, session, screen).await?,
        RequestCommand::Review(args) => exceptions::review(args, session, screen).await?,
        RequestCommand::Withdraw(args) => change::withdraw(args, session, screen).await?,
        RequestCommand::Stop(args) => change::stop(args, session, screen).await?,
        RequestCommand::Pause(args) => say::pause(args, session, screen).await?,
        RequestCommand::Resume(args) => say::resume(args, session, screen).await?,
        RequestCommand::ConfirmStep(args) => say::confirm_step(args, session, screen).await?,
        RequestCommand::Note(args) => say::note(args, session, screen).await?,
        RequestCommand::Start(args) => return Box::pin(start::run(args, session, screen)).await,
        RequestCommand::Watch(args) => {
            let id = find::find(&args.id, session).await?.request_id;
            return follow::follow(&id, session, screen).await;
        }
    }
    Ok(Exit::Done)
}

async fn list(args: ListArgs, session: &Session, screen: &Screen) -> Result<(), CliError> {
    let all = fetch(args, session, screen).await?;
    if screen.is_table() { table(&all.requests).print(screen, "no requests") } else { screen.value(&all) }
}

async fn fetch(args: ListArgs, session: &Session, screen: &Screen) -> Result<ListRequestsResponse, CliError> {
    let mut all = ListRequestsResponse::default();
    let (mut token, mut pages) = (Some(String::new()), 0);
    while let Some(after) = token {
        let states = args.states.iter().map(|state| (*state).into()).collect();
        let ask = ListRequestsRequest {
            tenant: session.tenant(),
            states,
            resource: args.resource.clone().unwrap_or_default(),
            group: args.group.clone().unwrap_or_default(),
            break_glass: args.break_glass,
            page: next_page(after),
            ..ListRequestsRequest::default()
        };
        let answer = session.approval().list_requests(session.ask(ask)).await?.into_inner();
        all.requests.extend(answer.requests);
        pages += 1;
        token = follows(answer.page, pages, screen)?;
    }
    Ok(all)
}

pub(crate) fn table(requests: &[RequestView]) -> Table {
    let mut table = Table::new(&["ID", "STATE", "TYPE", "SCOPE", "FROM", "TO", "REQUESTER", "OPENED", "MISSING"]);
    for view in requests {
        let opened = view.opened.clone().unwrap_or_default();
        table.row([
            view.request_id.as_str().into(),
            state_cell(view.state()),
            type_name(opened.r#type()).into(),
            scope_words(&opened).into(),
            opened.from_site.as_str().into(),
            opened.target_site.as_str().into(),
            opener(&opened).into(),
            words::time(opened.opened_at.as_ref()).into(),
            view.missing.join(", ").into(),
        ]);
    }
    table
}

/// Who opened it. A schedule does it in the name of whoever declared it, of whom only the id is known.
fn opener(opened: &RequestOpened) -> String {
    match opened.schedule.as_str() {
        "" => words::actor(opened.requester.as_ref()),
        schedule => format!("schedule {schedule}"),
    }
}

/// "orders-db", "group shop"; with a sign where approvals may be skipped.
fn scope_words(opened: &RequestOpened) -> String {
    let group = if opened.group.is_empty() { "" } else { "group " };
    let glass = if opened.break_glass.is_some() { " (break-glass)" } else { "" };
    format!("{group}{}{glass}", scope_name(opened))
}

fn state_cell(state: RequestState) -> Cell {
    let tone = match state {
        RequestState::Succeeded => Tone::Good,
        RequestState::Failed | RequestState::Stopped | RequestState::Denied => Tone::Bad,
        RequestState::PendingApproval | RequestState::Approved | RequestState::Confirmed | RequestState::Executing => {
            Tone::Warning
        }
        RequestState::Withdrawn | RequestState::Expired | RequestState::Unspecified => Tone::Dim,
    };
    Cell::toned(tone, state_name(state))
}

/// "pending" for "pending approval".
fn state(text: &str) -> Result<RequestState, String> {
    const ALL: [RequestState; 10] = [
        RequestState::PendingApproval,
        RequestState::Approved,
        RequestState::Denied,
        RequestState::Withdrawn,
        RequestState::Expired,
        RequestState::Confirmed,
        RequestState::Executing,
        RequestState::Succeeded,
        RequestState::Failed,
        RequestState::Stopped,
    ];
    let wanted = text.to_ascii_lowercase().replace(['-', '_'], " ");
    let found = ALL
        .into_iter()
        .find(|state| state_name(*state) == wanted || state_name(*state).split(' ').next() == Some(wanted.as_str()));
    found.ok_or_else(|| {
        format!("one of {}", ALL.map(|state| state_name(state).split(' ').next().unwrap_or_default()).join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_by_their_words() {
        assert_eq!(state("pending"), Ok(RequestState::PendingApproval));
        assert_eq!(state("pending-approval"), Ok(RequestState::PendingApproval));
        assert_eq!(state("Succeeded"), Ok(RequestState::Succeeded));
        assert!(state("done").is_err());
    }
}
