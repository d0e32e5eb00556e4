//! `muster delegate …`: who decides for you while you are away.

use clap::{Args, Subcommand};
use muster_domain::access::{role_by_name, role_name};
use muster_domain::pb::common::v1::Role;
use muster_domain::pb::request::v1::{
    DelegateRequest, EndDelegationRequest, ListDelegationsRequest, ListDelegationsResponse,
};
use muster_domain::time::to_pb;

use super::{
    error::CliError,
    get::{follows, next_page},
    moment::moment,
    output::{Screen, table::Table, words},
    session::Session,
};

#[derive(Debug, Subcommand)]
pub(crate) enum DelegateCommand {
    /// Let another person decide in your approver role while you are away.
    Add(AddArgs),
    /// End a delegation before its time.
    End(EndArgs),
    /// Delegations that hold now or will.
    List,
}

#[derive(Debug, Args)]
pub(crate) struct AddArgs {
    /// The person's stable id, as `muster whoami` shows it to that person.
    #[arg(long, value_name = "ID")]
    to: String,
    /// The person's name, for the record.
    #[arg(long, default_value = "", hide_default_value = true)]
    to_name: String,
    /// Approver-IT or Approver-Business; you must hold it.
    #[arg(long, value_parser = role)]
    role: Role,
    /// When it begins: a time, a day, or in how long (2h); default: now.
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// When it ends, at most 30 days later: a time, a day, or in how long (48h).
    #[arg(long, value_name = "TIME")]
    until: String,
    /// Why, for the record.
    #[arg(long)]
    reason: String,
}

#[derive(Debug, Args)]
pub(crate) struct EndArgs {
    /// The delegation's id.
    id: String,
}

fn role(text: &str) -> Result<Role, String> {
    role_by_name(text)
        .filter(|role| matches!(role, Role::ApproverIt | Role::ApproverBusiness))
        .ok_or_else(|| "Approver-IT or Approver-Business".to_owned())
}

pub(crate) async fn run(command: DelegateCommand, session: &Session, screen: &Screen) -> Result<(), CliError> {
    match command {
        DelegateCommand::Add(args) => add(args, session, screen).await,
        DelegateCommand::End(args) => end(args, session, screen).await,
        DelegateCommand::List => list(session, screen).await,
    }
}

async fn add(args: AddArgs, session: &Session, screen: &Screen) -> Result<(), CliError> {
    let now = session.clock.now();
    let starts = args.from.map(|text| moment("--from", &text, now)).transpose()?;
    let ask = DelegateRequest {
        tenant: session.tenant(),
        to: args.to,
        to_name: args.to_name,
        role: args.role.into(),
        starts: starts.map(to_pb),
        ends: Some(to_pb(moment("--until", &args.until, now)?)),
        reason: args.reason,
        idempotency_key: session.idempotency_key(),
    };
    let answer = session.approval().delegate(session.ask(ask)).await?.into_inner();
    if !screen.is_table() {
        return screen.value(&answer);
    }
    let delegated = answer.delegation.unwrap_or_default();
    screen.line(&format!(
        "{} decides as {} from {} until {}; end it with `muster delegate end {}`",
        if delegated.to_name.is_empty() { &delegated.to } else { &delegated.to_name },
        role_name(delegated.role()),
        words::time(delegated.starts.as_ref()),
        words::time(delegated.ends.as_ref()),
        delegated.delegation_id
    ))
}

async fn end(args: EndArgs, session: &Session, screen: &Screen) -> Result<(), CliError> {
    let ask = EndDelegationRequest {
        tenant: session.tenant(),
        delegation_id: args.id,
        idempotency_key: session.idempotency_key(),
    };
    let answer = session.approval().end_delegation(session.ask(ask)).await?.into_inner();
    if screen.is_table() { screen.line("ended; what was decided by it stays") } else { screen.value(&answer) }
}

async fn list(session: &Session, screen: &Screen) -> Result<(), CliError> {
    let mut all = ListDelegationsResponse::default();
    let (mut token, mut pages) = (Some(String::new()), 0);
    while let Some(after) = token {
        let ask = ListDelegationsRequest { tenant: session.tenant(), page: next_page(after), min_version: 0 };
        let answer = session.approval().list_delegations(session.ask(ask)).await?.into_inner();
        all.delegations.extend(answer.delegations);
        pages += 1;
        token = follows(answer.page, pages, screen)?;
    }
    if !screen.is_table() {
        return screen.value(&all);
    }
    let mut table = Table::new(&["ID", "AWAY", "DECIDES", "ROLE", "FROM", "UNTIL", "REASON"]);
    for delegated in &all.delegations {
        let to = if delegated.to_name.is_empty() { &delegated.to } else { &delegated.to_name };
        table.row([
            delegated.delegation_id.as_str().into(),
            words::actor(delegated.from.as_ref()).into(),
            to.as_str().into(),
            role_name(delegated.role()).into(),
            words::time(delegated.starts.as_ref()).into(),
            words::time(delegated.ends.as_ref()).into(),
            words::shortened(&delegated.reason).into(),
        ]);
    }
    table.print(screen, "no delegations")
}
