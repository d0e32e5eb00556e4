//! `muster request start`: the last look, the phrase, and then it runs.

use std::io::{IsTerminal, Write};

use clap::Args;
use muster_domain::pb::request::v1::{RequestState, RequestView, StartRequestRequest};

use super::{IdArgs, find, follow, show};
use crate::client::{error::CliError, exit::Exit, output::Screen, session::Session};

#[derive(Debug, Args)]
pub(crate) struct StartArgs {
    #[command(flatten)]
    request: IdArgs,
    /// The confirmation phrase, for scripts; a person is asked for it.
    #[arg(long, value_name = "PHRASE")]
    confirm: Option<String>,
    /// Follow it until it is over; the exit code then says how it ended.
    #[arg(long)]
    watch: bool,
}

pub(super) async fn run(args: StartArgs, session: &Session, screen: &Screen) -> Result<Exit, CliError> {
    let view = find::find(&args.request.id, session).await?;
    let confirmation = match args.confirm {
        Some(phrase) => phrase,
        // Only what can be started is worth a phrase; the server says the rest.
        None if can_be_started(&view) => ask_for_phrase(&view, session, screen)?,
        None => String::new(),
    };
    let ask = StartRequestRequest {
        tenant: session.tenant(),
        request_id: view.request_id.clone(),
        confirmation,
        idempotency_key: session.idempotency_key(),
    };
    let answer = session.approval().start_request(session.ask(ask)).await?.into_inner();
    if args.watch {
        return follow::follow(&view.request_id, session, screen).await;
    }
    let started = answer.request.unwrap_or_default();
    if !screen.is_table() {
        screen.value(&started)?;
        return Ok(Exit::Done);
    }
    screen.line(&format!("started; follow it with `muster request watch {}`", started.request_id))?;
    Ok(Exit::Done)
}

fn can_be_started(view: &RequestView) -> bool {
    let breaks_glass = view.opened.as_ref().is_some_and(|opened| opened.break_glass.is_some());
    view.state() == RequestState::Approved || (breaks_glass && view.state() == RequestState::PendingApproval)
}

fn ask_for_phrase(view: &RequestView, session: &Session, screen: &Screen) -> Result<String, CliError> {
    if !std::io::stdin().is_terminal() {
        return Err(CliError::Usage(
            "starting takes the confirmation phrase: type it at a terminal, or give --confirm \"…\"".to_owned(),
        ));
    }
    if screen.is_table() {
        show::print(view, session.clock.now(), screen)?;
    }
    let mut prompt = std::io::stderr();
    write!(
        prompt,
        "\nThis moves a running system. Type the confirmation phrase to start, or nothing to leave it:\n> "
    )?;
    prompt.flush()?;
    let mut typed = String::new();
    std::io::stdin().read_line(&mut typed)?;
    match typed.trim() {
        "" => Err(CliError::Failed("nothing was typed; nothing was started".to_owned())),
        phrase => Ok(phrase.to_owned()),
    }
}
