//! `muster alert …`: what is wrong now, and who looks after it.

mod answer;
mod list;

use clap::Subcommand;

use super::{error::CliError, output::Screen, session::Session};

#[derive(Debug, Subcommand)]
pub(crate) enum AlertCommand {
    /// Open alerts: who looks after them, and who is told next if nobody does.
    List(list::ListArgs),
    /// Say that you look after an alert: nobody else is told again. It approves nothing, and the alert stays open.
    Ack(answer::AckArgs),
    /// Be told nothing more about an alert for a while. Not for a tier 1 breach in production.
    Silence(answer::SilenceArgs),
    /// Call the next step of the alert's chain now: you need help, or its time is too far away.
    Escalate(answer::EscalateArgs),
}

pub(crate) async fn run(command: AlertCommand, session: &Session, screen: &Screen) -> Result<(), CliError> {
    match command {
        AlertCommand::List(args) => list::run(args, session, screen).await,
        AlertCommand::Ack(args) => answer::acknowledge(args, session, screen).await,
        AlertCommand::Silence(args) => answer::silence(args, session, screen).await,
        AlertCommand::Escalate(args) => answer::escalate(args, session, screen).await,
    }
}
