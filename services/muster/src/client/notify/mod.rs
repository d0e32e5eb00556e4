//! `muster notify …`: who was told what and when, and whether a route works.

mod list;
mod preview;
mod retry;
mod test;

pub(crate) use list::of_request;

use clap::Subcommand;

use super::{error::CliError, exit::Exit, output::Screen, session::Session};

#[derive(Debug, Subcommand)]
pub(crate) enum NotifyCommand {
    /// Who was told what, and when; newest first.
    List(list::ListArgs),
    /// Send a test on a route, and wait for what becomes of it.
    Test(test::TestArgs),
    /// Send again what was given up.
    Retry(retry::RetryArgs),
    /// What a message would look like. Sends nothing.
    Preview(preview::PreviewArgs),
}

pub(crate) async fn run(command: NotifyCommand, session: &Session, screen: &Screen) -> Result<Exit, CliError> {
    match command {
        NotifyCommand::List(args) => list::run(args, session, screen).await?,
        NotifyCommand::Test(args) => return test::run(args, session, screen).await,
        NotifyCommand::Retry(args) => retry::run(args, session, screen).await?,
        NotifyCommand::Preview(args) => preview::run(args, session, screen).await?,
    }
    Ok(Exit::Done)
}
