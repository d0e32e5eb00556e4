//! `muster chat …`: the chat account in which you are asked.

use clap::{Args, Subcommand};
use muster_domain::pb::notification::v1::{
    BindChatRequest, ConfirmChatRequest, ListChatBindingsRequest, UnbindChatRequest,
};

use super::{
    error::CliError,
    output::{Screen, table::Table, words},
    session::Session,
};

#[derive(Debug, Subcommand)]
pub(crate) enum ChatCommand {
    /// Send a code to your chat account; `muster chat confirm` brings it back.
    Bind(BindArgs),
    /// Bring the code back: from here you are asked in that account, too.
    Confirm(ConfirmArgs),
    /// You are not asked there any more.
    Unbind(UnbindArgs),
    /// Whose chat accounts are bound.
    List,
}

#[derive(Debug, Args)]
pub(crate) struct BindArgs {
    /// Your member id in Slack, such as U012AB3CD.
    #[arg(long, value_name = "ID")]
    user: String,
    /// The Slack route of the workspace; default: the tenant's.
    #[arg(long, default_value = "", hide_default_value = true)]
    route: String,
}

#[derive(Debug, Args)]
pub(crate) struct ConfirmArgs {
    /// The binding's id.
    id: String,
    /// The code that the account got.
    code: String,
}

#[derive(Debug, Args)]
pub(crate) struct UnbindArgs {
    /// The binding's id.
    id: String,
}

pub(crate) async fn run(command: ChatCommand, session: &Session, screen: &Screen) -> Result<(), CliError> {
    match command {
        ChatCommand::Bind(args) => bind(args, session, screen).await,
        ChatCommand::Confirm(args) => confirm(args, session, screen).await,
        ChatCommand::Unbind(args) => unbind(args, session, screen).await,
        ChatCommand::List => list(session, screen).await,
    }
}

async fn bind(args: BindArgs, session: &Session, screen: &Screen) -> Result<(), CliError> {
    let ask = BindChatRequest {
        tenant: session.tenant(),
        route: args.route,
        user: args.user,
        idempotency_key: session.idempotency_key(),
    };
    let answer = session.notifier().bind_chat(session.ask(ask)).await?.into_inner();
    if !screen.is_table() {
        return screen.value(&answer);
    }
    screen.line(&format!(
        "a code was sent to the account, good until {}; bring it back with `muster chat confirm {} CODE`",
        words::time(answer.expires_at.as_ref()),
        answer.binding_id
    ))
}

async fn confirm(args: ConfirmArgs, session: &Session, screen: &Screen) -> Result<(), CliError> {
    let ask = ConfirmChatRequest {
        tenant: session.tenant(),
        binding_id: args.id,
        code: args.code,
        idempotency_key: session.idempotency_key(),
    };
    let answer = session.notifier().confirm_chat(session.ask(ask)).await?.into_inner();
    if screen.is_table() { screen.line("bound: you are asked there, too") } else { screen.value(&answer) }
}

async fn unbind(args: UnbindArgs, session: &Session, screen: &Screen) -> Result<(), CliError> {
    let ask =
        UnbindChatRequest { tenant: session.tenant(), binding_id: args.id, idempotency_key: session.idempotency_key() };
    let answer = session.notifier().unbind_chat(session.ask(ask)).await?.into_inner();
    if screen.is_table() { screen.line("unbound") } else { screen.value(&answer) }
}

async fn list(session: &Session, screen: &Screen) -> Result<(), CliError> {
    let ask = ListChatBindingsRequest { tenant: session.tenant(), min_version: 0 };
    let answer = session.notifier().list_chat_bindings(session.ask(ask)).await?.into_inner();
    if !screen.is_table() {
        return screen.value(&answer);
    }
    let mut table = Table::new(&["ID", "WHO", "CHANNEL", "WORKSPACE", "ACCOUNT", "SINCE"]);
    for binding in &answer.bindings {
        let who = if binding.person_name.is_empty() { &binding.person } else { &binding.person_name };
        table.row([
            binding.binding_id.as_str().into(),
            who.as_str().into(),
            binding.channel.as_str().into(),
            binding.team.as_str().into(),
            binding.user.as_str().into(),
            words::time(binding.bound_at.as_ref()).into(),
        ]);
    }
    table.print(screen, "no chat accounts")
}
